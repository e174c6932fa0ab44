"""The engine of a node, asked over a socket: a real one, behind which answers what the test says."""

import io
import json
import socketserver
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from swarmhub.inside.schedule import engine
from swarmhub.inside.schedule.engine import HEADER, Engine, EngineError

Answers = dict[str, tuple[int, bytes]]


class Server(socketserver.ThreadingUnixStreamServer):
    """A server on a socket, with what it answers, and what it was asked."""

    answers: Answers
    asked: list[tuple[str, bytes]]


class Handler(BaseHTTPRequestHandler):
    """Answer by method and path."""

    server: Server

    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        call = f"{self.command} {self.path.partition('?')[0]}"
        self.server.asked.append((f"{self.command} {self.path}", self.rfile.read(length)))
        status, body = self.server.answers.get(call, (404, b'{"message": "no such thing"}'))
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if body:
            self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_DELETE = _answer  # noqa: N815 - so they are called

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """Return a server on a socket."""
    with Server(str(tmp_path / "s"), Handler) as made:
        made.answers, made.asked = {}, []
        threading.Thread(target=made.serve_forever, args=(0.05,), daemon=True).start()
        yield made
        made.shutdown()


def asking(server: Server) -> Engine:
    """Return the engine behind a server."""
    return Engine(str(server.server_address))


def test_a_question_has_its_parameters(server: Server) -> None:
    """As the API wants them: tables as JSON."""
    server.answers = {"GET /configs": (200, b"[1]")}
    assert asking(server).get("/configs", filters={"label": ["a=b"]}) == [1]
    assert server.asked[0][0] == "GET /configs?filters=%7B%22label%22%3A+%5B%22a%3Db%22%5D%7D"


def test_a_refusal_is_told_in_the_engines_words(server: Server) -> None:
    """What is gone already is gone; an engine that is not there does not answer."""
    with pytest.raises(EngineError, match="no such thing") as refused:
        asking(server).get("/x")
    assert refused.value.status == 404
    asking(server).delete("/x")
    server.answers = {"DELETE /x": (409, b"in use")}
    with pytest.raises(EngineError, match="in use"):
        asking(server).delete("/x")
    with pytest.raises(EngineError, match="the engine does not answer"):
        Engine("/nowhere").get("/x")


def frame(stream: int, text: bytes) -> bytes:
    """Return a piece of a container's log."""
    return HEADER.pack(stream, len(text)) + text


def test_a_container_runs_to_its_end(server: Server) -> None:
    """It gets its files, for root alone, is heard line by line, and is removed."""
    log = frame(1, b'{"done": 1}\n{"par') + frame(2, b"") + frame(1, b't": "x"}\nlast')
    server.answers = {
        "POST /containers/create": (201, b'{"Id": "c1"}'),
        "PUT /containers/c1/archive": (200, b""),
        "POST /containers/c1/start": (204, b""),
        "GET /containers/c1/logs": (200, log),
        "POST /containers/c1/wait": (200, b'{"StatusCode": 3}'),
        "POST /containers/c1/stop": (304, b""),
        "DELETE /containers/c1": (204, b""),
    }
    said: list[str] = []
    assert asking(server).run({"Image": "x"}, {"job.json": b"{}"}, said.append) == 3
    assert said == ['{"done": 1}', '{"part": "x"}', "last"]
    calls = [call.partition("?")[0] for call, _ in server.asked]
    assert calls == [*server.answers]
    assert json.loads(server.asked[0][1]) == {"Image": "x"}
    # An engine refuses to start what is sent with a body.
    assert server.asked[2][1] == b""
    with tarfile.open(fileobj=io.BytesIO(server.asked[1][1])) as tar:
        assert [(one.name, one.mode) for one in tar.getmembers()] == [("job.json", 0o600)]


def test_a_container_that_does_not_start_is_removed(server: Server) -> None:
    """And why is told."""
    server.answers = {
        "POST /containers/create": (201, b'{"Id": "c1"}'),
        "PUT /containers/c1/archive": (200, b""),
        "POST /containers/c1/start": (500, b'{"message": "no space left"}'),
        "DELETE /containers/c1": (204, b""),
    }
    with pytest.raises(EngineError, match="no space left"):
        asking(server).run({}, {}, lambda _: None)
    assert server.asked[-1][0] == "DELETE /containers/c1?force=true&v=true"


def test_the_socket_is_the_engines_own() -> None:
    """As it is mounted."""
    assert engine.SOCKET == "/var/run/docker.sock"


def test_an_answer_that_was_cut_off_is_none(server: Server) -> None:
    """It is told as what the engine did, and tried again as such."""
    server.answers["GET /info"] = (200, b'{"Name": "w')
    with pytest.raises(EngineError, match="cut off"):
        asking(server).get("/info")
