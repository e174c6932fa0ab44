"""Several things at once, and how each of them went."""

import threading

from swarmhub.parallel import AT_ONCE, at_once


def test_jobs_answer_in_their_order_with_what_they_raise() -> None:
    """A job that fails has its error in its place, and none of the others is disturbed."""
    error = ValueError("no")

    def fail() -> str:
        raise error

    assert at_once([lambda: "a", fail, lambda: "c"]) == ["a", error, "c"]


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
