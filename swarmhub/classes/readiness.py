"""Before nine o'clock: what a class will need of the nodes, and whether they have it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from hub.shared.servers import nodes as placing
from swarmhub.classes import capacity, people
from swarmhub.classes.capacity import Misfit, NodeRoom, Packing, ServerNeed
from swarmhub.classes.people import Known
from swarmhub.classes.roster import RosterEntry
from swarmhub.cluster.nodes import Member
from swarmhub.host import Host, Json
from swarmhub.notebooks import homes
from swarmhub.notebooks import servers as notebooks
from swarmhub.parallel import every
from swarmhub.plan.shown import size
from swarmhub.services import addresses
from swarmhub.services.addresses import Use
from swarmhub.settings import Settings, handed
from swarmhub.status import machine

PREPARE, STEP = "class-prepare", "class"
HEADS = ("NODE", "SERVERS", "MEMORY FREE", "THEN", "CPUS FREE", "THEN", "HOMES", "NEW HOMES", "DISK FREE")
STRANGER = "not in hosts.toml"
REMEDIES = {
    STRANGER: "Add it to hosts.toml, then: fab deploy",
    capacity.BARRED: "notebook.nodes or extra_placement_spec of hosts.toml leaves it out; to use it again, change that",
    "memory": "Add a node, or lower memory_guarantee (or memory_limit, where there is no guarantee) in hosts.toml",
    "CPUs": "Add a node, or lower cpu_guarantee in hosts.toml",
    "disk": "Give it a larger disk, or lower home.quota for homes that are made from now on",
}


@dataclass(frozen=True)
class ClusterSupply:
    """What the cluster has: its nodes, the disk that is free on those that answer (by node id), the overlay's addresses.

    `homes` are the nodes (ids) of those on the roster who have a home, `running` who has a server.
    """

    nodes: tuple[NodeRoom, ...]
    disk: Mapping[str, int]
    use: Use
    homes: Mapping[str, str]
    running: frozenset[str]


@dataclass(frozen=True)
class Outlook:
    """What will be when everybody comes: where their servers go, and what does not suffice, each with its remedy."""

    seen: ClusterSupply
    packing: Packing
    disk: Mapping[str, int] = field(default_factory=dict)
    shortages: tuple[tuple[str, str], ...] = ()


def observe(
    settings: Settings, roster: Sequence[RosterEntry], manager: Host, hosts: Sequence[tuple[Member, Host]]
) -> ClusterSupply:
    """Ask a manager what there is, and each host what its disk has left."""
    hub = settings.hub.service
    names = {person.name for person in roster}
    asked = every([partial(machine.observe, host, member.root) for member, host in hosts])
    disk = {member.node: one.disk - one.disk_used for (member, _), one in zip(hosts, asked, strict=True)}
    listed, everywhere = manager.engine.get("/nodes"), placing.everywhere(handed.tables(settings))
    barred = {one["ID"] for one in listed if placing.barred(one, everywhere)}
    nodes = capacity.read(listed, manager.engine.get("/tasks"))
    places = homes.places(manager, hub) if _stay_on_nodes(settings) else ()
    return ClusterSupply(
        nodes=tuple(_closed(node, barred, disk) for node in nodes),
        disk=disk,
        use=addresses.observe(manager, settings, hub),
        homes={place.user: place.node for place in places if place.user in names},
        running=frozenset(one.user for one in notebooks.running(notebooks.observe(manager, hub)) if one.user in names),
    )


def judge(settings: Settings, roster: Sequence[RosterEntry], known: Known, seen: ClusterSupply) -> Outlook:
    """Place the servers of everybody who has none, and say what does not suffice."""
    tables = handed.tables(settings)
    waiting = [one for one in roster if one.name not in seen.running]
    servers = [_server(one, people.server(tables, one, known), seen.homes.get(one.name, "")) for one in waiting]
    packing = capacity.pack(seen.nodes, servers)
    quota = settings.home.quota or 0
    new = {node.id: len(_newcomers(packing, node.id)) if _stay_on_nodes(settings) else 0 for node in seen.nodes}
    outlook = Outlook(seen, packing, {id_: quota * number for id_, number in new.items()})
    return Outlook(seen, packing, outlook.disk, tuple(_shortages(settings, outlook)))


def rows(outlook: Outlook) -> list[tuple[str, ...]]:
    """Return a line for each node, under `HEADS`."""
    return [_row(outlook, before, after) for before, after in zip(outlook.seen.nodes, outlook.packing.after, strict=True)]


def verdict(outlook: Outlook) -> str:
    """Return in one line whether it suffices; if not, what is short, where, and what helps."""
    if outlook.shortages:
        causes, remedies = zip(*outlook.shortages, strict=True)
        return f"not enough: {'; '.join(causes)}. {'. '.join(dict.fromkeys(remedies))}"
    fit, run = len(outlook.packing.placed), len(outlook.seen.running)
    if not fit:
        return "enough: everybody's server runs already"
    return f"enough: {_servers(fit)} fit{'s' if fit == 1 else ''}" + (
        f", {run} run{'s' if run == 1 else ''} already" if run else ""
    )


def _closed(node: NodeRoom, barred: Collection[str], disk: Collection[str]) -> NodeRoom:
    """Return a node, closed if no server may go there; the images are on the hosts of hosts.toml only."""
    if node.id in barred:
        return replace(node, closed=capacity.BARRED)
    return node if node.closed or node.id in disk else replace(node, closed=STRANGER)


def _server(person: RosterEntry, wants: Json, home: str) -> ServerNeed:
    return ServerNeed(
        user=person.name,
        # Memory cannot be shared as CPUs can: without a guarantee, everybody may come to use the limit.
        memory=wants.get("memory_guarantee") or wants.get("memory_limit") or 0,
        cpus=wants.get("cpu_guarantee") or 0,
        generic=tuple(sorted(wants["generic_resources"].items())),
        labels=tuple(sorted(wants["node_labels"].items())),
        home=home,
    )


def _stay_on_nodes(settings: Settings) -> bool:
    return settings.home.keep and settings.home.is_on_one_node


def _newcomers(packing: Packing, node: str) -> list[str]:
    return [server.user for server, id_ in packing.placed.items() if id_ == node and not server.home]


def _shortages(settings: Settings, outlook: Outlook) -> list[tuple[str, str]]:
    seen, packing = outlook.seen, outlook.packing
    together: dict[tuple[tuple[str, str], ...], list[Misfit]] = {}
    for misfit in packing.left:
        together.setdefault(tuple(sorted(misfit.lacks.items())), []).append(misfit)
    found = [_misfits(misfits, len(packing.placed) + len(packing.left)) for misfits in together.values()]
    limit = settings.limits.active_servers
    if limit and len(packing.placed) > limit - seen.use.servers:
        cause = f"limits.active_servers = {limit} allows {_servers(max(0, limit - seen.use.servers))} more"
        found.append((cause, "Raise it in hosts.toml, then: fab deploy"))
    room = addresses.room(seen.use, len(seen.nodes), settings)
    if room < len(packing.placed):
        found.append((f"{seen.use.subnet} has addresses for {_servers(room)} more", addresses.larger(settings)))
    for node in seen.nodes:
        if outlook.disk[node.id] > seen.disk.get(node.id, outlook.disk[node.id]):
            number, quota = len(_newcomers(packing, node.id)), size(settings.home.quota)
            coming = f"{number} new home{'' if number == 1 else 's'} of up to {quota}"
            cause = f"{node.name} has {size(seen.disk[node.id])} of disk free for {coming}"
            found.append((cause, REMEDIES["disk"]))
    return found


def _misfits(misfits: Sequence[Misfit], total: int) -> tuple[str, str]:
    where: dict[str, list[str]] = {}
    for node, lack in misfits[0].lacks.items():
        where.setdefault(lack, []).append(node)
    why = ", ".join(f"{lack} on {' and '.join(nodes)}" for lack, nodes in where.items())
    users = [misfit.server.user for misfit in misfits]
    verb = "does" if len(users) == 1 else "do"
    remedies = [REMEDIES.get(lack) or _remedy(lack, nodes) for lack, nodes in where.items()]
    return f"{len(users)} of {_servers(total)} {verb} not fit: {why} ({homes.names(users)})", ". ".join(dict.fromkeys(remedies))


def _remedy(lack: str, nodes: Sequence[str]) -> str:
    if lack.startswith("set to"):
        return f"When its work is done: fab undrain {nodes[0]}"
    if lack.startswith("label "):
        return f"Give a node the label: docker node update --label-add {lack.removeprefix('label ')} NODE"
    if lack == "the home":
        return "What of it was saved? fab class-archive forgets it, after asking; then they start with an empty home"
    return "Bring it back" if lack in ("down", "unknown", "disconnected") else f"Add a node that has {lack}"


def _row(outlook: Outlook, before: NodeRoom, after: NodeRoom) -> tuple[str, ...]:
    seen = outlook.seen
    disk = size(seen.disk.get(before.id))
    new = f"{len(_newcomers(outlook.packing, before.id))}"
    coming = outlook.disk[before.id]
    return (
        before.name,
        f"{after.tasks - before.tasks}" + (f" ({before.closed})" if before.closed else ""),
        size(before.memory),
        size(after.memory),
        f"{before.cpus:g}",
        f"{after.cpus:g}",
        f"{sum(node == before.id for node in seen.homes.values())}",
        f"{new}, {size(coming)}" if coming else new,
        disk,
    )


def _servers(number: int) -> str:
    return f"{number} server{'' if number == 1 else 's'}"
