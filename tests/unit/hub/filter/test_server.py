"""The filter between two unix sockets, with an engine behind it that answers, breaks off, or says nothing."""

import asyncio
import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientError, ClientSession, UnixConnector, web

from hub.filter import server
from hub.filter.server import until_terminated
from tests.unit.hub.filter.engines import ADA, OTHERS, OURS, VERSION, Engine, beside, ruled

RULES = ruled()
LOGS = f"{VERSION}/services/{ADA}/logs?details=False&follow=False&stdout=True&stderr=True&since=0&timestamps=False&tail=10"
SERVICES = f"{VERSION}/services"


def asked(engine: Engine, method: str, path: str, body: Any = None, seconds: float = 5.0) -> tuple[int, Any]:
    """Return the status and the values that a client of the filter gets."""

    async def ask(socket: Path) -> tuple[int, Any]:
        async with ClientSession(connector=UnixConnector(str(socket))) as session:
            async with session.request(method, f"http://docker{path}", data=body) as answer:
                text = await answer.read()
                return answer.status, json.loads(text) if answer.content_type == "application/json" else text

    found: tuple[int, Any] = asyncio.run(beside(engine, RULES, ask, seconds))
    return found


def sent(engine: Engine, text: bytes, end: bytes = b"}") -> bytes:
    """Return what the filter answers to these bytes, up to an end."""

    async def send(socket: Path) -> bytes:
        reader, writer = await asyncio.open_unix_connection(str(socket))
        writer.write(text)
        answer = await asyncio.wait_for(reader.readuntil(end), 5)
        writer.close()
        return answer

    found: bytes = asyncio.run(beside(engine, RULES, send))
    return found


def test_a_refusal_is_an_answer_as_the_engines_and_a_line_in_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    """With what was asked and why not; the engine hears nothing of it, and the log nothing of a query."""
    engine = Engine()
    status, said = asked(engine, "POST", f"{VERSION}/containers/create?name=hush", b'{"Env": ["TOKEN=hush"]}')
    why = f"swarmhub's filter refuses POST {VERSION}/containers/create: the hub needs no such call"
    assert (status, said, engine.asked) == (403, {"message": why}, [])
    assert capsys.readouterr().err == f"{why}\n"


def test_an_answer_of_the_engines_comes_through_with_its_status() -> None:
    """Its errors, too: the hub reads them."""
    engine = Engine({f"GET /services/{ADA}": 404, "GET /nodes": 503, "GET /version": {"ApiVersion": "1.45", "Os": "linux"}})
    assert asked(engine, "GET", f"{SERVICES}/{ADA}") == (404, {"message": "no"})
    assert asked(engine, "GET", f"{VERSION}/nodes") == (503, {"message": "no"})
    assert asked(engine, "GET", "/version") == (200, {"ApiVersion": "1.45"})


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", f"{SERVICES}/x"),
        ("DELETE", f"{SERVICES}/x"),
        ("GET", LOGS.replace(ADA, "x")),
        ("DELETE", f"{VERSION}/configs/x"),
        ("GET", f"{VERSION}/tasks?filters=%7B%22service%22%3A%20%5B%22x%22%5D%7D"),
    ],
    ids=["inspect", "remove", "logs", "config", "tasks"],
)
def test_what_is_not_the_hubs_is_not_touched(method: str, path: str) -> None:
    """The engine is asked whose it is, and nothing more."""
    engine = Engine({"GET /services/x": OTHERS, "GET /configs/x": {"ID": "c", "Spec": {"Name": "x", "Labels": None}}})
    status, said = asked(engine, method, path)
    assert (status, len(engine.asked)) == (403, 1)
    assert said["message"].endswith("it is not of the service jupyterhub")


def test_what_is_the_hubs_is_asked_for_by_its_id() -> None:
    """Between the two questions its name could become somebody else's."""
    engine = Engine({f"GET /services/{ADA}": OURS, "DELETE /services/s1": b""})
    assert asked(engine, "DELETE", f"{SERVICES}/{ADA}")[0] == 200
    assert [what for what, _ in engine.asked] == [f"GET /services/{ADA}", "DELETE /services/s1"]


def streaming(*parts: bytes, breaks: bool = False, until: asyncio.Event | None = None) -> Any:
    """Return how an engine answers part by part, waits between the first and the rest, and may break off."""

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        stream = web.StreamResponse(headers={"Content-Type": "application/vnd.docker.raw-stream"})
        await stream.prepare(request)
        for number, part in enumerate(parts):
            await stream.write(part)
            if until and not number:
                await until.wait()
        if breaks and request.transport:
            request.transport.abort()
        return stream

    return answer


def test_an_answer_is_passed_on_as_it_comes() -> None:
    """The first part is there while the engine has not said the rest."""
    engine = Engine({f"GET /services/{ADA}": OURS})

    async def read(socket: Path) -> list[bytes]:
        heard = asyncio.Event()
        engine.answers["GET /services/s1/logs"] = streaming(b"first", b"second", until=heard)
        async with ClientSession(connector=UnixConnector(str(socket))) as session:
            async with session.get(f"http://docker{LOGS}") as answer:
                first = await answer.content.readany()
                heard.set()
                return [first, await answer.content.read()]

    assert asyncio.run(beside(engine, RULES, read)) == [b"first", b"second"]


def test_an_answer_that_breaks_off_does_not_look_whole() -> None:
    """The client learns of it; a long answer comes whole: logs may be longer than any buffer."""
    parts = [bytes([number]) * 2**18 for number in range(8)]
    engine = Engine({f"GET /services/{ADA}": OURS, "GET /services/s1/logs": streaming(*parts)})
    assert asked(engine, "GET", LOGS) == (200, b"".join(parts))
    engine.answers["GET /services/s1/logs"] = streaming(b"first", breaks=True)
    with pytest.raises(ClientError):
        asked(engine, "GET", LOGS)


def silent() -> Any:
    """Return how an engine hears a question and never answers."""

    async def wait(request: web.BaseRequest) -> web.StreamResponse:
        await asyncio.Event().wait()
        raise AssertionError

    return wait


def test_an_engine_that_is_silent_is_given_up(capsys: pytest.CaptureFixture[str]) -> None:
    """In time for the hub to hear of it, as an error of the engine's."""
    status, said = asked(Engine({"GET /nodes": silent()}), "GET", f"{VERSION}/nodes", seconds=0.05)
    assert (status, said["message"]) == (504, f"swarmhub's filter: GET {VERSION}/nodes: the Docker Engine does not answer")
    assert capsys.readouterr().err.count("\n") == 1


def test_an_engine_that_falls_silent_in_mid_answer_is_given_up() -> None:
    """What has come is not taken for all."""
    never = streaming(b"first", b"second", until=asyncio.Event())
    engine = Engine({f"GET /services/{ADA}": OURS, "GET /services/s1/logs": never})
    with pytest.raises(ClientError):
        asked(engine, "GET", LOGS, seconds=0.05)


def test_an_engine_that_is_not_there_is_told() -> None:
    """500 would be read as a server on a broken node."""

    async def ask(socket: Path) -> int:
        socket.with_name("engine.sock").unlink()
        async with ClientSession(connector=UnixConnector(str(socket))) as session:
            async with session.get(f"http://docker{VERSION}/nodes") as answer:
                return answer.status

    assert asyncio.run(beside(Engine(), RULES, ask)) == 502


@pytest.mark.parametrize("answer", [b"<html>", b'{"no": "ID"}'], ids=["no JSON", "no service"])
def test_an_engine_that_answers_with_something_else_is_told(answer: bytes) -> None:
    """Nothing is passed on that was not understood."""
    assert asked(Engine({f"GET /services/{ADA}": answer}), "GET", f"{SERVICES}/{ADA}")[0] == 502


def test_a_client_that_goes_away_takes_its_question_along() -> None:
    """The engine is not left with questions whose answers nobody reads."""
    came, left = asyncio.Event(), asyncio.Event()

    async def until_left(request: web.BaseRequest) -> web.StreamResponse:
        came.set()
        try:
            await asyncio.Event().wait()
        finally:  # its own client, the filter, has gone
            left.set()
        raise AssertionError

    async def go_away(socket: Path) -> bool:
        _, writer = await asyncio.open_unix_connection(str(socket))
        writer.write(f"GET {VERSION}/nodes HTTP/1.1\r\nHost: docker\r\n\r\n".encode())
        await came.wait()
        writer.close()
        return await asyncio.wait_for(left.wait(), 5)

    assert asyncio.run(beside(Engine({"GET /nodes": until_left}), RULES, go_away))


def test_a_body_that_is_too_long_is_refused() -> None:
    """In one piece or in many, before the engine hears of it."""
    engine = Engine()
    status, said = asked(engine, "POST", f"{SERVICES}/create", b" " * (server.LARGEST_BODY + 1))
    assert (status, engine.asked) == (403, [])
    assert "the body is longer than 1048576 bytes" in said["message"]


def test_a_body_that_does_not_come_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that is held open says so."""
    monkeypatch.setattr(server, "BODY_SECONDS", 0.05)
    head = f"POST {SERVICES}/create HTTP/1.1\r\nHost: docker\r\nContent-Length: 10\r\n\r\n{{"
    assert b"the body does not come" in sent(Engine(), head.encode())


def test_a_body_in_chunks_is_read() -> None:
    """As much as one whose length is told."""
    head = f"POST {SERVICES}/create HTTP/1.1\r\nHost: docker\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert b"Labels name no user" in sent(Engine(), head.encode() + b"1\r\n[\r\n1\r\n]\r\n0\r\n\r\n")


@pytest.mark.parametrize(
    "head",
    [
        "GET http://docker/v1.45/services HTTP/1.1",
        "OPTIONS * HTTP/1.1",
        "GET //v1.45/services HTTP/1.1",
        "GET /v1.45/services/%2e%2e/containers/json HTTP/1.1",
        "GET /v1.45/services/../containers/json HTTP/1.1",
        "CONNECT docker:80 HTTP/1.1",
        "GET /v1.45/services HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: tcp",
        "POST /v1.45/services/create HTTP/1.1\r\nContent-Encoding: gzip\r\nContent-Length: 0",
        "HEAD /v1.45/containers/json HTTP/1.0",
        "GET /v1.45/services HTTP/1.0",
        "GET /v1.45/services",
    ],
)
def test_what_stands_on_the_wire_is_what_is_judged(head: str) -> None:
    """No library tidies a request up before it is looked at."""
    engine = Engine({"GET /services": []})
    assert b" 403 " in sent(engine, f"{head}\r\nHost: docker\r\n\r\n".encode(), b"\n")
    assert engine.asked == []


@pytest.mark.parametrize(
    "text",
    [
        b"POST /v1.45/services/create HTTP/1.1\r\nHost: d\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /v1.45/services/create HTTP/1.1\r\nHost: d\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}}",
        b"GET /v1.45/serv\x00ices HTTP/1.1\r\nHost: d\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n",
    ],
    ids=["two lengths", "one length twice", "a zero byte", "TLS"],
)
def test_what_is_no_request_reaches_nobody(text: bytes) -> None:
    """Two readers could see two requests in it."""
    engine = Engine()
    assert b" 40" in sent(engine, text, b"\n")
    assert engine.asked == []


def test_it_stops_when_the_container_is_told_to() -> None:
    """At once, and without a traceback."""

    async def run(stop: asyncio.Event) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(stop.wait(), 5)

    asyncio.run(until_terminated(run))


def test_a_socket_that_an_earlier_run_has_left_is_taken_over() -> None:
    """The volume that holds it outlives the container."""

    async def again(socket: Path) -> tuple[int, Any]:
        return await asyncio.to_thread(asked, Engine({"GET /nodes": []}), "GET", f"{VERSION}/nodes")

    assert asyncio.run(beside(Engine(), RULES, again))[0] == 200
