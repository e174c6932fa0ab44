"""The hub's state, read off its service and its tasks."""

from datetime import UTC, datetime
from typing import Any

import pytest

from swarmhub.status.summary import read_hub

UPDATED = "2026-11-15T10:00:00.5Z"
SERVICE = {
    "CreatedAt": "2026-11-01T00:00:00Z",
    "UpdatedAt": UPDATED,
    "Spec": {"Name": "jupyterhub", "TaskTemplate": {"ContainerSpec": {"Image": "jupyterhub:abc"}}},
}


def task(state: str, minute: int, error: str = "") -> dict[str, Any]:
    """Return a task that came to its state at a minute after the update, or before."""
    stamp = f"2026-11-15T{'10' if minute >= 0 else '09'}:{minute % 60:02}:01Z"
    return {"CreatedAt": stamp, "NodeID": "n1", "Status": {"State": state, "Timestamp": stamp, "Err": error}}


@pytest.mark.parametrize(
    ("tasks", "restarts", "or_more"),
    [
        ([task("running", 1)], 0, False),
        ([task("shutdown", -1), task("running", 1)], 0, False),
        ([task("failed", 2), task("running", 3)], 1, False),
        ([task("shutdown", -1), *(task("failed", n) for n in (1, 2, 3)), task("running", 4)], 3, False),
        ([*(task("failed", n) for n in (1, 2, 3, 4)), task("running", 5)], 4, True),
    ],
    ids=["new", "updated", "failed once", "history since the update", "history full"],
)
def test_restarts_are_the_tasks_that_ended_since_the_update(tasks: list[Any], restarts: int, or_more: bool) -> None:
    """What the update itself replaced is none; when Swarm has forgotten the first ones, there may have been more."""
    hub = read_hub(SERVICE, tasks)
    assert (hub.restarts, hub.restarts_or_more) == (restarts, or_more)


def test_the_newest_task_is_the_hubs_state() -> None:
    """The engine lists tasks in no order, and none in the first moment after the service's creation."""
    hub = read_hub(SERVICE, [task("running", 3), task("failed", 2, "exit 1")])
    assert (hub.state, hub.since, hub.error) == ("running", datetime(2026, 11, 15, 10, 3, 1, tzinfo=UTC), "")
    new = read_hub(SERVICE, [])
    assert (new.state, new.node, new.container) == ("new", "", "")


def test_a_hub_that_does_not_run_says_why_its_last_task_ended() -> None:
    """A new task that waits has no error of its own."""
    hub = read_hub(SERVICE, [task("failed", 2, "task: non-zero exit (1)"), task("pending", 3)])
    assert (hub.state, hub.error) == ("pending", "task: non-zero exit (1)")
