"""What runs on a node: people's servers, other services, and perhaps a hub; of all hubs of the swarm."""

from collections.abc import Sequence
from dataclasses import dataclass

from swarmhub.engine.swarm import specs
from swarmhub.engine.swarm.converge import HOLDING
from swarmhub.engine.swarm.replicated import LABEL as HUB
from swarmhub.host import Host, Json
from swarmhub.notebooks import servers
from swarmhub.notebooks.servers import RunningServer


@dataclass(frozen=True)
class Work:
    """What runs on a node, and whether a hub is pinned to it."""

    notebooks: tuple[RunningServer, ...]
    services: tuple[str, ...]
    holds_hub: bool

    @property
    def people(self) -> tuple[str, ...]:
        """Return who has a server there."""
        return tuple(dict.fromkeys(one.user for one in self.notebooks))


def observe(manager: Host, hub: str, node: str) -> Work:
    """Ask what runs on a node."""
    services = {one["ID"]: one for one in manager.engine.get("/services")}
    tasks = manager.engine.get("/tasks", filters={"node": [node]})
    here = tuple(one for one in servers.running(servers.observe(manager)) if one.node == node)
    hubs = [hub, *(one["Spec"]["Name"] for one in services.values() if is_hub(one["Spec"]))]
    names = {*hubs, *(one.service for one in here)}
    # Of a global service each node has its own task, which goes nowhere.
    movable = {id_: one["Spec"]["Name"] for id_, one in services.items() if "Global" not in (one["Spec"].get("Mode") or {})}
    busy = {movable[task["ServiceID"]] for task in running(tasks) if task["ServiceID"] in movable}
    holds_hub = any(hub_node(one, name) == node for one in services.values() for name in hubs)
    return Work(here, tuple(sorted(busy - names)), holds_hub)


def is_hub(spec: Json) -> bool:
    """Tell whether a service, by its spec, is a hub of swarmhub's."""
    return bool((spec.get("Labels") or {}).get(HUB) == spec["Name"])


def running(tasks: Sequence[Json]) -> list[Json]:
    """Return the tasks that have not ended."""
    return [task for task in tasks if task["Status"]["State"] in HOLDING]


def hub_node(service: Json | None, hub: str) -> str:
    """Return the id of the node that the hub's service is pinned to, or nothing."""
    if service is None or service["Spec"]["Name"] != hub:
        return ""
    return specs.pinned(service["Spec"])
