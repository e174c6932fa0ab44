"""What every room may ask of a host: its Docker Engine, and commands for what has no API.

`swarmhub.ssh` does it over SSH; the unit tests do it in memory.
"""

import socket
from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

Json = Any

# A pull or a build may print nothing for long.
STREAM_SECONDS = 1800


class EngineError(Exception):
    """The engine of `host` answered with an error; `status` is HTTP's."""

    def __init__(self, host: str, status: int, message: str) -> None:
        super().__init__(message)
        self.host, self.status, self.message = host, status, message


@dataclass(frozen=True)
class Output:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def last(self) -> str:
        """Return the last line of its errors, or else of what it printed, as people read it."""
        lines = (self.err.strip() or self.out.strip()).splitlines()
        return lines[-1] if lines else "it says nothing"


NO_GREETING = "Let only interactive shells print there, first of all in ~/.bashrc: case $- in *i*) ;; *) return ;; esac"


def greeting(said: Output) -> str:
    """Tell whether a login shell prints something of its own, by what a command prints that prints nothing."""
    lines = said.out.strip().splitlines()
    return f"its login shell prints something where commands run: {lines[0]!r}" if lines else ""


class Engine(Protocol):
    """A Docker Engine. Paths, parameters, bodies and answers are those of its API."""

    def get(self, path: str, /, **params: Json) -> Json:
        """Return the answer to a GET."""

    def find(self, path: str, /, **params: Json) -> Json | None:
        """Return the answer to a GET, or None where there is no such thing."""

    def post(self, path: str, body: Json = None, /, *, login: str = "", **params: Json) -> Json:
        """Return the answer to a POST; `login` goes with it, as `registry_login` returns it."""

    def put(self, path: str, content: bytes, /, **params: Json) -> None:
        """Send bytes."""

    def delete(self, path: str, /, **params: Json) -> None:
        """Remove something; that it is gone already is no error."""

    def pull(self, name: str, tag: str) -> Iterator[Json]:
        """Yield the events of a pull, by tag or digest, with the operator's own login to the image's registry."""

    def build(self, content: bytes, tag: str, arguments: Mapping[str, str]) -> Iterator[Json]:
        """Yield the events of a build from a tar, with the operator's own logins to registries."""

    def load(self, content: bytes | Iterable[bytes]) -> None:
        """Load images from a tar; one that is read as it is sent says how long it is."""

    def registry_digest(self, image: str) -> str:
        """Return the digest of an image in its registry, asked with the operator's own login."""

    def registry_architectures(self, image: str) -> tuple[str, ...]:
        """Return the architectures for which a registry has an image, asked with the operator's own login."""

    def registry_login(self, registry: str) -> str:
        """Return the operator's own login to a registry, as an engine takes it in a header; nothing, if there is none."""

    def logs(self, path: str, /, *, patience: float | None = STREAM_SECONDS, **params: Json) -> Iterator[str]:
        """Yield the lines of a log; `patience` is how many seconds it may be silent."""

    def download(self, path: str, /, **params: Json) -> Generator[bytes, None, None]:
        """Yield the bytes of an answer that may be larger than the memory."""


class Host(Protocol):
    """One host of `hosts.toml`."""

    @property
    def name(self) -> str:
        """Return the name in `hosts.toml`."""

    @property
    def engine(self) -> Engine:
        """Return its Docker Engine."""

    def run(self, *argv: str) -> Output:
        """Run a command there; each word is quoted."""

    def send(self, content: bytes, *argv: str) -> Output:
        """Run a command there with `content` as its standard input: what no argument and no log may show."""

    def lines(self, *argv: str) -> Generator[str, None, int]:
        """Yield the lines of a command as they come and return its exit code; when nobody reads on, it is ended."""

    def feed(self, content: bytes, *argv: str) -> Generator[str, None, int]:
        """Yield the lines of a command that reads `content`, and return its exit code.

        Its input ends when nobody reads on, and not before.
        """

    def tunnel(self, address: str, port: int, seconds: float) -> socket.socket:
        """Return a connection that it makes to an address; an OSError says that it cannot."""

    def attach(self, *argv: str, terminal: bool) -> int:
        """Run a command with this process's own streams, on a terminal if wanted; return its exit code."""
