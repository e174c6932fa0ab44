"""Mark the tasks that are steps of the document."""

from collections.abc import Callable
from functools import partial
from typing import Any

from invoke.tasks import Task, task


class Step(Task):  # type: ignore[type-arg]
    """A task that finds its hosts by itself, in `hosts.toml` and -H, and runs once for all of them."""


def step_task(**options: Any) -> Callable[[Callable[..., None]], Step]:
    """Make a function a step; `options` are those of Invoke's `task`."""
    make: Callable[[Callable[..., None]], Step] = partial(task, klass=Step, **options)()
    return make
