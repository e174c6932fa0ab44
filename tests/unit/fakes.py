"""Hosts in memory: they record what they are asked, and answer with canned JSON of the Engine API."""

import copy
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from swarmhub.host import EngineError, Json, Output
from swarmhub.settings import Settings

DOMAIN = "hub.example.org"
MANAGER, WORKER1, WORKER2 = "swarm-manager1", "swarm-worker1", "swarm-worker2"
NOTEBOOK = "quay.io/jupyter/base-notebook:hub-6.1.1"
CALLBACK = f"https://{DOMAIN}/hub/oauth_callback"


@dataclass(frozen=True)
class Request:
    """What an engine was asked."""

    method: str
    path: str
    params: dict[str, Any] = field(default_factory=dict)
    body: Any = None

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


class FakeEngine:
    """An engine whose answers are given by "METHOD path": JSON, an exception, or a function of the request."""

    def __init__(self, host: str, answers: Mapping[str, Any]) -> None:
        self.host = host
        self.answers = dict(answers)
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

    def post(self, path: str, body: Json = None, /, **params: Json) -> Json:
        return self._answer(Request("POST", path, params, copy.deepcopy(body)))

    def put(self, path: str, content: bytes, /, **params: Json) -> None:
        self._answer(Request("PUT", path, params, content))

    def delete(self, path: str, /, **params: Json) -> None:
        self._answer(Request("DELETE", path, params))

    def stream(self, path: str, /, *, content: bytes | None = None, image: str = "", **params: Json) -> Iterator[Json]:
        yield from self._answer(Request("POST", path, params | {"image": image}, content)) or []

    def logs(self, path: str, /, *, patience: float | None = 0, **params: Json) -> Iterator[str]:
        yield from self._answer(Request("GET", path, params)) or []

    def _answer(self, request: Request) -> Json:
        self.requests.append(request)
        if str(request) not in self.answers:
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

    def run(self, *argv: str) -> Output:
        self.ran.append(argv)
        missing = Output(1, "", f"{argv[0]}: {argv[-1]}: No such file or directory\n")
        return self.commands.get(" ".join(argv), missing)

    def lines(self, *argv: str) -> Generator[str, None, int]:
        done = self.run(*argv)
        yield from done.out.splitlines()
        return done.code

    def attach(self, *argv: str, terminal: bool) -> int:
        return self.run(*argv).code


@dataclass
class FakeProgress:
    """A `Progress` that remembers what it was told."""

    lines: list[tuple[str, str]] = field(default_factory=list)
    amounts: list[tuple[str, int, int]] = field(default_factory=list)

    def log(self, host: str, line: str) -> None:
        self.lines.append((host, line))

    def amount(self, host: str, done: int, total: int) -> None:
        self.amounts.append((host, done, total))


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


def settings(**tables: dict[str, Any]) -> Settings:
    """Return the settings of the document's cluster, with `tables` changed in them."""
    base: dict[str, dict[str, Any]] = {
        "hosts": {"managers": [MANAGER], "workers": [WORKER1, WORKER2]},
        "hub": {"domain": DOMAIN},
        "notebook": {"image": NOTEBOOK},
        "certs": {"email": f"admin@{DOMAIN}"},
    }
    return Settings.model_validate({name: base.get(name, {}) | tables.get(name, {}) for name in {*base, *tables}})
