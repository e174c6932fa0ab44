"""Which nodes take servers, as the settings and Swarm have it."""

from typing import Any

import pytest

from hub.shared.servers import nodes
from tests.unit.hub.asked import tables

NODE: dict[str, Any] = {
    "ID": "n1",
    "Spec": {"Role": "manager", "Labels": {"gpu": "true", "swarmhub.image.a1": "held"}},
    "Description": {
        "Hostname": "Head",
        "Platform": {"OS": "linux", "Architecture": "x86_64"},
        "Engine": {"Labels": {"storage": "ssd"}},
    },
}


@pytest.mark.parametrize(
    "constraint",
    [
        *("node.role==manager", "node.role != worker", "node.hostname==head", "node.id==n1", "node.id!=n2"),
        *("node.labels.gpu==true", "node.labels.rack!=3", "node.labels.swarmhub.image.a1==held", "engine.labels.storage==ssd"),
        *("node.platform.os==linux", "node.ip==10.0.0.0/8", "no constraint"),
    ],
)
def test_a_constraint_that_a_node_meets_does_not_bar_it(constraint: str) -> None:
    """As Swarm compares: without regard to case. What cannot be read here is the engine's matter."""
    assert nodes.barred(NODE, [constraint]) == ""


@pytest.mark.parametrize(
    "constraint",
    [
        *("node.role==worker", "node.hostname!=HEAD", "node.id==n2", "node.labels.gpu==false", "node.labels.rack==3"),
        *("engine.labels.storage!=ssd", "node.platform.arch==aarch64"),
    ],
)
def test_the_constraint_that_bars_a_node_is_named(constraint: str) -> None:
    """The first of them, for whoever is told."""
    assert nodes.barred(NODE, ["node.id==n1", constraint, "node.role==worker"]) == constraint


def test_what_is_not_known_of_a_node_does_not_bar_it() -> None:
    """The filter shows the hub neither labels nor platforms; the engine places the server."""
    seen = {"ID": "n1", "Spec": {"Availability": "active"}, "Description": {"Hostname": "head"}}
    assert nodes.barred(seen, ["node.labels.gpu==true", "node.platform.os==linux", "node.role==worker"]) == ""


def test_workers_only_is_a_constraint_of_every_server() -> None:
    """It comes behind the operator's own, and changes nothing where servers run on all nodes."""
    own = {"SwarmSpawner": {"extra_placement_spec": {"constraints": ["node.labels.rack==3"]}}}
    assert nodes.everywhere(tables()) == ()
    assert nodes.everywhere(tables(jupyterhub=own)) == ("node.labels.rack==3",)
    assert nodes.everywhere(tables(jupyterhub=own, notebook={"nodes": "workers"})) == (
        "node.labels.rack==3",
        "node.role==worker",
    )
    assert nodes.everywhere({"notebook": {}, "jupyterhub": {}}) == ()  # of an earlier release
