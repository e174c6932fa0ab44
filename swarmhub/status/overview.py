"""Ask all hosts for what the status says."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from hub.shared import services
from hub.shared.told import FILE
from swarmhub.certificate.certs import Certificate
from swarmhub.cluster import nodes
from swarmhub.cluster.nodes import DOCKER_ROOT, Member, Swarm
from swarmhub.engine import containers
from swarmhub.engine.swarm import converge
from swarmhub.engine.swarm.replicated import LABEL
from swarmhub.errors import StepError
from swarmhub.host import EngineError, Host, Json
from swarmhub.images import pull
from swarmhub.images.hub import age
from swarmhub.images.pull import Held, Holding
from swarmhub.notebooks import servers as notebooks
from swarmhub.notebooks.servers import RunningServer
from swarmhub.parallel import at_once, both
from swarmhub.plan.plans import step_error
from swarmhub.run.look import Look
from swarmhub.services.renewal import RenewalState
from swarmhub.settings import Settings
from swarmhub.status import machine
from swarmhub.status.machine import Machine
from swarmhub.status.summary import AvoidedNode, Image, NodeStatus, ServerStatus, ServiceStatus, Status, read_hub

if TYPE_CHECKING:
    from swarmhub.services.schedule.state import NodeState, Standing

T = TypeVar("T")


@dataclass(frozen=True)
class _Seen:
    """What one host has answered, or why it has not."""

    member: Member | StepError
    machine: Machine | None = None
    images: Holding | StepError | None = None
    backups: "NodeState | StepError | None" = None


@dataclass(frozen=True)
class _Running:
    """What the manager says runs, by the ids of nodes."""

    swarm: Swarm
    hub: ServiceStatus | None
    servers: tuple[RunningServer, ...]
    certificate: Certificate | StepError | None
    renewal: RenewalState | StepError | None
    beside: tuple[ServiceStatus, ...] = ()


def observe(settings: Settings, look: Look, hosts: Mapping[str, Host], manager: str) -> Status:
    """Ask all hosts at once; then, knowing what runs where, those about the memory of it.

    Raises:
        StepError: the manager does not answer; any other host may fail.

    """
    every = settings.hosts.all
    jobs: list[Callable[[], Any]] = [partial(_ask_manager, look, hosts[manager], settings.hub.service)]
    jobs += [partial(_ask_host, look, hosts[host]) for host in every]
    running, *answers = _answered(at_once(jobs))
    seen: dict[str, _Seen] = dict(zip(every, answers, strict=True))
    members = {host: one.member for host, one in seen.items()}
    named = {one.node: host for host, one in members.items() if isinstance(one, Member)}
    of_containers = partial(both, partial(_ask_memory, hosts, named, running), partial(_ask_hub, hosts, named, running.hub))
    (memory, told), installed = both(of_containers, partial(_ask_ages, hosts, named, running))
    hub: ServiceStatus | None = running.hub
    names = {node.id: node.hostname for node in running.swarm.nodes} | named
    return Status(
        at=datetime.now(UTC),
        domain=f"{settings.hub.domain}{settings.hub.base_url.rstrip('/')}",
        manager=manager,
        nodes=tuple(
            # What hosts.toml does not name may bear the name of a host that was in the swarm before.
            NodeStatus(row, seen[row.host].machine if row.expected != "-" else None)
            for row in nodes.compare(settings, members, running.swarm, manager)
        ),
        hub=_placed(running.hub, names, memory, installed) if running.hub else None,
        beside=tuple(_placed(one, names, memory, installed) for one in running.beside),
        certificate=running.certificate,
        renewal=running.renewal,
        backups=_backups(settings, seen),
        images=_images(settings, look, hosts, hub, seen),
        servers=tuple(
            ServerStatus(
                one.user,
                names.get(one.node, one.node),
                one.state,
                one.since,
                memory.get(one.container),
                is_known=one.service not in told["unknown"],
            )
            for one in running.servers
        ),
        avoided=tuple(AvoidedNode(one["host"], one["why"], one["until"]) for one in told["avoided"]),
    )


def _backups(settings: Settings, seen: Mapping[str, _Seen]) -> "Standing | None":
    """Return how the cluster's own backups stand, if it makes any."""
    backup = settings.backup
    if backup.every is None:
        return None
    from swarmhub.services.schedule import state  # most clusters make none

    nodes = {host: one.member if isinstance(one.member, StepError) else one.backups for host, one in seen.items()}
    told = {host: one for host, one in nodes.items() if one is not None}
    return state.judge(told, backup.every, backup.begins, datetime.now(UTC))


def _placed(
    hub: ServiceStatus, names: Mapping[str, str], memory: Mapping[str, int | None], installed: Mapping[str, datetime]
) -> ServiceStatus:
    node = names.get(hub.node, hub.node)
    return replace(hub, node=node, memory=memory.get(hub.container), installed=installed.get(hub.image))


def _ask_manager(look: Look, manager: Host, name: str) -> _Running:
    swarm, service = look.swarm(), look.service().service
    tasks = converge.tasks(manager, name) if service else ()
    hub = read_hub(service, tasks) if service else None
    certificate, renewed = _or_error(look.certificate), _or_error(look.renewed)
    return _Running(swarm, hub, notebooks.observe(manager, name), certificate, renewed, _beside(manager, name))


def _beside(manager: Host, hub: str) -> tuple[ServiceStatus, ...]:
    """Ask for the services that stand beside a hub's, by name."""
    listed = manager.engine.get("/services", filters={"label": [f"{LABEL}={hub}"]})
    ours = [one for one in listed if _is_beside(one["Spec"], hub)]
    found = (read_hub(one, converge.tasks(manager, one["Spec"]["Name"])) for one in ours)
    return tuple(sorted(found, key=lambda one: one.service))


def _is_beside(spec: Json, hub: str) -> bool:
    """Tell whether a service has one task beside the hub's; one on every node, the firewall, is the doctor's matter."""
    is_ours = (spec.get("Labels") or {}).get(LABEL) == hub and spec["Name"] != hub
    return is_ours and "Global" not in (spec.get("Mode") or {})


def _ask_host(look: Look, host: Host) -> _Seen:
    # What needs no engine comes first: a host that cannot be reached is then not waited for twice.
    found = _or_error(partial(machine.observe, host, DOCKER_ROOT))
    if isinstance(found, StepError):
        return _Seen(found)
    member = _or_error(partial(look.member, host.name))
    if isinstance(member, StepError):
        return _Seen(member, found)
    if member.root != DOCKER_ROOT:
        found = _or_error(partial(machine.observe, host, member.root))
    held, backups = _or_error(partial(look.held, host.name)), _or_error(partial(look.scheduled, host.name))
    return _Seen(member, None if isinstance(found, StepError) else found, held, backups)


def _ask_memory(hosts: Mapping[str, Host], named: Mapping[str, str], running: _Running) -> dict[str, int | None]:
    """Return the memory of each container; a host is asked in turn, as sshd bounds the channels of a connection."""
    places: dict[str, list[str]] = {}
    everything: list[RunningServer | ServiceStatus] = [
        *running.servers,
        *running.beside,
        *([running.hub] if running.hub else []),
    ]
    for one in everything:
        if one.container and one.node in named:
            places.setdefault(named[one.node], []).append(one.container)

    def ask(host: str) -> dict[str, int | None]:
        return {container: containers.memory(hosts[host], container) for container in places[host]}

    answers = at_once([partial(_or_error, partial(ask, host)) for host in places])
    return {container: used for one in answers if isinstance(one, dict) for container, used in one.items()}


def _ask_ages(hosts: Mapping[str, Host], named: Mapping[str, str], running: _Running) -> dict[str, datetime]:
    """Return when what is in the images of hub and proxy was installed, as the nodes say that run them."""
    hub = running.hub
    ours = [one for one in running.beside if hub and one.service == services.proxy(hub.service)]
    asked = {one.image: hosts[named[one.node]] for one in (*([hub] if hub else []), *ours) if one.node in named}
    answers = at_once([partial(_or_error, partial(age.observe, host, image)) for image, host in asked.items()])
    return {image: one for image, one in zip(asked, answers, strict=True) if isinstance(one, datetime)}


def _ask_hub(hosts: Mapping[str, Host], named: Mapping[str, str], hub: ServiceStatus | None) -> Json:
    """Return what the hub tells of its servers; one that starts, or of an earlier release, tells nothing."""
    nothing: Json = {"unknown": [], "avoided": []}
    if hub is None or not hub.container or hub.node not in named:
        return nothing
    read = _or_error(partial(containers.execute, hosts[named[hub.node]], hub.container, "cat", str(FILE)))
    return nothing if isinstance(read, StepError) or read.code else _told(read.out) or nothing


def _told(text: str) -> Json | None:
    """Read what a hub tells; of one that tells something else, as a broken-into one may, nothing."""
    try:
        told = json.loads(text)
        avoided = [{**one, "at": datetime.fromtimestamp(one["until"], UTC)} for one in told["avoided"]]
        return {
            "unknown": [str(one) for one in told["unknown"]],
            "avoided": [{"host": str(one["host"]), "why": str(one["why"]), "until": one["at"]} for one in avoided],
        }
    except (ValueError, KeyError, TypeError, OverflowError, OSError, RecursionError):
        return None


def _images(
    settings: Settings, look: Look, hosts: Mapping[str, Host], hub: ServiceStatus | None, seen: Mapping[str, _Seen]
) -> tuple[Image, ...]:
    held = {host: one.images if isinstance(one.member, Member) else one.member for host, one in seen.items()}
    errors = {host: one for host, one in held.items() if isinstance(one, StepError)}
    known = {host: one for host, one in held.items() if one is not None and not isinstance(one, StepError)}
    machines = {host: one.member.machine for host, one in seen.items() if isinstance(one.member, Member)}
    fitting = look.fitting(known, machines)
    notebooks = tuple(_image(image, pull.of(image, fitting), errors) for image in settings.images)
    if hub is None:
        return notebooks
    managers = [host for host in settings.hosts.managers if host in known]
    answers = at_once([partial(_or_error, partial(pull.observe, hosts[host], hub.image)) for host in managers])
    of_hub = {host: one for host, one in zip(managers, answers, strict=True) if isinstance(one, Held | StepError | None)}
    return (*notebooks, Image(hub.image, "", of_hub))


def _image(name: str, held: Mapping[str, Held | None], errors: Mapping[str, StepError]) -> Image:
    return Image(name, pull.chosen(name, held) or "", {**held, **errors})


def _or_error(ask: Callable[[], T]) -> T | StepError:
    try:
        return ask()
    except StepError as error:
        return error
    except EngineError as error:
        return step_error(error)


def _answered(answers: Sequence[Any]) -> Sequence[Any]:
    for one in answers:
        if isinstance(one, BaseException):
            raise one
    return answers
