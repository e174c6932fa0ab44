"""Servers that do not come say why, and none is lost: on real engines, with what they really answer."""

import json
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hub.filter import policy
from lab import machine, topology
from tests.lab.configured import SECRETS
from tests.lab.killing import killed_in_a_start, restart_hub
from tests.lab.support import HUB, Lab, moved_away

MANAGER = topology.MANAGER.name
WORKER, LAST = (worker.name for worker in topology.WORKERS)
# In it the servers' overlay network reaches a node.
OVERLAY = ("INPUT", "-p", "udp", "--dport", "4789", "-j", "DROP")
USER = "grace"
# For longer than that JupyterHub has not waited: 10 s of the settings, and what a start takes.
PATIENCE = 25
TINY = "lab-tiny"
WAITS = """
import sys
sys.path.insert(0, "/srv/jupyterhub")
from hub.engine import wait_until_it_answers
print("asked", flush=True)
wait_until_it_answers()
print("answers", flush=True)
"""


@pytest.fixture(scope="module")
def failing(used: Lab, configured_hosts: Path) -> Iterator[Lab]:
    """Have a hub on which some users' servers fail; a small network has no address left."""
    used.let_stand(configured_hosts, **SECRETS)
    used.docker("network", "create", "--driver", "overlay", "--subnet", "10.99.0.0/29", TINY)
    image = used.docker("service", "inspect", HUB, "--format", "{{.Spec.TaskTemplate.ContainerSpec.Image}}")
    occupy = ("--network", TINY, "--replicas", "4", "--endpoint-mode", "dnsrr", "--entrypoint", "sleep", "--detach")
    # "sleep" is deaf to a softer one.
    at = ("--constraint", "node.role==manager", "--no-resolve-image", "--stop-signal", "SIGKILL")
    used.docker("service", "create", "--name", TINY, *occupy, *at, image, "600")
    listed = ("service", "ls", "--filter", f"name={TINY}", "--format", "{{.Replicas}}")
    used.wait(lambda: used.docker(*listed) == "4/4", 60, "the small network stays empty")
    yield used
    used.docker("service", "rm", TINY)
    used.wait(lambda: TINY not in _removed(used), 60, "the small network stays")
    used.forget_homes()


def _removed(lab: Lab) -> str:
    """Try to remove the small network, and return the networks that are there."""
    lab.on(MANAGER, "sh", "-c", f"docker network rm {TINY} || true")
    return lab.docker("network", "ls", "--format", "{{.Name}}")


def failure(lab: Lab, user: str) -> str:
    """Ask for a server that fails, and return what the user is told."""
    said = lab.ask_for_server(user, profile="extra-tools")

    def told() -> str:
        events = lab.hub_api("GET", f"users/{user}/server/progress").splitlines()
        last = json.loads(events[-1].removeprefix("data: ")) if events and events[-1].startswith("data: ") else {}
        return str(last.get("message", "")) if last.get("failed") else ""

    if not said:
        lab.wait(told, 60, f"the server of {user} neither fails nor starts")
        said = told()
    return said


@pytest.mark.parametrize(
    ("user", "words", "detail"),
    [
        (
            "no-image",
            "does not have the image of your server, and cannot pull it.",
            "No such image: registry.lab:5000/none:such",
        ),
        ("no-address", "The cluster has no network address left for your server.", f"network {TINY} is full"),
        ("ends", "Your server ended while it started (exit code 7). It said: the last words", "task: non-zero exit (7)"),
        ("too-big", "No node has 900 GB of memory free at the moment.", "insufficient resources on 3 nodes"),
        ("killed", "most often for want of memory (exit code 137)", "task: non-zero exit (137)"),
    ],
)
def test_a_server_that_fails_says_why_and_leaves_nothing(failing: Lab, user: str, words: str, detail: str) -> None:
    """The user reads plain words, the hub's log has the engine's; no service stays."""
    said = failure(failing, user)
    assert words in said
    # Past `fab logs`, which is test_status's matter: Swarm may not end its answer while tasks go.
    assert detail in failing.docker("logs", failing.container())
    assert failing.docker("service", "ls", "-q", "--filter", f"name={HUB}-{user}") == ""


def test_a_server_that_the_hub_cannot_reach_when_it_starts_is_not_ended(failing: Lab) -> None:
    """Its node's overlay network is down for longer than JupyterHub waits; when it is back, the server is there. About 35 s."""
    service = failing.start_server("ada", profile="Small", on=LAST)
    before = failing.docker("service", "ps", service, "--format", "{{.ID}}")
    failing.on(LAST, "iptables", "-I", *OVERLAY)
    try:
        restart_hub(failing)
        words = f"{service} runs and does not answer the hub; waiting for it"
        failing.wait(lambda: words in failing.docker("logs", failing.container()), 60, "the hub does not say that it waits")
        began = datetime.fromisoformat(failing.docker("inspect", failing.container(), "--format", "{{.State.StartedAt}}"))
        failing.wait(lambda: (datetime.now(UTC) - began).seconds > PATIENCE, 60, "the clock does not move")
        assert '"pending": "check"' in failing.hub_api("GET", "users/ada")
    finally:
        failing.on(LAST, "iptables", "-D", *OVERLAY)
    failing.wait(lambda: '"ready": true' in failing.hub_api("GET", "users/ada"), 60, "the server is not there again")
    assert failing.docker("service", "ps", service, "--format", "{{.ID}}") == before
    failing.stop_server("ada")


def test_a_hub_that_starts_while_its_engine_is_silent_waits(deployed: Lab) -> None:
    """It says so and goes on as soon as the engine answers: before that it would take every server for stopped."""
    hub = deployed.container()
    script = f"""
        rm -f /tmp/engine.sock
        DOCKER_HOST=unix:///tmp/engine.sock python3 -u -c '{WAITS}' > /tmp/waits 2>&1 &
        for _ in $(seq 600); do grep -q waiting /tmp/waits && break; sleep 0.1; done
        ln -s {policy.SOCKET} /tmp/engine.sock
        wait
        cat /tmp/waits
    """
    said = deployed.docker("exec", hub, "sh", "-c", script).splitlines()
    assert said == ["asked", "the Docker Engine does not answer; waiting for it before the hub starts", "answers"]


def test_an_engine_that_fails_loses_no_server(deployed: Lab) -> None:
    """While the manager's engine does not answer, a server is not taken for stopped; it is there when the engine is back."""
    service = deployed.start_server(USER)
    before = deployed.docker("service", "ps", service, "--format", "{{.ID}}")
    hub = deployed.container()
    poll = f"""
import asyncio, os
os.environ["DOCKER_HOST"] = "unix:///tmp/none.sock"
from types import SimpleNamespace
from traitlets.config import Config
from hub.config import servers
from hub.shared import settings
from hub.spawner import spawner
c = Config()
servers.configure(c, settings.load(settings.FILE), os.environ)
one = spawner.SwarmSpawner(config=c, user=SimpleNamespace(name="{USER}", url="/user/{USER}/"))
one.object_id = "{before}"
print(asyncio.run(one.poll()))
"""
    assert deployed.docker("exec", hub, "python3", "-c", poll).splitlines()[-1] == "None"
    deployed.stop_server(USER)


def test_a_hub_that_is_killed_during_a_start_leaves_no_server_behind(deployed: Lab) -> None:
    """The next hub has no id of it, and removes what would run on uncounted, and could not be stopped. About 25 s."""
    killed_in_a_start(deployed, USER)


def test_a_start_goes_elsewhere_and_status_names_the_node_and_what_the_hub_does_not_know(deployed: Lab) -> None:
    """One node cannot start containers; a server of which the hub has never heard runs, and is removed. About 40 s."""
    deployed.forget_homes()  # where one is, the server has to be
    labels = {"notebooks": HUB, "user": "nobody", "server": "", "profile": ""}
    words = [word for name, value in labels.items() for word in ("--label", f"swarmhub.{name}={value}")]
    orphan = ("--detach", "--name", f"{HUB}-nobody", *words, "--constraint", f"node.hostname=={LAST}")
    told = (f"{WORKER} refuses servers: ", "unknown to the hub")

    def is_told() -> bool:
        # It is told of between two looks of the hub's, five seconds apart: by then it may be gone.
        with suppress(machine.LabError):
            deployed.docker("service", "create", *orphan, "registry.lab:5000/notebook:lab", "sleep", "600")
        said = deployed.fab("status").out
        return all(one in said for one in told)

    deployed.docker("service", "create", *orphan, "registry.lab:5000/notebook:lab", "sleep", "600")
    try:
        # Swarm sends the next server to the node that has the fewest.
        with moved_away(deployed, WORKER, "/usr/sbin/runc"):
            service = deployed.start_server(USER)
        assert deployed.docker("service", "ps", service, "--format", "{{.Node}}") != WORKER
        deployed.wait(is_told, 40, "status does not tell")
        listed = ("service", "ls", "--quiet", "--filter", f"name={HUB}-nobody")
        deployed.wait(lambda: deployed.docker(*listed) == "", 40, "the hub does not remove the server that it does not know")
    finally:
        deployed.on(MANAGER, "sh", "-c", f"docker service rm {HUB}-nobody || true")
    deployed.stop_server(USER)
