"""Homes on the nodes' local volumes: whose, and where. The hub makes both; a Swarm config says on which node one is.

The records go with the swarm, and a node that joins again has another id. The volumes stay: the records are made from them.
Volumes that somebody else has made have no label: `home.name` tells whose they are.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from hub.shared.servers import mounts
from hub.shared.servers.mounts import beginning, formerly, is_former, is_on_one_node, is_whole
from swarmhub.engine.swarm import configs
from swarmhub.host import Host, Json
from swarmhub.plan.plans import Change, Progress

# On the volume and on the config of its name; their values are the hub's service, the user and the node's id.
LABEL, USER, NODE = mounts.HOME, mounts.USER, mounts.NODE
MOST = 5
# A name as hub.shared.people.names escapes it for Docker: what is safe is never escaped, so there is one way to write a name.
ESCAPED = "(?:[a-z0-9]|-(?!3[0-9]|6[1-9a-f]|7[0-9a])[0-9a-f]{2})"


@dataclass(frozen=True)
class HomeRecord:
    """Which node a home is on, by the Swarm config that says so; `name` is the config's."""

    config: str
    name: str
    user: str
    node: str


@dataclass(frozen=True)
class HomeVolume:
    """A home's volume on a node, and when it was made; `by_hand` tells that it has no label of a hub's.

    There is no user where the name begins like a home's and is none that the hub would give to anybody.
    """

    name: str
    user: str
    made: datetime
    by_hand: bool = False


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


def volumes(host: Host, hub: str, template: str) -> tuple[HomeVolume, ...]:
    """Ask a node for the homes of a hub that it holds, by name; what is elsewhere and only mounted there is none.

    `template` is `home.name`: where it is a whole name, volumes that it names are homes, too.
    """
    query = {} if is_whole(template) else {"filters": {"label": [f"{LABEL}={hub}"]}}
    listed = host.engine.get("/volumes", **query).get("Volumes") or []
    here = [one for one in listed if is_on_one_node(one["Driver"], one.get("Options") or {}) and _hub(one, hub) == hub]
    found = [
        HomeVolume(one["Name"], user or "", datetime.fromisoformat(one["CreatedAt"]), by_hand=not is_one(one))
        for one in here
        if (user := owner(one, template)) is not None or one["Name"].startswith(beginning(template, hub))
    ]
    return tuple(sorted(found, key=lambda one: one.name))


def cut(host: Host, hub: str) -> tuple[HomeVolume, ...]:
    """Ask a node for the homes of a hub on drivers that every node reaches, whose long names an earlier release has cut."""
    listed = host.engine.get("/volumes", filters={"label": [f"{LABEL}={hub}"]}).get("Volumes") or []
    # When it was made a driver need not say.
    return tuple(
        HomeVolume(one["Name"], str(one["Labels"].get(USER, "")), datetime.min)
        for one in listed
        if is_former(one["Name"]) and not is_on_one_node(one["Driver"], one.get("Options") or {})
    )


def nobodys(held: Mapping[str, Iterable[HomeVolume]]) -> list[str]:
    """Return the names of volumes that begin like homes and are nobody's, as dockerspawner before 12.0 may have named them."""
    return sorted({one.name for there in held.values() for one in there if not one.user})


def owner(volume: Json, template: str) -> str | None:
    """Return whose home a volume is: by its label, of any hub, or by its name; None where it is nobody's."""
    if is_one(volume):
        return str(volume["Labels"].get(USER, volume["Name"]))
    return _named(volume["Name"], template)


def _hub(volume: Json, otherwise: str) -> str:
    return str((volume.get("Labels") or {}).get(LABEL, otherwise))


def pattern(template: str) -> str:
    """Return what fits the names of homes that somebody else has made; nothing, where `home.name` is no whole name."""
    if not is_whole(template):
        return ""
    parts = (
        f"(?P<{part[1:-1]}>{ESCAPED}{'+' if part == '{username}' else '*'})" if part.startswith("{") else re.escape(part)
        for part in re.split(r"(\{\w+\})", template)
    )
    return "".join(parts)


def _named(volume: str, template: str) -> str | None:
    """Return whose home a volume is by its name; of one that names nobody, it is the volume's own."""
    found = re.fullmatch(by_hand, volume) if (by_hand := pattern(template)) else None
    if found is None:
        return None
    escaped = found.groupdict().get("username")
    try:
        return _unescaped(escaped) if escaped else volume
    except UnicodeDecodeError:
        return None


def _unescaped(text: str) -> str:
    return re.sub(rb"-(..)", lambda found: bytes.fromhex(found[1].decode()), text.encode()).decode()


def unrecorded(
    known: Iterable[HomeRecord], held: Mapping[str, Iterable[HomeVolume]], nodes: Collection[str]
) -> dict[str, list[HomeVolume]]:
    """Return by node the homes of which no record says that they are on a node of the swarm; `held` and `nodes` go by ids.

    Of several nodes that hold one, it is the newest volume's: an operator has given the others up.
    """
    recorded = {one.name for one in known if one.node in nodes}
    newest: dict[str, tuple[HomeVolume, str]] = {}
    for node, there in held.items():
        for one in filter(lambda one: one.user, there):
            if formerly(one.name) not in recorded and (one.name not in newest or one.made > newest[one.name][0].made):
                newest[one.name] = (one, node)
    found: dict[str, list[HomeVolume]] = {}
    for one, node in newest.values():
        found.setdefault(node, []).append(one)
    return found


def doubtful(found: Mapping[str, Iterable[HomeVolume]], held: Mapping[str, Iterable[HomeVolume]]) -> dict[str, list[str]]:
    """Return the unrecorded homes made by hand that several nodes hold, and these nodes: which one is meant is not known."""
    names = [one.name for there in found.values() for one in there if one.by_hand]
    on = {name: [node for node, there in held.items() if any(one.name == name for one in there)] for name in names}
    return {name: nodes for name, nodes in on.items() if len(nodes) > 1}


def recording(
    known: Iterable[HomeRecord], found: Mapping[str, Collection[HomeVolume]], hosts: Mapping[str, str], hub: str, manager: str
) -> list[Change]:
    """Return what records the homes that were `found` on nodes; `hosts` are the names of these."""
    ids = {one.name: one.config for one in known}
    return [
        Change(
            "record",
            f"the homes of {names(one.user for one in there)}, which {hosts[node]} has,",
            manager,
            _Recorder(tuple((one, ids.get(formerly(one.name))) for one in there), node, hub),
            gist="volumes that were made by hand; they stay as they are" if any(one.by_hand for one in there) else "",
        )
        for node, there in found.items()
    ]


def naming(known: Iterable[HomeRecord], found: Iterable[HomeVolume], hub: str, manager: str) -> list[Change]:
    """Return what records the homes whose names were `cut`, on no node: the hub would give longer ones."""
    recorded = {one.name for one in known}
    there = {one.name: one for one in found if one.name not in recorded}
    whose = names(one.user for one in there.values())
    recorder = _Recorder(tuple((one, None) for one in there.values()), "", hub)
    return [Change("record", f"the names that the homes of {whose} have", manager, recorder)] if there else []


@dataclass(frozen=True)
class _Recorder:
    volumes: tuple[tuple[HomeVolume, str | None], ...]
    node: str
    hub: str

    def __call__(self, manager: Host, _: Progress) -> None:
        for volume, config in self.volumes:
            labels = {LABEL: self.hub, USER: volume.user, NODE: self.node}
            if config is None:
                configs.create(manager, formerly(volume.name), labels, {})
            else:
                configs.relabel(manager, config, labels)
