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
    """Return what runs a task and its dependencies before it; another -H or --yes is another run."""
    monkeypatch.setattr(Run, "connect", lambda _: None)
    began: list[tuple[tuple[str, ...], bool]] = []

    def run_step(name: str, /, *named: str, **arguments: Any) -> None:
        flags = {f"swarmhub_{flag}": arguments.get(flag, False) for flag in ("yes", "details", "verbose")}
        typed = {"swarmhub_hosts": list(named), "swarmhub_tasks": [name], **flags}
        context = Context(Config(overrides=typed))
        how = (named, typed["swarmhub_yes"])
        if not task._current or how != began[-1]:
            task._current[:] = [Run(context)]
        began.append(how)
        # What a run would have made of hosts.toml: connections, which nothing here may open.
        task._current[0].__dict__["hosts"] = hosts
        for call in ns[name].pre:
            call(context)
        ns[name](context, **arguments)

    return run_step
