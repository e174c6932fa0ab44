"""Swarms in memory, as a manager sees them."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from swarmhub.cluster.nodes import Member, Swarm, SwarmNode
from swarmhub.notebooks.servers import RunningServer
from tests.unit.support.fakes import MANAGER, WORKER1, WORKER2

ADDRESSES = {MANAGER: "10.0.0.11", WORKER1: "10.0.0.21", WORKER2: "10.0.0.22"}


def node(id_: str, hostname: str, role: str = "worker", **more: Any) -> SwarmNode:
    """Return a node that is ready and active, unless `more` says otherwise."""
    made = SwarmNode(id_, hostname, role, "ready", "active", is_leader=False, address=ADDRESSES.get(hostname, "10.0.0.9"))
    return replace(made, **more)


def member(id_: str, *, state: str = "active", is_manager: bool = False) -> Member:
    """Return what a host's engine says of itself."""
    return Member(id_, state, is_manager, "29.0.1")


OUTSIDE = member("", state="inactive")
WHOLE = Swarm("cluster", (node("n1", MANAGER, "manager", is_leader=True), node("n2", WORKER1), node("n3", WORKER2)))
MEMBERS = {MANAGER: member("n1", is_manager=True), WORKER1: member("n2"), WORKER2: member("n3")}


def with_nodes(*changed: SwarmNode) -> Swarm:
    """Return the whole swarm with some of its nodes in another state, or more of them."""
    return Swarm("cluster", tuple({one.id: one for one in (*WHOLE.nodes, *changed)}.values()))


def notebook(user: str, on: str = "n2", state: str = "running") -> RunningServer:
    """Return a user's server."""
    since = datetime(2026, 11, 15, 10, 0, tzinfo=UTC)
    return RunningServer(user=user, service=f"jupyterhub-{user}", node=on, state=state, since=since, container=f"c-{user}")
