"""What the hub asks outside, by a proxy that is asked for real."""

import asyncio
import base64
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest

from hub.config import http_client

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nX-One: 1\r\nContent-Length: 5\r\n\r\nhello"


@pytest.fixture(autouse=True)
def stock(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give tornado its own client, and this process its own variables, back."""
    monkeypatch.setattr(os, "environ", dict(os.environ))
    yield
    AsyncHTTPClient.configure(None)


def asked(folder: Path, url: Any, request: HTTPRequest, answer: bytes = ANSWER) -> tuple[bytes, list[str]]:
    """Return the answer to a request, and what a proxy of this URL was asked; `PORT` is where it listens."""
    heads: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
        writer.write(answer)
        writer.close()

    async def run() -> bytes:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        (folder / "NAME").write_text(f"http://jane:a%25b@127.0.0.1:{port}")
        given = url if isinstance(url, dict) else url.replace("PORT", str(port))
        http_client.configure({"url": given, "no_proxy": ["127.0.0.1"]}, folder)
        async with server:
            return bytes((await AsyncHTTPClient().fetch(request)).body)

    return asyncio.run(run()), heads


def test_what_is_outside_is_asked_by_the_proxy(tmp_path: Path) -> None:
    """Method, headers and body as they are."""
    request = HTTPRequest("http://git.example.org/token", method="POST", body="a=1", headers={"X-Of": "hub"})
    said, (head,) = asked(tmp_path, "http://127.0.0.1:PORT", request)
    assert (said, head.split("\r\n")[0], "X-Of: hub" in head) == (b"hello", "POST http://git.example.org/token HTTP/1.1", True)
    assert os.environ["HTTPS_PROXY"].startswith("http://127.0.0.1:")


def test_a_password_is_the_proxys_alone(tmp_path: Path) -> None:
    """It is in no variable, which others would read."""
    before = dict(os.environ)
    _, (head,) = asked(tmp_path, {"secret": "NAME"}, HTTPRequest("http://git.example.org/"))
    assert f"Proxy-Authorization: Basic {base64.b64encode(b'jane:a%b').decode()}" in head
    assert dict(os.environ) == before


def test_what_is_not_had_is_told_without_the_password(tmp_path: Path) -> None:
    """With the host that was asked for and the proxy's own answer."""
    refusal = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"
    with pytest.raises(HTTPClientError, match=r"git\.example\.org: the proxy answers 407") as error:
        asked(tmp_path, {"secret": "NAME"}, HTTPRequest("https://git.example.org/"), refusal)
    assert "a%" not in str(error.value)


def test_an_answer_that_is_an_error_is_one(tmp_path: Path) -> None:
    """As with tornado's own client."""
    with pytest.raises(HTTPClientError, match="404"):
        asked(
            tmp_path,
            "http://127.0.0.1:PORT",
            HTTPRequest("http://git.example.org/"),
            b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n",
        )


def test_without_a_proxy_nothing_is_another(tmp_path: Path) -> None:
    """Tornado's own client asks."""
    http_client.configure({"no_proxy": [], "notebooks": False}, tmp_path)
    assert AsyncHTTPClient.configured_class() is not http_client.ProxyingClient
