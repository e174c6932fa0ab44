"""Whose servers run on the swarm, read off its services and tasks."""

from typing import Any

import pytest

from swarmhub.notebooks import servers
from swarmhub.notebooks.servers import LABEL
from tests.unit.support.fakes import FakeHost

HUB = "jupyterhub"


def service(user: str, **more: Any) -> dict[str, Any]:
    """Return the service of a user's server."""
    container = {"Env": [f"JUPYTERHUB_USER={user}", "JUPYTERHUB_API_TOKEN=hush"]}
    return {
        "ID": f"id-{user}",
        "CreatedAt": "2026-11-15T09:00:00Z",
        "Spec": {"Name": f"jupyter-{user}", "Labels": {LABEL: HUB}, "TaskTemplate": {"ContainerSpec": container}} | more,
    }


def task(user: str, second: int, state: str = "running", **status: Any) -> dict[str, Any]:
    """Return a task of it, made at that second."""
    return {
        "ServiceID": f"id-{user}",
        "CreatedAt": f"2026-11-15T10:00:{second:02}Z",
        "NodeID": "n2",
        "Status": {"State": state, "Timestamp": f"2026-11-15T10:00:{second:02}.123456789Z"} | status,
    }


def test_a_server_is_whose_it_is_where_it_is_and_since_when() -> None:
    """User, service, node, state and time are those of the service and its task."""
    (one,) = servers.read([service("ada")], [task("ada", 5, ContainerStatus={"ContainerID": "c0ffee"})])
    assert (one.user, one.service, one.node, one.state, one.since.second, one.container) == (
        "ada",
        "jupyter-ada",
        "n2",
        "running",
        5,
        "c0ffee",
    )


def test_the_newest_task_counts() -> None:
    """One that failed and was started again runs."""
    (one,) = servers.read([service("ada")], [task("ada", 9), task("ada", 1, "failed")])
    assert one.state == "running"


def test_a_server_without_a_task_is_new_and_nowhere() -> None:
    """Swarm makes the task a moment after the service."""
    (one,) = servers.read([service("ada")], [])
    assert (one.state, one.node, one.since.hour, one.container) == ("new", "", 9, "")


def test_a_task_that_has_no_node_yet_is_nowhere() -> None:
    """It waits for a node that has room."""
    pending = task("ada", 1, "pending")
    del pending["NodeID"]
    (one,) = servers.read([service("ada")], [pending])
    assert one.node == ""


def test_servers_are_in_the_order_of_their_names() -> None:
    """Whatever the engine's order is."""
    found = servers.read([service("grace"), service("ada")], [])
    assert [one.user for one in found] == ["ada", "grace"]


@pytest.mark.parametrize(
    ("state", "runs"),
    [
        *((state, True) for state in ("new", "pending", "assigned", "preparing", "starting", "running")),
        *((state, False) for state in ("complete", "failed", "rejected", "shutdown", "orphaned")),
    ],
)
def test_people_may_be_working_in_what_has_not_ended(state: str, runs: bool) -> None:
    """A server that starts is somebody's already; one that has ended is nobody's."""
    found = servers.read([service("ada")], [task("ada", 1, state)])
    assert bool(servers.running(found)) is runs


def test_a_service_of_another_kind_is_nobodys() -> None:
    """Only servers that a hub has started have a user, whatever their environment says."""
    assert servers.user(service("ada", Labels=None)) == ""


def test_a_server_without_a_user_in_its_environment_goes_by_its_name() -> None:
    """An older hub may not have named the user there."""
    one = service("ada")
    one["Spec"]["TaskTemplate"]["ContainerSpec"] = {"Env": None}
    assert servers.user(one) == "jupyter-ada"


def test_a_user_may_have_an_equals_sign_in_the_name() -> None:
    """An environment's line is split once."""
    assert servers.user(service("a=b")) == "a=b"


def test_the_servers_of_one_hub_are_asked_for() -> None:
    """By its label, and all tasks in one question: by a service that has gone meanwhile, an engine would find none of them."""
    host = FakeHost(answers={"GET /services": [service("ada"), service("grace")], "GET /tasks": []})
    servers.observe(host, HUB)
    assert [request.params for request in host.engine.requests] == [{"filters": {"label": [f"{LABEL}={HUB}"]}}] * 2


def test_without_servers_no_tasks_are_asked_for() -> None:
    """A filter without a service would find every task there is."""
    host = FakeHost(answers={"GET /services": []})
    assert (servers.observe(host, HUB), host.engine.asked()) == ((), ["GET /services"])
