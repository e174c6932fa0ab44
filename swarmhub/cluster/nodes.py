"""The swarm's nodes beside the hosts of `hosts.toml`."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from hub.shared.servers.nodes import hostname
from swarmhub.engine import specs
from swarmhub.errors import StepError
from swarmhub.host import Host, Json
from swarmhub.images import pull
from swarmhub.parallel import both
from swarmhub.plan.plans import NO_QUORUM, is_without_quorum
from swarmhub.settings import Settings

STEP = "nodes"
DOCKER_ROOT = "/var/lib/docker"
# A node that has joined gets its images before notebooks are placed on it: this label says that it waits for them.
WAITS = "swarmhub.waits"
# With an image's digest or id behind it: the node holds it. Servers are placed by these labels.
IMAGE = "swarmhub.image."
HELD = "held"
# On a node that calls itself otherwise than hosts.toml does: by it, it is found when it does not answer any more.
HOST = "swarmhub.host"
# The port of overlay networks, unless the swarm was made with another.
DATA_PORT = 4789


@dataclass(frozen=True)
class Member:
    """What a host's own engine says of itself.

    `logs` is the driver that it keeps containers' logs by, `machine` the processor, such as x86_64. `address` is that by which
    other managers reach it, `managers` are the ids of those that it knows, `fault` is what it says of a swarm that is not well.
    `in_containerd` tells that containerd keeps its images.
    """

    node: str
    state: str
    is_manager: bool
    version: str
    root: str = DOCKER_ROOT
    logs: str = ""
    machine: str = ""
    address: str = ""
    managers: frozenset[str] = frozenset()
    fault: str = ""
    in_containerd: bool = False

    @property
    def has_lost_quorum(self) -> bool:
        """Tell whether it is a manager that can decide nothing."""
        return is_without_quorum(self.fault)


@dataclass(frozen=True)
class SwarmNode:
    """What the swarm says of a node; `images` are those that its labels say it holds, by their short digests.

    `label` is its name in hosts.toml, if that is another one than it calls itself by.
    """

    id: str
    hostname: str
    role: str
    state: str
    availability: str
    is_leader: bool
    is_reachable: bool = True
    waits: bool = False
    address: str = ""
    images: frozenset[str] = frozenset()
    label: str = ""
    engine: str = ""

    @property
    def host(self) -> str:
        """Return the name of hosts.toml by which it is found when it does not answer."""
        return self.label or self.hostname


@dataclass(frozen=True)
class Swarm:
    """The swarm that the manager belongs to; its overlay networks use the UDP port `data_port`."""

    cluster: str
    nodes: tuple[SwarmNode, ...]
    data_port: int = DATA_PORT

    @property
    def engine(self) -> int:
        """Return the major version of the oldest engine among the managers: any of them may become the leader.

        What that one does not know, the swarm does not keep. A worker that is older leaves it out when it starts a container.
        """
        versions = (re.match(r"\d+", node.engine) for node in self.nodes if node.role == "manager")
        return min((int(one[0]) for one in versions if one), default=specs.KNOWN_FROM)


@dataclass(frozen=True)
class Row:
    """A host or node, what is wrong with it, and what helps; one that `is_away` does not work; `blocks` stops a deploy."""

    host: str
    expected: str
    role: str
    state: str
    availability: str
    engine: str
    problem: str = ""
    remedy: str = ""
    blocks: bool = False
    is_away: bool = False


def observe(host: Host) -> Member:
    """Ask a host's engine about itself."""
    info = host.engine.get("/info")
    swarm = info["Swarm"]
    root, logs = info.get("DockerRootDir", DOCKER_ROOT), info.get("LoggingDriver", "")
    managers = {one["NodeID"]: one.get("Addr", "") for one in swarm.get("RemoteManagers") or [] if "NodeID" in one}
    return Member(
        swarm["NodeID"],
        swarm["LocalNodeState"],
        bool(swarm["ControlAvailable"]),
        info["ServerVersion"],
        root,
        logs,
        info.get("Architecture", ""),
        managers.get(swarm["NodeID"], ""),
        frozenset(managers),
        swarm.get("Error", ""),
        pull.in_containerd(info),
    )


def observe_swarm(manager: Host) -> Swarm:
    """Ask the manager for the swarm and its nodes."""
    listed, found = both(partial(manager.engine.get, "/nodes"), partial(manager.engine.get, "/swarm"))
    nodes = (
        SwarmNode(
            id=node["ID"],
            hostname=hostname(node),
            role=_role(node),
            state=node["Status"]["State"],
            availability=node["Spec"]["Availability"],
            is_leader=bool((node.get("ManagerStatus") or {}).get("Leader")),
            is_reachable=_role(node) == "worker" or (node.get("ManagerStatus") or {}).get("Reachability") == "reachable",
            waits=WAITS in (node["Spec"].get("Labels") or {}),
            address=node["Status"].get("Addr", ""),
            images=_labelled(node["Spec"].get("Labels") or {}),
            label=(node["Spec"].get("Labels") or {}).get(HOST, ""),
            engine=(node["Description"].get("Engine") or {}).get("EngineVersion", ""),
        )
        for node in listed
    )
    return Swarm(found["ID"], tuple(sorted(nodes, key=lambda node: node.hostname)), found.get("DataPathPort") or DATA_PORT)


def _role(node: Json) -> str:
    """Return a node's role; one that is away and has been left out of the managers' raft, by a recovery, is none of them."""
    is_out = node["Status"]["State"] != "ready" and not node.get("ManagerStatus")
    return "worker" if is_out else str(node["Spec"]["Role"])


def _labelled(labels: Mapping[str, str]) -> frozenset[str]:
    return frozenset(name.removeprefix(IMAGE) for name, value in labels.items() if name.startswith(IMAGE) and value == HELD)


def check_manager(host: str, member: Member) -> None:
    """Make sure that `host` can be asked about the swarm.

    Raises:
        StepError: it is in no swarm, or a worker in it, or the swarm has lost its quorum.

    """
    if member.has_lost_quorum:
        raise StepError(host, "the swarm has lost its quorum: it answers no question and takes no change", NO_QUORUM)
    if member.state != "active":
        remedy = "Make the swarm that hosts.toml describes: fab swarm-init"
        raise StepError(host, f"is in no swarm (its engine says: {member.state})", remedy)
    if not member.is_manager:
        remedy = f"Name a manager in hosts.managers, or promote it on a manager: docker node promote {host}"
        raise StepError(host, "is a worker in the swarm, and hosts.toml names it a manager", remedy)


def compare(settings: Settings, members: Mapping[str, Member | StepError], swarm: Swarm, manager: str) -> tuple[Row, ...]:
    """Return a row for each host of `hosts.toml`, then one for each node that it does not name.

    Only the manager in use has to answer: another host that does not, or was not asked, is left out.
    """
    nodes = {node.id: node for node in swarm.nodes}
    rows = [_row(settings, host, members.get(host), nodes, manager) for host in settings.hosts.all]
    named = {member.node for member in members.values() if isinstance(member, Member)}
    unreached = {host for host in settings.hosts.all if not isinstance(members.get(host), Member)}
    return (*rows, *(_stranger(node) for node in swarm.nodes if node.id not in named and node.host not in unreached))


def _row(settings: Settings, host: str, member: Member | StepError | None, nodes: Mapping[str, SwarmNode], manager: str) -> Row:
    expected = "manager" if host in settings.hosts.managers else "worker"
    if not isinstance(member, Member):
        node = next((node for node in nodes.values() if node.host == host), None)
        role, state, availability = (node.role, node.state, node.availability) if node else ("-", "-", "-")
        problem, remedy = (member.cause, member.remedy) if member else ("left out by --without", "When it is back: fab deploy")
        is_needed = host == manager
        if member and not is_needed:
            remedy = f"A deploy leaves it out; when it is back, deploy again. {remedy}"
        return Row(host, expected, role, state, availability, "-", problem, remedy, blocks=is_needed, is_away=True)
    if member.node not in nodes:
        problem = "is in no swarm" if member.state != "active" else "is in another swarm"
        leave = "" if member.state != "active" else "Let it leave that swarm, there: docker swarm leave; then: "
        remedy = f"{leave or 'Let it join: '}fab swarm-init"
        return Row(host, expected, "-", member.state, "-", member.version, problem, remedy, blocks=True)
    node = nodes[member.node]
    problem, remedy, blocks = _trouble(host, expected, node, manager)
    role = "leader" if node.is_leader else node.role
    is_away = node.state != "ready"
    return Row(host, expected, role, node.state, node.availability, member.version, problem, remedy, blocks, is_away)


def _trouble(host: str, expected: str, node: SwarmNode, manager: str) -> tuple[str, str, bool]:
    if node.state != "ready":
        return (
            f"is {node.state}",
            "Start its engine: sudo systemctl restart docker; and see that the nodes reach each other",
            host == manager,
        )
    if node.role != expected:
        verb = "promote" if expected == "manager" else "demote"
        remedy = f"To {verb} it: fab swarm-init; or name it under hosts.{node.role}s"
        return f"is a {node.role} in the swarm", remedy, expected == "manager"
    if node.waits and node.availability == "pause":
        return "waits for its image", "To start notebooks there: fab prepull-all", False
    if node.availability != "active":
        remedy = f"No notebook starts there. When its work is done: fab undrain {host}"
        return f"is set to {node.availability}", remedy, False
    if node.hostname != host:
        return f"calls itself {node.hostname}", "Nothing to do if you expect that name", False
    return "", "", False


def _stranger(node: SwarmNode) -> Row:
    problem = "is in the swarm, not in hosts.toml"
    remedy = f"Add it under hosts.{node.role}s, or take it out: docker node rm --force {node.id}"
    role = "leader" if node.is_leader else node.role
    return Row(node.hostname, "-", role, node.state, node.availability, "-", problem, remedy)
