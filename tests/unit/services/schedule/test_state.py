"""How the backups stand that the cluster makes."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from swarmhub.errors import StepError
from swarmhub.host import Output
from swarmhub.inside.schedule import slots
from swarmhub.services.schedule import state
from swarmhub.services.schedule.state import PartState
from tests.unit.support.fakes import MANAGER, WORKER1, FakeHost

DAY = 86400
NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)


def part(hours: float, size: int = 1000, **more: Any) -> PartState:
    """Return a part that was last done some hours ago."""
    return PartState(at=(NOW - timedelta(hours=hours)).timestamp(), told={"bytes": size}, **more)


def test_the_last_backup_is_as_old_as_its_oldest_part() -> None:
    """Who has a home on a node that is behind has no newer one."""
    found = state.judge({MANAGER: {"hub": part(1)}, WORKER1: {"homes": part(25, 5000)}}, DAY, 0, NOW)
    assert (found.last, found.bytes, found.homes) == (NOW - timedelta(hours=25), 6000, 1)
    assert not found.is_bad


def test_a_backup_that_is_older_than_two_periods_is_late() -> None:
    """Whatever the reason."""
    assert state.judge({MANAGER: {"hub": part(49)}}, DAY, 0, NOW).is_late
    assert not state.judge({MANAGER: {"hub": part(47)}}, DAY, 0, NOW).is_late


def test_a_part_that_was_never_done_makes_no_backup() -> None:
    """Nor does a node that has not begun; one without homes counts for nothing."""
    assert state.judge({MANAGER: {"hub": part(1)}, WORKER1: {"homes": PartState()}}, DAY, 0, NOW).last is None
    assert state.judge({MANAGER: {}}, DAY, 0, NOW).last is None
    assert state.judge({MANAGER: {"hub": part(1)}, WORKER1: {"homes": part(1, 0)}}, DAY, 0, NOW).homes == 0


def test_failures_are_told_with_host_part_and_next_try() -> None:
    """A host that says nothing is one, too."""
    failing = part(1, failures=2, said="nas:22 does not answer", kind="silent", next=NOW.timestamp())
    away = StepError(WORKER1, "cannot be reached", "Mend it")
    found = state.judge({MANAGER: {"hub": failing, "thin": part(1, failures=1, said="x")}, WORKER1: away}, DAY, 0, NOW)
    assert [(one.host, one.text) for one in found.troubles] == [
        (WORKER1, "cannot be reached"),
        (MANAGER, "the hub's data failed 2 times: nas:22 does not answer; the next try is at 2026-11-30 12:00 UTC"),
        (MANAGER, "thinning out failed once: x; the next try is at 1970-01-01 00:00 UTC"),
    ]
    assert found.is_bad


def test_a_drill_tells_when_it_went_well() -> None:
    """It saves nothing itself."""
    found = state.judge({MANAGER: {"hub": part(1), "verify": part(3)}}, DAY, 0, NOW)
    assert (found.drilled, found.last) == (NOW - timedelta(hours=3), NOW - timedelta(hours=1))


def test_what_the_schedule_writes_is_read(tmp_path: Any) -> None:
    """Of the parts that are known; what is no JSON tells nothing."""
    slots.write(tmp_path / "s", {"hub": slots.done(0, 5, {"bytes": 3}), "later": slots.done(0, 5, {})})
    assert state.read((tmp_path / "s").read_text()) == {"hub": PartState(at=5, told={"bytes": 3})}
    assert [state.read(text) for text in ("", "[]", "3", json.dumps({"hub": 3}))] == [{}] * 4


def test_a_host_is_asked_by_its_container() -> None:
    """One without says what helps."""
    command = "docker exec c1 cat /cache/schedule.json"
    host = FakeHost(MANAGER, {"GET /containers/json": [{"Id": "c1"}]}, {command: Output(0, '{"hub": {"at": 5}}', "")})
    assert state.observe(host, "jupyterhub") == {"hub": PartState(at=5)}
    with pytest.raises(StepError, match="no container of the schedule runs there"):
        state.observe(FakeHost(MANAGER, {"GET /containers/json": []}), "jupyterhub")


def test_the_next_backup_begins_at_its_time_of_day() -> None:
    """In UTC, today if that is still to come."""
    times = [(3, NOW + timedelta(hours=15)), (13, NOW + timedelta(hours=1)), (0, NOW + timedelta(hours=12))]
    for hour, due in times:
        assert state.judge({MANAGER: {"hub": part(1)}}, DAY, hour * 3600, NOW).next == due
