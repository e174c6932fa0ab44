"""Waiting for a condition, with an end."""

import pytest

from swarmhub.wait import until
from tests.unit.support.fakes import Clock


def test_what_holds_already_is_not_waited_for(clock: Clock) -> None:
    """A condition that holds at once costs no pause."""
    until(lambda: True, 10, lambda: ValueError("late"))
    assert clock.slept == []


def test_the_condition_is_asked_again_after_each_pause(clock: Clock) -> None:
    """Between two questions there is one pause of the given length."""
    answers = iter([False, False, True])
    until(lambda: next(answers), 10, lambda: ValueError("late"), pause=0.5)
    assert clock.slept == [0.5, 0.5]


def test_a_condition_that_never_holds_ends_with_the_given_error(clock: Clock) -> None:
    """After the given time the error is made and raised."""
    with pytest.raises(ValueError, match="late"):
        until(lambda: False, 10, lambda: ValueError("late"), pause=1)
    assert sum(clock.slept) == pytest.approx(10, abs=1)


def test_the_last_question_comes_after_the_time_is_over(clock: Clock) -> None:
    """A condition that comes true during the last pause is seen."""
    until(lambda: clock.now >= 1010, 10, lambda: ValueError("late"), pause=3)
    assert clock.now == 1012
