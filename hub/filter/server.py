"""Offer the engine on a socket of its own: each request is judged, asked anew, and its answer passed on."""

import asyncio
import json
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from aiohttp import ClientError, ClientResponse, ClientSession, ClientTimeout, HttpVersion11, UnixConnector, web
from yarl import URL

from hub.filter import logins as registry
from hub.filter.fields import Refused, shown
from hub.filter.rules import Call, Request, Rules, judge

LARGEST_BODY = 2**20
LARGEST_ANSWER = 2**26
# The hub itself waits for 30 s.
ENGINE_SECONDS = 25.0
BODY_SECONDS = 10.0
# An engine never closes an idle connection, and docker-py counts on it.
IDLE_SECONDS = 7 * 24 * 3600
CONNECTIONS = 100
BAD_GATEWAY, TIMEOUT = 502, 504


async def serve(
    rules: Sequence[Rules],
    engine: Path,
    socket: Path,
    stop: asyncio.Event,
    seconds: float = ENGINE_SECONDS,
    *,
    logins: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Serve until `stop` is set; an engine that is silent for so many seconds is given up.

    `logins` has by registry what new services get for the pull of their image.
    """
    connector = UnixConnector(str(engine), limit=CONNECTIONS, force_close=True)
    timeout = ClientTimeout(total=None, connect=seconds, sock_connect=seconds, sock_read=seconds)
    async with ClientSession(connector=connector, timeout=timeout, auto_decompress=False) as session:
        server = web.Server(
            _Filter(rules, session, logins).handle,
            handler_cancellation=True,
            auto_decompress=False,
            access_log=None,
            keepalive_timeout=IDLE_SECONDS,
        )
        runner = web.ServerRunner(server, shutdown_timeout=1)
        await runner.setup()
        try:
            await web.UnixSite(runner, str(socket)).start()
            await stop.wait()
        finally:
            await runner.cleanup()


async def until_terminated(run: Callable[[asyncio.Event], Awaitable[None]]) -> None:
    """Run until the container is told to stop."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await run(stop)


@dataclass(frozen=True)
class _Filter:
    rules: Sequence[Rules]
    session: ClientSession
    logins: Mapping[str, str]

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer a request, by the engine or by a line that says why not."""
        path = shown(request.raw_path.partition("?")[0])[1:-1]
        asked = f"{request.method} {path}"
        try:
            return await self._answered(request)
        except Refused as error:
            return _no(403, f"swarmhub's filter refuses {asked}: {error}")
        except TimeoutError:
            return _no(TIMEOUT, f"swarmhub's filter: {asked}: the Docker Engine does not answer")
        except Exception as error:
            # Whatever it is: nothing was allowed, and dockerspawner takes a 500 for a server that is gone.
            return _no(BAD_GATEWAY, f"swarmhub's filter: {asked}: the Docker Engine cannot be asked: {type(error).__name__}")

    async def _answered(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.version != HttpVersion11:
            raise Refused("the request is not of HTTP/1.1")
        asked = Request(request.method, request.raw_path, tuple(request.headers), await _body(request))
        rules, call = judge(self.rules, asked)
        if call.owned:
            async with self._ask(Call("GET", call.owned)) as found:
                if found.status != 200:
                    return await _streamed(request, found)
                owned = await _values(found)
            if not call.is_ours or not call.is_ours(rules.policy, owned):
                raise Refused(f"it is not of the service {rules.policy.service}")
            call = call.of(owned["ID"])
        async with self._ask(call) as answer:
            if call.shape is None or answer.status != 200:
                return await _streamed(request, answer)
            return web.json_response(rules.show(call, await _values(answer)))

    def _ask(self, call: Call) -> Any:
        body = None if call.body is None else json.dumps(call.body).encode()
        headers = {"Accept-Encoding": "identity"} | ({"Content-Type": "application/json"} if body else {})
        headers |= registry.headers(self.logins, call.image)
        url = URL(f"http://docker{call.target}", encoded=True)
        return self.session.request(call.method, url, data=body, headers=headers, allow_redirects=False)


async def _body(request: web.BaseRequest) -> bytes:
    """Return a request's body.

    Raises:
        Refused: it is too long, or does not come.

    """
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for part in request.content.iter_any():
                body += part
                if len(body) > LARGEST_BODY:
                    raise Refused(f"the body is longer than {LARGEST_BODY} bytes")
    except TimeoutError:
        raise Refused("the body does not come") from None
    return bytes(body)


async def _values(answer: ClientResponse) -> Any:
    """Return the values of an answer in JSON.

    Raises:
        ValueError: it is none, or too long.

    """
    text = bytearray()
    async for part in answer.content.iter_any():
        text += part
        if len(text) > LARGEST_ANSWER:
            raise ValueError("the answer is too long")
    return json.loads(text)


async def _streamed(request: web.BaseRequest, answer: ClientResponse) -> web.StreamResponse:
    """Pass an answer on as it comes."""
    passed = web.StreamResponse(status=answer.status)
    if "Content-Type" in answer.headers:
        passed.headers["Content-Type"] = answer.headers["Content-Type"]
    await passed.prepare(request)
    try:
        async for part in answer.content.iter_any():
            await passed.write(part)
    except (ClientError, OSError):
        # What breaks off must not look as if it had ended.
        if request.transport:
            request.transport.abort()
        return passed
    await passed.write_eof()
    return passed


def _no(status: int, why: str) -> web.Response:
    print(why, file=sys.stderr, flush=True)
    return web.json_response({"message": why}, status=status)
