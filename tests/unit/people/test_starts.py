"""People's servers are started and stopped through the hub, and the hub's own reasons are passed on."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from swarmhub.errors import StepError
from swarmhub.people import starts
from swarmhub.people.api import ApiError
from tests.unit.support.fakes import DOMAIN, WORKER1, Clock, FakeHost, FakeProgress, in_turn, server_of

READY = [{"progress": 50, "message": "Starting"}, {"progress": 100, "ready": True, "message": "Ready"}]
FAILED = [{"progress": 100, "failed": True, "message": "No node has 4 GB of memory free."}]


class FakeApi:
    """A hub whose starts end as told by user; it counts how many are starting at once."""

    host = DOMAIN

    def __init__(self, progress: dict[str, Any] | None = None, refusals: dict[str, ApiError] | None = None) -> None:
        self.progress, self.refusals = progress or {}, refusals or {}
        self.asked: list[str] = []
        self.options: Any = None
        self.starting = self.most = 0
        self._lock = threading.Lock()

    def post(self, path: str, body: Any = None) -> None:
        self.asked.append(f"POST {path}")
        self.options = body["user_options"]
        if error := self.refusals.get(path.split("/")[1]):
            raise error

    def events(self, path: str) -> Iterator[Any]:
        with self._lock:
            self.starting += 1
            self.most = max(self.most, self.starting)
        try:
            for event in self.progress.get(path.split("/")[1], READY):
                if isinstance(event, BaseException):
                    raise event
                yield event
        finally:
            with self._lock:
                self.starting -= 1

    def find(self, path: str) -> Any:
        return {"servers": {"": {}, "second one/?": {}}}

    def delete(self, path: str) -> None:
        self.asked.append(f"DELETE {path}")


def refusal(status: int, said: str) -> ApiError:
    """Return the hub's refusal."""
    return ApiError(DOMAIN, status, f"the hub answers {status}: {said}", "Wait a little")


def test_servers_are_started_a_few_at_a_time() -> None:
    """And it is said who has one."""
    api, said, names = FakeApi(), list[str](), [f"u{number}" for number in range(9)]
    assert starts.start_all(api, names, 2, said.append) == {}  # type: ignore[arg-type]
    assert sorted(api.asked) == [f"POST users/{name}/server" for name in names]
    assert (api.most <= 2, len(said), said[-1].endswith("server runs (9 of 9)")) == (True, 9, True)


def test_the_hubs_reason_is_passed_on_and_the_others_go_on() -> None:
    """One who gets none keeps nobody else from theirs; a mistake of swarmhub's own is raised as it is."""
    api = FakeApi(
        {"ada": FAILED, "hopper": [READY[0]]},
        {"knuth": refusal(429, "too many"), "zuse": refusal(400, "zuse is already running")},
    )
    said: list[str] = []
    failed = starts.start_all(api, ["ada", "grace", "hopper", "knuth", "zuse"], 4, said.append)  # type: ignore[arg-type]
    assert {name: error.cause for name, error in failed.items()} == {
        "ada": "No node has 4 GB of memory free.",
        "hopper": "the hub does not say what became of the start",
        "knuth": "the hub answers 429: too many",
    }
    assert len(said) == 2
    with pytest.raises(KeyError):
        starts.start_all(FakeApi({"ada": [KeyError("x")]}), ["ada"], 4, str)  # type: ignore[arg-type]


def test_after_a_ctrl_c_it_is_said_who_has_a_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """And no other is started."""

    def interrupted(jobs: Any, most: int) -> None:
        jobs[0]()
        raise KeyboardInterrupt

    monkeypatch.setattr(starts, "gather", interrupted)
    api, said = FakeApi(), list[str]()
    with pytest.raises(KeyboardInterrupt):
        starts.start_all(api, ["ada", "grace"], 1, said.append)  # type: ignore[arg-type]
    assert said[-1] == "started so far: ada; what was starting may still come"


def test_who_is_starting_when_it_is_over_is_not_waited_for() -> None:
    """The hub goes on with it."""
    over = threading.Event()
    over.set()
    assert starts.start(FakeApi(), "ada", over) is False  # type: ignore[arg-type]


def test_all_servers_of_a_user_stop(progress: FakeProgress, clock: Clock) -> None:
    """It is waited for until their services are gone, and then until no container of them writes any more."""
    both = [server_of("ada"), server_of("grace")]
    manager = FakeHost(answers={"GET /services": in_turn(both, both, [server_of("grace")]), "GET /tasks": []})
    node = FakeHost(WORKER1, {"GET /containers/json": in_turn([{}], [])})
    api = FakeApi()
    starts.Stopper(api, "ada", "jupyterhub", [node])(manager, progress)  # type: ignore[arg-type]
    assert api.asked == ["DELETE users/ada/server", "DELETE users/ada/servers/second%20one%2F%3F"]
    label = "com.docker.swarm.service.name=jupyterhub-ada"
    assert [one.params["filters"] for one in node.engine.requests] == [{"label": [label]}] * 2
    assert len(clock.slept) == 2


def test_a_server_that_does_not_stop_is_an_error(progress: FakeProgress, clock: Clock) -> None:
    """Its home is not touched then."""
    manager = FakeHost(answers={"GET /services": [server_of("ada")], "GET /tasks": []})
    with pytest.raises(StepError, match="ada's server still runs after 60 s"):
        starts.Stopper(FakeApi(), "ada", "jupyterhub", [])(manager, progress)  # type: ignore[arg-type]
    assert clock.slept


@pytest.mark.parametrize(("options", "sent"), [(None, {}), ({"profile": "Big"}, {"profile": "Big"})])
def test_a_start_never_takes_the_options_of_the_last_time(options: Any, sent: Any) -> None:
    """JupyterHub takes those where none are sent, and the profile in them may be gone."""
    api = FakeApi()
    starts.start(api, "ada", threading.Event(), options)  # type: ignore[arg-type]
    assert api.options == sent
