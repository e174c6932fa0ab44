"""When a backup is due, and how long is waited after failures."""

from pathlib import Path

import pytest

from swarmhub.inside.schedule import slots
from swarmhub.inside.schedule.slots import Attempt

DAY = 86400.0
NOON = 20_000 * DAY + DAY / 2


def test_all_nodes_give_a_backup_the_same_name() -> None:
    """Of the period that it is, whenever in it each of them makes its part."""
    names = {slots.name(slots.begin(NOON + seconds, DAY, 0)) for seconds in (0, 1, 3600)}
    assert names == {"20241004-000000"}


@pytest.mark.parametrize(
    ("period", "now", "name"),
    [
        (DAY, NOON, "20241004-030000"),
        (DAY, NOON - 10 * 3600, "20241003-030000"),
        (DAY / 2, NOON + 4 * 3600, "20241004-150000"),
        (7 * DAY, NOON, "20241003-030000"),
    ],
)
def test_periods_begin_at_their_time_of_day(period: float, now: float, name: str) -> None:
    """In UTC: what divides a day, at that time and so much later, too."""
    slot = slots.begin(now, period, 3 * 3600)
    assert (slots.name(slot), slot <= now < slot + period) == (name, True)
    assert slots.left(slots.done(slot, now, {}), now, period, 3 * 3600) == slot + period - now


def test_what_was_never_done_is_due() -> None:
    """So the first deploy makes a backup."""
    assert slots.left(Attempt(), NOON, DAY, 0) == 0


def test_what_was_done_waits_for_the_next_period() -> None:
    """However long it took."""
    done = slots.done(slots.begin(NOON, DAY, 0), NOON, {})
    assert slots.left(done, NOON, DAY, 0) == DAY / 2
    assert slots.left(done, NOON + DAY / 2, DAY, 0) == 0


def test_what_was_missed_is_made_once() -> None:
    """A node that was away for days is behind by one backup."""
    done = slots.done(slots.begin(NOON - 9 * DAY, DAY, 0), NOON - 9 * DAY, {})
    assert slots.left(done, NOON, DAY, 0) == 0


def test_what_fails_is_tried_after_longer_and_longer_pauses() -> None:
    """A minute at first, and three hours at most of a day: a backup that can be made is made on that day."""
    attempt, pauses = Attempt(), []
    for _ in range(12):
        attempt = slots.failed(attempt, "silent", "no answer", NOON, DAY)
        pauses.append(slots.left(attempt, NOON, DAY, 0))
    assert pauses[:4] == [60, 120, 240, 480]
    assert (pauses[-1], attempt.failures) == (DAY / 8, 12)


def test_a_clock_that_was_wrong_once_stops_nothing_for_long() -> None:
    """A next try in years would never come; one that is as far away as pauses can be is waited for."""
    assert slots.left(Attempt(next=NOON + 400 * DAY), NOON, DAY, 0) == 0
    assert slots.left(Attempt(next=NOON + slots.MOST), NOON, DAY, 0) == slots.MOST


def test_what_is_in_the_way_is_no_failure() -> None:
    """It is tried again soon."""
    waiting = slots.waiting(Attempt(failures=2, said="before"), NOON)
    assert (waiting.failures, slots.left(waiting, NOON, DAY, 0)) == (2, slots.BUSY_SECONDS)


def test_a_container_goes_on_where_the_one_before_was(tmp_path: Path) -> None:
    """Parts that are its no longer are forgotten; one that was cut off has failed."""
    file = tmp_path / "schedule.json"
    done = slots.done(slots.begin(NOON, DAY, 0), NOON, {"files": 3})
    slots.write(file, {"hub": done, "homes": Attempt(is_running=True), "verify": done})
    found = slots.read(file, NOON, {"hub": DAY, "homes": DAY})
    assert (found["hub"], [*found]) == (done, ["hub", "homes"])
    assert (found["homes"].failures, found["homes"].said) == (1, slots.CUT_OFF)


@pytest.mark.parametrize("text", ["", "[]", '{"hub": {"no": 1}}', "\0"])
def test_a_file_that_is_none_is_begun_again(tmp_path: Path, text: str) -> None:
    """As after a full disk."""
    file = tmp_path / "schedule.json"
    file.write_text(text)
    assert slots.read(file, NOON, {"hub": DAY}) == {}
