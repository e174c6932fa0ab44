"""How long the trial's containers are waited for, and what is said of one that does not run."""

from typing import Any

import pytest

from swarmhub.doctor.finding import Finding
from swarmhub.doctor.network import starts
from swarmhub.doctor.network.starts import Running
from swarmhub.host import Json
from tests.unit.support.fakes import Clock

SLOW = "slow: a container on an overlay network is still preparing after 120 s"
STATES = ("new", "pending", "assigned", "accepted", "preparing", "ready", "starting", "running")


@pytest.fixture(autouse=True)
def _clock(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no test wait: the tasks' own times are by the same clock."""
    monkeypatch.setattr(starts, "time", clock)


def task(state: str = "running", address: str = "10.0.9.3", **status: Any) -> dict[str, Any]:
    """Return a task of the trial's service."""
    attached = [{"Network": {"ID": "net"}, "Addresses": [f"{address}/24"]}] if address else []
    return {
        "NodeID": "n3",
        "NetworksAttachments": attached,
        "Status": {"State": state, "ContainerStatus": {"ContainerID": "n3"}, **status},
    }


def followed(clock: Clock, every: float, *tasks: Json | None) -> tuple[Running | None, Finding, float]:
    """Return what becomes of a host whose task is another one each so many seconds, and how long it was waited for."""
    began = clock.now

    def ask() -> list[Json]:
        at = min(int((clock.now - began) / every), len(tasks) - 1)
        found = tasks[at]
        return [found] if found else []

    start = starts.follow(ask, {"c": "n3"}, lambda: False)["c"]
    return start.running, starts.judge("c", start, clock.now), clock.now - began


def test_a_task_that_moves_on_is_waited_for(clock: Clock) -> None:
    """However slow it is: each step takes nearly as long as a task may stand still."""
    running, _, seconds = followed(clock, 15, *(task(state) for state in STATES))
    assert (running, 105 <= seconds < 106) == (Running("n3", "10.0.9.3"), True)


def test_a_task_that_moves_on_for_too_long_is_slow(clock: Clock) -> None:
    """That is no closed port; the wait has an end all the same."""
    _, found, seconds = followed(clock, 25, *(task(state) for state in STATES))
    assert (found.level, found.text) == (
        "warning",
        "slow: a container on an overlay network is still preparing after 120 s",
    )
    assert (120 <= seconds < 121, "ports" in found.remedy) == (True, False)


@pytest.mark.parametrize(
    ("stays", "why"),
    [
        (task("preparing"), "it has been preparing for 30 s"),
        (task("preparing", Err="network not found"), "network not found"),
        (None, "it has been without a task for 30 s"),
        (task("running", address=""), "it has been running for 30 s"),
    ],
    ids=["its network does not come", "its engine says so", "no task", "no address"],
)
def test_a_task_that_stays_as_it_is_points_at_the_ports(clock: Clock, stays: Json | None, why: str) -> None:
    """What it waits for does not come; nobody waits for the whole time."""
    _, found, seconds = followed(clock, 10, task("new"), stays) if stays else followed(clock, 10, None)
    assert (found.level, found.text) == ("failure", f"a container on an overlay network does not start: {why}")
    assert (30 <= seconds < 42, "Open closed ports" in found.remedy) == (True, True)


def test_a_task_that_has_ended_is_not_waited_for(clock: Clock) -> None:
    """It says why."""
    _, found, seconds = followed(clock, 1, task("rejected", Err="no such device"))
    assert (found.level, found.text, seconds) == (
        "failure",
        "a container on an overlay network does not start: no such device",
        0,
    )


def test_an_interruption_ends_the_wait(clock: Clock) -> None:
    """Whoever presses Ctrl-C waits for nothing."""
    starts.follow(list, {"c": "n3"}, lambda: True)
    assert clock.slept == []
