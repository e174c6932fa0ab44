"""A service on its way: when it is there, when it will not come, and what is said meanwhile."""

from typing import Any

import pytest

from hub.shared import told
from swarmhub.engine.swarm import converge
from swarmhub.engine.swarm.converge import ServiceState
from swarmhub.errors import StepError
from swarmhub.host import EngineError
from tests.unit.support.fakes import MANAGER, Clock, FakeHost, FakeProgress, Request, in_turn

OLD, NEW = {"ContainerSpec": {"Image": "hub:old"}}, {"ContainerSpec": {"Image": "hub:new"}}


def service(update: str = "") -> dict[str, Any]:
    """Return what an engine answers for the service; without an update it has no such status."""
    answer: dict[str, Any] = {"ID": "s1", "Version": {"Index": 7}, "Spec": {"Name": "hub", "TaskTemplate": NEW}}
    return answer | ({"UpdateStatus": {"State": update, "StartedAt": "2026-11-15T10:00:00Z"}} if update else {})


def task(number: int, state: str, *, wanted: str = "running", spec: dict[str, Any] = NEW, **status: Any) -> dict[str, Any]:
    """Return what an engine lists of the service's task; a higher number is a later one."""
    return {
        "ID": f"t{number}",
        "CreatedAt": f"2026-11-15T10:00:{number:02}.5Z",
        "Spec": spec,
        "Status": {"State": state, "Message": state, **status},
        "DesiredState": wanted,
        "Slot": 1,
    }


def failed(number: int, **status: Any) -> dict[str, Any]:
    """Return a task that failed."""
    return task(number, "failed", wanted="shutdown", Err="task: non-zero exit (1)", **status)


def rejected(number: int) -> dict[str, Any]:
    """Return a task that its node refused."""
    return task(number, "rejected", wanted="shutdown", Err="No such image: hub:new")


RUNNING = task(9, "running")


@pytest.mark.parametrize(
    ("update", "tasks"),
    [
        ("", [RUNNING]),
        ("completed", [RUNNING]),
        ("completed", [task(1, "shutdown", wanted="shutdown", spec=OLD), RUNNING]),
        ("completed", [RUNNING, failed(1), failed(2)]),
        ("", [failed(1), failed(2), RUNNING]),
    ],
    ids=["created", "updated", "old one gone", "listed in any order", "came up at the third try"],
)
def test_a_service_is_there_when_its_newest_task_runs(update: str, tasks: list[dict[str, Any]]) -> None:
    """A task that runs, of a service whose update is complete or that has none; only the update has been watched by Swarm."""
    assert converge.read(service(update), tasks) == ServiceState(
        "running", done=True, is_final=update == "completed", task="t9"
    )


@pytest.mark.parametrize(
    ("update", "tasks"),
    [
        ("", []),
        ("", [task(1, "starting")]),
        ("", [task(1, "preparing")]),
        ("", [failed(1), task(2, "ready")]),
        ("", [failed(1)]),
        ("", [task(1, "running", wanted="shutdown")]),
        ("updating", [RUNNING]),
        ("updating", [task(1, "running", spec=OLD), task(2, "starting")]),
        ("rollback_started", [failed(1), RUNNING]),
        ("", [task(1, "running", spec=OLD)]),
    ],
    ids=[
        "no task",
        "starting",
        "preparing",
        "second try",
        "one failure",
        "running and to be stopped",
        "update not complete",
        "old one not gone",
        "rolling back",
        "update not begun",
    ],
)
def test_a_service_that_may_still_come_is_waited_for(update: str, tasks: list[dict[str, Any]]) -> None:
    """Until its task of the wanted spec runs and its update is complete, a service is neither there nor failed."""
    state = converge.read(service(update), tasks)
    assert (state.done, state.failed) == (False, "")


@pytest.mark.parametrize(
    ("update", "tasks", "why", "of"),
    [
        ("", [failed(1), failed(2), task(3, "ready")], "task: non-zero exit (1)", "t2"),
        ("", [rejected(1), rejected(2)], "No such image: hub:new", "t2"),
        (
            "",
            [failed(1), failed(2, ContainerStatus={"ContainerID": "c", "PID": 0, "ExitCode": 3})],
            "task: non-zero exit (1) (exit code 3)",
            "t2",
        ),
        (
            "rollback_completed",
            [rejected(1), task(2, "running", spec=OLD)],
            "No such image: hub:new; the version before it runs again",
            "t1",
        ),
        ("rollback_paused", [failed(1), failed(2)], "task: non-zero exit (1); the version before it does not run either", "t2"),
        ("paused", [failed(1)], "task: non-zero exit (1); the update is paused", "t1"),
    ],
)
def test_a_service_that_will_not_come_says_why(update: str, tasks: list[dict[str, Any]], why: str, of: str) -> None:
    """Two failures in a row of a new service, or an update that was rolled back, is the end, with the task's own error."""
    state = converge.read(service(update), tasks)
    assert (state.failed, state.task, state.done) == (why, of, False)


def test_a_service_that_returns_to_being_stopped_is_told_apart() -> None:
    """Where a database was put back the hub was stopped before: Swarm goes back to no hub at all."""
    stopped = service("rollback_completed")
    stopped["Spec"]["Mode"] = {"Replicated": {"Replicas": 0}}
    assert converge.read(stopped, [failed(1)]).failed.endswith("; no hub runs now: fab deploy starts one")


def test_a_task_that_finds_no_node_says_what_the_scheduler_says() -> None:
    """A pending task's reason is told: it may go away, as when a node comes back."""
    waiting = task(1, "pending", Err="no suitable node (scheduling constraints not satisfied on 3 nodes)")
    assert converge.read(service(), [waiting]).text == (
        "pending: no suitable node (scheduling constraints not satisfied on 3 nodes)"
    )


TAKEN = "no suitable node (host-mode port already in use on 1 node)"


@pytest.mark.parametrize(
    ("update", "one", "text"),
    [
        ("updating", task(1, "pending", Err=TAKEN), "pending: waiting for the task before it to stop"),
        ("updating", task(1, "pending", Err="no suitable node"), "pending: no suitable node"),
        ("", task(1, "pending", Err=TAKEN), f"pending: {TAKEN}"),
        ("", task(1, "pending"), "pending"),
        ("", task(1, "preparing", Err="pulling"), "preparing"),
        ("updating", RUNNING, "running (updating)"),
        ("completed", task(1, "running", wanted="shutdown"), "running"),
    ],
    ids=["its port is still taken", "another reason", "a stranger's port", "no reason yet", "on its way", "watched", "leaving"],
)
def test_how_far_a_task_is_reads_in_words(update: str, one: dict[str, Any], text: str) -> None:
    """A port that the task before still has would alarm; a port that somebody else has should."""
    state = converge.read(service(update), [one])
    assert (state.text, state.done, state.failed) == (text, False, "")


@pytest.mark.parametrize(("changed", "why"), [(5, ""), (0, "task: non-zero exit (1)")], ids=["of before", "since then"])
def test_a_hub_that_crashed_and_is_started_again_is_waited_for(changed: int, why: str) -> None:
    """As after a restore, which stops it: what has failed before the service was changed is no answer to it."""
    started = service() | {"UpdatedAt": f"2026-11-15T10:00:{changed:02}.7Z"}
    assert converge.read(started, [failed(3), failed(4), task(9, "pending")]).failed == why


def test_failures_under_an_update_are_swarms_to_judge() -> None:
    """It goes back by itself; until then the service is on its way."""
    state = converge.read(service("updating"), [failed(1), failed(2), task(3, "ready")])
    assert (state.text, state.failed) == ("ready (updating)", "")


def manager(*tasks: list[dict[str, Any]], update: str = "", log: Any = ()) -> FakeHost:
    """Return a manager that answers with one list of tasks after the other."""
    return FakeHost(
        answers={
            "GET /services/hub": service(update),
            "GET /tasks": in_turn(*tasks),
            "GET /tasks/t1/logs": log if isinstance(log, Exception) else list(log),
            "GET /tasks/t2/logs": log if isinstance(log, Exception) else list(log),
        }
    )


def test_each_state_is_said_once(clock: Clock, progress: FakeProgress) -> None:
    """While it waits, a state is told when it is new, and the wait ends when the task runs."""
    starting = [task(1, "starting")]
    host = manager([], starting, starting, [RUNNING])
    converge.wait(host, "hub", progress)
    assert progress.lines == [(MANAGER, f"hub: {text}") for text in ("waiting for a task", "starting", "running")]
    assert host.engine.sent("GET /tasks").params == {"filters": {"service": ["hub"]}}


def test_a_task_that_runs_for_a_moment_is_not_there_yet(clock: Clock, progress: FakeProgress) -> None:
    """A hub that comes up and crashes at once, twice, fails the step though it has been seen running."""
    first, second = task(1, "running"), task(2, "running")
    turns = [[first], [failed(1), second], [failed(1), failed(2), task(3, "ready")]]
    with pytest.raises(StepError, match=r"task: non-zero exit \(1\)"):
        converge.wait(manager(*turns), "hub", progress)


def test_a_failure_shows_the_tasks_last_lines_first(clock: Clock, progress: FakeProgress) -> None:
    """What the container itself said is above the error that points there; a log that is gone does not hide the failure."""
    host = manager([failed(1), failed(2)], log=["Traceback", "KeyError: 'SSL_KEY'"])
    with pytest.raises(StepError) as error:
        converge.wait(host, "hub", progress)
    assert progress.lines[-2:] == [(MANAGER, "Traceback"), (MANAGER, "KeyError: 'SSL_KEY'")]
    assert str(error.value) == (f"{MANAGER}: service hub does not run: task: non-zero exit (1). Its last log lines are above")
    gone = manager([failed(1), failed(2)], log=EngineError(MANAGER, 404, "task t2 not found"))
    with pytest.raises(StepError, match="service hub does not run"):
        converge.wait(gone, "hub", progress)


def test_a_hub_that_refuses_to_start_is_told_with_its_reason_and_what_helps(clock: Clock, progress: FakeProgress) -> None:
    """In the line of the failure, not only above it."""
    host = manager(
        [failed(1), failed(2)], log=["[I] loading", f"{told.REFUSES}a.sqlite is damaged. Put a backup back: fab restore"]
    )
    with pytest.raises(StepError) as error:
        converge.wait(host, "hub", progress)
    said = "does not run: task: non-zero exit (1): a.sqlite is damaged. Put a backup back: fab restore"
    assert str(error.value) == f"{MANAGER}: service hub {said}"


def test_the_wait_has_an_end(clock: Clock, progress: FakeProgress) -> None:
    """A service that is stuck fails after five minutes with the state it is stuck in."""
    host = manager([task(1, "pending", Err="no suitable node")])
    with pytest.raises(StepError, match="it is still pending: no suitable node after 300 s"):
        converge.wait(host, "hub", progress)
    assert sum(clock.slept) == pytest.approx(300, abs=1)


def test_a_repaired_service_runs_whatever_its_last_update_came_to(clock: Clock, progress: FakeProgress) -> None:
    """A paused rollback stays written in the service; once its task runs, that is over."""
    starting = [failed(1), failed(2), task(3, "starting")]
    converge.ensure(manager(starting, [failed(1), failed(2), RUNNING], update="rollback_paused"), "hub", progress)
    assert progress.lines == []


def test_a_service_that_goes_on_crashing_is_not_waited_for(clock: Clock, progress: FakeProgress) -> None:
    """Two failures while it is watched are enough; those before may have been mended since."""
    turns = [
        [failed(1), task(2, "starting")],
        [failed(1), failed(2), task(3, "starting")],
        [failed(2), failed(3), task(4, "ready")],
    ]
    with pytest.raises(StepError, match=r"service hub does not run: task: non-zero exit \(1\)"):
        converge.ensure(manager(*turns), "hub", progress)
    assert sum(clock.slept) < 1


def test_a_service_that_crashes_unchanged_fails_with_its_log(clock: Clock, progress: FakeProgress) -> None:
    """A service that is as wanted and does not stay up is no success: after half a minute its own lines are shown."""
    host = manager([failed(1), failed(2), task(3, "ready")], log=["KeyError: 'SSL_KEY'"])
    with pytest.raises(StepError, match=r"service hub does not run: task: non-zero exit \(1\)"):
        converge.ensure(host, "hub", progress)
    assert progress.lines == [(MANAGER, "KeyError: 'SSL_KEY'")]
    assert sum(clock.slept) == pytest.approx(30, abs=1)


def test_a_service_whose_task_has_just_failed_is_told_with_its_reason_and_its_log(clock: Clock, progress: FakeProgress) -> None:
    """The task that has come after it has said nothing yet."""
    stopped, later = task(1, "shutdown"), task(3, "assigned")
    host = manager([stopped, task(2, "starting")], [later, failed(2), stopped], log=["KeyError: 'SSL_KEY'"])
    with pytest.raises(StepError, match=r"service hub does not run: task: non-zero exit \(1\)"):
        converge.ensure(host, "hub", progress)
    assert progress.lines == [(MANAGER, "KeyError: 'SSL_KEY'")]


def test_a_service_that_never_comes_is_told_as_it_is_last(clock: Clock, progress: FakeProgress) -> None:
    """Its task has not failed: it waits for something."""
    with pytest.raises(StepError, match=r"service hub does not run: it is preparing"):
        converge.ensure(manager([task(3, "preparing")]), "hub", progress)


@pytest.mark.parametrize(("state", "asks"), [("running", False), ("preparing", True)])
def test_a_service_that_was_seen_well_is_not_asked_for_again(
    clock: Clock, progress: FakeProgress, state: str, asks: bool
) -> None:
    """What was seen since the last change counts, if all was well then."""
    host = manager([RUNNING])
    converge.ensure(host, "hub", progress, (service("rollback_paused"), [task(3, state)]))
    assert bool(host.engine.requests) is asks


def test_the_tasks_of_several_services_are_those_of_the_ones_that_are_there() -> None:
    """An engine has no answer where one of them is missing; each is asked for by itself then, one alone no second time."""

    def answer(request: Request) -> list[dict[str, Any]]:
        names = request.params["filters"]["service"]
        if "proxy" in names:
            raise EngineError(MANAGER, 404, "service proxy not found")
        return [task(number, "running") for number, _ in enumerate(names, 1)]

    host = FakeHost(answers={"GET /tasks": answer})
    assert [one["ID"] for one in converge.tasks(host, "hub", "filter")] == ["t1", "t2"]
    assert [one["ID"] for one in converge.tasks(host, "hub", "proxy")] == ["t1"]
    assert (converge.tasks(host, "proxy"), len(host.engine.requests)) == ((), 5)
