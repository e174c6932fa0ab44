"""What the tests of the filter share: an engine on a unix socket, the filter before it, and a hub's policy."""

import asyncio
import json
import struct
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import Any

from aiohttp import web

from hub.filter import policy, rules
from hub.filter.policy import Policy
from hub.filter.server import serve
from tests.unit.hub.asked import tables

VERSION = "/v1.45"
ADA = "jupyterhub-ada"
OURS = {
    "ID": "s1",
    "Spec": {"Name": ADA, "Labels": {"swarmhub.notebooks": "jupyterhub", "swarmhub.user": "ada"}},
    "Endpoint": {},
}
OTHERS = {"ID": "s2", "Spec": {"Name": "database", "Labels": {}}, "Endpoint": {}}


def allowed(**given: Any) -> Policy:
    """Return the policy of a hub with these tables of hosts.toml."""
    return policy.of(tables(**given), "jupyterhub", "jupyter", ("jupyterhub-data",))


def ruled(**given: Any) -> rules.Rules:
    """Return its rules."""
    return rules.made(allowed(**given))


def frames(*lines: bytes) -> bytes:
    """Return lines as the engine multiplexes them."""
    return b"".join(struct.pack(">BxxxL", 1, len(line)) + line for line in lines)


@dataclass
class Engine:
    """An engine that answers by "METHOD /path": values, bytes, a status, or a function of the request."""

    answers: dict[str, Any] = field(default_factory=dict)
    asked: list[tuple[str, Any]] = field(default_factory=list)

    def bodies(self, what: str) -> list[Any]:
        """Return the bodies of what was asked so."""
        return [body for asked, body in self.asked if asked == what]

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        body = await request.read()
        asked = f"{request.method} {request.raw_path.removeprefix(VERSION)}"
        self.asked.append((asked, json.loads(body) if body else None))
        answer = self.answers.get(asked, self.answers.get(asked.partition("?")[0], 404))
        if callable(answer):
            made: web.StreamResponse = await answer(request)
            return made
        if isinstance(answer, int):
            return web.json_response({"message": "no"}, status=answer)
        return web.Response(body=answer) if isinstance(answer, bytes) else web.json_response(answer)


Act = Callable[[Path], Awaitable[Any]]


async def beside(
    engine: Engine, made: rules.Rules, act: Act, seconds: float = 5.0, logins: Mapping[str, str] = MappingProxyType({})
) -> Any:
    """Return what `act` does with the socket of a filter before the engine."""
    with TemporaryDirectory() as folder:
        behind, before, stop = Path(folder, "engine.sock"), Path(folder, "filter.sock"), asyncio.Event()
        runner = web.ServerRunner(web.Server(engine.handle, handler_cancellation=True, access_log=None), shutdown_timeout=0)
        await runner.setup()
        await web.UnixSite(runner, str(behind)).start()
        serving = asyncio.create_task(serve([made], behind, before, stop, seconds, logins=logins))
        try:
            while not before.exists() and not serving.done():
                await asyncio.sleep(0)
            return await act(before)
        finally:
            stop.set()
            await serving
            await runner.cleanup()


@contextmanager
def filtered(engine: Engine, made: rules.Rules) -> Iterator[Path]:
    """Serve in a thread, for clients that block; yield the filter's socket."""
    ready, done = threading.Event(), threading.Event()
    where: list[Path] = []

    async def wait(socket: Path) -> None:
        where.append(socket)
        ready.set()
        await asyncio.to_thread(done.wait)

    thread = threading.Thread(target=lambda: asyncio.run(beside(engine, made, wait)))
    thread.start()
    try:
        assert ready.wait(10)
        yield where[0]
    finally:
        done.set()
        thread.join()
