"""The hub's server: how much it lets one client have."""

import asyncio
import resource
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import Application, RequestHandler

from hub import server

SET = resource.setrlimit


class Page(RequestHandler):
    """A page that takes a body."""

    def post(self) -> None:
        """Say how long it is."""
        self.write(str(len(self.request.body)))

    get = post


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    saved = HTTPServer._save_configuration()
    yield
    HTTPServer._restore_configuration(saved)


def served(monkeypatch: pytest.MonkeyPatch, asked: Callable[[int, Any], Awaitable[None]], **limits: float) -> None:
    """Ask a server with limits, by its port."""
    if resource.setrlimit is SET:
        monkeypatch.setattr(resource, "setrlimit", lambda *_: None)  # of the tests' own process
    for name, value in limits.items():
        monkeypatch.setattr(server, name, value)

    async def run() -> None:
        server.bound()
        listening, port = bind_unused_port()
        http = HTTPServer(Application([("/", Page)]))
        http.add_sockets([listening])
        await asyncio.wait_for(asked(port, http), 10)
        http.stop()

    asyncio.run(run())


async def said(port: int, text: bytes = b"GET / HTTP/1.0\r\n\r\n") -> bytes:
    """Return what is answered to a text until the connection is closed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(text)
    try:
        return await reader.read()
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


def test_one_address_has_half_of_the_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    """One more is closed at once; when one ends there is room again."""

    async def asked(port: int, _: Any) -> None:
        held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
        assert await said(port) == b""
        held[0][1].close()
        for _ in range(100):
            if (await said(port)).startswith(b"HTTP/1.1 200"):
                return
        raise AssertionError("there is no room")

    served(monkeypatch, asked, CONNECTIONS=4)


def test_a_body_that_is_too_long_is_refused_before_it_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the length that its sender tells."""

    async def asked(port: int, _: Any) -> None:
        answer = await said(port, b"POST / HTTP/1.1\r\nHost: hub\r\nContent-Length: 100000000\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 400")

    served(monkeypatch, asked)


@pytest.mark.parametrize("text", [b"", b"GET / HT", b"POST / HTTP/1.1\r\nHost: hub\r\nContent-Length: 10\r\n\r\nabc"])
def test_what_does_not_go_on_is_closed(monkeypatch: pytest.MonkeyPatch, text: bytes) -> None:
    """A connection without a request, headers that do not end, a body that does not come."""

    async def asked(port: int, _: Any) -> None:
        assert b"200" not in await said(port, text)

    served(monkeypatch, asked, IDLE_SECONDS=0.05, BODY_SECONDS=0.05)


def test_files_are_left_for_what_the_hub_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as the process may have, of which connections get half: one address a quarter."""
    monkeypatch.setattr(resource, "getrlimit", lambda _: (8, 16))
    given: list[object] = []
    monkeypatch.setattr(resource, "setrlimit", lambda *limits: given.append(limits))

    async def asked(port: int, _: Any) -> None:
        held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(4)]
        assert (await said(port), len(held), given) == (b"", 4, [(resource.RLIMIT_NOFILE, (16, 16))])

    served(monkeypatch, asked)
