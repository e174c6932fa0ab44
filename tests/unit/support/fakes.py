"""Hosts in memory: they record what they are asked, and answer with canned JSON of the Engine API."""

import copy
import socket
import threading
import tomllib
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from swarmhub.host import EngineError, Json, Output
from swarmhub.plan.plans import Change
from swarmhub.settings import Settings
from swarmhub.settings.schema.notebook import Profile

DOMAIN = "hub.example.org"
MANAGER, WORKER1, WORKER2 = "swarm-manager1", "swarm-worker1", "swarm-worker2"
NOTEBOOK = "quay.io/jupyter/base-notebook:hub-6.1.1"
EXTRA = "quay.io/jupyter/scipy-notebook:hub-6.1.1"
CALLBACK = f"https://{DOMAIN}/hub/oauth_callback"
NOW = datetime(2026, 11, 15, 10, tzinfo=UTC)
SHIPPED = tomllib.loads((Path(__file__).resolve().parents[3] / "hosts.toml").read_text())


@dataclass(frozen=True)
class Request:
    """What an engine was asked."""

    method: str
    path: str
    params: dict[str, Any] = field(default_factory=dict)
    body: Any = None
    login: str = ""

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


class FakeConfigs:
    """The Swarm configs of an engine: one of a name, and an update takes the version that was read."""

    def __init__(self, host: str) -> None:
        self.host = host
        self.now, self._made, self._one_at_a_time = NOW, 0, threading.Lock()
        self.kept: dict[str, dict[str, Any]] = {}

    @property
    def names(self) -> list[str]:
        return sorted(one["Spec"]["Name"] for one in self.kept.values())

    def pass_(self, seconds: float) -> None:
        """Let time go by on the engine's clock."""
        self.now += timedelta(seconds=seconds)

    def answer(self, request: Request) -> Json:
        act = {"GET": self._get, "POST": self._post, "DELETE": self._delete}[request.method]
        with self._one_at_a_time:
            return copy.deepcopy(act(request))

    def _get(self, request: Request) -> Json:
        if request.path == "/configs":
            filters = request.params.get("filters", {})
            wanted = [label.partition("=")[::2] for label in filters.get("label", [])]
            begins = tuple(filters.get("name", [""]))
            named = [one for one in self.kept.values() if one["Spec"]["Name"].startswith(begins)]
            labels = ((one, one["Spec"]["Labels"]) for one in named)
            return [
                one for one, has in labels if all(has.get(name) == value if value else name in has for name, value in wanted)
            ]
        return self._one(request)

    def _post(self, request: Request) -> Json:
        if request.path != "/configs/create":
            found = self._one(request)
            if request.params["version"] != found["Version"]["Index"]:
                raise EngineError(self.host, 500, "rpc error: code = Unknown desc = update out of sequence")
            found |= {"Spec": request.body, "Version": {"Index": found["Version"]["Index"] + 1}, "UpdatedAt": self.time}
            return None
        if request.body["Name"] in self.names:
            raise EngineError(self.host, 409, f"config {request.body['Name']} already exists")
        self._made += 1
        id_ = f"c{self._made}"
        times = {"CreatedAt": self.time, "UpdatedAt": self.time}
        self.kept[id_] = {"ID": id_, "Version": {"Index": 1}, "Spec": request.body, **times}
        return {"ID": id_}

    def _delete(self, request: Request) -> Json:
        del self.kept[self._one(request)["ID"]]

    def _one(self, request: Request) -> dict[str, Any]:
        id_ = request.path.split("/")[2]
        if id_ not in self.kept:
            raise EngineError(self.host, 404, f"config {id_} not found")
        return self.kept[id_]

    @property
    def time(self) -> str:
        """Return what the engine's clock says."""
        return self.now.isoformat().replace("+00:00", "Z")


class FakeEngine:
    """An engine whose answers are given by "METHOD path": JSON, an exception, or a function of the request.

    Without an answer it knows of nothing, and keeps its Swarm configs.
    """

    def __init__(self, host: str, answers: Mapping[str, Any]) -> None:
        self.host = host
        self.answers = dict(answers)
        self.configs = FakeConfigs(host)
        self.requests: list[Request] = []

    def asked(self, method: str = "") -> list[str]:
        return [str(request) for request in self.requests if request.method.startswith(method)]

    def sent(self, call: str) -> Request:
        return next(request for request in self.requests if str(request) == call)

    def get(self, path: str, /, **params: Json) -> Json:
        return self._answer(Request("GET", path, params))

    def find(self, path: str, /, **params: Json) -> Json | None:
        try:
            return self.get(path, **params)
        except EngineError as error:
            if error.status == 404:
                return None
            raise

    def post(self, path: str, body: Json = None, /, *, login: str = "", **params: Json) -> Json:
        return self._answer(Request("POST", path, params, copy.deepcopy(body), login))

    def put(self, path: str, content: bytes, /, **params: Json) -> None:
        self._answer(Request("PUT", path, params, content))

    def delete(self, path: str, /, **params: Json) -> None:
        try:
            self._answer(Request("DELETE", path, params))
        except EngineError as error:
            if error.status != 404:
                raise

    def pull(self, name: str, tag: str) -> Iterator[Json]:
        yield from self._answer(Request("POST", "/images/create", {"fromImage": name, "tag": tag})) or []

    def build(self, content: bytes, tag: str, arguments: Mapping[str, str]) -> Iterator[Json]:
        yield from self._answer(Request("POST", "/build", {"t": tag, "buildargs": arguments}, content)) or []

    def load(self, content: bytes | Iterable[bytes]) -> None:
        self.post("/images/load", content if isinstance(content, bytes) else b"".join(content))

    def registry_digest(self, image: str) -> str:
        return str(self.get(f"/distribution/{image}/json")["Descriptor"]["digest"])

    def registry_architectures(self, image: str) -> tuple[str, ...]:
        return tuple(one["architecture"] for one in self.get(f"/distribution/{image}/json").get("Platforms", []))

    def registry_login(self, registry: str) -> str:
        return str(self.answers.get(f"login {registry}", ""))

    def logs(self, path: str, /, *, patience: float | None = 0, **params: Json) -> Iterator[str]:
        yield from self._answer(Request("GET", path, params)) or []

    def download(self, path: str, /, **params: Json) -> Generator[bytes, None, None]:
        yield from self._answer(Request("GET", path, params))

    def _answer(self, request: Request) -> Json:
        self.requests.append(copy.deepcopy(request))
        if str(request) not in self.answers:
            if request.path.startswith("/configs"):
                return self.configs.answer(request)
            if str(request) == "GET /info":
                return {"SystemTime": self.configs.time}
            if str(request) == "GET /networks":
                return []
            if request.method == "GET":
                raise EngineError(self.host, 404, f"no such thing: {request.path}")
            return None
        answer = self.answers[str(request)]
        if callable(answer):
            answer = answer(request)
        if isinstance(answer, BaseException):
            raise answer
        return copy.deepcopy(answer)


class FakeHost:
    """A host whose commands answer as given, or as if their file were missing."""

    def __init__(
        self, name: str = MANAGER, answers: Mapping[str, Any] | None = None, commands: Mapping[str, Output] | None = None
    ) -> None:
        self.name = name
        self.engine = FakeEngine(name, answers or {})
        self.commands = dict(commands or {})
        self.ran: list[tuple[str, ...]] = []
        self.sent: dict[str, bytes] = {}

    def run(self, *argv: str) -> Output:
        self.ran.append(argv)
        missing = Output(1, "", f"{argv[0]}: {argv[-1]}: No such file or directory\n")
        return self.commands.get(" ".join(argv), missing)

    def send(self, content: bytes, *argv: str) -> Output:
        self.sent[" ".join(argv)] = content
        return self.run(*argv)

    def lines(self, *argv: str) -> Generator[str, None, int]:
        done = self.run(*argv)
        yield from done.out.splitlines()
        return done.code

    def feed(self, content: bytes, *argv: str) -> Generator[str, None, int]:
        self.sent[" ".join(argv)] = content
        return (yield from self.lines(*argv))

    def tunnel(self, address: str, port: int, seconds: float) -> socket.socket:
        raise ConnectionRefusedError(111, f"{self.name} does not reach {address}:{port}")

    def attach(self, *argv: str, terminal: bool) -> int:
        return self.run(*argv).code


def once(*lines: str, code: int = 0) -> dict[str, Any]:
    """Return how an engine answers for a container that is run to its end and prints these lines."""
    return {
        "POST /containers/create": {"Id": "once"},
        "GET /containers/once/logs": list(lines),
        "POST /containers/once/wait": {"StatusCode": code},
    }


def server_of(user: str, *, id_: str = "", made: str = "2026-11-15T10:00:00Z") -> dict[str, Any]:
    """Return the service of a user's server as an engine lists it."""
    template = {"ContainerSpec": {"Env": [f"JUPYTERHUB_USER={user}"]}}
    spec = {"Name": f"jupyterhub-{user}", "Labels": {"swarmhub.notebooks": "jupyterhub"}, "TaskTemplate": template}
    return {"ID": id_ or user, "CreatedAt": made, "Spec": spec}


def home_volume(user: str, *, hub: str = "jupyterhub", name: str = "", made: str = "2026-11-02T08:00:00Z") -> dict[str, Any]:
    """Return the volume of a user's home as an engine lists it."""
    labels = {"swarmhub.home": hub, "swarmhub.user": user}
    return {"Name": name or f"jupyterhub-home-{user}", "Driver": "local", "Options": None, "Labels": labels, "CreatedAt": made}


@dataclass
class FakeProgress:
    """A `Progress` that remembers what it was told."""

    lines: list[tuple[str, str]] = field(default_factory=list)
    amounts: list[tuple[str, int, int]] = field(default_factory=list)
    outputs: list[tuple[str, str]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    begun: list[Change] = field(default_factory=list)

    def doing(self, change: Change) -> None:
        self.begun.append(change)

    def log(self, host: str, line: str) -> None:
        self.lines.append((host, line))

    def output(self, host: str, line: str) -> None:
        self.outputs.append((host, line))

    def failed(self, host: str) -> None:
        self.failures.append(host)

    def amount(self, host: str, done: int, total: int) -> None:
        self.amounts.append((host, done, total))


@dataclass
class FakeJournal:
    """A `Journal` that remembers what it was told."""

    began: list[Change] = field(default_factory=list)
    made: list[Change] = field(default_factory=list)

    def begin(self, change: Change) -> None:
        self.began.append(change)

    def done(self, change: Change) -> None:
        self.made.append(change)


class Clock:
    """Takes the place of the `time` module: sleeping costs no time, and moves the clock."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def in_turn(*answers: Any) -> Callable[[Request], Any]:
    """Answer with one after the other, and with the last one from then on."""
    left = list(answers)

    def answer(request: Request) -> Any:
        return left.pop(0) if len(left) > 1 else left[0]

    return answer


def with_extra(given: Settings) -> Settings:
    """Return settings with a profile that has another image."""
    return given.model_copy(update={"profiles": (Profile(name="Extra", image=EXTRA),)})


def settings(**tables: Any) -> Settings:
    """Return the settings of the hosts.toml that ships, with the tests' own names and `tables` changed in them."""
    base: dict[str, dict[str, Any]] = copy.deepcopy(SHIPPED)
    base["hub"]["domain"], base["notebook"]["image"], base["certs"]["email"] = DOMAIN, NOTEBOOK, f"admin@{DOMAIN}"
    if "certificate" in tables.get("certs", {}):  # staging and the address are certbot's
        base["certs"] = {}
    lists = {name: table for name, table in tables.items() if isinstance(table, list)}
    merged = {name: base.get(name, {}) | tables.get(name, {}) for name in {*base, *tables} - {*lists}}
    return Settings.model_validate(merged | lists)


def alone(**tables: Any) -> Settings:
    """Return the same for a hub that does all by itself: its proxy is in its container, and it has Docker's own socket."""
    by_itself = {"hub": {"engine": "socket"}, "proxy": {"separate": False}}
    return settings(**tables | {name: table | tables.get(name, {}) for name, table in by_itself.items()})
