"""Recover a swarm that has lost its quorum: one manager goes on alone with all that the swarm knows, and the others join it."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from swarmhub.cluster.nodes import Member, Swarm, SwarmNode
from swarmhub.cluster.swarm import LISTEN, Members, forgetting
from swarmhub.engine.containers import SERVICE_LABEL
from swarmhub.errors import StepError, StepErrors
from swarmhub.host import EngineError, Host
from swarmhub.plan import commands
from swarmhub.plan.plans import Change, Cost, Plan, Progress
from swarmhub.settings import Settings
from swarmhub.wait import until

STEP = "recover-quorum"
# What was agreed to is the first part: nobody knows more before it is done.
REJOIN = "rejoin"
# The first try of a new leader may take a while; Docker itself gives up after a minute.
SECONDS = 90
LEAVE_SECONDS = 30
GOSSIP = 7946
GOSSIP_SECONDS = 15
NO_SWARM = 503
# In these states an engine still has what it knew of its swarm.
KNOWING = ("active", "pending", "error")


@dataclass(frozen=True)
class Recovery:
    """The manager that goes on, whether the swarm has lost its quorum, and the managers that do not answer."""

    survivor: str
    member: Member
    is_lost: bool
    away: tuple[str, ...] = ()


def choose(settings: Settings, members: Members, named: Sequence[str], with_hub: Collection[str]) -> Recovery:
    """Return the manager that goes on: the one that -H names, or else one of `with_hub`, or else the first that answers.

    One that has a quorum comes before all others: the swarm is well, or was recovered before.

    Raises:
        StepErrors: no manager of hosts.toml answers that still knows the swarm.

    """
    alive = {host: one for host in settings.hosts.managers if isinstance(one := members[host], Member) and _knows(one)}
    if not alive:
        raise StepErrors(*_none(settings, members))
    order = sorted(alive, key=lambda host: (host not in named, alive[host].has_lost_quorum, host not in with_hub))
    chosen = alive[order[0]]
    away = tuple(host for host in settings.hosts.managers if isinstance(members[host], StepError))
    return Recovery(order[0], chosen, chosen.has_lost_quorum, away)


def _knows(member: Member) -> bool:
    return member.state in KNOWING and (member.is_manager or member.node in member.managers)


def _none(settings: Settings, members: Members) -> Iterable[StepError]:
    for host in settings.hosts.managers:
        one = members[host]
        if isinstance(one, StepError):
            yield one
        elif one.state == "locked":
            yield StepError(
                host, "its engine is locked since it was restarted", "There: docker swarm unlock; then run this again"
            )
        else:
            cause = f"knows no swarm that it could go on with (its engine says: {one.state})"
            yield StepError(host, cause, "If no manager is left: fab swarm-init, then fab restore")


def told(members: Members, found: Recovery) -> list[str]:
    """Return what is wrong, and what becomes of whom, before anything is asked."""
    if not found.is_lost:
        return [f"the swarm has its quorum: {found.survivor} answers"]
    back = [host for host, one in members.items() if host != found.survivor and isinstance(one, Member) and _leaves(one, found)]
    lines = [
        "the swarm has lost its quorum: nothing on it can be changed; what runs goes on",
        f"{found.survivor} has all that the swarm knows: services, secrets, configs, where homes are. It would go on alone",
    ]
    if back:
        lines.append(f"leave the swarm of before, and join again: {', '.join(back)}. What runs there ends")
    if found.away:
        lines.append(f"do not answer, and are taken out: {', '.join(found.away)}. {_keep_off(found.away)}")
    return lines


def _keep_off(hosts: Sequence[str]) -> str:
    """Return what must not happen to managers that were taken out: most of those of before would be a swarm by themselves."""
    which = "it comes" if len(hosts) == 1 else "they come"
    return (
        f"If they can be started at all, bring them back one by one, each with: fab {STEP}. Until {which} back, keep them off"
    )


def question(found: Recovery) -> str:
    """Return what to ask before one manager goes on alone."""
    return f"Can the other managers really not be brought back? Let {found.survivor} go on alone?"


def plan_alone(found: Recovery) -> Plan:
    """Return what makes a manager go on alone, by the address at which the others know it."""
    host, address = found.survivor, found.member.address
    if not address:
        remedy = f"There: docker swarm init --force-new-cluster --advertise-addr ADDRESS; then: fab {STEP}"
        raise StepError(host, "does not say by which address the other nodes know it", remedy)
    command = commands.line("swarm", "init", "--force-new-cluster", "--advertise-addr", address)
    change = Change("let go on alone", f"the manager at {address}", host, _Alone(address), command=command)
    return Plan(STEP, "", (change,))


def is_forced(swarm: Swarm) -> bool:
    """Tell whether a swarm answers though most of the managers that it lists are away: one was told to go on alone."""
    listed = [node for node in swarm.nodes if node.role == "manager"]
    return 2 * len(_well(listed)) <= len(listed)


def _well(listed: Iterable[SwarmNode]) -> list[SwarmNode]:
    return [node for node in listed if node.is_leader or (node.is_reachable and node.state == "ready")]


def plan_forgetting(swarm: Swarm, found: Recovery) -> Plan:
    """Return what takes the managers of before out of the list: none of them belongs to the one that went on alone."""
    before = [node for node in swarm.nodes if node.role == "manager" and node.id != found.member.node]
    changes = (forgetting(node, f"{node.hostname}, a manager of before", found.survivor) for node in before)
    return Plan(REJOIN, "no manager of before is listed", tuple(changes) if found.is_lost or is_forced(swarm) else ())


def leaving(settings: Settings, swarm: Swarm, members: Members, found: Recovery) -> tuple[str, ...]:
    """Return the hosts that still have the swarm of before, and are in this one no more.

    An engine that has been told so says of its swarm no more than that it is not well.
    """
    known, managers = {node.id for node in swarm.nodes}, settings.hosts.managers
    there = {host: one for host, one in members.items() if isinstance(one, Member) and one.node not in known}
    return tuple(host for host, one in there.items() if _leaves(one, found) or (host in managers and one.state == "error"))


def plan_leaving(running: Mapping[str, Sequence[str]]) -> Plan:
    """Return what lets hosts leave the swarm of before; `running` are by host the services that it still runs."""
    changes = tuple(
        Change(
            "leave",
            "the swarm of before",
            host,
            _leave,
            cost=Cost.NOTEBOOKS_STOP if ends else Cost.NOTHING,
            gist=f"what ends there: {', '.join(ends)}" if ends else "",
            command=commands.line("swarm", "leave", "--force"),
        )
        for host, ends in running.items()
    )
    return Plan(REJOIN, "no host that answers has the swarm of before", changes)


def _leaves(member: Member, found: Recovery) -> bool:
    """Tell whether a host was a manager of the same swarm: a worker finds the one that goes on by itself."""
    same = bool(member.managers & (found.member.managers | {found.member.node}))
    return same and member.state in KNOWING and member.node != found.member.node and _knows(member)


def running(host: Host) -> tuple[str, ...]:
    """Ask a host's engine, whatever its swarm says, for the services that it runs."""
    listed = host.engine.get("/containers/json", filters={"label": [SERVICE_LABEL]})
    return tuple(sorted({one["Labels"][SERVICE_LABEL] for one in listed}))


def next_steps(found: Recovery) -> str:
    """Return what to do when the swarm answers again."""
    back = f"; when {', '.join(found.away)} can be reached again: fab {STEP}" if found.away else ""
    return f"the swarm answers. Next: fab deploy, which gives the nodes that joined their images, and the hub their homes{back}"


@dataclass(frozen=True)
class _Alone:
    address: str

    def __call__(self, host: Host, progress: Progress) -> None:
        host.engine.post("/swarm/init", {"ListenAddr": LISTEN, "AdvertiseAddr": self.address, "ForceNewCluster": True})
        last = ""

        def leads() -> bool:
            nonlocal last
            try:
                found = host.engine.get("/nodes/self")
            except EngineError as error:
                last = error.message
                return False
            last = f"it is {found['Status']['State']}"
            return bool((found.get("ManagerStatus") or {}).get("Leader")) and found["Status"]["State"] == "ready"

        until(leads, SECONDS, lambda: StepError(host.name, f"does not lead the swarm: {last}", f"Run this again: fab {STEP}"))


def _leave(host: Host, progress: Progress) -> None:
    last = ""

    def has_left() -> bool:
        nonlocal last
        try:
            # Docker gives tasks that have just ended 15 s to be cleaned up, and then leaves only half: the next call ends it.
            host.engine.post("/swarm/leave", force=True)
        except EngineError as error:
            last = error.message
            return error.status == NO_SWARM and bool(host.engine.get("/info")["Swarm"]["LocalNodeState"] == "inactive")
        return True

    until(
        has_left, LEAVE_SECONDS, lambda: StepError(host.name, f"does not leave its swarm: {last}", "Run this again in a moment")
    )

    def is_free() -> bool:
        return not host.run("ss", "-Hltn", f"sport = :{GOSSIP}").out.strip()

    # An engine whose farewell nobody has heard may keep the port, and would have no overlay network in the next swarm.
    cause = f"has left its swarm, and its engine still has port {GOSSIP}, which the next swarm needs"
    remedy = f"Restart its engine: sudo systemctl restart docker; then: fab {STEP}"
    until(is_free, GOSSIP_SECONDS, lambda: StepError(host.name, cause, remedy))
