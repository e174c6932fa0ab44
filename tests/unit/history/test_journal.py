"""What a run leaves on the cluster: the lock while it changes something, and an entry when it is over."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from swarmhub.errors import StepError
from swarmhub.history import author, entries, journal, lock
from swarmhub.history.journal import Journal
from swarmhub.host import EngineError
from swarmhub.plan.plans import Change
from tests.unit.support.fakes import MANAGER, NOW, FakeHost

HUB = "jupyterhub"
BROKEN = StepError(MANAGER, "the connection broke", "Run it again")
ERRORS = pytest.mark.parametrize("error", [BROKEN, EngineError(MANAGER, 503, "no quorum")], ids=["connection", "engine"])


@pytest.fixture
def host() -> FakeHost:
    """Return a manager that keeps its Swarm configs."""
    return FakeHost()


@pytest.fixture
def kept(host: FakeHost, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Journal]:
    """Return the journal of a run of "deploy", from a folder at some commit."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(author, "name", lambda: "ada@desk")
    monkeypatch.setattr(author, "commit", lambda folder: f"commit of {folder.name}")
    made = Journal(host, HUB, "deploy")
    yield made
    if made._lease is not None:
        made._lease._over.set()


def change(what: str = "network jupyter") -> Change:
    """Return a change."""
    return Change("create", what, MANAGER, lambda *_: None)


def entry(host: FakeHost) -> entries.Entry:
    """Return the one entry there is."""
    (found,) = entries.observe(host, HUB)
    return found


def is_locked(host: FakeHost) -> bool:
    """Tell whether somebody holds the lock."""
    return lock.observe(host) is not None


def test_a_journal_leaves_nothing_by_itself(host: FakeHost, kept: Journal) -> None:
    """A run that never reaches the cluster asks nothing of it."""
    assert (kept._lease, host.engine.requests) == (None, [])


def test_the_lock_is_taken_once(host: FakeHost, kept: Journal) -> None:
    """It tells who runs what; each step of a run asks for it, and the first one takes it."""
    kept.lock()
    kept.lock()
    found = lock.observe(host)
    assert found is not None
    assert (found.who, found.what, host.engine.configs.names) == ("ada@desk", "deploy", [lock.NAME])


def test_a_run_that_changes_nothing_clears_an_expired_lock_too(host: FakeHost, kept: Journal) -> None:
    """The lost run's entry is written once, however many steps ask."""
    lock.take(host, {"who": "grace@lap", "since": NOW.isoformat(), "what": "certs"})
    host.engine.configs.pass_(lock.EXPIRES_SECONDS + 1)
    host.engine.answers["GET /info"] = {"SystemTime": host.engine.configs.time}
    holder = lock.observe(host)
    kept.open(holder)
    kept.open(holder)
    assert ([one.ended for one in entries.observe(host, HUB)], lock.observe(host)) == (
        ["lost: its lock was no longer renewed"],
        None,
    )


def test_a_run_whose_lock_expired_leaves_an_entry_by_its_successor(host: FakeHost, kept: Journal) -> None:
    """A machine that went away cannot write its own: what its lock says is kept, with what it was at."""
    data = {"who": "grace@lap", "since": NOW.isoformat(), "what": "certs"}
    lease, _ = lock.take(host, data)
    lease.at("renew certificate for hub.example.org on swarm-manager1")
    lease._over.set()
    host.engine.configs.pass_(lock.EXPIRES_SECONDS + 1)
    kept.lock()
    assert entry(host) == entries.Entry(
        NOW.isoformat(),
        0,
        "grace@lap",
        "",
        "certs",
        ("renew certificate for hub.example.org on swarm-manager1 (begun)",),
        "lost: its lock was no longer renewed",
    )


def test_a_run_that_was_lost_before_it_began_has_changed_nothing(host: FakeHost, kept: Journal) -> None:
    """Without a change in its lock there is none in its entry."""
    lease, _ = lock.take(host, {"who": "grace@lap", "since": NOW.isoformat(), "what": "certs"})
    lease._over.set()
    host.engine.configs.pass_(lock.EXPIRES_SECONDS + 1)
    kept.lock()
    assert entry(host).changes == ()


def test_the_lock_of_another_is_left_alone(host: FakeHost, kept: Journal) -> None:
    """A run that was refused writes its entry, and the other one goes on."""
    lease, _ = lock.take(host, {"who": "grace@lap", "since": NOW.isoformat(), "what": "certs"})
    with pytest.raises(StepError, match="locked by grace@lap"):
        kept.lock()
    kept.end("failed")
    lease._over.set()
    assert is_locked(host)


def test_the_entry_says_who_did_what_from_where(host: FakeHost, kept: Journal, tmp_path: Path) -> None:
    """Who, from which commit of the folder of hosts.toml, what was typed, what changed, how it ended."""
    kept.lock()
    kept.begin(change())
    kept.done(change())
    kept.end("done")
    found = entry(host)
    assert (found.who, found.commit, found.command, found.changes, found.ended) == (
        "ada@desk",
        f"commit of {tmp_path.name}",
        "deploy",
        ("create network jupyter on swarm-manager1",),
        "done",
    )


def test_the_entry_says_when_the_run_began_and_how_long_it_took(
    host: FakeHost, kept: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seconds to one decimal; it is all that a run leaves that has changed nothing."""
    monkeypatch.setattr("swarmhub.history.journal.time.monotonic", lambda: kept._started + 12.345)
    kept.open(None)
    kept.end("done")
    assert (entry(host).began, entry(host).seconds) == (kept._began, 12.3)


def test_a_run_that_changes_nothing_takes_no_lock(host: FakeHost, kept: Journal) -> None:
    """Its entry is all that it leaves."""
    kept.open(None)
    kept.end("failed: the hub does not answer")
    assert (is_locked(host), entry(host).ended) == (False, "failed: the hub does not answer")


def test_what_was_begun_and_not_done_is_told(host: FakeHost, kept: Journal) -> None:
    """A change that was cut off may have done half of its work."""
    kept.lock()
    for one in (change("network"), change("volume")):
        kept.begin(one)
    kept.done(change("network"))
    kept.end("interrupted")
    assert entry(host).changes == ("create network on swarm-manager1", "create volume on swarm-manager1 (begun)")


def test_a_change_for_which_there_was_no_lock_was_not_begun(host: FakeHost, kept: Journal) -> None:
    """A run that finds its lock taken away stops before the change: the entry does not say that it began."""
    kept.lock()
    host.engine.configs.kept.clear()
    with pytest.raises(StepError, match="has lost the cluster's lock"):
        kept.begin(change())
    kept.end("failed")
    assert entry(host).changes == ()


def test_the_lock_is_given_back_in_the_end(host: FakeHost, kept: Journal) -> None:
    """The next run need not wait."""
    kept.lock()
    assert (kept.end("done"), is_locked(host)) == (True, False)


@ERRORS
def test_an_entry_that_cannot_be_written_does_not_keep_the_lock(host: FakeHost, kept: Journal, error: Exception) -> None:
    """The lock is given back all the same."""
    kept.lock()
    host.engine.answers["POST /configs/create"] = error
    assert (kept.end("failed"), is_locked(host)) == (True, False)


@ERRORS
def test_a_lock_that_cannot_be_given_back_is_told(host: FakeHost, kept: Journal, error: Exception) -> None:
    """Over a dead connection the lock stays until it expires: the run says so."""
    kept.lock()
    host.engine.answers["DELETE /configs/c1"] = error
    assert kept.end("failed") is False


@pytest.mark.parametrize("is_held", [False, True])
def test_a_dead_connection_does_not_keep_the_operator_waiting(
    host: FakeHost, kept: Journal, monkeypatch: pytest.MonkeyPatch, is_held: bool
) -> None:
    """A manager that answers nothing more is waited for only so long; only a lock that is held is left behind."""
    monkeypatch.setattr(journal, "FAREWELL_SECONDS", 0.01)
    answers = threading.Event()
    if is_held:
        kept.lock()
    host.engine.answers["POST /configs/create"] = lambda _: BROKEN if answers.wait(5) else None
    is_free = kept.end("failed")
    answers.set()
    assert is_free is not is_held


def test_what_is_cut_off_may_still_end_while_the_entry_is_written(
    host: FakeHost, kept: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After Ctrl-C a pull on another thread may come to its end just then: the entry is written, and the lock given back."""
    kept.lock()
    for name in ("a", "b"):
        kept.begin(change(name))

    class Ending(str):
        def __format__(self, spec: str) -> str:
            kept._doing.pop(str(change("b").sentence), None)
            return str(self)

    kept._doing = {Ending(sentence): None for sentence in kept._doing}
    assert (kept.end("interrupted"), is_locked(host)) == (True, False)
