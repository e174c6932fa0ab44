"""A host over SSH: its engine, and commands for what the engine has no API for."""

import socket
from collections.abc import Generator
from dataclasses import dataclass
from functools import cached_property

from swarmhub.errors import StepError
from swarmhub.host import Output
from swarmhub.ssh import streams, tunnel
from swarmhub.ssh.connection import Connections
from swarmhub.ssh.docker.engine import SshEngine


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
        """Run a command there; each word is quoted.

        Raises:
            StepError: the connection broke before it ended: half an answer is none.

        """
        return self._whole(self.connections.run(self.name, *argv))

    def send(self, content: bytes, *argv: str) -> Output:
        """Run a command there with `content` as its standard input: what no argument and no log may show.

        Raises:
            StepError: the connection broke before it ended.

        """
        sessions = self.connections.opened(self.name).sessions
        return self._whole(streams.send(sessions, self.connections.command(*argv), content))

    def _whole(self, done: Output) -> Output:
        # So Paramiko says that a channel was closed without an exit code.
        if done.code < 0:
            raise StepError(self.name, "the connection broke", "Run the same command again")
        return done

    def lines(self, *argv: str) -> Generator[str, None, int]:
        """Yield the lines of a command as they come and return its exit code; when nobody reads on, it is ended."""
        return streams.lines(self.connections.opened(self.name).sessions, self.connections.command(*argv))

    def feed(self, content: bytes, *argv: str) -> Generator[str, None, int]:
        """Yield the lines of a command that reads `content`, and return its exit code.

        Its input ends when nobody reads on, and not before.

        Raises:
            StepError: the connection broke before it ended.

        """
        code = yield from streams.feed(self.connections.opened(self.name).sessions, self.connections.command(*argv), content)
        return self._whole(Output(code, "", "")).code

    def tunnel(self, address: str, port: int, seconds: float) -> socket.socket:
        """Return a connection that it makes."""
        return tunnel.connect(self.connections.opened(self.name).transport, address, port, seconds)

    def attach(self, *argv: str, terminal: bool) -> int:
        """Run a command with this process's own streams, on a terminal if wanted; return its exit code.

        Raises:
            StepError: the connection broke before it ended.

        """
        sessions = self.connections.opened(self.name).sessions
        code = streams.attach(sessions, self.connections.command(*argv), terminal=terminal)
        if code < 0:
            raise StepError(self.name, "the connection broke", "Run the same command again")
        return code
