"""The status, shown again and again."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from rich.text import Text

from swarmhub.errors import StepError
from swarmhub.status import watch as module
from swarmhub.status.summary import Status
from tests.unit.status.test_screen import STATUS
from tests.unit.support.fakes import MANAGER, Clock


class Impatient(Clock):
    """A clock of somebody who presses Ctrl-C after some pauses."""

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        if len(self.slept) == 2:
            raise KeyboardInterrupt


def frames(monkeypatch: pytest.MonkeyPatch, ask: Callable[[], Status]) -> list[list[str]]:
    """Return the two screens that are shown before Ctrl-C."""
    monkeypatch.setattr(module, "time", Impatient())
    shown: list[list[str]] = []

    def show(lines: Sequence[Text]) -> None:
        shown.append([line.plain for line in lines])

    module.watch(ask, show)
    return shown


def test_it_is_asked_anew_until_ctrl_c_which_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each screen is of a new look."""
    assert len(frames(monkeypatch, lambda: STATUS)) == 2


def test_a_manager_that_stops_answering_stands_below_what_was_last_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """A screen that is left open lives through a restart of the engine."""
    turns: list[Any] = [STATUS, StepError(MANAGER, "no answer", "Is it up?")]

    def ask() -> Status:
        turn = turns.pop(0)
        if isinstance(turn, StepError):
            raise turn
        return STATUS

    first, second = frames(monkeypatch, ask)
    assert second == [*first, "", f"now: {MANAGER}: no answer. Is it up?"]
