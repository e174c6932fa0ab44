"""Servers are placed as Swarm would place them."""

from typing import Any

import pytest

from swarmhub.classes import capacity
from swarmhub.classes.capacity import NodeRoom, ServerNeed
from tests.unit.support.fakes import MANAGER, WORKER1

GB = 1 << 30
A, B = NodeRoom("a", "node-a", 4 * GB, 4, tasks=3), NodeRoom("b", "node-b", 4 * GB, 4)


def users(packing: capacity.Packing, node: str) -> list[str]:
    """Return who is placed on a node."""
    return [server.user for server, id_ in packing.placed.items() if id_ == node]


def test_servers_go_where_the_least_runs() -> None:
    """Swarm spreads tasks, whatever memory a node has left."""
    packing = capacity.pack([A, B], [ServerNeed(str(number)) for number in range(5)])
    assert (users(packing, "b"), users(packing, "a")) == (["0", "1", "2", "4"], ["3"])


def test_who_is_tied_to_a_node_comes_first() -> None:
    """Others must not take the only place that they can have."""
    small = NodeRoom("b", "node-b", GB, 4)
    packing = capacity.pack([A, small], [ServerNeed("ada", GB), ServerNeed("grace", GB, home="b")])
    assert (users(packing, "a"), users(packing, "b"), packing.left) == (["ada"], ["grace"], ())


@pytest.mark.parametrize(
    ("server", "lacks"),
    [
        (ServerNeed("ada", memory=8 * GB), {"node-a": "memory", "node-b": "memory"}),
        (ServerNeed("ada", cpus=5), {"node-a": "CPUs", "node-b": "CPUs"}),
        (ServerNeed("ada", generic=(("GPU", 1),)), {"node-a": "GPU", "node-b": "GPU"}),
        (ServerNeed("ada", memory=8 * GB, home="a"), {"node-a": "memory"}),
        (ServerNeed("ada", home="gone"), {"a node that is gone": "the home"}),
        (ServerNeed("ada", labels=(("gpu", "true"),)), {"every node": "label gpu=true"}),
    ],
)
def test_who_does_not_fit_is_told_what_each_node_lacks(server: ServerNeed, lacks: dict[str, str]) -> None:
    """Of the nodes that come into question."""
    (misfit,) = capacity.pack([A, B], [server]).left
    assert misfit.lacks == lacks


def test_a_closed_node_takes_nothing() -> None:
    """And whose home is there is told why."""
    closed = NodeRoom("a", "node-a", 4 * GB, 4, closed="set to drain")
    packing = capacity.pack([closed, B], [ServerNeed("ada"), ServerNeed("grace", home="a")])
    assert (users(packing, "b"), packing.left[0].lacks) == (["ada"], {"node-a": "set to drain"})


def test_what_is_placed_is_taken_from_the_node() -> None:
    """Memory, CPUs, generic resources; the next one finds the rest."""
    node = NodeRoom("a", "node-a", 4 * GB, 4, {"GPU": 1}, {"gpu": "true"})
    wants = {"memory": GB, "cpus": 1, "generic": (("GPU", 1),), "labels": (("gpu", "true"),)}
    packing = capacity.pack([node], [ServerNeed("ada", **wants), ServerNeed("grace", **wants)])  # type: ignore[arg-type]
    (after,) = packing.after
    assert (after.memory, after.cpus, after.generic, after.tasks) == (3 * GB, 3, {"GPU": 0}, 1)
    assert packing.left[0].lacks == {"node-a": "GPU"}


def listed(id_: str, name: str, state: str = "ready", availability: str = "active") -> dict[str, Any]:
    """Return a node as a manager lists it."""
    generic = [{"NamedResourceSpec": {"Kind": "GPU", "Value": f"gpu-{number}"}} for number in range(2)]
    resources = {"MemoryBytes": 4 * GB, "NanoCPUs": 4 * capacity.NANO, "GenericResources": generic}
    spec = {"Availability": availability, "Labels": {"rack": "4"}}
    return {"ID": id_, "Spec": spec, "Status": {"State": state}, "Description": {"Hostname": name, "Resources": resources}}


def task(node: str, state: str = "running", **reserved: Any) -> dict[str, Any]:
    """Return a task as a manager lists it."""
    return {"NodeID": node, "Status": {"State": state}, "Spec": {"Resources": {"Reservations": reserved}}}


def test_what_runs_is_taken_off_a_node() -> None:
    """What it has reserved; not what has ended, and a task without reservations still counts as one."""
    gpu = [{"DiscreteResourceSpec": {"Kind": "GPU", "Value": 1}}]
    tasks = [
        task("n2", MemoryBytes=GB, NanoCPUs=capacity.NANO, GenericResources=gpu),
        task("n2", "complete", MemoryBytes=GB),
        {"NodeID": "n2", "Status": {"State": "starting"}, "Spec": {}},
        {"Status": {"State": "pending"}, "Spec": {}},
    ]
    found = capacity.read([listed("n2", WORKER1), listed("n1", MANAGER)], tasks)
    assert [node.name for node in found] == [MANAGER, WORKER1]
    assert found[1] == NodeRoom("n2", WORKER1, 3 * GB, 3, {"GPU": 1}, {"rack": "4"}, "", 2)


@pytest.mark.parametrize(
    ("state", "availability", "closed"),
    [("ready", "pause", "set to pause"), ("down", "active", "down"), ("ready", "active", "")],
)
def test_a_node_may_be_closed(state: str, availability: str, closed: str) -> None:
    """By its operator, or because it does not answer."""
    (node,) = capacity.read([listed("n2", WORKER1, state, availability)], [])
    assert node.closed == closed


def test_a_node_that_no_server_may_use_is_left_out() -> None:
    """It is named only to those whose files are there; where all nodes are, that is what each lacks."""
    barred = NodeRoom("a", "node-a", 4 * GB, 4, closed=capacity.BARRED)
    servers = [ServerNeed("ada"), ServerNeed("grace", home="a"), ServerNeed("hopper", memory=8 * GB)]
    packing = capacity.pack([barred, B], servers)
    assert users(packing, "b") == ["ada"]
    assert [one.lacks for one in packing.left] == [{"node-a": "takes no servers"}, {"node-b": "memory"}]
    (nowhere,) = capacity.pack([barred], [ServerNeed("ada")]).left
    assert nowhere.lacks == {"every node": "takes no servers"}
