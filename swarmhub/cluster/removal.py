"""Take a node out of the swarm, unless that would lose the quorum, the only copy of data, or somebody's work."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hub.shared import services
from swarmhub.cluster import quorum
from swarmhub.cluster.drain import Drainer
from swarmhub.cluster.nodes import Swarm, SwarmNode
from swarmhub.cluster.update import Demotion
from swarmhub.engine.containers import SERVICE_LABEL
from swarmhub.errors import StepError, StepErrors
from swarmhub.host import EngineError, Host, Json
from swarmhub.notebooks import homes
from swarmhub.notebooks.work import Work
from swarmhub.plan.plans import Change, Plan, Progress
from swarmhub.settings import Settings
from swarmhub.wait import until

STEP = "remove-node"
SECONDS = 60
NO_SWARM = 503
ANONYMOUS = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Volumes:
    """The volumes on a host that hold what the hub or services keep, and whose homes it has; None where it cannot be asked."""

    names: tuple[str, ...] | None
    homes: tuple[str, ...] = ()


def observe(host: Host, settings: Settings) -> Volumes:
    """Ask a host for the volumes that services use, and for those that are the hub's or its users'."""
    mounted = {
        mount["Name"]
        for container in host.engine.get("/containers/json", all=True)
        for mount in container.get("Mounts") or []
        if mount.get("Type") == "volume" and SERVICE_LABEL in (container.get("Labels") or {})
    }
    listed = host.engine.get("/volumes").get("Volumes") or []
    owners = {one["Name"]: homes.owner(one, settings.home.template) for one in listed}
    users = {user for user in owners.values() if user is not None}
    temporary = services.temporary(settings.hub.service)
    others = [one for one in listed if owners[one["Name"]] is None and one["Name"] not in temporary]
    # What only begins like a volume of the hub's may be somebody's home of before: it is in the way, too.
    begins = f"{settings.hub.service}-"
    ours = {one["Name"] for one in others if one["Name"].startswith(begins) or _owners(one) or is_ours(one, settings)}
    names = ours | {one["Name"] for one in others if one["Name"] in mounted}
    return Volumes(tuple(sorted(name for name in names if not ANONYMOUS.fullmatch(name))), tuple(sorted(users)))


def is_ours(volume: Json, settings: Settings) -> bool:
    """Tell whether a volume is the hub's or its users', by its name or by its labels; another hub's are not."""
    if homes.is_one(volume):
        return bool(volume["Labels"][homes.LABEL] == settings.hub.service)
    # By whole names: another hub's may begin like this one's.
    hub = settings.hub.service
    by_name = volume["Name"] in (settings.volume.name, services.engine(hub))
    return by_name or hub in _owners(volume)


def _owners(volume: Json) -> set[str]:
    """Return what our labels on a volume say: whose it is."""
    return {value for label, value in (volume.get("Labels") or {}).items() if label.startswith("swarmhub.")}


def plan(host: str, node: SwarmNode, swarm: Swarm, work: Work, volumes: Volumes, *, manager: str, inside: bool) -> Plan:
    """Return what takes a node out; `inside` tells whether the host itself can leave, and still has to.

    Raises:
        StepErrors: with everything that would be lost.

    """
    errors = list(_refusals(host, node, swarm, work, volumes, inside=inside))
    if errors:
        raise StepErrors(*errors)
    changes = []
    if node.state == "ready" and node.availability != "drain":
        changes.append(Change("drain", host, manager, Drainer(node.id, host)))
    if node.role == "manager":
        changes.append(Change("demote", host, manager, Demotion(node.id, stays=False)))
    if inside:
        changes.append(Change("leave", "the swarm", host, _leave))
    changes.append(Change("remove", f"node {host}", manager, _Remover(node.id, inside=inside)))
    return Plan(STEP, "", tuple(changes))


def unknown(host: str, users: Sequence[str]) -> str:
    """Return what cannot be known of a node that does not answer, and whose homes are lost with it, as a question."""
    lost = f" The homes of {homes.names(users)} are there, and lost with it." if users else ""
    doubt = "what data is on it cannot be known, and what it runs it may go on running"
    return f"{host} does not answer: {doubt}.{lost} Take it out?"


def _refusals(host: str, node: SwarmNode, swarm: Swarm, work: Work, volumes: Volumes, *, inside: bool) -> Iterable[StepError]:
    if node.role == "manager":
        try:
            quorum.without(swarm, node, host, "removing it")
        except StepError as error:
            yield error
    if work.holds_hub:
        remedy = "Move the hub to another manager first: fab move-hub HOST"
        yield StepError(host, "holds the hub: the only copy of its database and of its certificate", remedy)
    elif volumes.names:
        cause = f"holds volumes, of which there may be no other copy: {', '.join(volumes.names)}"
        yield StepError(host, cause, f"Copy what is needed, then there: docker volume rm {' '.join(volumes.names)}")
    if volumes.homes:
        cause = f"holds the only copies of the homes of {homes.names(volumes.homes)}"
        yield StepError(host, cause, "Save and free them: fab class-archive ROSTER.csv")
    if node.state == "ready" and work.people:
        yield StepError(host, f"people work there: {', '.join(work.people)}", f"First: fab drain {host}")
    if node.state == "ready" and not inside and volumes.names is None:
        remedy = "Make it reachable, or stop its engine for good, then run this again"
        yield StepError(host, "does not answer here, but the swarm still has it as ready", remedy)


def _leave(host: Host, progress: Progress) -> None:
    def is_worker() -> bool:
        return not host.engine.get("/info")["Swarm"]["ControlAvailable"]

    until(is_worker, SECONDS, lambda: _stuck(host, "is still a manager"))
    leave(host, SECONDS)


def leave(host: Host, seconds: float) -> None:
    """Let a host leave the swarm that it knows, by force.

    Raises:
        StepError: it has not left within so many seconds.

    """
    last = ""

    def has_left() -> bool:
        nonlocal last
        try:
            # Docker gives tasks that have just ended 15 s to be cleaned up, and then leaves only half: the next call ends it.
            host.engine.post("/swarm/leave", force=True)
        except EngineError as error:
            last = error.message
            return error.status == NO_SWARM and bool(host.engine.get("/info")["Swarm"]["LocalNodeState"] == "inactive")
        return True

    until(has_left, seconds, lambda: _stuck(host, last))


def _stuck(host: Host, said: str) -> StepError:
    return StepError(host.name, f"does not leave the swarm: {said}", "Run this again in a moment")


@dataclass(frozen=True)
class _Remover:
    node: str
    inside: bool

    def __call__(self, host: Host, progress: Progress) -> None:
        if self.inside:
            remedy = "Run this again in a moment"
            until(
                lambda: host.engine.get(f"/nodes/{self.node}")["Status"]["State"] == "down",
                SECONDS,
                lambda: StepError(host.name, f"node {self.node} has left, and is not down after {SECONDS} s", remedy),
            )
        # A node that was lost never says that it is down; whoever has left does not come back under this id.
        host.engine.delete(f"/nodes/{self.node}", force=True)
