"""What a task of ours is: a step that finds its hosts by itself, is handed the run, and ends with a line and an exit code."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import Task, task

from swarmhub.errors import FAILED, INTERRUPTED, WRONG, SettingsError, StepError, StepErrors, UsageError
from swarmhub.host import EngineError

if TYPE_CHECKING:
    from swarmhub.run.run import Run


class Step(Task):  # type: ignore[type-arg]
    """A task that finds its hosts by itself, in `hosts.toml` and -H, and runs once for all of them."""

    finds_its_hosts = True


def step_task(**options: Any) -> Callable[[Callable[..., None]], Step]:
    """Make a function a step; `options` are those of Invoke's `task`.

    Its flags have no short forms: `-d` is --debug before a task, and would be --details behind it.
    """
    make: Callable[[Callable[..., None]], Step] = partial(task, klass=Step, auto_shortflags=False, **options)()
    return make


_current: "list[Run]" = []


@contextmanager
def step(context: Context, name: str, *, on_nodes: bool = False) -> "Iterator[Run]":
    """Give a task the run that it belongs to; turn errors into a line and an exit code.

    -H names one manager, unless the step is one that acts `on_nodes`.

    Raises:
        Exit: with 1 for a step that failed, 2 for wrong settings or usage, 130 after Ctrl-C.

    """
    if not _current:
        from swarmhub.run.run import Run  # with all that a run needs: `fab --list` does not wait for it

        _current.append(Run(context))
    run = _current[0]
    try:
        if not on_nodes:
            run.require_manager()
        yield run
    except KeyboardInterrupt:
        raise interrupted(name) from None
    except (SettingsError, UsageError) as error:
        raise _exit(str(error), WRONG, error) from error
    except EngineError as error:
        from swarmhub.plan import plans

        raise _exit(_line(plans.step_error(error), name), FAILED, error) from error
    except StepError as error:
        raise _exit(_line(error, name), FAILED, error) from error
    except StepErrors as error:
        raise _exit("\n".join(_line(one, name) for one in error.errors), FAILED, error) from error


def interrupted(what: str) -> Exit:
    """Return what ends a run after Ctrl-C, in a step or between two."""
    return Exit(f"{what}: interrupted; what was done stays done, the same command goes on from there", INTERRUPTED)


def finish(error: BaseException | None) -> None:
    """End the run, if there is one; `error` is what ended it early."""
    for run in _current:
        run.finish(error)


def _line(error: StepError, step: str) -> str:
    error.step = error.step or step
    from swarmhub.plan.hidden import in_line, visible  # only an error needs it

    return visible(in_line(str(error)))


def _exit(message: str, code: int, error: Exception) -> Exception:
    """Return what ends the run: with --debug the error itself, so that its traceback shows."""
    if logging.getLogger("invoke").isEnabledFor(logging.DEBUG):
        return error
    return Exit(message, code)
