"""Whether the nodes have room for servers: placed in memory as Swarm's scheduler would place them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from hub.shared.servers.nodes import hostname
from swarmhub.engine.swarm.converge import HOLDING
from swarmhub.host import Json

NANO = 1_000_000_000
# Why a node is closed that every server's constraints leave out.
BARRED = "takes no servers"


@dataclass(frozen=True)
class NodeRoom:
    """What a node has left; `closed` says why Swarm places nothing there, `tasks` how much it runs."""

    id: str
    name: str
    memory: int
    cpus: float
    generic: Mapping[str, int] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    closed: str = ""
    tasks: int = 0


@dataclass(frozen=True)
class ServerNeed:
    """What somebody's server takes, and the node (by id) that their home ties it to."""

    user: str
    memory: int = 0
    cpus: float = 0
    generic: tuple[tuple[str, int], ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    home: str = ""


@dataclass(frozen=True)
class Misfit:
    """A server that no node has room for, and what each node that came into question lacks."""

    server: ServerNeed
    lacks: Mapping[str, str]


@dataclass(frozen=True)
class Packing:
    """Which server goes where (node ids), in the order in which they fit; the nodes afterwards, and who is left."""

    placed: Mapping[ServerNeed, str]
    after: tuple[NodeRoom, ...]
    left: tuple[Misfit, ...]


def read(nodes: Sequence[Json], tasks: Sequence[Json]) -> tuple[NodeRoom, ...]:
    """Read off the engine's answers what each node has left beside the reservations of what runs there."""
    held: dict[str, list[Json]] = {}
    for task in tasks:
        if task["Status"]["State"] in HOLDING and task.get("NodeID"):
            held.setdefault(task["NodeID"], []).append((task["Spec"].get("Resources") or {}).get("Reservations") or {})
    return tuple(sorted((_node(one, held.get(one["ID"], [])) for one in nodes), key=lambda node: node.name))


def pack(nodes: Sequence[NodeRoom], servers: Sequence[ServerNeed]) -> Packing:
    """Place servers: first who is tied to a node, then the largest; each on the node that fits and runs the least."""
    left = {node.id: node for node in nodes}
    placed: dict[ServerNeed, str] = {}
    misfits = []
    for server in sorted(servers, key=lambda one: (not one.home, -one.memory, -one.cpus)):
        lacking = {node.id: _lack(server, node) for node in left.values()}
        fitting = [left[id_] for id_, lack in lacking.items() if not lack]
        if fitting:
            node = min(fitting, key=lambda one: (one.tasks, one.name))
            left[node.id], placed[server] = _with(node, server), node.id
        else:
            misfits.append(Misfit(server, _told(server, lacking, left)))
    return Packing(placed, tuple(left.values()), tuple(misfits))


def generic_resources(listed: Sequence[Json] | None) -> Counter[str]:
    """Count generic resources, which the engine gives by number or by name: GPUs by their ids."""
    found: Counter[str] = Counter()
    for one in listed or []:
        number, named = one.get("DiscreteResourceSpec"), one.get("NamedResourceSpec")
        found[(number or named)["Kind"]] += number["Value"] if number else 1
    return found


def _node(one: Json, held: Sequence[Json]) -> NodeRoom:
    resources = one["Description"].get("Resources") or {}
    generic = generic_resources(resources.get("GenericResources"))
    for reserved in held:
        generic.subtract(generic_resources(reserved.get("GenericResources")))
    state, availability = one["Status"]["State"], one["Spec"]["Availability"]
    return NodeRoom(
        id=one["ID"],
        name=hostname(one),
        memory=resources.get("MemoryBytes", 0) - sum(reserved.get("MemoryBytes", 0) for reserved in held),
        cpus=(resources.get("NanoCPUs", 0) - sum(reserved.get("NanoCPUs", 0) for reserved in held)) / NANO,
        generic=dict(generic),
        labels=one["Spec"].get("Labels") or {},
        closed=state if state != "ready" else "" if availability == "active" else f"set to {availability}",
        tasks=len(held),
    )


def _lack(server: ServerNeed, node: NodeRoom) -> str:
    """Return what a node lacks for a server, or nothing; "elsewhere" where it does not come into question."""
    if server.home not in ("", node.id) or any(node.labels.get(name) != value for name, value in server.labels):
        return "elsewhere"
    if node.closed:
        return node.closed if node.closed != BARRED or server.home else "elsewhere"
    if server.memory > node.memory:
        return "memory"
    if server.cpus > node.cpus:
        return "CPUs"
    return next((name for name, number in server.generic if number > node.generic.get(name, 0)), "")


def _told(server: ServerNeed, lacking: Mapping[str, str], nodes: Mapping[str, NodeRoom]) -> dict[str, str]:
    if server.home and server.home not in nodes:
        return {"a node that is gone": "the home"}
    told = {nodes[id_].name: lack for id_, lack in lacking.items() if lack != "elsewhere"}
    labels = ", ".join(f"{name}={value}" for name, value in server.labels)
    return told or {"every node": f"label {labels}" if labels else BARRED}


def _with(node: NodeRoom, server: ServerNeed) -> NodeRoom:
    taken = dict(server.generic)
    generic = {name: number - taken.get(name, 0) for name, number in node.generic.items()}
    memory, cpus = node.memory - server.memory, node.cpus - server.cpus
    return replace(node, memory=memory, cpus=cpus, generic=generic, tasks=node.tasks + 1)
