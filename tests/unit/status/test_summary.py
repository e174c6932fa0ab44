"""The hub's state, read off its service and its tasks."""

from dataclasses import asdict, fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from swarmhub.certificate.certs import Certificate
from swarmhub.cluster.nodes import Row
from swarmhub.errors import StepError
from swarmhub.images.pull import Held
from swarmhub.services.renewal import RenewalState
from swarmhub.status.machine import Machine
from swarmhub.status.summary import Image, NodeStatus, Status, as_json, read_hub
from tests.unit.support.fakes import NOW

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


CERTIFICATE = Certificate(frozenset({"b", "a"}), "CN=R11", NOW - timedelta(days=10), NOW + timedelta(days=80), "", "", "f")
ROW = Row("w1", "worker", "worker", "ready", "active", "29")
GOOD, OTHER = (Held(id_, frozenset({digest})) for id_, digest in (("i1", "sha256:a"), ("i2", "sha256:b")))
STATUS = Status(NOW, "hub.example.org", "m1", (NodeStatus(ROW, None),), None, None, None, (), ())


def test_what_nobody_knows_is_null_for_machines() -> None:
    """A machine that could not be asked, a hub and a certificate that are not there."""
    said = as_json(STATUS)
    assert (said["nodes"][0]["host"], said["nodes"][0]["machine"], said["hub"], said["certificate"]) == ("w1", None, None, None)
    machine = Machine(*[1] * len(fields(Machine)))
    known = as_json(replace(STATUS, nodes=(NodeStatus(ROW, machine),), hub=read_hub(SERVICE, [task("running", 1)])))
    assert (known["nodes"][0]["machine"], known["hub"]["state"]) == (asdict(machine), "running")


def test_the_certificate_for_machines() -> None:
    """Its names in order and how its renewal stands, or why nobody knows."""
    lost = StepError("m1", "is lost", "Run it again")
    assert as_json(replace(STATUS, certificate=lost))["certificate"] == {"error": str(lost)}
    failing = RenewalState(2, "refused", None)
    said = [as_json(replace(STATUS, certificate=CERTIFICATE, renewal=one))["certificate"] for one in (None, lost, failing)]
    assert [one["failed_renewals"] for one in said] == [0, 0, 2]
    assert (said[0]["names"], said[0]["days_left"], said[0]["due"]) == (["a", "b"], 80, False)


def test_the_images_for_machines() -> None:
    """What each node holds, and whether that is what is wanted; where nothing particular is, whatever it holds is."""
    lost = StepError("w2", "is lost", "Run it again")
    held: dict[str, Held | StepError | None] = {"m1": GOOD, "w1": OTHER, "w2": lost, "w3": None}
    known, open_ = as_json(replace(STATUS, images=(Image("x:1", "sha256:a", held), Image("y:1", "", held))))["images"]
    assert (known["wanted"], open_["wanted"]) == ("sha256:a", None)
    assert known["nodes"] == {
        "m1": {"id": "i1", "as_wanted": True},
        "w1": {"id": "i2", "as_wanted": False},
        "w2": {"error": str(lost)},
        "w3": None,
    }
    assert open_["nodes"]["w1"] == {"id": "i2", "as_wanted": True}


def test_a_proxy_of_its_own_is_told_by_its_name() -> None:
    """It is the hub's; without a hub there is none."""
    hub = read_hub(SERVICE, [task("running", 1)])
    front, other = (replace(hub, service=name) for name in ("jupyterhub-proxy", "jupyterhub-engine"))
    given = [
        replace(STATUS, hub=hub, beside=(front,)),
        replace(STATUS, hub=hub, beside=(other,)),
        replace(STATUS, beside=(front,)),
    ]
    assert [one.has_proxy for one in given] == [True, False, False]
