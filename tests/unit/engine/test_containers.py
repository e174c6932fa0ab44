"""A container that is run to its end, and what a running one takes."""

from typing import Any

import pytest

from swarmhub.engine import containers
from swarmhub.errors import StepError
from swarmhub.host import EngineError, Output
from tests.unit.support.fakes import MANAGER, FakeHost

BODY: dict[str, Any] = {"Image": "alpine", "Cmd": ["true"]}
CREATE, START, LOGS = "POST /containers/create", "POST /containers/once/start", "GET /containers/once/logs"
WAIT, PUT, DELETE = "POST /containers/once/wait", "PUT /containers/once/archive", "DELETE /containers/once"


@pytest.fixture
def host() -> FakeHost:
    """Return a host whose containers print two lines and end well."""
    return FakeHost(answers={CREATE: {"Id": "once"}, LOGS: ["one", "two"], WAIT: {"StatusCode": 0}})


@pytest.mark.parametrize("code", [0, 3])
def test_a_container_is_made_run_read_waited_for_and_removed(host: FakeHost, code: int) -> None:
    """In that order, and each line is said as it comes; a code other than 0 is the caller's to judge."""
    host.engine.answers[WAIT] = {"StatusCode": code}
    said: list[str] = []
    assert containers.once(host, BODY, files={"script.py": b"pass"}, say=said.append) == Output(code, "one\ntwo", "")
    assert (host.engine.asked(), said) == ([CREATE, PUT, START, LOGS, WAIT, DELETE], ["one", "two"])
    # After Ctrl-C it may still run, and images may declare volumes of their own.
    assert host.engine.sent(DELETE).params == {"force": True, "v": True}


@pytest.mark.parametrize("files", [None, {}])
def test_without_files_none_are_sent(host: FakeHost, files: dict[str, bytes] | None) -> None:
    """An empty archive would be a request for nothing."""
    containers.once(host, BODY, files=files)
    assert PUT not in host.engine.asked()


@pytest.mark.parametrize("step", [PUT, START, LOGS, WAIT])
@pytest.mark.parametrize(
    "error", [EngineError(MANAGER, 500, "no"), StepError(MANAGER, "it broke", "Again"), KeyboardInterrupt()], ids=repr
)
def test_it_is_removed_whatever_happens(host: FakeHost, step: str, error: BaseException) -> None:
    """A container that nobody waits for any more does not stay, and the error comes through."""
    host.engine.answers[step] = error
    with pytest.raises(type(error)):
        containers.once(host, BODY, files={"script.py": b"pass"})
    assert host.engine.asked()[-1] == DELETE


def test_one_that_cannot_be_made_is_not_removed(host: FakeHost) -> None:
    """There is nothing to remove."""
    host.engine.answers[CREATE] = EngineError(MANAGER, 404, "No such image: alpine")
    with pytest.raises(EngineError, match="No such image"):
        containers.once(host, BODY)
    assert host.engine.asked() == [CREATE]


@pytest.mark.parametrize(
    ("stats", "used"),
    [
        ({"usage": 100, "stats": {"total_inactive_file": 30, "inactive_file": 1}}, 70),
        ({"usage": 100, "stats": {"inactive_file": 30}}, 70),
        ({"usage": 100}, 100),
        ({"usage": 100, "stats": {"inactive_file": 200}}, 100),
        ({}, None),
    ],
    ids=["cgroup v1", "cgroup v2", "no details", "a cache above all", "ended"],
)
def test_memory_is_counted_as_docker_stats_counts_it(stats: dict[str, Any], used: int | None) -> None:
    """The page cache that can go does not count; cgroup v1 and v2 name it differently; what has gone takes nothing."""
    host = FakeHost(answers={"GET /containers/c1/stats": {"memory_stats": stats}})
    assert containers.memory(host, "c1") == used
    # Without one-shot the engine waits for two seconds, for a second sample.
    assert host.engine.sent("GET /containers/c1/stats").params == {"stream": False, "one-shot": True}
    assert containers.memory(FakeHost(), "c1") is None


def test_what_killed_runs_have_left_is_removed(host: FakeHost) -> None:
    """By its label and its age: one of a run that goes on stays, whatever the clock of this machine says."""
    host.engine.answers["GET /info"] = {"SystemTime": "1970-01-01T02:46:40.123456789Z"}
    host.engine.answers["GET /containers/json"] = [
        {"Id": id_, "Created": made, "Labels": {"swarmhub": "certs"}} for id_, made in (("old", 1000), ("new", 9000))
    ]
    containers.sweep(host)
    assert host.engine.sent("GET /containers/json").params == {"all": True, "filters": {"label": ["swarmhub"]}}
    assert host.engine.asked("DELETE") == ["DELETE /containers/old"]


def test_a_backup_of_the_clusters_own_schedule_goes_on() -> None:
    """It may take hours; one that has ended is left over."""
    listed = [
        {"Id": state, "Created": 1000, "Labels": {"swarmhub": "schedule"}, "State": state} for state in ("running", "exited")
    ]
    assert [one["Id"] for one in containers.left(listed, 10_000)] == ["exited"]
