"""Teach the stock `fab` what -H means here.

Stock Fabric gives a task's dependencies no connection: under -H their `c.run`
runs on the operator's own machine (fabric#1968).
"""

from typing import Any

import fabric
from fabric.tasks import ConnectionCall
from invoke.exceptions import Exit
from invoke.tasks import Call, Task

from swarmhub.errors import FAILED, WRONG, SettingsError, StepError


class VerifiedCall(ConnectionCall):  # type: ignore[misc]  # Fabric has no types
    """A task's call whose context is the run's own connection to a host."""

    def make_context(self, config: Any) -> Any:
        """Return the connection; it is opened when it is first used."""
        from swarmhub import settings
        from swarmhub.ssh.session import connections

        try:
            return connections(config, settings.current().ssh).to(self.init_kwargs["host"])
        except SettingsError as error:
            raise Exit(str(error), WRONG) from error
        except StepError as error:
            raise Exit(str(error), FAILED) from error


class HostExecutor(fabric.Executor):  # type: ignore[misc]
    """Give -H to dependencies too; run a task that finds its hosts by itself once, however many hosts -H names."""

    def expand_calls(self, calls: Any, apply_hosts: bool = True) -> list[Any]:
        """Return the calls in order, dependencies first, each with its host."""
        named = (self.core[0].args.hosts.value or "").split(",")
        hosts = list(dict.fromkeys(host.strip() for host in named if host.strip()))
        self.config["swarmhub_hosts"] = hosts
        expanded = [part for call in calls for part in self._expand(call, hosts)]
        # What follows "--" on the command line is Fabric's own matter.
        return [*expanded, *super().expand_calls([], apply_hosts)]

    def parameterize(self, call: Any, connection_init_kwargs: Any) -> Any:
        """Return the call with the run's own connection to its host."""
        return call.clone(into=VerifiedCall, with_={"init_kwargs": connection_init_kwargs})

    def dedupe(self, tasks: Any) -> Any:
        """Run a dependency that two steps share once."""
        return list({self._identity(call): call for call in tasks}.values())

    def _expand(self, call: Any, hosts: list[str]) -> list[Any]:
        call = Call(call) if isinstance(call, Task) else call
        before = [part for dependency in call.pre for part in self._expand(dependency, hosts)]
        after = [part for dependency in call.post for part in self._expand(dependency, hosts)]
        targets = hosts[:1] if getattr(call.task, "finds_its_hosts", False) else hosts
        here = [self.parameterize(call, {"host": host}) for host in targets]
        return [*before, *(here or [call]), *after]

    @staticmethod
    def _identity(call: Any) -> tuple[Any, ...]:
        host = call.init_kwargs["host"] if isinstance(call, ConnectionCall) else None
        # An option that may be given several times is a list.
        return (id(call.task.body), call.args, repr(sorted(call.kwargs.items())), host)
