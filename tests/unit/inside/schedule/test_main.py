"""When a node does what of its schedule, and what it keeps of that."""

import json
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from swarmhub.inside.schedule import __main__ as main
from swarmhub.inside.schedule.__main__ import Worker
from swarmhub.inside.schedule.engine import EngineError
from swarmhub.inside.schedule.parts import Node
from swarmhub.services.schedule import state
from tests.unit.inside.schedule.cluster import MANAGER, SECRETS, WORKER, FakeEngine, config, schedule, text, volume

NOON = 20_000.5 * 86400


class Clock:
    """The time of day."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Return the clock that the worker sees."""
    found = Clock()
    monkeypatch.setattr(time, "time", found)
    return found


def worker(folder: Path, engine: FakeEngine, **more: Any) -> Worker:
    """Return what works on a node."""
    return Worker(Node(schedule(**more), SECRETS, {}, engine, lambda _: None), folder / "schedule.json")


def done(engine: FakeEngine) -> list[str]:
    """Return what containers were asked."""
    return [one["action"] for one in engine.jobs]


def test_what_nobody_has_foreseen_is_a_failure_too(tmp_path: Path, clock: Clock) -> None:
    """Such as an answer without what belongs into it: it is tried again after a pause, and the container goes on."""
    engine = FakeEngine(MANAGER, {"save": {"answer": {"files": 3}}})
    one = worker(tmp_path, engine)
    one.turn()
    assert (one.attempts["hub"].failures, one.attempts["hub"].said) == (1, "KeyError('unread')")
    assert one.attempts["hub"].next == clock.now + 60


def test_the_first_backup_is_made_at_once(tmp_path: Path, clock: Clock) -> None:
    """Then the next on the next day; thinning out follows the hub's, and a container that starts again makes no other."""
    engine = FakeEngine(MANAGER, {"forget": {"answer": {"removed": 0}}})
    one = worker(tmp_path, engine, keep={"daily": 7})
    assert one.turn() == 30
    assert done(engine) == ["open", "save", "forget"]
    worker(tmp_path, engine, keep={"daily": 7}).turn()
    assert len(engine.jobs) == 3
    clock.now += 86400 / 2
    one.turn()
    assert done(engine)[3:] == ["save", "forget"]


def test_what_fails_is_told_and_tried_again(tmp_path: Path, clock: Clock) -> None:
    """Another part goes on; the file says why, as `fab status` reads it."""
    engine = FakeEngine(MANAGER, {"save": {"failed": "nas:22 does not answer", "kind": "silent"}})
    one = worker(tmp_path, engine, keep={"daily": 7})
    one.turn()
    one.turn()
    found = state.read((tmp_path / "schedule.json").read_text())
    assert (found["hub"].failures, found["hub"].kind, found["hub"].said) == (1, "silent", "nas:22 does not answer")
    assert (found["hub"].at, "thin" in found, "homes" in found) == (0, False, True)
    engine.answers.clear()
    clock.now += 61
    one.turn()
    found = state.read((tmp_path / "schedule.json").read_text())
    assert (found["hub"].failures, found["hub"].at) == (0, NOON + 61)


def test_the_lock_of_a_deploy_is_no_failure(tmp_path: Path, clock: Clock) -> None:
    """The backup comes after it."""
    engine = FakeEngine(MANAGER)
    engine.configs["swarmhub-lock"] = config("swarmhub-lock", {"swarmhub.lock": "swarmhub-lock"}, text({}))
    one = worker(tmp_path, engine)
    one.turn()
    assert (one.attempts["hub"].failures, done(engine)) == (0, [])
    engine.configs.pop("swarmhub-lock")
    clock.now += 31
    one.turn()
    assert done(engine) == ["open", "save"]


@pytest.mark.parametrize("kind", ["busy", "missing"])
def test_a_worker_waits_for_what_others_do(tmp_path: Path, clock: Clock, kind: str) -> None:
    """A backup by hand is at work there, or the hub's node has yet to make the repository."""
    engine = FakeEngine(WORKER, {"save": {"failed": "wait", "kind": kind}})
    engine.volumes = [volume("jupyterhub-home-ada", {"swarmhub.home": "jupyterhub"})]
    one = worker(tmp_path, engine)
    one.turn()
    assert one.attempts["homes"].failures == 0
    engine.answers.clear()
    clock.now += 31
    one.turn()
    assert (one.attempts["homes"].told["bytes"], done(engine)) == (2000, ["save", "save"])


def test_a_worker_without_the_repository_says_so(tmp_path: Path, clock: Clock) -> None:
    """The others have it: its folder is not mounted there. It would save nothing, for good, and nobody would be told."""
    engine = FakeEngine(WORKER, {"save": {"failed": "repository does not exist", "kind": "missing"}})
    engine.volumes = [volume("jupyterhub-home-ada", {"swarmhub.home": "jupyterhub"})]
    one = worker(tmp_path, engine)
    one.turn()
    clock.now += 601
    one.turn()
    assert (one.attempts["homes"].failures, one.attempts["homes"].kind) == (1, "missing")


def test_a_files_name_is_no_line_of_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    """Nor does it reach a terminal as it is: people choose it."""
    main._say("homes: not saved: /homes/ada/a\n2026-11-30 all is well\x1b[2J\udcff ü: gone")
    assert (
        capsys.readouterr().out.rstrip("\n").endswith(r"not saved: /homes/ada/a\n2026-11-30 all is well\x1b[2J\udcff ü: gone")
    )


def test_an_engine_that_does_not_answer_ends_nothing(tmp_path: Path, clock: Clock) -> None:
    """It is restarted, for example."""

    def silent(_: FakeEngine) -> Any:
        raise EngineError("the engine does not answer")

    one = worker(tmp_path, FakeEngine(MANAGER, {"open": silent}))
    one.turn()
    assert (one.attempts["hub"].failures, one.attempts["hub"].kind) == (1, "engine")


def test_a_container_that_is_told_to_end_has_not_failed(tmp_path: Path, clock: Clock) -> None:
    """As by a deploy that changes the schedule: the next one begins again at once."""

    def end(_: FakeEngine) -> Any:
        assert json.loads((tmp_path / "schedule.json").read_text())["hub"]["is_running"]
        sys.exit(0)

    one = worker(tmp_path, FakeEngine(MANAGER, {"save": end}))
    with pytest.raises(SystemExit):
        one.turn()
    engine = FakeEngine(MANAGER)
    worker(tmp_path, engine).turn()
    assert done(engine) == ["open", "save"]


def test_a_drill_waits_for_the_first_backup(tmp_path: Path, clock: Clock) -> None:
    """Before it there is nothing to try."""
    engine = FakeEngine(MANAGER, {"save": {"failed": "x", "kind": "disk"}, "list": {"answer": {"snapshots": []}}})
    one = worker(tmp_path, engine, verify=7 * 86400)
    one.turn()
    assert "list" not in done(engine)
    del engine.answers["save"]
    clock.now += 61
    one.turn()
    one.turn()
    assert (one.attempts["verify"].kind, done(engine)[-1]) == ("nothing", "list")
