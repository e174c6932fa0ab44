"""Mark the tasks that are steps of the document."""

from collections.abc import Callable
from functools import partial
from typing import Any

from invoke import Task, task


class Step(Task):  # type: ignore[type-arg]
    """A task that finds its hosts by itself, in `hosts.toml` and -H, and runs once for all of them."""


step_task: Callable[..., Any] = partial(task, klass=Step)
