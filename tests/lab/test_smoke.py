"""`fab smoke` on the lab: every node is tried as people use it, one that cannot is named, and nothing stays behind."""

import json
import signal
from collections.abc import Iterator

import pytest

from lab import topology
from tests.lab.support import Lab, Started

NODES = [node.name for node in topology.NODES]
PHASES = ("start", "kernel", "write a file", "stop", "start again", "read the file")


def traces(lab: Lab) -> list[str]:
    """Return what a smoke test has left anywhere, by looking past swarmhub."""
    kinds = (("service", "ls", "--format", "{{.Name}}"), ("config", "ls", "--format", "{{.Name}}"))
    found = [name for kind in kinds for name in lab.docker(*kind).split()]
    for node in NODES:
        found += lab.docker("volume", "ls", "-q", node=node).split()
        found += lab.docker("ps", "-a", "--format", "{{.Names}}", node=node).split()
    found += [f"user {user['name']}" for user in json.loads(lab.hub_api("GET", "users"))]
    return [name for name in found if "smoke" in name]


@pytest.fixture
def drained(deployed: Lab) -> Iterator[str]:
    """Drain a worker behind swarmhub's back."""
    worker = topology.WORKERS[1].name
    deployed.docker("node", "update", "--availability", "drain", worker)
    yield worker
    deployed.docker("node", "update", "--availability", "active", worker)


def test_a_node_that_takes_no_servers_is_named(deployed: Lab, drained: str) -> None:
    """The others are tried all the same; one line names the node, the phase, what the hub says, and what helps."""
    done = deployed.fab("smoke")
    assert done.code == 1, done.text
    (line,) = [line for line in done.err.splitlines() if line.startswith(drained)]
    assert line.startswith(f"{drained}: smoke: start: ")
    assert "fab logs" in line
    assert all(f"{node} | read the file: " in done.out for node in NODES if node != drained)
    assert traces(deployed) == []


def test_one_node_can_be_tried(deployed: Lab) -> None:
    """-H names the nodes, as with every step that is done on nodes; a Ctrl-C there leaves nothing either."""
    node = topology.WORKERS[0].name
    started = Started.begin("-H", node, "smoke", until="kernel: ", hosts=topology.HOSTS)
    done = started.end(90, signal.SIGINT)
    assert done.code == 130, done.text
    assert all(other not in done.out for other in NODES if other != node)
    assert traces(deployed) == []


def test_deploy_may_end_with_it(deployed: Lab) -> None:
    """One with nothing to do proves on every node that notebooks work; nothing is left, of a killed run either."""
    killed = Started.begin("smoke", until="kernel: ", hosts=topology.HOSTS)
    killed.end(kill=signal.SIGKILL)
    assert traces(deployed) != []
    deployed.fab("unlock", "--yes")
    done = deployed.fab("deploy", "--smoke")
    assert done.code == 0, done.text
    for node in NODES:
        for phase in PHASES:
            assert f"{node} | {phase}: " in done.out
    assert "smoke      3 of 3 nodes start servers, run code and keep files" in done.out
    assert traces(deployed) == []
