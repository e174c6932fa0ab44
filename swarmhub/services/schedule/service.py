"""The service that makes backups when they are due: so nobody's machine has to be on. Each node saves what it has itself."""

import base64
import json
import lzma
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from http import HTTPStatus
from typing import Any

from pydantic import SecretStr

from hub.shared import services
from swarmhub.engine import context
from swarmhub.engine.swarm import configs, converge, replicated, specs
from swarmhub.engine.swarm import secrets as swarm_secrets
from swarmhub.engine.swarm.replicated import LABEL, SECOND
from swarmhub.errors import StepError
from swarmhub.host import EngineError, Host, Json
from swarmhub.inside import SCRIPTS
from swarmhub.plan.differences import flat
from swarmhub.plan.plans import Change, Plan, Progress
from swarmhub.services.hub.service import SOCKET, ExistingHub
from swarmhub.settings import Settings
from swarmhub.settings.secrets import swarm_name
from swarmhub.wait import until

STEP = "schedule"
# Its value on the service is the name of the config with what a deploy leaves of the settings, on that config it is the hub's.
LEFT = "swarmhub.backup"
REPOSITORY = "backup-repository"
UNPACK, PROGRAM, TIMES = "/swarmhub-unpack.py", "/swarmhub-backup-program.json", "/swarmhub-backup-times.json"
MODULE, CACHE = "swarmhub.inside.schedule", "/cache"
# It waits and reads a log; restic runs in containers of its own.
MEMORY = replicated.GIB // 4
SECONDS = 90
# Swarm says so of a config, and how much it takes: that differs.
TOO_LARGE = "config data must be larger than 0 and less than"


@dataclass(frozen=True)
class Wanted:
    """What the service is made of.

    `times` says when to save what, `repository` opens the repository, `program` are the modules that run, `left` are the files
    that a deploy leaves for the hub's backup; `node` is the id of the hub's.
    """

    image: str
    node: str
    cluster: str
    times: Json
    repository: SecretStr
    program: Mapping[str, bytes]
    left: Mapping[str, bytes]
    logs: str = ""


@dataclass(frozen=True)
class ExistingSchedule:
    """The service as it is; and of the hub, by name, the Swarm secrets and the configs with what deploys have left."""

    service: Json | None
    secrets: Mapping[str, str]
    left: Mapping[str, str]


def name(settings: Settings) -> str:
    """Return the name of the service."""
    return services.schedule(settings.hub.service)


def is_wanted(settings: Settings) -> bool:
    """Tell whether the cluster makes backups itself."""
    return settings.backup.every is not None


def existing(service: Json | None, hub: ExistingHub) -> ExistingSchedule:
    """Return what there is, from what was seen of the hub."""
    left = {name: one.id for name, one in hub.files.items() if one.path == LEFT}
    spec = service and {**service, "Spec": configs.filled(service["Spec"], hub.files)}
    return ExistingSchedule(spec, hub.secrets, left)


def without_its_own(settings: Settings, hub: ExistingHub) -> ExistingHub:
    """Return what was found of the hub without the schedule's secret, which the hub would take for one left over."""
    return replace(hub, secrets={one: id_ for one, id_ in hub.secrets.items() if not _is_its_own(settings, one)})


def _is_its_own(settings: Settings, secret: str) -> bool:
    return secret.startswith(f"{settings.hub.service}-{REPOSITORY}-")


def secret_name(settings: Settings, wanted: Wanted) -> str:
    """Return the name of the secret with what opens the repository."""
    return swarm_name(settings.hub.service, REPOSITORY, wanted.repository, wanted.cluster)


def desired(settings: Settings, wanted: Wanted) -> dict[str, Any]:
    """Return the service's whole spec."""
    hub, named = settings.hub.service, name(settings)
    program = json.dumps({path: text.decode() for path, text in wanted.program.items()}, sort_keys=True)
    files = {UNPACK: (SCRIPTS / "unpack.py").read_text(), PROGRAM: program, TIMES: json.dumps(wanted.times, sort_keys=True)}
    secret = swarm_secrets.reference(REPOSITORY, secret_name(settings, wanted))
    of_cache = {"Labels": {"swarmhub.restic": hub}}
    container = {
        "Image": wanted.image,
        "Command": ["python3", "-B", UNPACK, MODULE, PROGRAM, TIMES, f"/run/secrets/{REPOSITORY}", PROGRAM],
        "Mounts": [
            # A home can be read by who mounts its volume, and only an engine mounts it.
            {"Type": "bind", "Source": SOCKET, "Target": SOCKET},
            {"Type": "volume", "Source": services.restic(hub), "Target": CACHE, "VolumeOptions": of_cache},
        ],
        "Configs": [configs.reference(path, named, content, configs.EVERYBODYS) for path, content in files.items()],
        "Secrets": [secret],
        **replicated.privileges(),
        "StopGracePeriod": 30 * SECOND,
    }
    return {
        "Name": named,
        "Labels": {LABEL: hub, LEFT: left_name(settings, wanted)},
        "TaskTemplate": {
            "ContainerSpec": container,
            "RestartPolicy": {"Condition": "any", "Delay": 10 * SECOND},
            **replicated.limits(MEMORY),
            **replicated.logged(wanted.logs),
        },
        "Mode": {"Global": {}},
        "UpdateConfig": {"Parallelism": 0, "FailureAction": "continue", "Order": "stop-first"},
    }


def left_name(settings: Settings, wanted: Wanted) -> str:
    """Return the name of the config with what a deploy leaves: of the files' content, which nobody has to pack for it."""
    return f"{settings.hub.service}-deployed-{context.digest(wanted.left)}"


def plan(settings: Settings, wanted: Wanted, found: ExistingSchedule, spec: dict[str, Any], manager: str) -> Plan:
    """Return what makes the service as wanted, with its secret and files before it, and takes older ones away."""
    secret, left = secret_name(settings, wanted), left_name(settings, wanted)
    made = [swarm_secrets.make(REPOSITORY, secret, wanted.repository, settings.hub.service, manager)]
    leaving = [Change("create", f"config {left}", manager, _Leaver(left, settings.hub.service, wanted.left))]
    changes = [
        *(made if secret not in found.secrets else ()),
        *(leaving if left not in found.left else ()),
        *_sending(spec, found.service, wanted.node, manager),
        *_forgetting(settings, found, {secret, left}, manager),
    ]
    return Plan(STEP, f"{spec['Name']}: backups are made on the cluster", tuple(changes))


def _sending(spec: dict[str, Any], found: Json | None, node: str, manager: str) -> list[Change]:
    what = f"service {spec['Name']}"
    if found is None:
        change = Change("create", what, manager, _Sender(spec, None, node), flat(spec), gist=specs.gist(spec))
        return [replicated.tidied(change, spec)]
    differs = specs.compare(spec, found["Spec"])
    if not differs:
        return []
    return [replicated.tidied(Change("update", what, manager, _Sender(spec, found, node), differs), spec)]


def removal(settings: Settings, found: ExistingSchedule, manager: str) -> Plan:
    """Return what takes the service away, its secret, and what deploys have left for it."""
    gone = []
    if found.service:
        remove = replicated.removal("service", name(settings), found.service["ID"], manager)
        gone = [replicated.tidied(remove, found.service["Spec"])]
    return Plan(STEP, "the cluster makes no backups itself", (*gone, *_forgetting(settings, found, (), manager)))


def _forgetting(settings: Settings, found: ExistingSchedule, kept: Collection[str], manager: str) -> list[Change]:
    secrets = {one: id_ for one, id_ in found.secrets.items() if _is_its_own(settings, one) and one not in kept}
    left = {one: id_ for one, id_ in found.left.items() if one not in kept}
    return [
        *(replicated.removal("secret", one, id_, manager) for one, id_ in secrets.items()),
        *(replicated.removal("config", one, id_, manager) for one, id_ in left.items()),
    ]


@dataclass(frozen=True)
class _Leaver:
    name: str
    hub: str
    files: Mapping[str, bytes]

    def __call__(self, host: Host, progress: Progress) -> None:
        """Leave the files; the largest are left out that Swarm has no room for, such as a logo."""
        files = dict(sorted(self.files.items(), key=lambda one: len(one[1])))
        while True:
            try:
                self._leave(files, host)
            except EngineError as error:
                if TOO_LARGE not in error.message or len(files) == 1:
                    raise
                name, _ = files.popitem()
                progress.log(host.name, f"{name} is too large for scheduled backups; fab backup saves it")
            else:
                return

    def _leave(self, files: Mapping[str, bytes], host: Host) -> None:
        # A text within: what lists the files of services reads texts.
        packed = base64.b64encode(lzma.compress(context.archive(files)))
        data = base64.b64encode(packed).decode()
        labels = {LABEL: self.hub, LEFT: self.hub, configs.FILE: LEFT}
        try:
            host.engine.post("/configs/create", {"Name": self.name, "Labels": labels, "Data": data})
        except EngineError as error:
            if error.status != HTTPStatus.CONFLICT:  # of that name, so of that content
                raise


@dataclass(frozen=True)
class _Sender:
    wanted: dict[str, Any]
    found: Json | None
    node: str

    def __call__(self, host: Host, progress: Progress) -> None:
        """Make or update the service, and see that it runs on the hub's node; another node's failure does not stop a deploy."""
        spec = replicated.resolved(host, self.wanted)
        if self.found is not None:
            spec["TaskTemplate"]["ForceUpdate"] = self.found["Spec"]["TaskTemplate"].get("ForceUpdate", 0)
        replicated.send(spec, self.found, host, progress)
        last = ""

        def runs() -> bool:
            nonlocal last
            last, is_up = _state(converge.tasks(host, spec["Name"]), self.node, spec)
            return is_up

        until(runs, SECONDS, partial(_stays_down, host.name, lambda: last, spec["Name"]), pause=0.3)


def _state(tasks: Sequence[Json], node: str, spec: Json) -> tuple[str, bool]:
    """Return what the newest task on a node is, and whether it runs and is of a spec."""
    there = sorted((one for one in tasks if one.get("NodeID") == node), key=lambda one: str(one["CreatedAt"]))
    image = spec["TaskTemplate"]["ContainerSpec"]["Image"]
    names = [one["ConfigName"] for one in configs.references(spec)]
    if not there:
        return "Swarm has given this node no task", False
    status, container = there[-1]["Status"], there[-1]["Spec"].get("ContainerSpec") or {}
    is_it = container.get("Image") == image and [one["ConfigName"] for one in container.get("Configs") or ()] == names
    return str(status.get("Err") or f"it is {status['State']}"), is_it and status["State"] == "running"


def _stays_down(host: str, last: Callable[[], str], service: str) -> StepError:
    return StepError(host, f"the service {service} does not run: {last()}", f"See there: docker service ps {service}")


def active(tasks: Sequence[Json], image: str) -> frozenset[str]:
    """Return the nodes, by their ids, on which one of the service's tasks runs of an image: they have that image."""
    of_it = (one for one in tasks if one["Status"]["State"] == "running")
    return frozenset(one["NodeID"] for one in of_it if (one["Spec"].get("ContainerSpec") or {}).get("Image") == image)
