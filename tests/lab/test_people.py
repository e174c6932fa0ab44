"""People and groups as an identity provider sends them, commands, broken homes, and servers on workers only.

One deploy of `peopled` for all of them: an update of the hub, some 15 s. Each start of a stub takes a second or two.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import BrowserContext, expect

from lab import topology
from tests.lab import peopled
from tests.lab.browsing import SPAWN_MS, log_in, picture
from tests.lab.peopled import COURSE, DOMAIN, OTHER, PERSON
from tests.lab.support import Lab

WORKERS = {worker.name for worker in topology.WORKERS}
# What pip install --user leaves, with a mistake in it: a module that the server itself imports.
PACKAGES = "/home/jovyan/.local/lib/python3.13/site-packages"
BREAK = f"mkdir -p {PACKAGES} && echo 'raise ImportError(\"no frobnicate in wheel 2.0\")' > {PACKAGES}/json.py"
BROKEN = f"What broke is in your home: ~{PACKAGES.removeprefix('/home/jovyan')}/json.py."
FRAGILE = "packages-of-the-home-first"
NO_SERVER = "Your server runs, but it is no single-user server of JupyterHub."


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the hosts.toml of this module."""
    return peopled.make(tmp_path_factory.mktemp("peopled"))


@pytest.fixture(scope="module")
def hub(used: Lab, hosts: Path) -> Iterator[Lab]:
    """Deploy it; in the end nobody is left whom only this module knows."""
    used.let_stand(hosts)
    yield used
    for user in (PERSON, OTHER, "grace", "ada"):
        used.hub_api("DELETE", f"users/{quote(user)}/server")
    for user in (PERSON, OTHER):
        used.wait(lambda user=user: gone(used, user), 30, f"{user} stays")  # type: ignore[misc]
    for group in (COURSE, DOMAIN):
        used.hub_api("DELETE", f"groups/{quote(group, safe='')}")
    used.forget_homes()


def gone(lab: Lab, user: str) -> bool:
    """Delete a user, whose server may still be ending; tell whether there is none any more."""
    lab.hub_api("DELETE", f"users/{quote(user)}")
    return '"status": 404' in lab.hub_api("GET", f"users/{quote(user)}")


def start(lab: Lab, user: str, profile: str, **options: object) -> str:
    """Start a user's server; return nothing when it is ready, else what the user reads."""
    path = f"users/{quote(user)}/server"
    refused = lab.hub_api("POST", path, json.dumps({"user_options": {"profile": profile, **options}}))
    if refused:
        return str(json.loads(refused)["message"])

    def last() -> dict[str, str]:
        events = [line for line in lab.hub_api("GET", f"{path}/progress").splitlines() if line.startswith("data: ")]
        found: dict[str, str] = json.loads(events[-1].removeprefix("data: ")) if events else {}
        return found if found.get("ready") or found.get("failed") else {}

    lab.wait(last, 60, f"the server of {user} neither starts nor fails")
    found = last()
    return "" if found.get("ready") else str(found["message"])


def spec(lab: Lab, user: str) -> dict[str, object]:
    """Return the task's template of a user's server, as the engine has it."""
    (service,) = lab.docker("service", "ls", "--quiet", "--filter", f"label=swarmhub.user={user}").split()
    found: dict[str, object] = json.loads(lab.docker("service", "inspect", service, "--format", "{{json .Spec.TaskTemplate}}"))
    return found


def nodes(lab: Lab) -> set[str]:
    """Return the nodes on which people's servers run."""
    services = lab.docker("service", "ls", "--quiet", "--filter", "label=swarmhub.notebooks").split()
    return set(lab.docker("service", "ps", *services, "--filter", "desired-state=running", "--format", "{{.Node}}").split())


def test_a_group_decides_by_the_name_that_the_provider_sends(hub: Lab) -> None:
    """A person with a space and an apostrophe is in a group with a slash; one of another script is in one with a space."""
    members = json.loads(hub.hub_api("GET", f"groups/{quote(COURSE, safe='')}"))["users"]
    assert {*members} == {"ada", PERSON}
    assert start(hub, PERSON, "course") == ""
    # Only the smoke test may say as whose member it acts.
    for options in ({}, {"groups": [COURSE]}):
        assert start(hub, OTHER, "course", **options).startswith(f"Course is for members of {COURSE}. You can choose ")


def test_a_command_of_a_profile_runs_on_workers_only(hub: Lab) -> None:
    """In place of the image's own; the override of their group holds, and the constraint stands in the spec."""
    assert start(hub, OTHER, "own-command") == ""
    template = spec(hub, OTHER)
    container, placement = template["ContainerSpec"], template["Placement"]
    assert isinstance(container, dict)
    assert isinstance(placement, dict)
    assert container["Args"] == ["/opt/stub/bin/jupyterhub-singleuser"]
    assert {"TEAM=domain", "NVIDIA_VISIBLE_DEVICES=void"} <= {*container["Env"]}
    assert "node.role==worker" in placement["Constraints"]
    assert nodes(hub) <= WORKERS


def test_a_plain_jupyterlab_is_told_to_be_no_single_user_server(hub: Lab) -> None:
    """It answers, but not below the user's address: after some seconds of that the user reads so, and it is gone. 10 s."""
    assert start(hub, "grace", "plain-jupyterlab").startswith(NO_SERVER)
    assert "does the image run jupyterhub-singleuser?" in hub.log_of(tail="50")


def test_a_home_that_breaks_the_server_is_told_and_has_a_way_in(hub: Lab, context: BrowserContext) -> None:
    """The user reads which file of theirs it was; a start without it works once, and the next one fails again. 15 s."""
    assert start(hub, "ada", FRAGILE) == ""
    hub.in_server("ada", BREAK)
    hub.stop_server("ada")
    page = log_in(context, "ada", at="the University")
    page.goto(f"{topology.HUB_URL}/hub/spawn/ada?opt-profile={FRAGILE}")
    said = f"{BROKEN} It said: ImportError: no frobnicate in wheel 2.0"
    expect(page.get_by_role("alert")).to_contain_text(said, timeout=SPAWN_MS)
    picture(page, "broken-home")
    page.get_by_role("button", name="Start without my packages and settings").click()
    page.wait_for_url("**/user/ada/**", timeout=SPAWN_MS)
    hub.stop_server("ada")
    assert BROKEN in start(hub, "ada", FRAGILE)


def test_the_smoke_test_tries_a_groups_profile_on_the_nodes_that_take_servers(hub: Lab, hosts: Path) -> None:
    """Without joining the group; the manager is left out, with the reason. 20 s: two starts of JupyterLab on one worker."""
    done = hub.fab("-H", f"{topology.MANAGER.name},{min(WORKERS)}", "smoke", "--profile", "Course", hosts=hosts)
    assert done.code == 0, done.text
    assert f"{topology.MANAGER.name} is left out: its node takes no such server (node.role==worker)" in done.out
    assert "1 of 1 nodes start servers, run code and keep files" in done.out


def test_a_class_counts_only_nodes_that_take_servers(hub: Lab, hosts: Path, tmp_path: Path) -> None:
    """By an export of a learning platform, in Excel's encoding."""
    file = tmp_path / "export.csv"
    file.write_bytes(f'Username\tGroup\nada\t"{COURSE}, {DOMAIN}"\n{PERSON}\t{COURSE}\n'.encode("utf-16"))
    done = hub.fab("class-prepare", str(file), hosts=hosts)
    assert done.code == 0, done.text
    assert "names are read from 'username', groups from 'group'" in done.out
    assert "0 (takes no servers)" in done.out
