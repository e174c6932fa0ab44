"""The Docker Engine API over SSH: what is sent, how answers are read, and what errors become."""

import base64
import http.client
import io
import json
import logging
import os
import socket
import struct
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import parse_qsl

import pytest
import requests
from docker.constants import DEFAULT_DOCKER_API_VERSION
from paramiko import SSHException
from requests.adapters import BaseAdapter
from urllib3 import HTTPResponse
from urllib3.exceptions import ProtocolError

from swarmhub.errors import StepError
from swarmhub.host import STREAM_SECONDS, EngineError, Output
from swarmhub.images import platforms, pull
from swarmhub.images.bundle import Archive
from swarmhub.ssh import logins
from swarmhub.ssh.docker import engine as module
from swarmhub.ssh.docker.channels import TIMEOUT_SECONDS
from swarmhub.ssh.docker.engine import SshEngine
from swarmhub.ssh.host import SshHost

HOST = "swarm-manager1"
VERSION = {"Version": "29.0.1", "ApiVersion": DEFAULT_DOCKER_API_VERSION, "MinAPIVersion": "1.44"}


class Broken(io.RawIOBase):
    """The beginning of an answer, after which the connection ends, or an error comes."""

    def __init__(self, content: bytes, error: Exception | None = None) -> None:
        self.left, self.error = content, error

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        part, self.left = self.left[: len(buffer)], self.left[len(buffer) :]
        if not part and self.error:
            raise self.error
        buffer[: len(part)] = part
        return len(part)


class Packets:
    """A socket from which an answer can be read."""

    def __init__(self, raw: io.RawIOBase) -> None:
        self.raw = raw

    def makefile(self, _: str) -> io.BufferedReader:
        return io.BufferedReader(self.raw)


def answer(status: int = 200, body: Any = b"", reason: str = "OK", chunk: int = 1 << 20) -> requests.Response:
    """Return what an engine answers: JSON, or bytes in chunks of this length, or a body that breaks off."""
    response = requests.Response()
    response.status_code, response.reason = status, reason
    error = body.error if isinstance(body, Broken) else None
    content = body.left if isinstance(body, Broken) else body if isinstance(body, bytes) else json.dumps(body).encode()
    chunks = [content[start : start + chunk] for start in range(0, len(content), chunk)]
    ending = [] if isinstance(body, Broken) else [b""]
    packed = b"".join(b"%x\r\n%s\r\n" % (len(one), one) for one in [*chunks, *ending])
    packets: Any = Packets(Broken(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + packed, error))
    received: Any = http.client.HTTPResponse(packets, method="GET")
    received.begin()
    headers = {"Transfer-Encoding": "chunked"}
    response.raw = HTTPResponse(received, headers, status, preload_content=False, original_response=received)
    return response


class Wire(BaseAdapter):
    """Takes the place of the SSH channel: keeps what is sent, and gives the answers."""

    def __init__(self) -> None:
        super().__init__()
        self.version: Any = VERSION
        self.answers: list[Any] = []
        self.sent: list[requests.PreparedRequest] = []
        self.timeouts: list[float | None] = []
        self.proxies: list[Any] = []

    def send(
        self, request: requests.PreparedRequest, *_: Any, timeout: Any = None, proxies: Any = None, **__: Any
    ) -> requests.Response:
        if str(request.url).endswith("/version"):
            turn = self.version if isinstance(self.version, Exception | requests.Response) else answer(200, self.version)
        else:
            self.sent.append(request)
            self.timeouts.append(timeout)
            self.proxies.append(proxies)
            turn = self.answers.pop(0)
        if isinstance(turn, Exception):
            raise turn
        response: requests.Response = turn
        response.request = request
        return response

    def close(self) -> None:
        """Nothing is open."""


class FakeConnections:
    """Connections that open nothing: a command answers as given."""

    def __init__(self) -> None:
        self.opened_hosts: list[str] = []
        self.transport: Any = None
        self.output = Output(0, "29.0.1", "")
        self.greeting, self.place = "", ""

    def opened(self, host: str) -> Any:
        self.opened_hosts.append(host)
        return SimpleNamespace(transport=self.transport, sessions=None)

    def command(self, *argv: str) -> str:
        return " ".join(argv)

    def run(self, host: str, *argv: str) -> Output:
        aside = {"true": self.greeting, "sh": self.place}
        return Output(0, aside[argv[0]], "") if argv[0] in aside else self.output


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Wire:
    """Return what is at the other end of the engine's connection."""
    made = Wire()
    monkeypatch.setattr(module, "Adapter", lambda sessions, command: made)
    return made


@pytest.fixture
def connections() -> FakeConnections:
    """Return the run's connections."""
    return FakeConnections()


@pytest.fixture
def engine(wire: Wire, connections: Any) -> SshEngine:
    """Return the engine of a host."""
    return SshEngine(HOST, connections)


@pytest.mark.parametrize(
    ("params", "query"),
    [
        ({}, ""),
        ({"tail": 20}, "?tail=20"),
        ({"force": True, "quiet": False}, "?force=True&quiet=False"),
        ({"filters": {"name": ["jupyter"]}}, "?filters=%7B%22name%22%3A+%5B%22jupyter%22%5D%7D"),
        ({"tag": "a&b=c d"}, "?tag=a%26b%3Dc+d"),
    ],
)
def test_parameters_are_encoded_as_the_api_wants_them(engine: SshEngine, wire: Wire, params: Any, query: str) -> None:
    """Filters are JSON, the engine reads any spelling of true, and nothing in a value ends it."""
    wire.answers = [answer(200, [])]
    engine.get("/networks", **params)
    assert str(wire.sent[0].url) == f"http://engine:80/v{DEFAULT_DOCKER_API_VERSION}/networks{query}"


@pytest.mark.parametrize(
    ("newest", "used"),
    [("1.24", "1.24"), (DEFAULT_DOCKER_API_VERSION, DEFAULT_DOCKER_API_VERSION), ("1.999", DEFAULT_DOCKER_API_VERSION)],
)
def test_the_older_of_two_versions_is_spoken(engine: SshEngine, wire: Wire, newest: str, used: str) -> None:
    """An engine that speaks an older API than docker-py is spoken to in its own, a newer one in docker-py's."""
    wire.version, wire.answers = VERSION | {"ApiVersion": newest}, [answer(200, {})]
    engine.get("/info")
    assert str(wire.sent[0].url).startswith(f"http://engine:80/v{used}/")


def test_an_engine_is_connected_to_once(engine: SshEngine, wire: Wire, connections: FakeConnections) -> None:
    """All requests to a host go over its one connection, which is opened by the first of them."""
    wire.answers = [answer(200, {}), answer(200, {})]
    before = list(connections.opened_hosts)
    engine.get("/info")
    engine.get("/info")
    assert (before, connections.opened_hosts) == ([], [HOST])


def test_a_connection_that_was_lost_is_made_anew(engine: SshEngine, wire: Wire, connections: FakeConnections) -> None:
    """A screen that is live sees a host again when it is back."""
    state = {"active": True}
    connections.transport = SimpleNamespace(is_active=lambda: state["active"])
    wire.answers = [answer(200, {})] * 3
    engine.get("/info")
    state["active"] = False
    engine.get("/info")
    state["active"] = True
    engine.get("/info")
    assert connections.opened_hosts == [HOST, HOST]


def test_with_debug_no_address_is_written_down(engine: SshEngine, wire: Wire, caplog: pytest.LogCaptureFixture) -> None:
    """A build's has its arguments, such as the password of an HTTP proxy; urllib3 would write it."""
    caplog.set_level(logging.DEBUG)
    wire.answers = [answer(200, {})]
    engine.get("/info")
    assert not logging.getLogger("urllib3.connectionpool").isEnabledFor(logging.DEBUG)


def test_an_answer_is_decoded(engine: SshEngine, wire: Wire) -> None:
    """JSON comes back as values."""
    wire.answers = [answer(200, {"ID": "x", "Options": None})]
    assert engine.get("/info") == {"ID": "x", "Options": None}


def test_a_post_sends_its_body_as_json(engine: SshEngine, wire: Wire) -> None:
    """A body that is given is sent as JSON, and the answer is decoded."""
    wire.answers = [answer(201, {"Id": "n1"})]
    assert engine.post("/networks/create", {"Name": "jupyter"}, version=7) == {"Id": "n1"}
    assert (json.loads(wire.sent[0].body or b""), wire.sent[0].headers["Content-Type"]) == (
        {"Name": "jupyter"},
        "application/json",
    )


def test_an_answer_without_content_is_none(engine: SshEngine, wire: Wire) -> None:
    """Starting a container answers 204 with nothing in it."""
    wire.answers = [answer(204)]
    assert engine.post("/containers/c1/start") is None


def test_bytes_are_sent_as_they_are(engine: SshEngine, wire: Wire) -> None:
    """A tar for a container is the body of the request."""
    wire.answers = [answer(200)]
    engine.put("/containers/c1/archive", b"tar", path="/")
    assert (wire.sent[0].method, wire.sent[0].body) == ("PUT", b"tar")


def test_what_is_not_found_is_none(engine: SshEngine, wire: Wire) -> None:
    """To look for something that is not there is no error."""
    wire.answers = [answer(404, {"message": "no such volume"})]
    assert engine.find("/volumes/data") is None


def test_what_is_found_is_returned(engine: SshEngine, wire: Wire) -> None:
    """To look for something that is there answers it."""
    wire.answers = [answer(200, {"Name": "data"})]
    assert engine.find("/volumes/data") == {"Name": "data"}


def test_removing_what_is_gone_is_no_error(engine: SshEngine, wire: Wire) -> None:
    """A thing that somebody else has removed is as wanted."""
    wire.answers = [answer(404, {"message": "no such container"})]
    engine.delete("/containers/c1", force=True)
    assert (wire.sent[0].method, str(wire.sent[0].url).partition("?")[2]) == ("DELETE", "force=True")


def test_removing_what_is_just_being_removed_is_no_error(engine: SshEngine, wire: Wire) -> None:
    """Ctrl-C removes containers whose own thread removes them at the same moment."""
    wire.answers = [answer(409, {"message": "removal of container c1 is already in progress"})]
    engine.delete("/containers/c1", force=True)


def test_removing_what_is_in_use_is_an_error(engine: SshEngine, wire: Wire) -> None:
    """It stays, and somebody has to know."""
    wire.answers = [answer(409, {"message": "remove data: volume is in use - [c1]"})]
    with pytest.raises(EngineError, match="in use"):
        engine.delete("/volumes/data")


CALLS: dict[str, Callable[[SshEngine], Any]] = {
    "get": lambda engine: engine.get("/x"),
    "find": lambda engine: engine.find("/x"),
    "post": lambda engine: engine.post("/x", {}),
    "put": lambda engine: engine.put("/x", b""),
    "delete": lambda engine: engine.delete("/x"),
    "pull": lambda engine: list(engine.pull("x", "1")),
    "build": lambda engine: list(engine.build(b"tar", "hub:1", {})),
    "load": lambda engine: engine.load(b"tar"),
    "registry_digest": lambda engine: engine.registry_digest("x"),
    "logs": lambda engine: list(engine.logs("/x")),
    "download": lambda engine: list(engine.download("/x")),
}


@pytest.mark.parametrize("call", CALLS)
def test_an_engines_error_is_an_error_with_its_host_status_and_words(engine: SshEngine, wire: Wire, call: str) -> None:
    """Whatever was asked, an engine's refusal says who refused, with which status, and why."""
    wire.answers = [answer(409, {"message": "network jupyter is in use"})]
    with pytest.raises(EngineError) as error:
        CALLS[call](engine)
    assert (error.value.host, error.value.status, error.value.message) == (HOST, 409, "network jupyter is in use")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"page not found\n", "page not found"),
        (b"", "Bad Gateway"),
        ({"error": "x"}, '{"error": "x"}'),
        (b'["x"]', r'\["x"\]'),
        (b"<html>\r\n<body>\n", "<html> <body>"),
        ({"message": f"Get <html>\n{'x' * 9999}: i/o timeout"}, f"Get <html> {'x' * 289} … {'x' * 187}: i/o timeout"),
    ],
)
def test_an_error_that_is_not_the_engines_own_is_told_as_it_is(engine: SshEngine, wire: Wire, body: Any, message: str) -> None:
    """A proxy's page, or nothing at all, is told in one line, as far as it helps."""
    wire.answers = [answer(502, body, "Bad Gateway")]
    with pytest.raises(EngineError, match=f"^{message}$"):
        engine.get("/x")


LOST = [
    requests.ConnectionError("Connection aborted"),
    OSError("Socket is closed"),
    EOFError(),
    requests.ReadTimeout("timed out"),
]


def test_a_registry_that_does_not_answer_is_told_as_one(engine: SshEngine, wire: Wire) -> None:
    """The connection to the host is well: what can do without the registry goes on, and else the remedy is a bundle."""
    wire.answers = [requests.ReadTimeout("timed out")] * 2
    assert platforms.offered(cast(Any, SimpleNamespace(engine=engine)), "x:1") == ()
    with pytest.raises(EngineError, match="the registry does not answer within 60 s") as error:
        engine.registry_digest("x:1")
    assert pull.helps(error.value) == pull.WITH_BUNDLE


BREAKS = [(call, error) for call in CALLS for error in LOST if (call, type(error)) != ("registry_digest", requests.ReadTimeout)]


@pytest.mark.parametrize(("call", "error"), BREAKS, ids=[f"{call} {type(error).__name__}" for call, error in BREAKS])
def test_a_connection_that_breaks_is_an_error_of_the_host(engine: SshEngine, wire: Wire, call: str, error: Exception) -> None:
    """The line says that the connection broke, and that the same command goes on."""
    wire.answers = [error]
    with pytest.raises(StepError, match=f"^{HOST}: the connection broke: .*Run the same command again"):
        CALLS[call](engine)


def test_what_broke_is_told_in_its_own_words(engine: SshEngine, wire: Wire) -> None:
    """Not as Python shows an error in another one."""
    inner = http.client.RemoteDisconnected("Remote end closed connection without response")
    wire.answers = [requests.ConnectionError(ProtocolError("Connection aborted.", inner))]
    with pytest.raises(StepError, match=f"^{HOST}: the connection broke: Remote end closed connection without response. Run"):
        engine.get("/x")


@pytest.mark.parametrize(
    ("output", "cause", "remedy"),
    [
        (Output(127, "", "bash: docker: command not found\n"), "Docker is not installed", "Install Docker Engine there"),
        (Output(1, "", "sudo: docker: command not found\n"), "Docker is not installed", "Install Docker Engine there"),
        (
            Output(
                1, "", "permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock\n"
            ),
            "this user may not use Docker",
            "usermod -aG docker USER",
        ),
        (Output(1, "", "sudo: a password is required\n"), "sudo asks for a password", "or set ssh.sudo = false"),
        (
            Output(1, "", "Sorry, user ada may not run sudo on swarm-manager1.\n"),
            "sudo asks for a password",
            "or set ssh.sudo = false",
        ),
        (
            Output(
                1, "", "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?\n"
            ),
            "the Docker Engine does not run",
            "sudo systemctl start docker",
        ),
        (
            Output(1, "", "warning: x\nsomething that nobody has seen\n"),
            "the Docker Engine does not answer: something that nobody has seen",
            "Try there: docker info",
        ),
        (Output(0, "29.0.1", ""), "the Docker Engine does not answer: Connection aborted", "Try there: docker info"),
    ],
)
def test_an_engine_that_does_not_answer_is_explained(
    engine: SshEngine, wire: Wire, connections: FakeConnections, output: Output, cause: str, remedy: str
) -> None:
    """The tunnel only says that it closed: the host is asked why, and the line says what helps."""
    wire.version, connections.output = requests.ConnectionError("Connection aborted"), output
    with pytest.raises(StepError) as error:
        engine.get("/info")
    assert (error.value.host, error.value.cause, remedy in error.value.remedy) == (HOST, cause, True)


def test_a_login_shell_that_prints_is_told(engine: SshEngine, wire: Wire, connections: FakeConnections) -> None:
    """What it prints comes before the engine's answer; the line has its words, and how to keep them for people."""
    wire.version, connections.greeting = requests.ConnectionError("BadStatusLine"), "Welcome to the lab!\nHave fun\n"
    with pytest.raises(StepError, match=r"login shell prints something where commands run: 'Welcome to the lab!'\. .*bashrc"):
        engine.get("/info")


def test_a_docker_off_the_path_is_told_with_its_place(engine: SshEngine, wire: Wire, connections: FakeConnections) -> None:
    """A login's shell has a longer path than a command over SSH."""
    wire.version, connections.place = requests.ConnectionError("closed"), "/snap/bin/docker\n"
    connections.output = Output(127, "", "env: 'docker': No such file or directory\n")
    with pytest.raises(StepError, match=r"docker is /snap/bin/docker, which is not on the path .*ln -s /snap/bin/docker"):
        engine.get("/info")


@pytest.mark.parametrize(
    ("status", "body"), [(403, {"message": "authorization denied by plugin"}), (200, {}), (502, b"Bad Gateway")]
)
def test_an_engine_that_does_not_tell_its_version_is_an_error_of_the_host(
    engine: SshEngine, wire: Wire, status: int, body: Any
) -> None:
    """Whatever comes instead of a version, it is an error that becomes a line, and no traceback."""
    wire.version = answer(status, body)
    with pytest.raises((StepError, EngineError)):
        engine.get("/info")


def test_after_a_failure_the_engine_is_connected_to_anew(engine: SshEngine, wire: Wire) -> None:
    """An engine that did not answer at first is asked again by the next question."""
    wire.version, wire.answers = requests.ConnectionError("Connection aborted"), [answer(200, {})]
    with pytest.raises(StepError):
        engine.get("/info")
    wire.version = VERSION
    assert engine.get("/info") == {}


EVENTS = b'{"status":"Pulling from x"}\r\n{"status":"Downloading","progressDetail":{"current":1,"total":2},"id":"a"}\r\n'


@pytest.mark.parametrize("chunk", [1, 30, 1000])
def test_a_streams_events_are_read_line_by_line(engine: SshEngine, wire: Wire, chunk: int) -> None:
    """Each line of the answer is an event, however the engine cuts the answer into pieces."""
    wire.answers = [answer(200, EVENTS, chunk=chunk)]
    assert [event["status"] for event in engine.pull("x", "1") if event] == [
        "Pulling from x",
        "Downloading",
    ]


def test_an_error_in_a_stream_is_an_engines_error(engine: SshEngine, wire: Wire) -> None:
    """A pull that fails half-way answers 200 and says so later: what came before is told, then the error."""
    wire.answers = [answer(200, EVENTS + b'{"errorDetail":{"message":"no space"},"error":"no space left on device"}\r\n')]
    events = engine.pull("x", "1")
    seen = [next(events), next(events)]
    with pytest.raises(EngineError, match="no space left on device"):
        next(events)
    assert len(seen) == 2


@pytest.mark.parametrize("error", [None, TimeoutError(), SSHException()], ids=["ends", "silent", "broken"])
@pytest.mark.parametrize("call", ["pull", "build", "load", "logs", "download"])
def test_a_stream_that_breaks_off_is_an_error_of_the_host(
    engine: SshEngine, wire: Wire, call: str, error: Exception | None
) -> None:
    """A connection that is lost during a pull or while a log is followed is a line with the host's name, no traceback."""
    wire.answers = [answer(200, Broken(frame(b"line\n") if call == "logs" else EVENTS, error))]
    with pytest.raises(StepError, match="the connection broke"):
        CALLS[call](engine)


@pytest.mark.parametrize(
    ("content", "header"),
    [
        (Archive(io.BytesIO(b"0123456789"), 6, id), ("Content-Length", "6")),
        (iter([b"0", b"1"]), ("Transfer-Encoding", "chunked")),
    ],
    ids=["of a known length", "packed as it is sent"],
)
def test_images_are_sent_as_they_are_read(engine: SshEngine, wire: Wire, content: Any, header: tuple[str, str]) -> None:
    """Gigabytes of them do not go into the memory first."""
    wire.answers.append(answer(200, b'{"stream":"Loaded"}\r\n'))
    engine.load(content)
    assert (wire.sent[0].headers[header[0]], wire.sent[0].body) == (header[1], content)


def test_a_download_is_given_in_parts(engine: SshEngine, wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is larger than the memory never is in it as a whole."""
    monkeypatch.setattr(module, "CHUNK", 4)
    wire.answers = [answer(200, b"0123456789")]
    assert list(engine.download("/containers/c1/archive", path="/ada")) == [b"0123", b"4567", b"89"]


def test_a_build_is_sent_as_a_tar(engine: SshEngine, wire: Wire, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The context is the body, the containers of its steps are removed, and this machine's proxies are not the node's."""
    (tmp_path / "config.json").write_text('{"proxies": {"default": {"httpProxy": "http://proxy.example.org:3128"}}}')
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    wire.answers = [answer(200)]
    list(engine.build(b"tar", "hub:1", {"BASE": "debian:13"}))
    body: Any = wire.sent[0].body
    query = dict(parse_qsl(str(wire.sent[0].url).partition("?")[2]))
    assert (body.getvalue(), query["t"], query["buildargs"]) == (b"tar", "hub:1", '{"BASE": "debian:13"}')
    assert (query["rm"], query["forcerm"]) == ("True", "True")


def docker_login(folder: Path, monkeypatch: pytest.MonkeyPatch, **logins: str) -> None:
    """Log in to registries on this machine, as `docker login` keeps it."""
    auths = {
        registry.replace("_", "."): {"auth": base64.b64encode(login.encode()).decode()} for registry, login in logins.items()
    }
    (folder / "config.json").write_text(json.dumps({"auths": auths}))
    monkeypatch.setenv("DOCKER_CONFIG", str(folder))


def login(wire: Wire, header: str = "X-Registry-Auth") -> Any:
    """Return the login that was sent, or the logins."""
    sent = wire.sent[0].headers.get(header)
    return json.loads(base64.urlsafe_b64decode(sent)) if sent else None


@pytest.mark.parametrize("call", ["pull", "registry_digest"])
def test_a_registry_is_asked_with_the_operators_own_login(
    engine: SshEngine, wire: Wire, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """A private registry's login on this machine is sent along, and only that registry's."""
    docker_login(tmp_path, monkeypatch, quay_io="ada:hush", ghcr_io="grace:other")
    wire.answers = [answer(200, {"Descriptor": {"digest": "sha256:1f"}})]
    name = "quay.io/lab/notebook"
    _ = list(engine.pull(name, "1")) if call == "pull" else engine.registry_digest(f"{name}:1")
    assert (login(wire)["username"], login(wire)["password"]) == ("ada", "hush")


def test_a_login_is_told_as_an_engine_takes_it(engine: SshEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In base64, for a header; nothing where there is none."""
    docker_login(tmp_path, monkeypatch, quay_io="ada:hush")
    told = json.loads(base64.urlsafe_b64decode(engine.registry_login("quay.io")))
    assert (told["username"], told["password"], engine.registry_login("ghcr.io")) == ("ada", "hush", "")


def test_a_login_goes_in_a_header(engine: SshEngine, wire: Wire) -> None:
    """Neither in the path, which engines log, nor in the body; without one there is no header."""
    wire.answers = [answer(200), answer(200)]
    engine.post("/services/create", {"Name": "x"}, login="hush")
    engine.post("/services/create", {"Name": "x"})
    sent, without = wire.sent
    assert (sent.headers["X-Registry-Auth"], without.headers.get("X-Registry-Auth")) == ("hush", None)
    assert "hush" not in f"{sent.url}{sent.body!r}"


def test_the_architectures_of_an_image_are_those_of_its_list(engine: SshEngine, wire: Wire) -> None:
    """Without what a build has attested."""
    listed = [{"architecture": one, "os": "linux"} for one in ("arm64", "amd64", "unknown")]
    wire.answers = [answer(200, {"Descriptor": {"digest": "sha256:1f"}, "Platforms": listed})]
    assert engine.registry_architectures("quay.io/lab/notebook:1") == ("amd64", "arm64")


def test_a_build_may_ask_every_registry(engine: SshEngine, wire: Wire, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The base may be in any registry that the operator has a login to."""
    docker_login(tmp_path, monkeypatch, quay_io="ada:hush")
    wire.answers = [answer(200)]
    list(engine.build(b"tar", "hub:1", {}))
    assert login(wire, "X-Registry-Config")["quay.io"]["password"] == "hush"


def test_no_login_goes_where_it_does_not_belong(
    engine: SshEngine, wire: Wire, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request for an image of another registry carries no login."""
    docker_login(tmp_path, monkeypatch, quay_io="ada:hush")
    wire.answers = [answer(200)]
    list(engine.pull("docker.io/library/debian", "12"))
    assert login(wire) is None


def with_helper(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str = "") -> None:
    """Keep logins with a credential helper; without a script, it is not installed."""
    (folder / "config.json").write_text(json.dumps({"credsStore": "test"}))
    monkeypatch.setenv("DOCKER_CONFIG", str(folder))
    if script:
        helper = folder / "docker-credential-test"
        helper.write_text(f"#!/bin/sh\n{script}\n")
        helper.chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


def test_a_login_may_be_with_a_credential_helper(
    engine: SshEngine, wire: Wire, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Docker's own credential helpers are asked, as the docker command does."""
    with_helper(tmp_path, monkeypatch, """echo '{"ServerURL": "quay.io", "Username": "ada", "Secret": "hush"}'""")
    wire.answers = [answer(200)]
    list(engine.pull("quay.io/lab/notebook", "1"))
    assert (login(wire)["Username"], login(wire)["Password"]) == ("ada", "hush")


@pytest.mark.filterwarnings("ignore:docker-credential-test not installed")
@pytest.mark.parametrize("call", ["pull", "build", "registry_digest"])
def test_without_its_helper_a_registry_is_asked_without_a_login(
    engine: SshEngine,
    wire: Wire,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    call: str,
) -> None:
    """A public image needs no login; the operator is told once that none was sent."""
    logins._note.cache_clear()
    with_helper(tmp_path, monkeypatch)
    wire.answers = [answer(200, {"Descriptor": {"digest": "sha256:1f"}})] * 2
    CALLS[call](engine)
    CALLS[call](engine)
    (note,) = caplog.messages
    assert (login(wire), "docker-credential-test not installed" in note) == (None, True)


BROKEN_HELPERS = {
    "fails": "echo 'no display'; exit 1",
    "answers something else": "echo hello",
    "answers with bytes": r"printf '\377'",
    "answers with no login": "echo '{}'",
    "answers with a list": "echo '[]'",
    "answers without a password": """echo '{"Username": "ada"}'""",
    "waits for somebody": "sleep 20",
}


@pytest.mark.parametrize("script", BROKEN_HELPERS.values(), ids=BROKEN_HELPERS)
def test_a_helper_that_does_not_work_is_done_without(
    engine: SshEngine,
    wire: Wire,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    script: str,
) -> None:
    """As in a cron job, over SSH on a Mac, or in WSL; one that waits is asked once only."""
    logins._note.cache_clear()
    monkeypatch.setattr(logins, "HELPER_SECONDS", 2)
    monkeypatch.setattr(logins, "_has_hung", threading.Event())
    with_helper(tmp_path, monkeypatch, script)
    wire.answers = [answer(200)] * 3
    for call in ("pull", "build", "pull"):
        CALLS[call](engine)
    assert (login(wire), len(caplog.messages)) == (None, 1)


@pytest.mark.filterwarnings("ignore")
def test_an_empty_keychain_is_no_news(
    engine: SshEngine, wire: Wire, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Most people who have Docker Desktop are logged in nowhere."""
    with_helper(tmp_path, monkeypatch, "echo 'credentials not found in native keychain'; exit 1")
    wire.answers = [answer(200)]
    list(engine.pull("quay.io/lab/notebook", "1"))
    assert (login(wire), caplog.messages) == (None, [])


def kept(entry: Any) -> str:
    """Return a Docker configuration with a readable login to quay.io, and this one to another registry."""
    readable = {"auth": base64.b64encode(b"ada:hush").decode()}
    return json.dumps({"auths": {"ghcr.io": entry, "quay.io": readable}})


HUSH = {"username": "ada", "password": "hush", "serveraddress": "quay.io"}
NO_LOGIN = "its entry in"
CONFIGURATIONS = {
    "a token": (kept({"auth": "YTpi", "identitytoken": "t"}), {"IdentityToken": "t"}, ""),
    "as other tools write them": (kept({"username": "ada", "password": "hush"}), HUSH | {"serveraddress": "ghcr.io"}, ""),
    "with a helper": (kept({}), {}, ""),
    "logged out": (kept({"auth": ""}), {}, ""),
    "null": (kept(None), {}, ""),
    "no base64": (kept({"auth": "%%%"}), {}, NO_LOGIN),
    "no password": (kept({"auth": "YWRh"}), {}, NO_LOGIN),
    "Latin-1": (kept({"auth": base64.b64encode(b"a:\xe4").decode()}), {}, NO_LOGIN),
    "a byte order mark": ("\ufeff" + kept({}), {}, ""),
}


@pytest.mark.parametrize(("text", "login", "said"), CONFIGURATIONS.values(), ids=CONFIGURATIONS)
def test_a_login_that_cannot_be_read_leaves_the_others(
    engine: SshEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: Any, text: str, login: Any, said: str
) -> None:
    """Each stands for itself, as for the docker command; the operator is told of what is wrong with one."""
    logins._note.cache_clear()
    (tmp_path / "config.json").write_text(text)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    told = [json.loads(base64.urlsafe_b64decode(engine.registry_login(name) or "e30=")) for name in ("ghcr.io", "quay.io")]
    assert told == [login, HUSH]
    assert [said in note for note in caplog.messages] == ([True] if said else [])


@pytest.mark.parametrize("content", [b'{"auths":', "{}".encode("utf-16"), b"\xff"])
def test_a_configuration_that_cannot_be_read_is_told_once(
    engine: SshEngine, wire: Wire, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: Any, content: bytes
) -> None:
    """Public images need no login, so the run goes on."""
    logins._note.cache_clear()
    (tmp_path / "config.json").write_bytes(content)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    wire.answers = [answer(200)] * 2
    for _ in range(2):
        list(engine.pull("quay.io/lab/notebook", "1"))
    (note,) = caplog.messages
    assert f"without a login: {tmp_path}/config.json cannot be read: " in note


@pytest.mark.parametrize("text", ["", "[]", '{"auths": null, "proxies": null, "credsStore": ""}'])
def test_a_configuration_without_logins_is_no_news(
    engine: SshEngine, wire: Wire, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: Any, text: str
) -> None:
    """Whatever else is in it, or is not."""
    (tmp_path / "config.json").write_text(text)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    wire.answers = [answer(200)]
    list(engine.pull("quay.io/lab/notebook", "1"))
    assert (login(wire), caplog.messages) == (None, [])


@pytest.mark.filterwarnings("ignore:docker-credential-test not installed")
def test_the_file_has_docker_hubs_login_too(engine: SshEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under the address that it has there, where the helper is not installed."""
    login = {"https://index.docker.io/v1/": {"auth": base64.b64encode(b"ada:hush").decode()}}
    (tmp_path / "config.json").write_text(json.dumps({"credsStore": "test", "auths": login}))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    assert json.loads(base64.urlsafe_b64decode(engine.registry_login("docker.io")))["password"] == "hush"


def _silence(timeout: Any) -> float | None:
    """Return how long an answer may be silent: requests takes one limit, or one to connect and one to read."""
    silence: float | None = timeout[1] if isinstance(timeout, tuple) else timeout
    return silence


@pytest.mark.parametrize("call", ["pull", "build", "load", "logs", "download"])
def test_what_may_be_silent_for_long_is_waited_for(engine: SshEngine, wire: Wire, call: str) -> None:
    """A pull, a build or a log that is followed may say nothing for minutes; a question is answered within one."""
    wire.answers = [answer(200), answer(200, {})]
    CALLS[call](engine)
    engine.get("/info")
    assert [_silence(timeout) for timeout in wire.timeouts] == [STREAM_SECONDS, TIMEOUT_SECONDS]


def test_a_log_that_is_followed_by_people_may_be_silent_for_ever(engine: SshEngine, wire: Wire) -> None:
    """Ctrl-C ends it, not the clock."""
    wire.answers = [answer(200)]
    _ = list(engine.logs("/services/s1/logs", patience=None, follow=True))
    assert [_silence(timeout) for timeout in wire.timeouts] == [None]


def frame(payload: bytes, stream: int = 1) -> bytes:
    """Return a frame of a container's log, as the engine multiplexes them."""
    return struct.pack(">BxxxL", stream, len(payload)) + payload


@pytest.mark.parametrize(
    ("body", "lines"),
    [
        (b"", []),
        (frame(b"one\n"), ["one"]),
        (frame(b"one\n") + frame(b"two\n", 2), ["one", "two"]),
        (frame(b"one\ntwo\r\n") + frame(b"three"), ["one", "two", "three"]),
        (frame(b"") + frame(b"one\n"), ["one"]),
        (frame("größer €\n".encode()), ["größer €"]),
        (frame(b"\xff\n"), ["\ufffd"]),
        (frame(b"x" * 20_000 + b"\n"), ["x" * 20_000]),
        (frame(b"one\n") + frame(b"cut off")[:4], ["one"]),
    ],
    ids=["empty", "a line", "both streams", "lines", "empty frame", "UTF-8", "not UTF-8", "long", "cut off"],
)
def test_a_logs_frames_are_read_as_lines(engine: SshEngine, wire: Wire, body: bytes, lines: list[str]) -> None:
    """Standard output and standard error come as lines, without the engine's headers between them."""
    wire.answers = [answer(200, body, chunk=7)]
    assert list(engine.logs("/tasks/t1/logs", tail=20)) == lines


def test_both_streams_of_a_log_are_asked_for(engine: SshEngine, wire: Wire) -> None:
    """An engine gives neither unless it is told to."""
    wire.answers = [answer(200)]
    list(engine.logs("/tasks/t1/logs", tail=20))
    assert str(wire.sent[0].url).partition("?")[2] == "stdout=True&stderr=True&tail=20"


def test_a_proxy_of_this_machine_has_no_part_in_it(engine: SshEngine, wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    """HTTP_PROXY is for the internet: the engine is at the end of an SSH channel."""
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example.org:3128")
    wire.answers = [answer(200, {})]
    engine.get("/info")
    assert [dict(proxies) for proxies in wire.proxies] == [{}]


class Answering(BaseHTTPRequestHandler):
    """An engine that answers every GET with its path."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        content = json.dumps({"ApiVersion": DEFAULT_DOCKER_API_VERSION, "Path": self.path}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that the base class gives it
        """Say nothing."""


class Channel:
    """An SSH channel to a command that is an engine."""

    def __init__(self, commands: list[str]) -> None:
        self._ours, self._theirs = socket.socketpair()
        self._commands = commands

    def exec_command(self, command: str) -> None:
        self._commands.append(command)
        threading.Thread(target=self._answer, daemon=True).start()

    def _answer(self) -> None:
        with self._theirs:
            Answering(self._theirs, ("", 0), None)  # type: ignore[arg-type]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ours, name)


def test_requests_travel_through_one_channel_to_the_docker_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """The API is spoken with `docker system dial-stdio` on the host, and its channel is used again."""
    commands: list[str] = []
    connections: Any = FakeConnections()
    opened = SimpleNamespace(
        transport=SimpleNamespace(is_active=lambda: True), sessions=SimpleNamespace(open=lambda: Channel(commands))
    )
    monkeypatch.setattr(connections, "opened", lambda host: opened)
    engine = SshEngine(HOST, connections)
    paths = [engine.get(path)["Path"] for path in ("/info", "/nodes")]
    engine._client.close()  # type: ignore[union-attr]
    assert (paths, commands) == (
        [f"/v{DEFAULT_DOCKER_API_VERSION}/info", f"/v{DEFAULT_DOCKER_API_VERSION}/nodes"],
        ["docker system dial-stdio"],
    )


def test_a_hosts_engine_is_one(connections: Any) -> None:
    """All rooms that ask a host speak to the same engine, over the same connection."""
    host = SshHost(HOST, connections)
    assert (host.engine is host.engine, host.engine.host) == (True, HOST)


def test_a_host_runs_commands_under_its_own_name(connections: Any) -> None:
    """What a room runs on a host goes over that host's connection."""
    connections.run = lambda *words: Output(0, " ".join(words), "")
    assert SshHost(HOST, connections).run("cat", "a") == Output(0, f"{HOST} cat a", "")
