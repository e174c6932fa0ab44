"""Recover a swarm that has lost its quorum: one manager goes on alone with all that the swarm knows, and others find it."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from swarmhub.cluster import removal
from swarmhub.cluster.nodes import Member, Swarm
from swarmhub.cluster.swarm import LISTEN, Members, require_gossip_port
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
# Seen with Docker 26, one after the other and two at once.
BACK = "A manager that is started again while that one runs finds it, and is a manager again by itself"
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
    # One that is named may be cut off from others of its swarm that are well: alone it would be a second swarm.
    known = alive[order[0]].managers
    well = [host for host in order if not alive[host].has_lost_quorum and alive[host].managers & known]
    survivor = (well or order)[0]
    chosen = alive[survivor]
    away = tuple(host for host in settings.hosts.managers if isinstance(members[host], StepError))
    return Recovery(survivor, chosen, chosen.has_lost_quorum, away)


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


def told(found: Recovery) -> list[str]:
    """Return what is wrong, and what becomes of each manager, before anything is asked."""
    if not found.is_lost:
        return [f"the swarm has its quorum: {found.survivor} answers"]
    lines = [
        "the swarm has lost its quorum: nothing on it can be changed, and what runs goes on",
        f"{found.survivor} has all that the swarm knows: services, secrets, configs, where homes are. It would go on alone",
    ]
    if found.away:
        lines.append(f"do not answer: {', '.join(found.away)}. {BACK}")
    return lines


def question(found: Recovery) -> str:
    """Return what to ask before one manager goes on alone."""
    return f"Can the other managers really not be brought back? Let {found.survivor} go on alone?"


def plan_alone(found: Recovery, running: Sequence[str]) -> Plan:
    """Return what makes a manager go on alone, by the address at which the others know it.

    Docker stops there what Swarm runs, the services `running`, and Swarm starts it again; a user's server is not started again.
    """
    host, address = found.survivor, found.member.address
    if not address:
        remedy = f"There: docker swarm init --force-new-cluster --advertise-addr ADDRESS; then: fab {STEP}"
        raise StepError(host, "does not say by which address the other nodes know it", remedy)
    command = commands.line("swarm", "init", "--force-new-cluster", "--advertise-addr", address)
    gist = f"what ends there, and but for users' servers starts again: {', '.join(running)}" if running else ""
    change = Change(
        "let go on alone",
        f"the manager at {address}",
        host,
        _Alone(address, found.member.node),
        cost=Cost.NOTEBOOKS_STOP if running else Cost.NOTHING,
        gist=gist,
        command=command,
    )
    return Plan(STEP, "", (change,))


def leaving(settings: Settings, swarm: Swarm, members: Members, found: Recovery) -> tuple[str, ...]:
    """Return the hosts that cannot come back by themselves: taken out of this swarm, or with an engine that has given up."""
    known, managers = {node.id for node in swarm.nodes}, settings.hosts.managers
    there = {host: one for host, one in members.items() if isinstance(one, Member) and one.node not in known}
    return tuple(host for host, one in there.items() if _is_of(one, found) or (host in managers and one.state == "error"))


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
    return Plan(REJOIN, "no host has to leave and join again", changes)


def _is_of(member: Member, found: Recovery) -> bool:
    """Tell whether a host is of the same swarm, by the managers that it knows."""
    return member.state in KNOWING and bool(member.managers & {found.member.node, *found.member.managers})


def running(host: Host) -> tuple[str, ...]:
    """Ask a host's engine, whatever its swarm says, for the services that it runs."""
    listed = host.engine.get("/containers/json", filters={"label": [SERVICE_LABEL]})
    return tuple(sorted({one["Labels"][SERVICE_LABEL] for one in listed}))


def next_steps(found: Recovery) -> str:
    """Return what to do when the swarm answers again."""
    lost = f". A manager that will not come back: fab remove-node {found.away[0]}" if found.away else ""
    return f"the swarm answers. Next: fab deploy{lost}"


@dataclass(frozen=True)
class _Alone:
    address: str
    node: str

    def __call__(self, host: Host, progress: Progress) -> None:
        host.engine.post("/swarm/init", {"ListenAddr": LISTEN, "AdvertiseAddr": self.address, "ForceNewCluster": True})
        last = ""

        def leads() -> bool:
            nonlocal last
            try:
                found = host.engine.get(f"/nodes/{self.node}")
            except EngineError as error:
                last = error.message
                return False
            last = f"it is {found['Status']['State']}"
            return bool((found.get("ManagerStatus") or {}).get("Leader")) and found["Status"]["State"] == "ready"

        until(leads, SECONDS, lambda: StepError(host.name, f"does not lead the swarm: {last}", f"Run this again: fab {STEP}"))


def _leave(host: Host, progress: Progress) -> None:
    removal.leave(host, LEAVE_SECONDS)
    require_gossip_port(host, STEP)
