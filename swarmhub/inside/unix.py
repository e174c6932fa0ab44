"""A connection to this node's engine, through its socket; sent along with what asks it."""

import http.client
import json
import socket


class Unix(http.client.HTTPConnection):
    """A connection to the engine, on which nothing takes longer than so many seconds, or on which everything may."""

    def __init__(self, path: str, seconds: float | None) -> None:
        super().__init__("engine", timeout=seconds)
        self._path = path

    def connect(self) -> None:
        """Connect to its socket."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def message(said: bytes) -> str:
    """Return the reason in an engine's refusal, or all of it where it gives none."""
    try:
        return str(json.loads(said)["message"])
    except (ValueError, KeyError, TypeError):
        return said.decode(errors="replace").strip()
