"""The cluster's lock: one holder at a time, who renews it, and what becomes of it when nobody does."""

import threading
from collections.abc import Iterator
from contextlib import nullcontext
from datetime import datetime
from typing import Any

import pytest

from swarmhub.engine.swarm import configs
from swarmhub.engine.swarm.configs import Record
from swarmhub.errors import StepError
from swarmhub.history import lock
from swarmhub.history.lock import Lease, LockHolder
from swarmhub.host import EngineError
from swarmhub.parallel import at_once
from tests.unit.support.fakes import MANAGER, NOW, Clock, FakeHost, Request, in_turn

ADA = {"who": "ada@desk", "since": NOW.isoformat(), "what": "deploy"}
GRACE = {"who": "grace@lap", "since": NOW.isoformat(), "what": "certs"}
EXPIRED = lock.EXPIRES_SECONDS + 1


@pytest.fixture
def host() -> FakeHost:
    """Return a manager that keeps its Swarm configs."""
    return FakeHost()


@pytest.fixture
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let locks be renewed without a pause."""
    monkeypatch.setattr(lock, "BEAT_SECONDS", 0.001)


@pytest.fixture(autouse=True)
def _no_thread_stays(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """End the threads that renew what a test has not given back."""
    leases: list[Lease] = []
    begin = Lease.__init__

    def remember(self: Lease, *args: Any) -> None:
        begin(self, *args)
        leases.append(self)

    monkeypatch.setattr(Lease, "__init__", remember)
    yield
    for lease in leases:
        lease._over.set()


def holder(host: FakeHost) -> str:
    """Return who holds the lock."""
    found = lock.observe(host)
    return found.who if found else "nobody"


def test_a_free_lock_is_taken(host: FakeHost) -> None:
    """Where nobody holds it, the lock is taken, and nobody's was in the way."""
    _, expired = lock.take(host, ADA)
    assert (holder(host), expired) == ("ada@desk", None)


def test_a_held_lock_is_refused_and_its_holder_named(host: FakeHost) -> None:
    """The second one learns who is at work, and what to do if that machine is gone."""
    lock.take(host, ADA)
    with pytest.raises(StepError) as refused:
        lock.take(host, GRACE)
    assert str(refused.value) == (
        f"{MANAGER}: the cluster is locked by ada@desk, since 2026-11-15 10:00:00 UTC, for: deploy. "
        "Wait until it is done; if that machine is gone for good: fab unlock"
    )


def test_of_several_at_once_one_has_the_lock(host: FakeHost) -> None:
    """Swarm makes one config of a name: the others are told whose it is."""
    taken = at_once([lambda who=who: lock.take(host, ADA | {"who": str(who)}) for who in range(8)])  # type: ignore[misc]
    refused = [one for one in taken if isinstance(one, StepError)]
    assert (len(refused), {f"locked by {holder(host)}," in str(one) for one in refused}) == (7, {True})


def test_a_lock_that_nobody_renews_is_replaced(host: FakeHost) -> None:
    """A machine that has gone away does not keep the others: its lock is returned, for the history."""
    lock.take(host, ADA)
    host.engine.configs.pass_(EXPIRED)
    _, expired = lock.take(host, GRACE)
    assert (holder(host), expired and expired.who) == ("grace@lap", "ada@desk")


def test_of_two_who_replace_an_expired_lock_one_has_it(host: FakeHost) -> None:
    """Both have seen it expired: the slower one takes nothing away from the faster, and is told whose it is now."""
    lock.take(host, ADA)
    host.engine.configs.pass_(EXPIRED)
    is_first = in_turn(True, False)

    def create(request: Request) -> Any:
        if is_first(request):
            lock.take(host, GRACE)
        return host.engine.configs.answer(request)

    host.engine.answers["POST /configs/create"] = create
    with pytest.raises(StepError, match=r"locked by grace@lap"):
        lock.take(host, ADA | {"who": "late"})
    assert holder(host) == "grace@lap"


def test_a_holder_who_is_gone_when_asked_for_is_an_error_to_run_again(host: FakeHost) -> None:
    """Between the refusal and the question whose it is the lock was given back: Swarm's own words, not a crash."""
    host.engine.answers["POST /configs/create"] = EngineError(MANAGER, 409, "config swarmhub-lock already exists")
    with pytest.raises(EngineError, match="already exists"):
        lock.take(host, ADA)


def test_another_error_than_a_conflict_stays_what_it_is(host: FakeHost) -> None:
    """A swarm without a quorum is no lock that somebody holds."""
    host.engine.answers["POST /configs/create"] = EngineError(MANAGER, 503, "more than half of the managers must be online")
    with pytest.raises(EngineError, match="more than half"):
        lock.take(host, ADA)


def test_a_config_of_another_name_is_not_the_lock(host: FakeHost) -> None:
    """Only the one name can be held by one at a time."""
    configs.create(host, "mine", {lock.LABEL: "x"}, ADA)
    assert lock.observe(host) is None


@pytest.mark.parametrize(("seconds", "is_expired"), [(0, False), (45, False), (46, True), (-3600, False)])
def test_a_lock_expires_by_the_engines_clock(host: FakeHost, seconds: int, is_expired: bool) -> None:
    """It is as old as the engine says it is; one that was renewed "in the future" is not expired."""
    lock.take(host, ADA)
    host.engine.configs.pass_(seconds)
    found = lock.observe(host)
    assert found is not None
    assert found.is_expired is is_expired


@pytest.mark.parametrize(
    "seconds", [-3600, lock.EXPIRES_SECONDS + 1], ids=["the managers' clocks are apart", "it looks expired"]
)
@pytest.mark.parametrize("is_alive", [True, False])
def test_a_run_is_lost_when_its_lock_is_not_renewed_while_it_is_watched(
    host: FakeHost, monkeypatch: pytest.MonkeyPatch, seconds: int, is_alive: bool
) -> None:
    """No clock says so alone: a lock that looks an hour old may have been renewed a second ago."""
    lease, _ = lock.take(host, ADA)
    host.engine.configs.pass_(seconds)
    found = lock.observe(host)
    assert found is not None
    clock = Clock()
    monkeypatch.setattr(lock, "WATCH_SECONDS", 15)
    monkeypatch.setattr("time.monotonic", clock.monotonic)

    def sleep(length: float) -> None:
        clock.sleep(length)
        if is_alive and len(clock.slept) == 10:
            lease.at("pull x on y")

    monkeypatch.setattr("time.sleep", sleep)
    with pytest.raises(StepError, match="locked by ada@desk") if is_alive else nullcontext():
        lock.require_lost(host, found)
    assert sum(clock.slept) == (10 if is_alive else 15)


def test_no_error_ends_the_renewal(host: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even one that nobody expects: the lock would expire under a run that goes on."""
    beats = threading.Semaphore(0)

    def fail(*_: object) -> None:
        beats.release()
        raise ZeroDivisionError

    monkeypatch.setattr(lock, "BEAT_SECONDS", 0.01)
    monkeypatch.setattr(configs, "relabel", fail)
    lease, _ = lock.take(host, ADA)
    assert (beats.acquire(timeout=5), beats.acquire(timeout=5)) == (True, True)
    lease.release()


def test_an_engines_time_has_its_own_zone() -> None:
    """The engine answers its clock in its own time zone, and what Swarm keeps in UTC, both to the nanosecond."""
    record = Record("c1", lock.NAME, "2026-11-15T10:00:00.1Z", {}, ADA)
    now = datetime.fromisoformat("2026-11-15T11:00:10.100000001+01:00")
    assert lock.read(record, now).silent_seconds == 10


@pytest.mark.parametrize(
    ("silent", "text"),
    [
        (
            3,
            "held by ada@desk, since 2026-11-15 10:00:00 UTC, for: deploy, now at: pull x on y; last renewed 3 s ago",
        ),
        (
            60,
            "held by ada@desk, since 2026-11-15 10:00:00 UTC, for: deploy, now at: pull x on y; expired: last renewed 60 s ago",
        ),
    ],
)
def test_a_lock_is_told_with_its_age(silent: float, text: str) -> None:
    """Whoever thinks of taking it away reads whether that run is alive."""
    assert lock.told(LockHolder("c1", "ada@desk", NOW, "deploy", "pull x on y", silent)) == text


def test_a_lock_says_which_hub_it_is_for(host: FakeHost) -> None:
    """Two hubs of a swarm have one lock."""
    lock.take(host, ADA | {"hub": "jupyterhub-two"})
    with pytest.raises(StepError, match=r"for: deploy of jupyterhub-two\."):
        lock.take(host, GRACE)


def test_the_lock_says_what_is_being_done(host: FakeHost) -> None:
    """Others see in it which change a run is at; a run that is at work has a fresh lock."""
    lease, _ = lock.take(host, ADA)
    host.engine.configs.pass_(30)
    lease.at("create network jupyter on swarm-manager1")
    found = lock.observe(host)
    assert found is not None
    assert (found.at, found.silent_seconds) == ("create network jupyter on swarm-manager1", 0)


@pytest.mark.parametrize("successor", [None, GRACE])
def test_a_run_that_has_lost_its_lock_stops_before_its_next_change(host: FakeHost, successor: dict[str, str] | None) -> None:
    """Unlocked, or unlocked and taken by somebody else: it is not this run's, and nothing more is done."""
    lease, _ = lock.take(host, ADA)
    host.engine.configs.kept.clear()
    if successor:
        lock.take(host, successor)
    with pytest.raises(StepError, match=r"this run has lost the cluster's lock: somebody has unlocked it"):
        lease.at("create network")


@pytest.mark.parametrize(
    "error", [EngineError(MANAGER, 500, "update out of sequence"), StepError(MANAGER, "the connection broke", "Run it again")]
)
def test_a_lock_that_cannot_be_renewed_lets_nothing_be_changed(host: FakeHost, error: Exception) -> None:
    """An error while it is renewed comes through before a change, as what it is."""
    lease, _ = lock.take(host, ADA)
    host.engine.answers["POST /configs/c1/update"] = error
    with pytest.raises(type(error)):
        lease.at("create network")


def test_an_error_while_renewing_does_not_lose_the_lock(host: FakeHost) -> None:
    """When the engine answers again, the lock is still this run's."""
    lease, _ = lock.take(host, ADA)
    host.engine.answers["POST /configs/c1/update"] = EngineError(MANAGER, 500, "leader is changing")
    with pytest.raises(EngineError):
        lease.at("create network")
    del host.engine.answers["POST /configs/c1/update"]
    lease.at("create network")
    assert holder(host) == "ada@desk"


@pytest.mark.usefixtures("fast")
def test_a_lock_is_renewed_by_itself(host: FakeHost) -> None:
    """A long build does not let it expire."""
    renewed = threading.Event()
    host.engine.answers["POST /configs/c1/update"] = lambda _: renewed.set()
    lock.take(host, ADA)
    assert renewed.wait(5)


@pytest.mark.usefixtures("fast")
@pytest.mark.parametrize("error", [EngineError(MANAGER, 500, "no leader"), StepError(MANAGER, "it broke", "Again")])
def test_renewing_goes_on_after_an_error(host: FakeHost, error: Exception) -> None:
    """A leader that changes, or a connection that breaks for a while, does not end the renewing."""
    failed, renewed = in_turn(True, False), threading.Event()

    def update(request: Request) -> Any:
        return error if failed(request) else renewed.set()

    host.engine.answers["POST /configs/c1/update"] = update
    lock.take(host, ADA)
    assert renewed.wait(5)


@pytest.mark.usefixtures("fast")
def test_a_lock_that_is_lost_is_not_asked_for_again(host: FakeHost) -> None:
    """The thread that renews finds it gone once; from then on it is known."""
    gone = threading.Event()

    def missing(_: Request) -> EngineError:
        gone.set()
        return EngineError(MANAGER, 404, "config c1 not found")

    host.engine.answers["GET /configs/c1"] = missing
    lease, _ = lock.take(host, ADA)
    assert gone.wait(5)
    with pytest.raises(StepError, match="has lost the cluster's lock"):
        lease.at("create network")
    assert host.engine.asked().count("GET /configs/c1") == 1


@pytest.mark.usefixtures("fast")
def test_nothing_renews_a_lock_that_was_given_back(host: FakeHost) -> None:
    """The thread ends with it, and the next run need not wait."""
    before = set(threading.enumerate())
    lease, _ = lock.take(host, ADA)
    (thread,) = set(threading.enumerate()) - before
    lease.release()
    thread.join(5)
    assert (thread.is_alive(), holder(host)) == (False, "nobody")


def test_a_lock_of_another_is_not_given_back(host: FakeHost) -> None:
    """A run that lost its lock without noticing leaves the one of its successor alone."""
    lease, _ = lock.take(host, ADA)
    host.engine.configs.pass_(EXPIRED)
    lock.take(host, GRACE)
    lease.release()
    assert holder(host) == "grace@lap"


def test_a_lock_is_taken_away_from_its_holder_only(host: FakeHost) -> None:
    """Between "who holds it" and "take it away" the lock may have passed on: then nobody loses it."""
    lease, _ = lock.take(host, ADA)
    found = lock.observe(host)
    assert found is not None
    lease.release()
    lock.take(host, GRACE)
    lock.remove(host, found)
    assert holder(host) == "grace@lap"
