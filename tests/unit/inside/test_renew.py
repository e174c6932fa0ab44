"""When a certificate is renewed, and what becomes of a renewal that fails."""

import json
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from swarmhub.inside import renew
from swarmhub.inside.renew import State
from tests.unit.support.authority import NOW, Authority
from tests.unit.support.fakes import DOMAIN

DAY = 86400.0
LIFE = 90 * DAY


@pytest.fixture
def chain(authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a certificate's file; it was issued for 90 days just now, and it is said to be `clock` days later."""
    file = tmp_path / "fullchain.pem"
    file.write_text(authority.issue(DOMAIN)[0])
    return file


def at(monkeypatch: pytest.MonkeyPatch, moment: datetime) -> None:
    """Set the clock."""

    class Clock(datetime):
        @classmethod
        def now(cls, tz: object = None) -> "datetime":  # type: ignore[override]
            return moment

    monkeypatch.setattr("swarmhub.inside.renew.datetime.datetime", Clock)


@pytest.mark.parametrize(
    ("left", "seconds"),
    [(LIFE, 3600), (LIFE / 3 + 60, 60), (LIFE / 3, 0), (DAY, 0), (-DAY, 0)],
)
def test_a_certificate_is_due_with_a_third_of_its_life_left(left: float, seconds: float) -> None:
    """Until then it is looked at every hour, and in time."""
    assert renew.wait(left, LIFE) == seconds


@pytest.mark.parametrize(
    ("failures", "left", "life", "seconds"),
    [
        (1, LIFE / 3, LIFE, 6 * 3600),
        (1, 20, 60, 1),
        (2, 20, 60, 1.2),
        (9, 20, 60, 2.5),
        (1, 2 * DAY, 6 * DAY, 0.06 * DAY),
        (3, DAY, 6 * DAY, 0.125 * DAY),
        (50, -DAY, LIFE, 3600),
    ],
)
def test_a_renewal_that_fails_is_tried_again_later_and_later(failures: int, left: float, life: float, seconds: float) -> None:
    """But never so late that the certificate might end before; one that has ended is tried every hour."""
    assert renew.pause(failures, left, life) == pytest.approx(seconds)


def test_one_that_holds_is_left_alone(chain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is asked for another."""
    at(monkeypatch, NOW + timedelta(days=1))
    state, seconds = renew.look(chain, tmp_path / "state", ["false"], State())
    assert (state, seconds, (tmp_path / "state").exists()) == (State(), 3600, False)


def test_a_failure_is_forgotten_when_somebody_else_has_got_one(
    chain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `fab certs` does; what a container before this one wrote is known."""
    at(monkeypatch, NOW + timedelta(days=1))
    (tmp_path / "state").write_text(json.dumps(asdict(State(4, "no", "x", "y"))))
    state, _ = renew.look(chain, tmp_path / "state", ["false"], renew.read(tmp_path / "state"))
    assert (state, renew.read(tmp_path / "state")) == (State(), State())


@pytest.mark.parametrize("content", [None, "", "[]", '{"other": 1}'])
def test_a_state_that_cannot_be_read_is_none(tmp_path: Path, content: str | None) -> None:
    """It is written anew with the next try."""
    if content is not None:
        (tmp_path / "state").write_text(content)
    assert renew.read(tmp_path / "state") == State()


def test_another_certificate_ends_the_wait(chain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that what was told of the last one is told no more."""
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        chain.write_text("another")

    monkeypatch.setattr("swarmhub.inside.renew.time.sleep", sleep)
    renew.pass_time(chain, 3600)
    assert slept == [renew.LOOK_SECONDS]


def test_where_there_is_none_it_is_waited_for(tmp_path: Path) -> None:
    """The first one comes with a deploy."""
    assert renew.look(tmp_path / "none", tmp_path / "state", ["false"], State()) == (State(), 10)


def test_one_that_is_due_is_renewed(chain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And what failed before is forgotten."""
    at(monkeypatch, NOW + timedelta(days=70))
    state, _ = renew.look(chain, tmp_path / "state", ["true"], State(4, "no", "x", "y"))
    assert (state.failures, json.loads((tmp_path / "state").read_text())["failures"]) == (0, 0)


def test_one_that_cannot_be_renewed_says_why_and_when_it_is_tried_again(
    chain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the file that `doctor` and `status` read."""
    now = NOW + timedelta(days=70)
    at(monkeypatch, now)
    _, seconds = renew.look(chain, tmp_path / "state", ["sh", "-c", "echo refused; exit 1"], State(1))
    kept = json.loads((tmp_path / "state").read_text())
    assert (kept["failures"], kept["said"]) == (2, "refused")
    assert datetime.fromisoformat(kept["next"]) == now.astimezone(UTC) + timedelta(seconds=seconds)
