"""Running code in a kernel, over a websocket as JupyterLab does."""

import asyncio
import json
import logging
import ssl
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from websockets.asyncio.server import ServerConnection, serve

from swarmhub.errors import StepError
from swarmhub.people.api import HubApi
from swarmhub.smoke import kernel
from tests.unit.support.authority import Authority

HUB = "hub.localhost"
Says = Callable[[str], list[dict[str, Any]]]


def message(request: str, kind: str, **content: Any) -> dict[str, Any]:
    """Return a message of a kernel's, in answer to a request."""
    return {"parent_header": {"msg_id": request}, "header": {"msg_type": kind}, "content": content}


def idle(request: str) -> dict[str, Any]:
    """Return what a kernel says in the end."""
    return message(request, "status", execution_state="idle")


@contextmanager
def kernel_that(says: Says, authority: Authority, heard: list[Any]) -> Iterator[HubApi]:
    """Serve a kernel's websocket, and give the API of the server that has it."""

    async def handle(connection: ServerConnection) -> None:
        assert connection.request is not None
        heard.append((connection.request.path, connection.request.headers["Authorization"]))
        asked = json.loads(await connection.recv())
        heard.append(asked["content"]["code"])
        for one in await asyncio.to_thread(says, asked["header"]["msg_id"]):
            await connection.send(json.dumps(one))

    async def run() -> None:
        async with serve(handle, "127.0.0.1", 0, ssl=context) as server:
            port.set_result(server.sockets[0].getsockname()[1])
            await asyncio.to_thread(is_over.wait)

    chain, key = authority.issue(HUB, f"*.{HUB}", start=datetime.now(UTC) - timedelta(days=1))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "chain.pem"
        file.write_text(chain + key)
        context.load_cert_chain(file)
    port, is_over = Future[int](), threading.Event()
    thread = threading.Thread(target=asyncio.run, args=(run(),))
    thread.start()
    trust = ssl.create_default_context(cadata=authority.pem)
    try:
        yield HubApi(f"https://{HUB}:{port.result(10)}", trust, SecretStr("hush"), "/user/ada/api/")
    finally:
        is_over.set()
        thread.join()


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Return what the server was asked; the kernel that it starts is k1."""
    heard: list[Any] = []
    monkeypatch.setattr(HubApi, "post", lambda _, path, body: heard.append(f"POST {path}") or {"id": "k1"})  # type: ignore[func-returns-value]
    monkeypatch.setattr(HubApi, "delete", lambda _, path: heard.append(f"DELETE {path}"))
    return heard


def test_a_kernel_is_started_asked_and_ended(authority: Authority, heard: list[Any], caplog: pytest.LogCaptureFixture) -> None:
    """The token goes with the websocket, not into what `fab --debug` shows, and the kernel ends whatever it said."""
    caplog.set_level(logging.DEBUG)
    says: Says = lambda request: [message(request, "execute_result", data={"text/plain": "42"}), idle(request)]  # noqa: E731
    with kernel_that(says, authority, heard) as server:
        assert kernel.run(server, "6 * 7") == "42"
    path = "/user/ada/api/kernels/k1/channels"
    assert heard == ["POST kernels", (path, "token hush"), "6 * 7", "DELETE kernels/k1"]
    assert "hush" not in caplog.text


def test_a_kernel_on_a_domain_of_its_own_is_reached_by_the_hubs(authority: Authority, heard: list[Any]) -> None:
    """The websocket is asked for by the server's name, and connected to where the hub is."""
    with kernel_that(lambda request: [idle(request)], authority, heard) as server:
        elsewhere = replace(server, address=f"https://ada.{HUB}:{server.port}", proxy="127.0.0.1")
        assert kernel.run(elsewhere, "6 * 7") == ""
    assert "6 * 7" in heard


def test_what_it_prints_is_an_answer_and_what_it_says_to_others_is_not(authority: Authority, heard: list[Any]) -> None:
    """A kernel that starts tells of itself: those messages answer another request, or none."""

    def says(request: str) -> list[dict[str, Any]]:
        strange = message("another", "stream", text="hello")
        return [
            idle("another"),
            strange,
            {**strange, "parent_header": {}},
            message(request, "stream", text="42\n"),
            idle(request),
        ]

    with kernel_that(says, authority, heard) as server:
        assert kernel.run(server, "print(42)") == "42\n"


def test_code_that_fails_is_an_error_with_the_kernels_words(authority: Authority, heard: list[Any]) -> None:
    """The kernel is ended all the same."""
    says: Says = lambda request: [message(request, "error", ename="NameError", evalue="no x"), idle(request)]  # noqa: E731
    with kernel_that(says, authority, heard) as server:
        with pytest.raises(StepError, match="its kernel answers: NameError: no x"):
            kernel.run(server, "x")
    assert heard[-1] == "DELETE kernels/k1"


def test_a_websocket_that_breaks_is_an_error(authority: Authority, heard: list[Any]) -> None:
    """A proxy in between may let requests through, and no websockets."""
    with kernel_that(lambda _: [], authority, heard) as server:
        with pytest.raises(StepError, match=r"its kernel's websocket breaks: .*Does something between here and the hub block"):
            kernel.run(server, "x")


def test_a_kernel_that_is_silent_is_given_up(authority: Authority, heard: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """A node without memory may let a kernel hang for good."""
    monkeypatch.setattr(kernel, "SECONDS", 0.2)
    quiet = threading.Event()

    def says(request: str) -> list[dict[str, Any]]:
        quiet.wait(5)
        return []

    with kernel_that(says, authority, heard) as server:
        with pytest.raises(StepError, match=r"its kernel does not answer within 0\.2 s"):
            kernel.run(server, "x")
        quiet.set()
