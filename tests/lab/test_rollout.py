"""A rollout that fails at a part, or is ended in it, leaves a hub that people reach and a rerun that goes on: about 190 s."""

import re
import signal
from pathlib import Path

import pytest

from lab import topology
from swarmhub.people.api import HubApi
from tests.lab.configured import SECRETS
from tests.lab.counting import counting
from tests.lab.support import FILTER, HUB, PROXY, Lab, Settings
from tests.lab.tokens import status_of, token_of

MANAGER = topology.MANAGER.name
NAMED = ("[secrets]", f"[secrets]\nnames = {[*SECRETS]}")
SERVICE = '[jupyterhub.JupyterHub]\nservices = [{ name = "report", api_token = { secret = "REPORT_TOKEN" } }]\n\n'
TYPO = "[jupyterhub.Spawner]\nargss = []\n\n"
EXTRA = '[[profiles]]\nname = "Extra tools"\nimage = "registry.lab:5000/notebook-extra:lab"\n\n'
# The check has no volume: this hub passes it, and does not start.
BREAKS = 'import os\n\nif os.path.exists("/data/jupyterhub.sqlite"):\n    raise RuntimeError("broken on purpose")\n'


def test_a_new_secret_leaves_the_proxy_alone(deployed: Lab, server: HubApi, settings: Settings) -> None:
    """Neither with a typo next to it nor without does a kernel lose its websocket, or the proxy its token."""
    before = deployed.service_version(PROXY), deployed.service_version(FILTER)
    with counting(deployed, server):
        typo = deployed.fab("deploy", hosts=settings(NAMED, ("[notebook]", SERVICE + TYPO + "[notebook]")), **SECRETS)
        assert (typo.code, "Spawner has no option argss" in typo.err) == (1, True), typo.text
        done = deployed.fab("deploy", hosts=settings(NAMED, ("[notebook]", SERVICE + "[notebook]")), **SECRETS)
        assert done.code == 0, done.text
    assert (deployed.service_version(PROXY), deployed.service_version(FILTER)) == before


@pytest.fixture
def broken(settings: Settings, tmp_path: Path) -> Path:
    """Return a hosts.toml with a hub that does not start, an image less than before, and a userlist without Grace."""
    (tmp_path / "users").write_text("ada admin\n")
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "10-breaks.py").write_text(BREAKS)
    users = ('"userlist"', f'"{tmp_path / "users"}"')
    return settings((EXTRA, ""), users, ("[hub]", f'[hub]\nconf = "{tmp_path / "conf.d"}"'))


def test_a_hub_that_does_not_start_leaves_the_one_before_all_that_it_needs(deployed: Lab, server: HubApi, broken: Path) -> None:
    """Swarm goes back to it, and so does the filter: it starts servers from the image that the other had none of. Grace, whom
    the deploy has removed, is not let in by the hub before, whose image names her: she is, once the userlist does so again.
    """
    token = token_of(deployed, "grace")
    with counting(deployed, server):
        done = deployed.fab("deploy", "--yes", hosts=broken)
        assert (done.code, "broken on purpose" in done.out) == (1, True), done.text
        assert f"undo: update service {FILTER}" in done.out
        assert f"undo: create config {HUB}-settings-" in done.out
        deployed.wait(deployed.hub_answers, 30, "the hub before does not answer")
    assert (status_of(deployed, token), '"grace"' in deployed.hub_api("GET", "users")) == (403, False)
    assert deployed.fab("users-sync").code == 0
    deployed.start_server("grace", profile="Extra tools")
    deployed.stop_server("grace")
    assert deployed.left_to_change() == ""


# What `fab` says when it begins with the rollout, and when the hub is being replaced.
BEGUN, REPLACING = "rules are active", f"| {HUB}: "


@pytest.mark.parametrize(
    ("part", "number"),
    [(BEGUN, signal.SIGTERM), (REPLACING, signal.SIGKILL)],
    ids=["ended in the check", "killed while the hub is replaced"],
)
def test_a_run_that_is_ended_is_taken_up_again(deployed: Lab, settings: Settings, part: str, number: signal.Signals) -> None:
    """After SIGTERM at once, as after Ctrl-C; one that was killed has left its lock. The hub answers, and nothing is left."""
    edited = settings(("[github]", '[page]\nname = "Another"\n\n[github]'))
    done = deployed.started("deploy", until=part, hosts=edited).end(kill=number)
    if number is signal.SIGTERM:
        assert (done.code, "interrupted" in done.err) == (130, True), done.text
    else:
        assert deployed.fab("unlock", "--yes").code == 0
    again = deployed.fab("deploy", hosts=edited)
    assert again.code == 0, again.text
    assert deployed.hub_answers()
    services = deployed.docker("service", "ls", "--format", "{{.Name}}").split()
    assert [name for name in services if "check" in name] == []


def test_an_engine_that_dies_while_the_hub_is_replaced(deployed: Lab, settings: Settings) -> None:
    """The manager's own: the run says so in a line. When it is back, and the lock given up, the next one goes on: 60 s."""
    edited = settings(("[github]", '[page]\nname = "A third"\n\n[github]'))
    run = deployed.started("deploy", until=REPLACING, hosts=edited)
    deployed.on(MANAGER, "sh", "-c", "kill -9 $(cat /run/docker.pid)")
    done = run.end()
    assert "Traceback" not in done.text
    if done.code:
        assert re.search(rf"^{MANAGER}: service: ", done.err, re.MULTILINE), done.text
    # An engine that is back knows the other nodes a moment later.
    asked = ("sh", "-c", "docker node ls --format '{{.Status}}' || true")
    up = "\n".join(["Ready"] * len(topology.NODES))
    deployed.wait(lambda: deployed.on(MANAGER, *asked) == up, 60, "the engine does not come back")
    deployed.fab("unlock", "--yes")
    again = deployed.fab("deploy", hosts=edited)
    assert again.code == 0, again.text
    assert deployed.hub_answers()
