"""The whole system at a glance, as values: nodes, hub, certificate, images and users' servers."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from hub.shared import services
from swarmhub.certificate.certs import Certificate
from swarmhub.cluster.nodes import Row
from swarmhub.engine.swarm.converge import HOLDING
from swarmhub.errors import StepError
from swarmhub.host import Json
from swarmhub.images import pull
from swarmhub.images.pull import Held
from swarmhub.services.renewal import RenewalState
from swarmhub.status.machine import Machine

if TYPE_CHECKING:
    from swarmhub.services.schedule.state import Standing

STEP = "status"
# Swarm keeps that many tasks unless it is told otherwise; the one that runs is among them.
HISTORY = 5


@dataclass(frozen=True)
class NodeStatus:
    """A node of the swarm, and the machine below it; None where that could not be asked."""

    row: Row
    machine: Machine | None


@dataclass(frozen=True)
class ServiceStatus:
    """The hub's service and its newest task, or those of a service beside it: a proxy, a filter, the renewal.

    Of images that are built here it is known when the packages in them were installed.
    """

    service: str
    image: str
    node: str
    container: str
    state: str
    since: datetime
    error: str
    restarts: int
    restarts_or_more: bool
    memory: int | None = None
    installed: datetime | None = None


@dataclass(frozen=True)
class ServerStatus:
    """A user's server, the node that it runs on, and the bytes of memory that it takes.

    What the hub does not know it removes within a minute: it was being started when the hub was replaced.
    """

    user: str
    node: str
    state: str
    since: datetime
    memory: int | None
    is_known: bool = True


@dataclass(frozen=True)
class AvoidedNode:
    """A node that has refused a server, why, and until when the hub sends none there."""

    host: str
    why: str
    until: datetime


@dataclass(frozen=True)
class Image:
    """An image, the digest or id that is wanted, and what each node holds, or why nobody knows."""

    name: str
    wanted: str
    held: Mapping[str, Held | StepError | None]


@dataclass(frozen=True)
class Status:
    """All that one screen shows."""

    at: datetime
    domain: str
    manager: str
    nodes: tuple[NodeStatus, ...]
    hub: ServiceStatus | None
    certificate: Certificate | StepError | None
    renewal: RenewalState | StepError | None
    images: tuple[Image, ...]
    servers: tuple[ServerStatus, ...]
    beside: tuple[ServiceStatus, ...] = ()
    avoided: tuple[AvoidedNode, ...] = ()
    backups: "Standing | None" = None

    @property
    def has_proxy(self) -> bool:
        """Tell whether the proxy is a service of its own."""
        return any(self.hub and one.service == services.proxy(self.hub.service) for one in self.beside)


def read_hub(service: Json, tasks: Sequence[Json]) -> ServiceStatus:
    """Read the hub off its service and tasks; a task that has ended since the last update was a restart."""
    ordered = sorted(tasks, key=lambda task: str(task["CreatedAt"]))
    newest: Json = ordered[-1] if ordered else {"Status": {"State": "new", "Timestamp": service["CreatedAt"]}}
    ended = [task for task in ordered if task["Status"]["State"] not in HOLDING]
    updated = datetime.fromisoformat(service["UpdatedAt"])
    restarts = sum(datetime.fromisoformat(task["Status"]["Timestamp"]) > updated for task in ended)
    state = newest["Status"]["State"]
    errors = [error for task in ordered if (error := task["Status"].get("Err"))]
    return ServiceStatus(
        service=service["Spec"]["Name"],
        image=service["Spec"]["TaskTemplate"]["ContainerSpec"]["Image"],
        node=newest.get("NodeID", ""),
        container=(newest["Status"].get("ContainerStatus") or {}).get("ContainerID", ""),
        state=state,
        since=datetime.fromisoformat(newest["Status"]["Timestamp"]),
        error=errors[-1] if errors and state != "running" else "",
        restarts=restarts,
        restarts_or_more=len(ordered) >= HISTORY and restarts == len(ended),
    )


def as_json(status: Status) -> Json:
    """Return the same facts for machines: times in ISO 8601, sizes in bytes, what nobody knows as null."""
    return {
        "at": status.at.isoformat(),
        "manager": status.manager,
        "nodes": [asdict(node.row) | {"machine": asdict(node.machine) if node.machine else None} for node in status.nodes],
        "hub": _hub_facts(status.hub) if status.hub else None,
        "beside": [_hub_facts(one) for one in status.beside],
        "certificate": _certificate_facts(status),
        "backups": _backup_facts(status.backups) if status.backups else None,
        "images": [_image_facts(image) for image in status.images],
        "servers": [asdict(one) | {"since": one.since.isoformat()} for one in status.servers],
        "avoided": [asdict(one) | {"until": one.until.isoformat()} for one in status.avoided],
    }


def _hub_facts(hub: ServiceStatus) -> Json:
    installed = hub.installed.isoformat() if hub.installed else None
    return asdict(hub) | {"since": hub.since.isoformat(), "installed": installed}


def _certificate_facts(status: Status) -> Json:
    found = status.certificate
    if found is None or isinstance(found, StepError):
        return {"error": str(found)} if found else None
    return {
        "names": sorted(found.names),
        "issuer": found.issuer,
        "not_after": found.not_after.isoformat(),
        "days_left": found.days_left(status.at),
        "due": found.is_due(status.at),
        "failed_renewals": status.renewal.failures if isinstance(status.renewal, RenewalState) else 0,
    }


def _backup_facts(found: "Standing") -> Json:
    return {
        "last": found.last.isoformat() if found.last else None,
        "bytes": found.bytes,
        "late": found.is_late,
        "next": found.next.isoformat() if found.next else None,
        "drilled": found.drilled.isoformat() if found.drilled else None,
        "troubles": [{"host": one.host, "text": one.text} for one in found.troubles],
    }


def _image_facts(image: Image) -> Json:
    return {
        "image": image.name,
        "wanted": image.wanted or None,
        "nodes": {
            host: {"error": str(held)}
            if isinstance(held, StepError)
            else held and {"id": held.id, "as_wanted": not image.wanted or pull.holds(held, image.wanted)}
            for host, held in image.held.items()
        },
    }
