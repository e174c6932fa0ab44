"""Run the tasks as they are typed, on a cluster in memory."""

from typing import Any

import pytest
from invoke.config import Config
from invoke.context import Context

from swarmhub.run import task
from swarmhub.run.run import Run
from tasks import ns
from tests.unit.support.cluster import Hosts, Type


@pytest.fixture
def type_(hosts: Hosts, monkeypatch: pytest.MonkeyPatch) -> Type:
    """Return what runs a task, with -H if hosts are named, and its dependencies before it."""
    monkeypatch.setattr(Run, "connect", lambda _: None)

    def run_step(name: str, /, *named: str, **arguments: Any) -> None:
        typed = {"swarmhub_hosts": list(named), "swarmhub_tasks": [name], "swarmhub_yes": arguments.get("yes", False)}
        context = Context(Config(overrides=typed))
        if not task._current:
            task._current.append(Run(context))
        # What a run would have made of hosts.toml: connections, which nothing here may open.
        task._current[0].__dict__["hosts"] = hosts
        for call in ns[name].pre:
            call(context)
        ns[name](context, **arguments)

    return run_step
