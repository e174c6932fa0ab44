"""Several things at once, and how each of them went."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from swarmhub.errors import StepError, StepErrors
from swarmhub.host import EngineError
from swarmhub.parallel import AT_ONCE, at_once, every, gather


def test_jobs_answer_in_their_order_with_what_they_raise() -> None:
    """A job that fails has its error in its place, and none of the others is disturbed."""
    error = ValueError("no")
    assert at_once([lambda: "a", failing(error), lambda: "c"]) == ["a", error, "c"]


def failing(error: Exception) -> Callable[[], str]:
    """Return a job that fails."""

    def fail() -> str:
        raise error

    return fail


LOST, ALSO = StepError("a", "cannot reach it", "Is it up?"), StepError("b", "cannot reach it", "Is it up?")


def test_a_host_that_cannot_be_asked_tells_so_in_its_place() -> None:
    """What the others answered is there."""
    assert gather([lambda: "a", failing(LOST)]) == ["a", LOST]


def test_where_all_are_needed_all_that_failed_are_named() -> None:
    """Not only the first."""
    with pytest.raises(StepErrors) as error:
        every([failing(LOST), lambda: "a", failing(ALSO)])
    assert error.value.errors == (LOST, ALSO)


def test_of_jobs_that_were_several_themselves_all_that_failed_are_named() -> None:
    """A build of two images next to the pulls."""
    with pytest.raises(StepErrors) as error:
        every([failing(StepErrors(LOST, ALSO)), failing(LOST)])
    assert error.value.errors == (LOST, ALSO, LOST)


def test_a_single_job_runs_in_the_callers_thread() -> None:
    """Ctrl-C, which reaches no other thread, ends the job itself."""
    assert every([threading.current_thread]) == [threading.current_thread()]


@pytest.mark.parametrize("run", [gather, every])
@pytest.mark.parametrize("error", [EngineError("a", 500, "layer store is broken"), ZeroDivisionError()])
def test_an_error_that_nobody_expects_is_not_swallowed(run: Callable[[Any], Any], error: Exception) -> None:
    """An engine that cannot tell what it holds is no proof that it holds it."""
    with pytest.raises(type(error)):
        run([failing(LOST), failing(error)])


def test_no_jobs_are_no_answers() -> None:
    """Nothing to do at once is done."""
    assert at_once([]) == []


def test_no_more_jobs_run_at_once_than_sshd_takes() -> None:
    """With 200 hosts, as many threads as sshd takes connections at a time do all the work."""
    # Each job waits for as many others as may run with it: fewer threads would wait for ever.
    together = threading.Barrier(AT_ONCE, timeout=5)
    threads: set[int] = set()

    def job() -> None:
        threads.add(threading.get_ident())
        together.wait()

    at_once([job] * (7 * AT_ONCE))
    assert len(threads) == AT_ONCE
