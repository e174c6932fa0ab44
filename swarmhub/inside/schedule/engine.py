"""Ask this node's engine, and let it run a container to its end."""

import http.client
import io
import json
import struct
import tarfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from swarmhub.inside.backup.restic import STOP_SECONDS
from swarmhub.inside.unix import Unix, message

SOCKET = "/var/run/docker.sock"
SECONDS = 120
# Of a frame of a container's log: which stream it is of, and its length.
HEADER = struct.Struct(">BxxxI")


class EngineError(Exception):
    """The engine refuses, or does not answer."""

    def __init__(self, text: str, status: int = 0) -> None:
        self.status = status
        super().__init__(text)


class Engine:
    """The engine of this node."""

    def __init__(self, path: str = SOCKET) -> None:
        self._path = path

    def get(self, path: str, **params: Any) -> Any:
        """Ask for something."""
        return self._ask("GET", path, params)

    def post(self, path: str, body: object = None, *, seconds: float | None = SECONDS, **params: Any) -> Any:
        """Make or change something."""
        return self._ask("POST", path, params, json.dumps(body).encode() if body is not None else None, seconds=seconds)

    def delete(self, path: str, **params: Any) -> None:
        """Remove something; what is gone already is gone."""
        try:
            self._ask("DELETE", path, params)
        except EngineError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise

    def run(self, body: Mapping[str, Any], files: Mapping[str, bytes], say: Callable[[str], object]) -> int:
        """Make a container, put `files` into it, run it to its end, remove it, and return its exit code.

        Each line that it prints is given to `say` as it comes.
        """
        container = self.post("/containers/create", body)["Id"]
        try:
            self._ask("PUT", f"/containers/{container}/archive", {"path": "/"}, _archive(files), kind="application/x-tar")
            self.post(f"/containers/{container}/start")
            for line in self._log(container):
                say(line)
            # A snapshot of many homes takes hours, and says how far it is: so does the log, not this question.
            return int(self.post(f"/containers/{container}/wait", seconds=None)["StatusCode"])
        finally:
            self.remove(container)

    def remove(self, container: str) -> None:
        """Stop a container, which may have a lock of the repository to give back, and remove it."""
        with suppress(EngineError):
            self.post(f"/containers/{container}/stop", t=STOP_SECONDS)
        self.delete(f"/containers/{container}", force=True, v=True)

    def _log(self, container: str) -> Iterator[str]:
        with closing(Unix(self._path, None)) as connection:
            connection.request("GET", f"/containers/{container}/logs?follow=1&stdout=1&stderr=1")
            response = connection.getresponse()
            if response.status >= HTTPStatus.BAD_REQUEST:
                raise EngineError(message(response.read()), response.status)
            yield from _lines(response)

    def _ask(
        self,
        method: str,
        path: str,
        params: Mapping[str, Any],
        content: bytes | None = None,
        kind: str = "application/json",
        seconds: float | None = SECONDS,
    ) -> Any:
        query = {key: value if isinstance(value, str) else json.dumps(value) for key, value in params.items()}
        try:
            with closing(Unix(self._path, seconds)) as connection:
                connection.request(method, f"{path}?{urlencode(query)}", content, {"Content-Type": kind})
                response = connection.getresponse()
                status, said = response.status, response.read()
        except (OSError, http.client.HTTPException) as error:
            raise EngineError(f"the engine does not answer: {error}") from None
        if status >= HTTPStatus.BAD_REQUEST:
            raise EngineError(message(said), status)
        try:
            return json.loads(said) if said.strip() else None
        except ValueError:
            raise EngineError("the engine's answer was cut off") from None


def _archive(files: Mapping[str, bytes]) -> bytes:
    """Return files as a tar, for nobody but root."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o600
            tar.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def _lines(response: Any) -> Iterator[str]:
    """Yield the lines of a container's log, both streams', as they come."""
    rest = b""
    while len(head := response.read(HEADER.size)) == HEADER.size:
        rest += response.read(HEADER.unpack(head)[1])
        *whole, rest = rest.split(b"\n")
        yield from (line.decode(errors="replace") for line in whole)
    if rest:
        yield rest.decode(errors="replace")
