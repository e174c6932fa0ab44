"""A host as the chapters see it, over SSH."""

from dataclasses import dataclass
from functools import cached_property

from swarmhub.host import Output
from swarmhub.transport.connection import Connections
from swarmhub.transport.engine import SshEngine


@dataclass(frozen=True)
class SshHost:
    """One host of `hosts.toml`, reached through the run's connection to it."""

    name: str
    connections: Connections

    @cached_property
    def engine(self) -> SshEngine:
        """Return its Docker Engine."""
        return SshEngine(self.name, self.connections)

    def run(self, *argv: str) -> Output:
        """Run a command there; each word is quoted."""
        return self.connections.run(self.name, *argv)
