"""Homes on the nodes' local volumes: whose, and where. The hub makes both; a Swarm config says on which node one is.

The records go with the swarm, and a node that joins anew has another id. The volumes stay: the records are made from them.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from hub.shared import mounts
from hub.shared.mounts import is_on_one_node
from swarmhub.engine import configs
from swarmhub.host import Host, Json
from swarmhub.plan.plans import Change, Progress

# On the volume and on the config of its name; their values are the hub's service, the user and the node's id.
LABEL, USER, NODE = mounts.HOME, mounts.USER, mounts.NODE
MOST = 5


@dataclass(frozen=True)
class HomeRecord:
    """Which node a home is on, by the Swarm config that says so; the volume has the config's name."""

    config: str
    volume: str
    user: str
    node: str


@dataclass(frozen=True)
class HomeVolume:
    """A home's volume on a node, and when it was made."""

    name: str
    user: str
    made: datetime


def is_one(volume: Json) -> bool:
    """Tell whether a volume, as an engine lists it, is somebody's home."""
    return LABEL in (volume.get("Labels") or {})


def names(users: Iterable[str]) -> str:
    """Return whose homes they are; of many the first, and how many there are."""
    everybody = sorted(set(users))
    return ", ".join(everybody) if len(everybody) <= MOST else f"{', '.join(everybody[:MOST])}, … ({len(everybody)} people)"


def places(manager: Host, hub: str = "") -> tuple[HomeRecord, ...]:
    """Ask a manager where the homes of a hub are, or those of all hubs, by name."""
    found = configs.listed(manager, f"{LABEL}={hub}" if hub else LABEL)
    return tuple(HomeRecord(one.id, one.name, one.labels.get(USER, ""), one.labels.get(NODE, "")) for one in found)


def volumes(host: Host, hub: str) -> tuple[HomeVolume, ...]:
    """Ask a node for the homes of a hub that it holds, by name; what is elsewhere and only mounted there is none."""
    found = host.engine.get("/volumes", filters={"label": [f"{LABEL}={hub}"]}).get("Volumes") or []
    here = (one for one in found if is_on_one_node(one["Driver"], one.get("Options") or {}))
    return tuple(sorted((_volume(one) for one in here), key=lambda one: one.name))


def unrecorded(
    known: Iterable[HomeRecord], held: Mapping[str, Iterable[HomeVolume]], nodes: Collection[str]
) -> dict[str, list[HomeVolume]]:
    """Return by node the homes of which no record says that they are on a node of the swarm; `held` and `nodes` go by ids.

    Of several nodes that hold one, it is the newest volume's: an operator has given the others up.
    """
    recorded = {one.volume for one in known if one.node in nodes}
    newest: dict[str, tuple[HomeVolume, str]] = {}
    for node, there in held.items():
        for one in there:
            if one.name not in recorded and (one.name not in newest or one.made > newest[one.name][0].made):
                newest[one.name] = (one, node)
    found: dict[str, list[HomeVolume]] = {}
    for one, node in newest.values():
        found.setdefault(node, []).append(one)
    return found


def recording(
    known: Iterable[HomeRecord], found: Mapping[str, Collection[HomeVolume]], hosts: Mapping[str, str], hub: str, manager: str
) -> list[Change]:
    """Return what records the homes that were `found` on nodes; `hosts` are the names of these."""
    ids = {one.volume: one.config for one in known}
    return [
        Change(
            "record",
            f"the homes of {names(one.user for one in there)}, which {hosts[node]} has,",
            manager,
            _Recorder(tuple((one, ids.get(one.name)) for one in there), node, hub),
        )
        for node, there in found.items()
    ]


@dataclass(frozen=True)
class _Recorder:
    volumes: tuple[tuple[HomeVolume, str | None], ...]
    node: str
    hub: str

    def __call__(self, manager: Host, _: Progress) -> None:
        for volume, config in self.volumes:
            labels = {LABEL: self.hub, USER: volume.user, NODE: self.node}
            if config is None:
                configs.create(manager, volume.name, labels, {})
            else:
                configs.relabel(manager, config, labels)


def _volume(one: Json) -> HomeVolume:
    return HomeVolume(one["Name"], one["Labels"].get(USER, ""), datetime.fromisoformat(one["CreatedAt"]))
