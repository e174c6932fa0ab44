"""Differences between two of an engine's values, and the one way to apply changes."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from swarmhub import plan as plans
from swarmhub.errors import StepError, StepErrors
from swarmhub.host import EngineError, Host
from swarmhub.plan import Change, Difference, Plan, Progress
from tests.unit.fakes import MANAGER, WORKER1, WORKER2, FakeHost, FakeJournal, FakeProgress


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"A": 1}, {"A": 1}),
        ({"A": 1}, {"A": 1, "B": None, "C": "", "D": [], "E": {}, "F": 0, "G": False}),
        ({"A": None, "B": "", "C": [], "D": {}, "E": 0, "F": False}, {}),
        ({"A": {"B": {"C": "x"}}}, {"A": {"B": {"C": "x", "D": 0}}}),
        ({"A": [{"B": 1}]}, {"A": [{"B": 1, "C": None}]}),
        ({"A": ["x", "y"]}, {"A": ["x", "y"]}),
    ],
)
def test_an_empty_value_equals_an_absent_one(wanted: Any, found: Any) -> None:
    """What an engine fills in with nothing, or leaves out, is no difference at any depth."""
    assert plans.differences(wanted, found) == ()


@pytest.mark.parametrize(
    ("wanted", "found", "expected"),
    [
        ({"A": 1}, {"A": 2}, [Difference("A", 2, 1)]),
        ({"A": 1}, {}, [Difference("A", None, 1)]),
        ({}, {"A": 1}, [Difference("A", 1, None)]),
        ({"A": {"B": 1}}, {"A": {"B": 2}}, [Difference("A.B", 2, 1)]),
        ({"A": {"B": 1}}, {"A": None}, [Difference("A", None, {"B": 1})]),
        ({"A": True}, {"A": False}, [Difference("A", False, True)]),
        ({"A": "1"}, {"A": 1}, [Difference("A", 1, "1")]),
        ({"A": ["x", "y"]}, {"A": ["y", "x"]}, [Difference("A", ["y", "x"], ["x", "y"])]),
        ({"A": [{"B": 1}]}, {"A": [{"B": 2}]}, [Difference("A[0].B", 2, 1)]),
        ({"A": [{"B": 1}]}, {"A": []}, [Difference("A", [], [{"B": 1}])]),
        ({"A": 1, "B": 2}, {"A": 2, "B": 1, "C": 3}, [Difference("A", 2, 1), Difference("B", 1, 2), Difference("C", 3, None)]),
    ],
)
def test_each_field_that_differs_is_named(wanted: Any, found: Any, expected: list[Difference]) -> None:
    """A difference has the field's path in the engine's words, what is there, and what is wanted."""
    assert list(plans.differences(wanted, found)) == expected


HOSTS: dict[str, Host] = {name: FakeHost(name) for name in (MANAGER, WORKER1, WORKER2)}


def change(host: str, do: Callable[[Host, Progress], object]) -> Change:
    """Return a change on a host that does this."""
    return Change("pull", "notebook", host, do)


def breaks(error: Exception) -> Callable[[Host, Progress], object]:
    """Return what raises this error."""

    def do(host: Host, progress: Progress) -> None:
        raise error

    return do


@pytest.mark.parametrize("at_once", [False, True])
def test_each_change_is_given_its_own_host(at_once: bool) -> None:
    """A change is applied with the host that it names."""
    seen: list[tuple[str, str]] = []
    changes = tuple(change(name, lambda host, _, name=name: seen.append((name, host.name))) for name in HOSTS)  # type: ignore[misc]
    plans.apply(Plan("step", "", changes, at_once), HOSTS, FakeProgress(), FakeJournal())
    assert sorted(seen) == [(name, name) for name in sorted(HOSTS)]


def test_changes_in_order_stop_at_the_first_that_fails() -> None:
    """What comes after a failed change is not begun; what came before stays done."""
    done: list[str] = []
    changes = (
        change(MANAGER, lambda *_: done.append("first")),
        change(MANAGER, breaks(StepError(MANAGER, "cause", "remedy"))),
        change(MANAGER, lambda *_: done.append("third")),
    )
    with pytest.raises(StepError, match="cause"):
        plans.apply(Plan("step", "", changes), HOSTS, FakeProgress(), FakeJournal())
    assert done == ["first"]


def test_independent_changes_run_at_the_same_time() -> None:
    """Each of them waits for the others to have begun: one after the other they would never end."""
    together = threading.Barrier(len(HOSTS), timeout=5)
    changes = tuple(change(name, lambda *_: together.wait()) for name in HOSTS)
    plans.apply(Plan("step", "", changes, at_once=True), HOSTS, FakeProgress(), FakeJournal())
    assert not together.broken


def test_independent_changes_are_finished_though_some_fail() -> None:
    """Every failure is reported, and the hosts that did not fail have done their work."""
    done: list[str] = []
    changes = (
        change(MANAGER, breaks(StepError(MANAGER, "cause", "remedy"))),
        change(WORKER1, lambda host, _: done.append(host.name)),
        change(WORKER2, breaks(EngineError(WORKER2, 500, "no space left on device"))),
    )
    with pytest.raises(StepErrors) as failed:
        plans.apply(Plan("step", "", changes, at_once=True), HOSTS, FakeProgress(), FakeJournal())
    assert ([error.host for error in failed.value.errors], done) == ([MANAGER, WORKER2], [WORKER1])


def test_an_error_that_nobody_expects_is_not_made_a_step_error() -> None:
    """A mistake in the code itself stays what it is, with its traceback."""
    with pytest.raises(ZeroDivisionError):
        plans.apply(
            Plan("step", "", (change(MANAGER, breaks(ZeroDivisionError())),), at_once=True),
            HOSTS,
            FakeProgress(),
            FakeJournal(),
        )


def test_an_engines_error_names_what_was_tried_and_what_helps() -> None:
    """An engine's answer becomes a line with the host, the change, the engine's words and the remedy."""
    error = EngineError(WORKER1, 500, "write /var/lib/docker/tmp/x: no space left on device")
    with pytest.raises(StepError) as failed:
        plans.apply(Plan("step", "", (change(WORKER1, breaks(error)),)), HOSTS, FakeProgress(), FakeJournal())
    assert str(failed.value) == (
        f"{WORKER1}: cannot pull notebook: write /var/lib/docker/tmp/x: no space left on device. "
        "Free some disk there: docker system df"
    )


@pytest.mark.parametrize(
    ("message", "helps"),
    [
        ("rpc error: the swarm does not have a leader; more than half of the managers must be online", "lost its quorum"),
        ("rpc error: code = Unknown desc = update out of sequence", "Somebody else changed it at the same time"),
        ("dial tcp: lookup registry.lab: no such host", "the host's DNS resolves it"),
        ("manifest for quay.io/x:y not found: manifest unknown: manifest unknown", "Check the name and the tag"),
        ("unauthorized: authentication required", "docker login"),
        ("pull access denied for x, repository does not exist or may require 'docker login'", "docker login"),
        ("something that nobody has seen", "with --debug for more"),
    ],
)
def test_what_engines_often_say_has_a_remedy(message: str, helps: str) -> None:
    """Known errors come with what helps against them; others with how to learn more."""
    assert helps in plans.remedy(EngineError(MANAGER, 500, message))


def test_jobs_answer_in_their_order_with_what_they_raise() -> None:
    """A job that fails has its error in its place, and none of the others is disturbed."""
    error = ValueError("no")

    def fail() -> str:
        raise error

    assert plans.at_once([lambda: "a", fail, lambda: "c"]) == ["a", error, "c"]


def test_no_jobs_are_no_answers() -> None:
    """Nothing to do at once is done."""
    assert plans.at_once([]) == []


def test_no_more_jobs_run_at_once_than_sshd_takes() -> None:
    """With 200 hosts, as many threads as sshd takes connections at a time do all the work."""
    # Each job waits for as many others as may run with it: fewer threads would wait for ever.
    together = threading.Barrier(plans.AT_ONCE, timeout=5)
    threads: set[int] = set()

    def job() -> None:
        threads.add(threading.get_ident())
        together.wait()

    plans.at_once([job] * (7 * plans.AT_ONCE))
    assert len(threads) == plans.AT_ONCE


def test_a_change_is_shown_and_compared_without_what_applies_it() -> None:
    """Two changes that say the same are equal, and their repr holds nothing of the function: it may hold a secret."""
    one, other = change(MANAGER, lambda *_: 1), change(MANAGER, lambda *_: 2)
    assert (one == other, "lambda" in repr(one)) == (True, False)
