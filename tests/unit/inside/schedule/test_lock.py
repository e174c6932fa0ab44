"""The cluster's lock, as the schedule takes it."""

import json
import threading
import time
from base64 import b64decode
from typing import Any

import pytest

from swarmhub.history import lock as of_operators
from swarmhub.inside.schedule import lock
from swarmhub.inside.schedule.engine import EngineError
from swarmhub.inside.schedule.lock import Busy, Lock
from tests.unit.inside.schedule.cluster import HUB, MANAGER, FakeEngine, config, text

HOST = "swarm-manager1"


def test_operators_see_who_holds_it() -> None:
    """It is the lock that their runs take, and it goes when the work is done."""
    engine = FakeEngine(MANAGER)
    with Lock(engine).held(HUB, HOST, "a scheduled backup"):
        held = engine.configs[of_operators.NAME]["Spec"]
        assert held["Labels"].keys() == {of_operators.LABEL, of_operators.AT, of_operators.BEAT}
        told = json.loads(b64decode(held["Data"]))
        assert (told["who"], told["what"], told["hub"]) == (f"the backup schedule on {HOST}", "a scheduled backup", HUB)
    assert of_operators.NAME not in engine.configs


def test_what_fails_gives_it_back() -> None:
    """The next run does not wait."""
    engine = FakeEngine(MANAGER)
    with pytest.raises(ValueError, match="wrong"), Lock(engine).held(HUB, HOST, "x"):
        raise ValueError("wrong")
    assert of_operators.NAME not in engine.configs


@pytest.mark.parametrize("error", [EngineError("no quorum", 500), KeyError("Version"), ValueError("cut off")])
def test_nothing_ends_its_renewal(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """Else the next operator's run would take it for that of a run that has died."""
    asked, engine = [threading.Event(), threading.Event()], FakeEngine(MANAGER)

    def get(path: str, **_: Any) -> Any:
        next((one for one in asked if not one.is_set()), asked[1]).set()
        raise error

    monkeypatch.setattr(lock, "BEAT_SECONDS", 0.01)
    monkeypatch.setattr(engine, "get", get)
    with Lock(engine).held(HUB, HOST, "x"):
        assert asked[1].wait(20)


def held_by_somebody(beat: str = "1") -> FakeEngine:
    """Return an engine of a cluster that somebody has locked."""
    engine = FakeEngine(MANAGER)
    labels = {of_operators.LABEL: of_operators.NAME, of_operators.BEAT: beat}
    engine.configs[of_operators.NAME] = config(of_operators.NAME, labels, text({"who": "ada"}))
    return engine


def take(one: Lock) -> None:
    """Take the lock."""
    with one.held(HUB, HOST, "x"):
        pass


def test_a_deploy_is_waited_for() -> None:
    """A hub in the middle of a rollout would be saved half."""
    engine = held_by_somebody()
    with pytest.raises(Busy):
        take(Lock(engine))
    assert of_operators.NAME in engine.configs


def test_the_lock_of_a_run_that_has_died_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Backups must not end because a laptop was closed; one that is renewed stays."""
    engine, now = held_by_somebody(), [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    one = Lock(engine)
    for beat, at in (("1", 0.0), ("2", lock.LOST_SECONDS + 1), ("2", 2 * lock.LOST_SECONDS)):
        engine.configs[of_operators.NAME]["Spec"]["Labels"][of_operators.BEAT] = beat
        now[0] = at
        with pytest.raises(Busy):
            take(one)
    assert of_operators.NAME in engine.configs
    now[0] = 3 * lock.LOST_SECONDS
    with pytest.raises(Busy):
        take(one)
    take(one)
