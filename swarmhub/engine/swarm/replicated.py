"""A service of ours with one task: what all their specs share, and the changes that make, replace, stop and remove one."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from hub.filter import policy
from swarmhub.engine.swarm import configs, converge, specs
from swarmhub.engine.swarm.converge import HOLDING
from swarmhub.errors import StepError
from swarmhub.host import EngineError, Host, Json
from swarmhub.plan import commands
from swarmhub.plan.differences import Difference, flat
from swarmhub.plan.plans import Change, Cost, Progress
from swarmhub.wait import until

Act = Callable[[Host, Progress], object]
# Its value is the hub's name: on its services, secrets and configs.
LABEL = "swarmhub.service"
# What helps where somebody else's service, network or volume has a name that the hub needs.
RENAME = "Rename it, or name the hub otherwise: hub.service"
SECOND = 1_000_000_000
GIB = 2**30
# Until a task is found to be well, Docker asks as often as this: an update waits for it. Docker before 25 goes by the interval.
FIRST = {"StartInterval": SECOND // 5}
STOP_SECONDS = 60
# On some hosts the default is 1024, and each of people's connections takes two of every process on its way. An engine that is
# itself confined may not give more than it has.
FILES = 16_384


def privileges(*kept: str) -> dict[str, Any]:
    """Return what leaves a container without capabilities, but for those of its root, and without a way to more."""
    return {
        "CapabilityDrop": ["ALL"],
        **({"CapabilityAdd": [f"CAP_{name}" for name in kept]} if kept else {}),
        "Privileges": {"NoNewPrivileges": True},
    }


def limits(memory: int) -> dict[str, Any]:
    """Return the limit that ends a service which takes more memory than it ever needs, before Docker itself ends."""
    return {"Resources": {"Limits": {"MemoryBytes": memory}}}


def files() -> list[dict[str, Any]]:
    """Return how many files each process of a service may have open, whatever the engine's own default is."""
    return [{"Name": "nofile", "Soft": FILES, "Hard": FILES}]


def log_driver(driver: str) -> dict[str, Any]:
    """Return how a log is kept: rotated, where the engine's own `driver` keeps it in files; nothing, where that is as it is."""
    options = {"max-size": "20m", "max-file": "5"}
    return {"Name": driver, "Options": options} if driver in ("json-file", "local") else {}


def logged(driver: str) -> dict[str, Any]:
    """Return what of a service's spec says how its log is kept."""
    found = log_driver(driver)
    return {"LogDriver": found} if found else {}


def on_manager(node: str) -> dict[str, Any]:
    """Return the placement of what needs the manager's own files, by the id of its node."""
    return {"Constraints": ["node.role==manager", f"{specs.PINNED}{node}"]}


def healthcheck(script: str) -> dict[str, Any]:
    """Return how Docker asks a container whether it is well.

    Each question starts a program in it, which takes seconds where a node is busy: a hub that serves people must not be ended
    for that. What has ended by itself is replaced at once, without a question.
    """
    times = {"Interval": 30 * SECOND, "Timeout": 30 * SECOND, "StartPeriod": 120 * SECOND, **FIRST}
    return {"Test": ["CMD-SHELL", script], **times, "Retries": 3}


def rollout() -> dict[str, Any]:
    """Return how a service with one replica is replaced.

    Two hubs must never have the database open, and a port is taken until the old task is gone.
    """
    # A task that runs has been found to be well: what fails later fails by something else.
    how = {"Parallelism": 1, "Monitor": SECOND, "Order": "stop-first"}
    return {
        "Mode": {"Replicated": {"Replicas": 1}},
        "UpdateConfig": {**how, "FailureAction": "rollback"},
        "RollbackConfig": {**how, "FailureAction": "pause"},
    }


def port(inside: int, outside: int, publish: str) -> dict[str, Any]:
    """Return a published port."""
    return {"Protocol": "tcp", "TargetPort": inside, "PublishedPort": outside, "PublishMode": publish}


def secret_ids(manager: Host, hub: str) -> dict[str, str]:
    """Ask for the Swarm secrets that were made for a hub's services; map their names to their ids."""
    found = manager.engine.get("/secrets", filters={"label": [f"{LABEL}={hub}"]})
    return {one["Spec"]["Name"]: one["ID"] for one in found}


def resolved(manager: Host, wanted: Json) -> Json:
    """Return a spec as it is sent: with the ids of its secrets, which exist by now, and of its files, which are made."""
    spec, labels = configs.bare(wanted), {LABEL: wanted["Labels"][LABEL]}
    container = spec["TaskTemplate"]["ContainerSpec"]
    if references := container.get("Secrets"):
        ids = secret_ids(manager, wanted["Labels"][LABEL])
        for reference in references:
            # A secret that somebody else has made is not among ours; a spec that runs has its id.
            reference["SecretID"] = ids.get(reference["SecretName"]) or reference["SecretID"]
    ids = configs.ensure(manager, wanted, labels)
    for reference in configs.references(spec):
        reference["ConfigID"] = ids[reference["ConfigName"]]
    return spec


def tidied(change: Change, spec: Json) -> Change:
    """Return a change that makes a service of a spec, or removes it, and then the files that nobody reads any more."""
    return replace(change, apply=_Tidied(change, spec))


def create(wanted: dict[str, Any], manager: str, networks: Sequence[str] = ()) -> Change:
    """Return what makes a service; `networks` are the names of those that it is on."""
    command, gist = commands.service_create(wanted), specs.gist(wanted, networks)
    return Change(
        "create", f"service {wanted['Name']}", manager, _Sender(wanted, None), flat(wanted), command=command, gist=gist
    )


def stop(found: Json, manager: str) -> Change:
    """Return what stops the hub and keeps its service; an update starts it again."""
    name = found["Spec"]["Name"]
    command = commands.line("service", "scale", f"{name}=0")
    return Change("stop", f"service {name}", manager, _Stopper(found), cost=Cost.HUB_RESTART, command=command)


def while_stopped(found: Json, change: Change, manager: str) -> list[Change]:
    """Return what stops the hub, and what is done before an update starts it again.

    It starts again as it was if one of them is interrupted, or something that comes later fails.
    """
    again, stopping = partial(_start_again, found), stop(found, manager)
    first, second = (replace(one, apply=_OrAgain(one.apply, again)) for one in (stopping, change))
    return [replace(first, undo=again), second]


def stopped_for(found: Json, change: Change, manager: str) -> list[Change]:
    """Return what stops the hub, and what is done then: it starts again if that fails, but not where something later does."""
    again = partial(_start_again, found)
    return [replace(one, apply=_OrAgain(one.apply, again, BaseException)) for one in (stop(found, manager), change)]


def _start_again(found: Json, host: Host, progress: Progress) -> None:
    name = found["Spec"]["Name"]
    now = host.engine.get(f"/services/{name}")
    if not (now["Spec"]["Mode"].get("Replicated") or {}).get("Replicas", 1):
        send(configs.bare(found["Spec"]), now, host, progress)
        converge.wait(host, name, progress)


def update(
    wanted: dict[str, Any], found: Json, manager: str, differs: tuple[Difference, ...], *, again: bool = False
) -> Change:
    """Return what turns the service into the wanted one; `again`: this plan has changed it since it was `found`."""
    cost = Cost.HUB_RESTART if any(_restarts(item.path) for item in differs) else Cost.NOTHING
    command = commands.service_update(wanted, found["Spec"], differs)
    what = f"service {wanted['Name']}"
    if not any(item.path.startswith("TaskTemplate") for item in differs):
        # Swarm starts a new task for a template that only says the same in other words.
        wanted = {**wanted, "TaskTemplate": found["Spec"]["TaskTemplate"]}
    return Change("update", what, manager, _Sender(wanted, found, again), differs, cost, command=command)


def removal(kind: str, name: str, id_: str, manager: str, cost: Cost = Cost.NOTHING) -> Change:
    """Return what removes a service or a secret."""
    command = commands.line(kind, "rm", name)
    return Change("remove", f"{kind} {name}", manager, partial(_remove, f"/{kind}s/{id_}"), cost=cost, command=command)


def _remove(path: str, host: Host, _: Progress) -> None:
    host.engine.delete(path)


def _restarts(path: str) -> bool:
    return path.startswith(("TaskTemplate", "EndpointSpec", "Mode"))


def send(spec: Json, found: Json | None, host: Host, _: Progress) -> None:
    """Make a service, or turn the one that was found into it.

    With it the swarm keeps the operator's login to the registry of its image, by which a node that has lost the image gets it
    back. Of an operator who has none, it keeps the one from before.
    """
    image = str(spec["TaskTemplate"]["ContainerSpec"]["Image"])
    # What is built here is in no registry.
    login = host.engine.registry_login(policy.registry(image)) if "/" in image else ""
    if found is None:
        host.engine.post("/services/create", spec, login=login)
    else:
        # The version it was planned on: somebody else's update in between makes this one fail.
        host.engine.post(f"/services/{found['ID']}/update", spec, login=login, version=found["Version"]["Index"])


@dataclass(frozen=True)
class _Sender:
    wanted: dict[str, Any]
    found: Json | None
    again: bool = False

    def __call__(self, host: Host, progress: Progress) -> None:
        name, spec, found = self.wanted["Name"], resolved(host, self.wanted), self.found
        if found is not None:
            spec["TaskTemplate"]["ForceUpdate"] = found["Spec"]["TaskTemplate"].get("ForceUpdate", 0)
            found = host.engine.get(f"/services/{name}") if self.again else found
        send(spec, found, host, progress)
        converge.wait(host, name, progress)


@dataclass(frozen=True)
class _Tidied:
    change: Change
    wanted: Json

    def __call__(self, host: Host, progress: Progress) -> None:
        self.change.apply(host, progress)
        hub = self.wanted["Labels"][LABEL]
        configs.tidy(host, self.wanted, f"{LABEL}={hub}", is_gone=self.change.verb == "remove")


@dataclass(frozen=True)
class _OrAgain:
    """Does something; if it is interrupted, or fails as `on` says, the hub starts again."""

    apply: Act
    again: Act
    on: type[BaseException] = KeyboardInterrupt

    def __call__(self, host: Host, progress: Progress) -> None:
        try:
            self.apply(host, progress)
        except self.on:
            progress.log(host.name, "the hub starts again as it was")
            with suppress(EngineError, StepError):  # what has failed is what is to be told
                self.again(host, progress)
            raise


@dataclass(frozen=True)
class _Stopper:
    found: Json

    def __call__(self, host: Host, progress: Progress) -> None:
        name, spec = self.found["Spec"]["Name"], configs.bare(self.found["Spec"])
        spec["Mode"] = {"Replicated": {"Replicas": 0}}
        host.engine.post(f"/services/{self.found['ID']}/update", spec, version=self.found["Version"]["Index"])

        def is_down() -> bool:
            return not any(task["Status"]["State"] in HOLDING for task in converge.tasks(host, name))

        until(is_down, STOP_SECONDS, lambda: StepError(host.name, f"service {name} does not stop", f"docker service ps {name}"))
