"""Make the swarm on the first manager, join the hosts that are missing, and give each host its role."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from pydantic import SecretStr

from swarmhub.cluster import quorum
from swarmhub.cluster.nodes import WAITS, Member, Swarm, SwarmNode
from swarmhub.cluster.update import Demotion, Update
from swarmhub.errors import StepError, StepErrors
from swarmhub.host import EngineError, Host
from swarmhub.plan.plans import Change, Plan, Progress
from swarmhub.settings import Settings
from swarmhub.wait import until

STEP = "swarm-init"
LISTEN = "0.0.0.0:2377"
SECONDS = 60
SUBNET_SIZE = 24  # Docker's own
UNAVAILABLE = 503
GOSSIP = 7946
GOSSIP_SECONDS = 15
EVERYWHERE = (f"*:{GOSSIP}", f"0.0.0.0:{GOSSIP}", f"[::]:{GOSSIP}")

Members = Mapping[str, Member | StepError]


@dataclass(frozen=True)
class Ticket:
    """What a host needs to join: the managers' addresses, and a token for each role."""

    addresses: tuple[str, ...]
    tokens: Mapping[str, SecretStr]


def observe(manager: Host) -> Ticket:
    """Ask a manager for what others need to join its swarm."""
    tokens = manager.engine.get("/swarm")["JoinTokens"]
    managers = manager.engine.get("/info")["Swarm"]["RemoteManagers"]
    secret = {"manager": SecretStr(tokens["Manager"]), "worker": SecretStr(tokens["Worker"])}
    return Ticket(tuple(sorted(one["Addr"] for one in managers)), secret)


def warning(settings: Settings) -> str:
    """Return what is unwise about the number of managers, or nothing."""
    count = len(settings.hosts.managers)
    if count % 2:
        return ""
    return (
        f"{count} managers bear no more losses than {count - 1}, and more of them can be lost: name {count - 1} or {count + 1}"
    )


def acting(settings: Settings, members: Members, preferred: str) -> str | None:
    """Return the manager that can be asked about the swarm, or None where there is no swarm yet.

    Raises:
        StepError: a host is in a swarm, and no manager of hosts.toml manages it.
        StepErrors: a host cannot be asked whether it is in one.

    """
    order = dict.fromkeys((preferred, *settings.hosts.managers))
    for host in order:
        member = members[host]
        if isinstance(member, Member) and member.state == "active" and member.is_manager:
            return host
    require_reached(members)
    for host, member in members.items():
        if isinstance(member, Member) and member.state != "inactive":
            raise _elsewhere(host, member)
    return None


def require_reached(members: Members) -> None:
    """Make sure that every host could be asked.

    Raises:
        StepErrors: with each that could not.

    """
    errors = [member for member in members.values() if isinstance(member, StepError)]
    if errors:
        raise StepErrors(*errors)


def plan_init(settings: Settings, manager: str) -> Plan:
    """Return what makes the swarm."""
    advertise, pool = settings.hosts.advertise or "", settings.network.pool or ""
    options = {"--advertise-addr": advertise, "--default-addr-pool": pool}
    command = " ".join(["docker swarm init", *(f"{name} {value}" for name, value in options.items() if value)])
    return Plan(STEP, "", (Change("initialise", "a swarm", manager, _Initialiser(advertise, pool), command=command),))


def plan_joins(settings: Settings, members: Members, swarm: Swarm, ticket: Ticket) -> Plan:
    """Return the joins of the hosts that are in no swarm; managers join one after the other.

    Raises:
        StepErrors: a host is in another swarm.

    """
    known = {node.id for node in swarm.nodes}
    reached = {host: member for host, member in members.items() if isinstance(member, Member)}
    strange = {host: one for host, one in reached.items() if one.state != "inactive" and one.node not in known}
    if strange:
        raise StepErrors(*(_elsewhere(host, member) for host, member in strange.items()))
    roles = {host: _role(settings, host) for host, member in reached.items() if member.state == "inactive"}
    changes = tuple(
        Change("join", f"the swarm as a {role}", host, _Joiner(role, ticket, settings.hosts.advertise or ""))
        for host, role in roles.items()
    )
    summary = f"{len(reached)} of {len(members)} hosts are in the swarm"
    return Plan(STEP, summary, changes, at_once="manager" not in roles.values())


def plan_roles(
    settings: Settings, members: Members, swarm: Swarm, joined: Sequence[str], *, manager: str, hub: str = ""
) -> Plan:
    """Return what remains when all are in: marks, promotions, demotions, and ids that hosts had before they joined again.

    `hub` is the id of the node that holds the hub.

    Raises:
        StepError: a demotion would lose the quorum, or stop the hub.

    """
    by_id = {node.id: node for node in swarm.nodes}
    nodes = {host: by_id[one.node] for host, one in members.items() if isinstance(one, Member) and one.node in by_id}
    changes = [Change("mark", f"{host} (it waits for its image)", manager, _Marker(nodes[host].id)) for host in joined]
    for host, node in nodes.items():
        if node.role == "worker" != _role(settings, host):
            changes.append(Change("promote", host, manager, _Promoter(node.id)))
            swarm = quorum.as_role(swarm, node.id, "manager")
    for host, node in nodes.items():
        if node.role == "manager" != _role(settings, host):
            swarm = _demoted(swarm, host, node, hub)
            changes.append(Change("demote", host, manager, _Demoter(node.id)))
    changes += [Change("forget", f"{node.hostname}'s earlier id", manager, _Forgetter(node)) for node in _stale(swarm, nodes)]
    managers, workers = settings.hosts.managers, settings.hosts.workers
    return Plan(STEP, f"managers: {', '.join(managers)}; workers: {', '.join(workers) or 'none'}", tuple(changes))


def _role(settings: Settings, host: str) -> str:
    return "manager" if host in settings.hosts.managers else "worker"


def _demoted(swarm: Swarm, host: str, node: SwarmNode, hub: str) -> Swarm:
    if node.id == hub:
        raise StepError(host, "holds the hub, which needs a manager", "Keep it under hosts.managers")
    return quorum.without(swarm, node, host, "demoting it")


def _stale(swarm: Swarm, nodes: Mapping[str, SwarmNode]) -> list[SwarmNode]:
    """Return the ids that hosts had before they left and joined again: no host has them, and they name a host's place."""
    known = {node.id for node in nodes.values()}
    places = {(node.hostname, node.address) for node in nodes.values() if node.address}
    return [one for one in swarm.nodes if one.id not in known and (one.hostname, one.address) in places]


def _elsewhere(host: str, member: Member) -> StepError:
    if member.state == "locked":
        return StepError(host, "its engine is locked since it was restarted", "There: docker swarm unlock")
    if member.state == "active" and not member.node:
        return StepError(host, "has left its swarm only half", "There: docker swarm leave --force; then: fab swarm-init")
    said = "is in another swarm" if member.state == "active" else f"is not well in its swarm (its engine says: {member.state})"
    force = " --force (that ends the other swarm, if it is its last manager)" if member.is_manager else ""
    remedy = f"If it is to join this one, there: docker swarm leave{force}; else name a manager of that swarm in hosts.toml"
    return StepError(host, said, remedy)


@dataclass(frozen=True)
class _Initialiser:
    advertise: str
    pool: str

    def __call__(self, host: Host, progress: Progress) -> None:
        _require_the_former_gone(host)
        require_gossip_port(host, STEP)
        pool = {"DefaultAddrPool": [self.pool], "SubnetSize": SUBNET_SIZE} if self.pool else {}
        with _choosing_an_address(host):
            host.engine.post("/swarm/init", {"ListenAddr": LISTEN, "AdvertiseAddr": _address(host, self.advertise), **pool})


@dataclass(frozen=True)
class _Joiner:
    role: str
    ticket: Ticket
    advertise: str

    def __call__(self, host: Host, progress: Progress) -> None:
        _require_the_former_gone(host)
        require_gossip_port(host, STEP)
        body = {
            "ListenAddr": LISTEN,
            "AdvertiseAddr": _address(host, self.advertise),
            "RemoteAddrs": list(self.ticket.addresses),
            "JoinToken": self.ticket.tokens[self.role].get_secret_value(),
            # No notebook may be placed there before its image is.
            "Availability": "pause",
        }
        with _choosing_an_address(host):
            try:
                host.engine.post("/swarm/join", body)
            except EngineError as error:
                if error.status != UNAVAILABLE and "deadline" not in error.message and "imeout" not in error.message:
                    raise
                _joined_late(host, self._unreached(host, error.message))

    def _unreached(self, host: Host, said: str) -> StepError:
        remedy = f"Is 2377/tcp open on {', '.join(self.ticket.addresses)} for this host?"
        return StepError(host.name, f"does not reach the managers: {said}", remedy)


def _require_the_former_gone(host: Host) -> None:
    """Wait until the networks of a swarm that the host has left are gone.

    An engine removes them when their last container has ended, seconds after `docker swarm leave` maybe. Until then, it shows
    them next to those of its new swarm.

    Raises:
        StepError: a container stays on one.

    """

    def names() -> list[str]:
        return [str(one["Name"]) for one in host.engine.get("/networks", filters={"scope": ["swarm"]})]

    def stays() -> StepError:
        cause = f"still has networks of a swarm that it has left: {', '.join(sorted(names()))}"
        return StepError(host.name, cause, "There: docker ps --filter network=NAME; stop what is on it, or restart the engine")

    until(lambda: not names(), SECONDS, stays)


def require_gossip_port(host: Host, step: str) -> None:
    """Wait until the engine of a host that is in no swarm has let go of the port by which it found the others of its last one.

    An engine whose farewell nobody has heard may keep it. It joins the next swarm, and has no overlay network there.

    Raises:
        StepError: it keeps it.

    """

    def is_free() -> bool:
        listening = host.run("ss", "-Hltnp", f"sport = :{GOSSIP}").out.splitlines()
        return not any(_is_engines(line) for line in listening)

    cause = f"is in no swarm, and its engine still has port {GOSSIP} of its last one: in the next, it would reach no other node"
    remedy = f"Restart its engine: sudo systemctl restart docker; then: fab {step}"
    until(is_free, GOSSIP_SECONDS, lambda: StepError(host.name, cause, remedy))


def _is_engines(listening: str) -> bool:
    """Tell by a line of `ss` whether an engine listens; who that is, only root is told."""
    is_others = "users:(" in listening and '"dockerd"' not in listening
    return not is_others and any(one in listening.split() for one in EVERYWHERE)


def _joined_late(host: Host, error: StepError) -> None:
    """Wait for a join that takes an engine longer than its answer: it goes on in the background.

    Raises:
        StepError: `error`, if it does not join.

    """

    def joined() -> bool:
        state = host.engine.get("/info")["Swarm"]["LocalNodeState"]
        if state not in ("pending", "active"):
            raise error
        return bool(state == "active")

    until(joined, SECONDS, lambda: error)


def _address(host: Host, interface: str) -> str:
    """Return the IPv4 address of an interface: an engine refuses one that has two addresses by IPv6, as most have."""
    if not interface:
        return ""
    said = host.run("ip", "-4", "-o", "addr", "show", "dev", interface, "scope", "global")
    found = re.search(r" inet ([0-9.]+)/", said.out)
    return found[1] if found else interface


@contextmanager
def _choosing_an_address(host: Host) -> Iterator[None]:
    """Docker takes the only address that there is, and refuses to choose between two."""
    try:
        yield
    except EngineError as error:
        if "could not choose an IP address to advertise" not in error.message:
            raise
        cause = f"its engine cannot tell by which address the others reach it: {error.message.partition(' - ')[0]}"
        raise StepError(host.name, cause, 'Name the interface, in hosts.toml: hosts.advertise = "eth1"') from error


@dataclass(frozen=True)
class _Marker:
    node: str

    def __call__(self, host: Host, progress: Progress) -> None:
        def ready() -> bool:
            found = host.engine.find(f"/nodes/{self.node}")
            return found is not None and found["Status"]["State"] == "ready"

        until(ready, SECONDS, lambda: _not_ready(host, self.node))
        Update(self.node, labels={WAITS: "image"})(host, progress)


def _not_ready(host: Host, node: str) -> StepError:
    remedy = "Between the nodes, 7946/tcp+udp and 4789/udp have to be open; see there: docker info"
    return StepError(host.name, f"node {node} has joined, and is not ready after {SECONDS} s", remedy)


@dataclass(frozen=True)
class _Promoter:
    node: str

    def __call__(self, host: Host, progress: Progress) -> None:
        Update(self.node, role="manager")(host, progress)
        until(lambda: _manages(host, self.node), SECONDS, lambda: _not_moved(host, self.node, "manager"))


@dataclass(frozen=True)
class _Demoter:
    node: str
    stays: bool = True

    def __call__(self, host: Host, progress: Progress) -> None:
        Demotion(self.node, self.stays)(host, progress)
        until(lambda: not _manages(host, self.node), SECONDS, lambda: _not_moved(host, self.node, "worker"))


def _manages(host: Host, node: str) -> bool:
    return bool(host.engine.get(f"/nodes/{node}").get("ManagerStatus"))


def _not_moved(host: Host, node: str, role: str) -> StepError:
    return StepError(host.name, f"node {node} is no {role} after {SECONDS} s", "See: docker node ls; then run this again")


@dataclass(frozen=True)
class _Forgetter:
    node: SwarmNode

    def __call__(self, host: Host, progress: Progress) -> None:
        if self.node.role == "manager":
            _Demoter(self.node.id, stays=False)(host, progress)
        host.engine.delete(f"/nodes/{self.node.id}", force=True)
