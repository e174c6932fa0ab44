"""Homes on the nodes' local volumes: whose, and where. The hub makes both; a Swarm config says on which node one is."""

from collections.abc import Iterable
from dataclasses import dataclass

from swarmhub import swarm_config
from swarmhub.host import Host, Json

# On the volume and on the config of its name; their values are the hub's service, the user and the node's id.
LABEL, USER, NODE = "swarmhub.home", "swarmhub.user", "swarmhub.node"
MOST = 5


@dataclass(frozen=True)
class Place:
    """Which node a home is on, by the Swarm config that says so; the volume has the config's name."""

    config: str
    volume: str
    user: str
    node: str


@dataclass(frozen=True)
class Volume:
    """A home's volume on a node."""

    name: str
    user: str


def is_one(volume: Json) -> bool:
    """Tell whether a volume, as an engine lists it, is somebody's home."""
    return LABEL in (volume.get("Labels") or {})


def names(users: Iterable[str]) -> str:
    """Return whose homes they are; of many the first, and how many there are."""
    everybody = sorted(set(users))
    return ", ".join(everybody) if len(everybody) <= MOST else f"{', '.join(everybody[:MOST])}, … ({len(everybody)} people)"


def places(manager: Host, hub: str) -> tuple[Place, ...]:
    """Ask a manager where the homes of a hub are, by name."""
    found = swarm_config.listed(manager, f"{LABEL}={hub}")
    return tuple(Place(one.id, one.name, one.labels.get(USER, ""), one.labels.get(NODE, "")) for one in found)


def volumes(host: Host, hub: str) -> tuple[Volume, ...]:
    """Ask a node for the homes of a hub that it holds, by name."""
    found = host.engine.get("/volumes", filters={"label": [f"{LABEL}={hub}"]}).get("Volumes") or []
    return tuple(sorted((Volume(one["Name"], one["Labels"].get(USER, "")) for one in found), key=lambda one: one.name))
