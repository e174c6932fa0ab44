"""Before nine o'clock: what a class will need of the nodes, and whether they have it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from hub import userlist
from hub.choice import is_for, server_for
from swarmhub import capacity, handed, homes, machine, notebooks
from swarmhub.capacity import Misfit, Node, Packing, Server
from swarmhub.doctor import addresses
from swarmhub.doctor.addresses import Use
from swarmhub.host import Host, Json
from swarmhub.nodes import Member
from swarmhub.parallel import every
from swarmhub.roster import Person
from swarmhub.screen import size
from swarmhub.settings import Settings

PREPARE, STEP = "class-prepare", "class"
HEADS = ("NODE", "SERVERS", "MEMORY FREE", "THEN", "CPUS FREE", "THEN", "HOMES", "NEW HOMES", "DISK FREE")
REMEDIES = {
    "memory": "Add a node, or lower memory_guarantee (or memory_limit, where there is no guarantee) in hosts.toml",
    "CPUs": "Add a node, or lower cpu_guarantee in hosts.toml",
    "disk": "Give it a larger disk, or lower home.quota for homes that are made from now on",
}


@dataclass(frozen=True)
class Seen:
    """What the cluster has: its nodes, the disk that is free on those that answer (by node id), the overlay's addresses.

    `homes` are the nodes (ids) of those on the roster who have a home, `running` who has a server.
    """

    nodes: tuple[Node, ...]
    disk: Mapping[str, int]
    use: Use
    homes: Mapping[str, str]
    running: frozenset[str]


@dataclass(frozen=True)
class Outlook:
    """What will be when everybody comes: where their servers go, and what does not suffice, each with its remedy."""

    seen: Seen
    packing: Packing
    disk: Mapping[str, int] = field(default_factory=dict)
    shortages: tuple[tuple[str, str], ...] = ()


def observe(settings: Settings, people: Sequence[Person], manager: Host, hosts: Sequence[tuple[Member, Host]]) -> Seen:
    """Ask a manager what there is, and each host what its disk has left."""
    hub = settings.hub.service
    names = {person.name for person in people}
    asked = every([partial(machine.observe, host, member.root) for member, host in hosts])
    return Seen(
        nodes=capacity.read(manager.engine.get("/nodes"), manager.engine.get("/tasks")),
        disk={member.node: one.disk - one.disk_used for (member, _), one in zip(hosts, asked, strict=True)},
        use=addresses.observe(manager, settings, hub),
        homes={place.user: place.node for place in homes.places(manager, hub) if place.user in names},
        running=frozenset(one.user for one in notebooks.running(notebooks.observe(manager, hub)) if one.user in names),
    )


def judge(settings: Settings, people: Sequence[Person], seen: Seen) -> Outlook:
    """Place the servers of everybody who has none, and say what does not suffice."""
    tables = handed.tables(settings)
    servers = [_server(tables, one, seen.homes.get(one.name, "")) for one in people if one.name not in seen.running]
    packing = capacity.pack(seen.nodes, servers)
    quota = settings.home.quota or 0
    new = {node.id: len(_newcomers(packing, node.id)) if settings.home.is_on_one_node else 0 for node in seen.nodes}
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
    return f"enough: {_servers(fit)} fit{'s' if fit == 1 else ''}" + (
        f", {run} run{'s' if run == 1 else ''} already" if run else ""
    )


def warnings(settings: Settings, people: Sequence[Person], known: Mapping[str, Json] | None) -> list[str]:
    """Return who may not log in, and who would not get what the roster says; `known` is whom the hub knows, if it runs."""
    listed, _ = userlist.parse(settings.hub.userlist.read_text())
    names = [one.name for one in people]
    lines = []
    if known is None:
        lines.append("the hub does not run: whom its admins have added there is not counted as able to log in")
    strangers = [name for name in names if name not in listed.allowed and name not in (known or {})]
    if strangers:
        lines.append(f"may not log in: {', '.join(strangers)}. Add them to {settings.hub.userlist}, then: fab deploy")
    coming = [name for name in names if known is not None and name in listed.allowed and name not in known]
    if coming:
        lines.append(f"on the userlist, and not at the hub yet: {', '.join(coming)}. Next: fab deploy")
    for group, members in _misgrouped(settings, people, known or {}).items():
        lines.append(
            f"in group {group} on the roster only: {', '.join(members)}. Add them in hosts.toml, below [groups], or at the hub"
        )
    return lines


def _misgrouped(settings: Settings, people: Sequence[Person], known: Mapping[str, Json]) -> dict[str, list[str]]:
    """Return, by group, who is in it by the roster only, where that decides on what they get."""
    tables = handed.tables(settings)
    rules = [rule for part in ("profiles", "overrides", "folders") for rule in tables[part]]
    deciding = {group for rule in rules for group in rule.get("groups", ())}
    found: dict[str, list[str]] = {}
    for one in people:
        has = {*known.get(one.name, {}).get("groups", ())}
        if one.group in deciding - has and one.name not in settings.groups.get(one.group, ()):
            found.setdefault(one.group, []).append(one.name)
    return found


def _server(tables: Json, person: Person, home: str) -> Server:
    groups = _groups(tables, person)
    profile = next((one for one in tables["profiles"] if is_for(one, groups, "")), None)
    wants = server_for(tables, person.name, groups, profile)
    return Server(
        user=person.name,
        # Memory cannot be shared as CPUs can: without a guarantee, everybody may come to use the limit.
        memory=wants.get("memory_guarantee") or wants.get("memory_limit") or 0,
        cpus=wants.get("cpu_guarantee") or 0,
        generic=tuple(sorted(wants["generic_resources"].items())),
        labels=tuple(sorted(wants["node_labels"].items())),
        home=home,
    )


def _groups(tables: Json, person: Person) -> set[str]:
    """Return the groups that somebody is in: the roster's, and those of hosts.toml."""
    named = {group for group, members in tables["groups"].items() if person.name in members}
    return named | ({person.group} if person.group else set())


def _newcomers(packing: Packing, node: str) -> list[str]:
    return [server.user for server, id_ in packing.placed.items() if id_ == node and not server.home]


def _shortages(settings: Settings, outlook: Outlook) -> list[tuple[str, str]]:
    seen, packing = outlook.seen, outlook.packing
    together: dict[tuple[tuple[str, str], ...], list[Misfit]] = {}
    for misfit in packing.left:
        together.setdefault(tuple(sorted(misfit.lacks.items())), []).append(misfit)
    found = [_misfits(misfits, len(packing.placed) + len(packing.left)) for misfits in together.values()]
    room = addresses.room(seen.use, len(seen.nodes), settings)
    if room < len(packing.placed):
        found.append((f"{seen.use.subnet} has addresses for {_servers(room)} more", addresses.larger(settings)))
    for node in seen.nodes:
        if outlook.disk[node.id] > seen.disk.get(node.id, outlook.disk[node.id]):
            number, quota = len(_newcomers(packing, node.id)), size(settings.home.quota)
            cause = f"{node.name} has {size(seen.disk[node.id])} of disk free for {number} new homes of up to {quota}"
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
    return f"{len(users)} of {_servers(total)} {verb} not fit: {why} ({', '.join(users)})", ". ".join(dict.fromkeys(remedies))


def _remedy(lack: str, nodes: Sequence[str]) -> str:
    if lack.startswith("set to"):
        return f"When its work is done: fab undrain {nodes[0]}"
    if lack.startswith("label "):
        return f"Give a node the label: docker node update --label-add {lack.removeprefix('label ')} NODE"
    if lack == "the home":
        return "What of it was saved? fab class-archive forgets it, after asking; then they start anew"
    return "Bring it back" if lack in ("down", "unknown", "disconnected") else f"Add a node that has {lack}"


def _row(outlook: Outlook, before: Node, after: Node) -> tuple[str, ...]:
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
