"""The hub's configuration, loaded whole in the image that is to run, before anything is done to the hub."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from hub.shared import services
from swarmhub.engine.swarm import converge, replicated
from swarmhub.engine.swarm.converge import HOLDING
from swarmhub.engine.swarm.replicated import LABEL, RENAME
from swarmhub.errors import StepError
from swarmhub.host import Host, Json
from swarmhub.plan.plans import Change, Cost, Plan, Progress
from swarmhub.wait import until

COMMAND = ["python3", "-m", "hub.check"]
MARK = '{"problems":'
SECONDS = 300
PAUSE_SECONDS = 0.1
# How the task ends by itself.
ENDS = frozenset({"complete", "failed", "rejected"})
# What the check has of the hub. It has neither its networks nor its volumes.
SHARED = ("Image", "User", "Env", "Secrets", "Configs", "CapabilityDrop", "CapabilityAdd", "Privileges")


def before(plan: Plan, check: Change, found: Json | None) -> Plan:
    """Return the service's plan with the check before all else, if another hub is to start."""
    starts = found is None or any(change.cost is Cost.HUB_RESTART for change in plan.changes)
    return replace(plan, changes=(check, *plan.changes)) if starts else plan


def change(wanted: Json, manager: str) -> Change:
    """Return what checks the configuration of the hub's spec, whose secrets the swarm has."""
    image = wanted["TaskTemplate"]["ContainerSpec"]["Image"]
    return Change("check", f"the hub's configuration in {image}", manager, _Checker(spec(wanted)))


def spec(wanted: Json) -> Json:
    """Return the spec of the service that loads a hub's configuration, once: so its secrets are in memory only."""
    template, hub = wanted["TaskTemplate"], wanted["Name"]
    container = {name: value for name, value in template["ContainerSpec"].items() if name in SHARED}
    return {
        "Name": services.check(hub),
        "Labels": {LABEL: hub},
        "TaskTemplate": {
            "ContainerSpec": {**container, "Command": COMMAND, "Healthcheck": {"Test": ["NONE"]}},
            "Placement": template.get("Placement") or {},
            "RestartPolicy": {"Condition": "none"},
        },
        "Mode": {"Replicated": {"Replicas": 1}},
    }


@dataclass(frozen=True)
class _Checker:
    spec: Json

    def __call__(self, host: Host, progress: Progress) -> None:
        with _running(host, self.spec) as service:
            lines = _said(host, _ended(host, service))
        problems = _problems(lines)
        if problems:
            remedy = "The hub was not touched: correct it, then run this again"
            raise StepError(host.name, f"the hub's configuration: {'; '.join(problems)}", remedy)


@contextmanager
def _running(host: Host, spec: Json) -> Iterator[str]:
    """Make the service, give its id, and remove it in the end; one that a run has left which was killed goes first.

    Raises:
        StepError: somebody else's service has its name.

    """
    left = host.engine.find(f"/services/{spec['Name']}")
    if left is not None:
        if (left["Spec"].get("Labels") or {}).get(LABEL) != spec["Labels"][LABEL]:
            cause = f"somebody else has made the service {spec['Name']}, whose name the configuration's check needs"
            raise StepError(host.name, cause, RENAME)
        host.engine.delete(f"/services/{left['ID']}")
    service = str(host.engine.post("/services/create", replicated.resolved(host, spec))["ID"])
    try:
        yield service
    finally:
        host.engine.delete(f"/services/{service}")


def _ended(host: Host, service: str) -> Json:
    """Return the service's task when it is over."""
    tasks: Sequence[Json] = ()

    def is_over() -> bool:
        nonlocal tasks
        tasks = converge.tasks(host, service)
        return bool(tasks) and tasks[0]["Status"]["State"] not in HOLDING

    def stuck() -> StepError:
        status = tasks[0]["Status"] if tasks else {"State": "without a task"}
        told = f"it is {status['State']} after {SECONDS} s{': ' if status.get('Err') else ''}{status.get('Err', '')}"
        return StepError(host.name, f"the check of the hub's configuration does not end: {told}", "Run this again")

    until(is_over, SECONDS, stuck, pause=PAUSE_SECONDS)
    if (state := tasks[0]["Status"]["State"]) not in ENDS:
        # A node that is too busy to answer its managers in time is taken for one that is away.
        raise StepError(host.name, f"Swarm has stopped the check of the hub's configuration ({state})", "Run this again")
    return tasks[0]


def _said(host: Host, task: Json) -> list[str]:
    """Return what the task has printed; what kept it from starting, where it has not."""
    status = task["Status"]
    # Of its container on the manager: Swarm's own answer for a task's log does not always end.
    container = (status.get("ContainerStatus") or {}).get("ContainerID")
    lines = list(host.engine.logs(f"/containers/{container}/logs")) if container else []
    return lines or [str(status.get("Err") or "nothing is said")]


def _problems(lines: Sequence[str]) -> list[str]:
    """Return what the check found: the last such line, whatever the configuration itself prints."""
    answer = next((line for line in reversed(lines) if line.startswith(MARK)), None)
    if answer is None:
        return [f"it cannot be loaded: {lines[-1]}"]
    return [str(problem) for problem in json.loads(answer)["problems"]]
