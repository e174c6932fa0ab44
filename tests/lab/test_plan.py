"""A plan shows what a deploy would do, by whose hand ever it became necessary, and does none of it."""

import json
import re
import shlex
import shutil
from pathlib import Path

import pytest

from tests.lab import examples
from tests.lab.support import HUB, PROXY, ROOT, Done, Lab, Settings, typed


def sentences(plan: Done) -> list[str]:
    """Return the changes of a plan in JSON, as people read them."""
    steps = json.loads(plan.out)["steps"]
    return [f"{one['verb']} {one['what']} on {one['host']}" for step in steps for one in step["changes"]]


@pytest.mark.quick
def test_first_deploy_does_what_the_plan_before_it_showed(first_plan: Done, first_history: Done) -> None:
    """On an empty cluster the plan names every change that the deploy then made, in its order."""
    (done,) = json.loads(first_history.out)
    assert (done["command"], done["ended"]) == ("deploy", "done")
    # All nodes and builds at once: in no order of their own.
    pulled = [change for change in done["changes"] if change.startswith(("pull ", "load ", "build "))]
    assert sorted(sentences(first_plan)) == sorted(done["changes"])
    assert [change for change in sentences(first_plan) if change not in pulled] == [
        change for change in done["changes"] if change not in pulled
    ]


def test_what_only_a_later_step_can_know_is_named(first_plan: Done) -> None:
    """Before there is a network, the plans of hub and proxy say which step will tell."""
    fields = {
        (one["what"], item["path"]): item["wanted"]
        for step in json.loads(first_plan.out)["steps"]
        for one in step["changes"]
        for item in one["differences"]
    }
    assert fields[f"service {HUB}", "TaskTemplate.Networks[0].Target"] == "known after network"
    assert "PROXY_SUBNET=known after network" in fields[f"service {PROXY}", "TaskTemplate.ContainerSpec.Env"]


@pytest.mark.quick
def test_drift_by_hand_is_shown_and_the_shown_command_mends_it(deployed: Lab) -> None:
    """A label set by hand is a difference that interrupts nobody; the docker command below it takes it away again."""
    deployed.docker("service", "update", "--quiet", "--detach", "--label-add", "by=hand", HUB)
    before = deployed.fingerprint()
    shown = deployed.fab("plan", "--commands", "--exit-code")
    assert shown.code == 3
    assert "Labels.by: hand → nothing" in shown.out
    assert "1 change; no interruption" in shown.out
    assert deployed.fingerprint() == before
    command = next(line.partition("$ ")[2] for line in shown.out.splitlines() if "$ docker" in line)
    deployed.docker(*shlex.split(command)[1:])
    assert deployed.fab("plan", "--exit-code").code == 0


def test_json_says_what_the_text_says(deployed: Lab, settings: Settings, tmp_path: Path) -> None:
    """The plan for an edited userlist, for machines: the same changes, with their cost and their fields."""
    hosts = edited(settings, tmp_path)
    text, machine = deployed.fab("plan", hosts=hosts), deployed.fab("plan", "--json", hosts=hosts)
    for sentence in sentences(machine):
        assert sentence in text.out
    changes = json.loads(machine.out)["steps"][-1]["changes"]
    (update,) = (one for one in changes if (one["verb"], one["what"]) == ("update", f"service {HUB}"))
    assert (update["cost"], update["people"]) == ("hub restart", [])
    assert [item["path"] for item in update["differences"]] == ["TaskTemplate.ContainerSpec.Image"]
    assert "the hub restarts, notebooks go on" in text.out


def test_deploy_asks_on_a_terminal_before_it_restarts_the_hub(deployed: Lab, settings: Settings, tmp_path: Path) -> None:
    """Answered with no, nothing is changed, and the lock is not held."""
    before = deployed.fingerprint()
    done = typed("deploy", when="[y/n]", keys=b"n\r", hosts=edited(settings, tmp_path))
    assert done.code == 2
    assert "the hub restarts, notebooks go on" in done.out
    assert "nothing was changed" in done.out
    assert deployed.fingerprint() == before
    assert "nobody holds the lock" in deployed.fab("unlock").out


def edited(settings: Settings, folder: Path) -> Path:
    """Return settings with another userlist."""
    userlist = folder / "userlist"
    shutil.copy(ROOT / "lab" / "userlist", userlist)
    userlist.write_text(userlist.read_text() + "lovelace\n")
    return settings(('"userlist"', f'"{userlist}"'))


@pytest.mark.parametrize("name", examples.NAMES)
def test_a_project_of_the_examples_is_checked_and_planned(deployed: Lab, tmp_path: Path, name: str) -> None:
    """Each project in docs/examples is in order, and has a plan on a real cluster; three seconds each."""
    hosts, environment = examples.make(name, tmp_path)
    checked, plan = (deployed.fab(task, hosts=hosts, **environment) for task in ("check", "plan"))
    assert (checked.code, plan.code) == (0, 0), checked.text + plan.text
    assert "settings, userlist and secrets are in order" in checked.out
    assert re.search(r"^plan +\d+ changes", plan.out, re.MULTILINE), plan.out
