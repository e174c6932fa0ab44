"""Follow a service until it runs as it was told, or say why it does not."""

from collections.abc import Sequence
from dataclasses import dataclass

from swarmhub.errors import StepError
from swarmhub.host import EngineError, Host, Json
from swarmhub.plan.plans import Progress
from swarmhub.wait import until

SECONDS = 300
ENSURE_SECONDS = 30
# So many tasks of a service, or of a node, end by themselves: it will not get better by waiting. One that is created has no
# update to fail.
FAILURES = 2
LOG_LINES = 20
PAUSE_SECONDS = 0.1
# What runs has to go on running: a hub may crash at once, and an update that was just sent may not have begun.
HOLD_READS = 15
PORT_TAKEN = "host-mode port already in use"
# The states of a task that holds its network, its port and its volume, or is about to.
HOLDING = frozenset({"new", "pending", "assigned", "accepted", "preparing", "ready", "starting", "running"})


@dataclass(frozen=True)
class ServiceState:
    """How far a service is: what to tell people, whether it runs as wanted, and whether Swarm has watched it do so."""

    text: str
    done: bool = False
    is_final: bool = False
    failed: str = ""
    task: str = ""


def tasks(manager: Host, *names: str) -> tuple[Json, ...]:
    """Ask for the tasks of some services; of one that is not there, there are none."""
    found = manager.engine.find("/tasks", filters={"service": list(names)})
    if found is None and len(names) > 1:  # the engine has no answer at all where one of them is missing
        return tuple(task for name in names for task in tasks(manager, name))
    return tuple(found or ())


def ensure(manager: Host, name: str, progress: Progress, seen: tuple[Json | None, Sequence[Json]] = (None, ())) -> None:
    """Return when the service's task runs: it may be as wanted and crash all the same.

    `seen` is the service and its tasks as they were seen since the last change: if they are well, nothing is asked.

    How its last update ended does not count: that stays written there when the hub has been repaired. Nor do failures before.

    Raises:
        StepError: it does not run within a while; the service's own last log lines were said before.

    """
    last, ended = ServiceState(""), list[Json]()
    old: frozenset[str] | None = None
    service, tasks = seen
    if service and read({**service, "UpdateStatus": None}, tasks).done:
        return

    def settled() -> bool:
        nonlocal last, old, ended
        service, tasks = _ask(manager, name)
        last, failures = read({**service, "UpdateStatus": None}, tasks), failed(_by_age(tasks))
        old = frozenset(task["ID"] for task in failures) if old is None else old
        ended = [task for task in failures if task["ID"] not in old]
        return last.done or len(ended) >= FAILURES

    def stays_down() -> StepError:
        if ended and not last.failed:  # the task that has come after them has said nothing yet
            return _failure(manager, name, ServiceState("", failed=_error(ended[-1]), task=ended[-1]["ID"]), progress)
        return _failure(manager, name, ServiceState("", failed=last.failed or f"it is {last.text}", task=last.task), progress)

    until(settled, ENSURE_SECONDS, stays_down, pause=PAUSE_SECONDS)
    if not last.done:
        raise stays_down()


def wait(manager: Host, name: str, progress: Progress) -> None:
    """Return when the service's task runs, is healthy and its update is complete.

    Raises:
        StepError: it does not get there; the service's own last log lines were said before.

    """
    last, held = ServiceState(""), 0

    def settled() -> bool:
        nonlocal last, held
        state = read(*_ask(manager, name))
        if state.text != last.text:
            progress.log(manager.name, f"{name}: {state.text}")
        last, held = state, held + 1 if state.done else 0
        return held >= (1 if state.is_final else HOLD_READS) or bool(state.failed)

    def too_slow() -> StepError:
        return _failure(
            manager, name, ServiceState("", failed=f"it is still {last.text} after {SECONDS} s", task=last.task), progress
        )

    until(settled, SECONDS, too_slow, pause=PAUSE_SECONDS)
    if last.failed:
        raise _failure(manager, name, last, progress)


def read(service: Json, tasks: Sequence[Json]) -> ServiceState:
    """Read the state of a service with one replica off its update status and its tasks' actual states."""
    ordered = _by_age(tasks)
    update = (service.get("UpdateStatus") or {}).get("State", "")
    if not ordered:
        return ServiceState("waiting for a task")
    failures = failed(ordered)
    newest = ordered[-1]
    if update.startswith("rollback") or update == "paused":
        bad = failures[-1] if failures else newest
        # A rollback that put a database back has stopped the hub first: Swarm returns to that.
        is_stopped = (service["Spec"].get("Mode") or {}).get("Replicated", {}).get("Replicas") == 0
        back = {
            "rollback_completed": "no hub runs now: fab deploy starts one"
            if is_stopped
            else "the version before it runs again",
            "paused": "the update is paused",
            "rollback_paused": "the version before it does not run either",
        }
        if update == "rollback_started":
            return ServiceState("rolling back")
        return ServiceState(update, failed=f"{_error(bad)}; {back.get(update, update)}", task=bad["ID"])
    state = newest["Status"]["State"]
    # A service that was stopped and runs again has no update, and has tasks of before.
    recent = [task for task in ordered[-FAILURES - 1 :] if str(task["CreatedAt"]) >= str(service.get("UpdatedAt", ""))]
    if not update and state != "running" and sum(task in failures for task in recent) >= FAILURES:
        return ServiceState(state, failed=_error(failures[-1]), task=failures[-1]["ID"])
    if state == "pending" and newest["Status"].get("Err"):
        reason = newest["Status"]["Err"]
        if update == "updating" and PORT_TAKEN in reason:
            # Swarm's words would alarm, and say the same: the old task stops first.
            reason = "waiting for the task before it to stop"
        return ServiceState(f"pending: {reason}", task=newest["ID"])
    is_wanted = newest["Spec"].get("ContainerSpec") == service["Spec"]["TaskTemplate"].get("ContainerSpec")
    done = state == newest["DesiredState"] == "running" and update in ("", "completed") and is_wanted
    text = state if done or update in ("", "completed") else f"{state} (updating)"
    # Sending an update clears the status of the one before: "completed" is this one's, after Swarm's own watch.
    return ServiceState(text, done=done, is_final=update == "completed", task=newest["ID"])


def _ask(manager: Host, name: str) -> tuple[Json, Sequence[Json]]:
    service = manager.engine.get(f"/services/{name}")
    return service, tasks(manager, name)


def _by_age(tasks: Sequence[Json]) -> list[Json]:
    return sorted(tasks, key=lambda task: str(task["CreatedAt"]))


def failed(tasks: Sequence[Json]) -> list[Json]:
    """Return the tasks that have ended by themselves, or that an engine has refused."""
    return [task for task in tasks if task["Status"]["State"] in ("failed", "rejected")]


def _error(task: Json) -> str:
    status = task["Status"]
    code = (status.get("ContainerStatus") or {}).get("ExitCode")
    return str(status.get("Err") or status["State"]) + (f" (exit code {code})" if code else "")


def _failure(manager: Host, name: str, state: ServiceState, progress: Progress) -> StepError:
    from hub.shared import told  # most services run

    lines = _last_lines(manager, state.task)
    for line in lines:
        progress.log(manager.name, line)
    why = next((line.partition(told.REFUSES)[2] for line in reversed(lines) if told.REFUSES in line), "")
    cause, _, remedy = why.partition(". ")
    cause = f"{state.failed}: {cause}" if cause else state.failed
    return StepError(manager.name, f"service {name} does not run: {cause}", remedy or "Its last log lines are above")


def _last_lines(manager: Host, task: str) -> list[str]:
    try:
        return list(manager.engine.logs(f"/tasks/{task}/logs", tail=LOG_LINES)) if task else []
    except EngineError:
        return []
