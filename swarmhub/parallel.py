"""Do several things at once, and hear of each how it went."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from swarmhub.errors import StepError, StepErrors

# sshd's MaxStartups refuses above that; so does a registry's patience.
AT_ONCE = 30

T = TypeVar("T")
A = TypeVar("A")
B = TypeVar("B")


def at_once(jobs: Sequence[Callable[[], T]], most: int = AT_ONCE) -> list[T | BaseException]:
    """Run jobs in parallel, at most so many at a time, and return what each returned or raised, in their order.

    A single job runs in the caller's thread: Ctrl-C then ends the job itself.
    """
    if len(jobs) == 1:
        return [_alone(jobs[0])]
    # Not as a context manager: that would wait for running pulls after a Ctrl-C.
    pool = ThreadPoolExecutor(max_workers=min(most, max(1, len(jobs))))
    futures = [pool.submit(job) for job in jobs]
    try:
        return [future.exception() or future.result() for future in futures]
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def gather(jobs: Sequence[Callable[[], T]], most: int = AT_ONCE) -> list[T | StepError]:
    """Run jobs in parallel and return what each returned, or the StepError that it raised; any other error is raised."""
    answers: list[T | StepError] = []
    for answer in at_once(jobs, most):
        if isinstance(answer, BaseException) and not isinstance(answer, StepError):
            raise answer
        answers.append(answer)
    return answers


def together(jobs: Sequence[Callable[[], T]]) -> list[T]:
    """Run jobs at once and return what they returned; where one fails, so does this, with the first error."""
    answers = at_once(jobs)
    error = next((one for one in answers if isinstance(one, BaseException)), None)
    if error:
        raise error
    return [one for one in answers if not isinstance(one, BaseException)]


def both(first: Callable[[], A], second: Callable[[], B]) -> tuple[A, B]:
    """Run two jobs at once and return what they returned; where one fails, so does this."""
    one, other = together([first, second])
    return one, other  # type: ignore[return-value]


def every(jobs: Sequence[Callable[[], T]]) -> list[T]:
    """Run jobs in parallel and return what each returned.

    Raises:
        StepErrors: some of them failed. Any other error is raised as it is.

    """
    answers = at_once(jobs)
    failed: list[StepError] = []
    for answer in answers:
        if isinstance(answer, StepError | StepErrors):
            failed += answer.errors if isinstance(answer, StepErrors) else (answer,)
        elif isinstance(answer, BaseException):
            raise answer
    if failed:
        raise StepErrors(*failed)
    return [one for one in answers if not isinstance(one, BaseException)]


def _alone(job: Callable[[], T]) -> T | Exception:
    try:
        return job()
    except Exception as error:  # the caller decides what to do with it, as with those of other threads
        return error
