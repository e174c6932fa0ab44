"""The swarm: who is in it, and whether its managers can lose one of theirs."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from hub.shared.servers.nodes import hostname
from swarmhub.cluster import nodes
from swarmhub.cluster.nodes import Member, Row, Swarm
from swarmhub.doctor.finding import Finding, failure, ok, warning
from swarmhub.doctor.hosts.access import HostAnswers
from swarmhub.errors import StepError
from swarmhub.host import Host, Json
from swarmhub.settings import Settings


@dataclass(frozen=True)
class Managers:
    """The swarm's managers by host name, and those that answer the others."""

    all: tuple[str, ...]
    reachable: tuple[str, ...]


def observe(manager: Host, seen: HostAnswers) -> tuple[Swarm, Managers]:
    """Ask the manager for the swarm.

    Raises:
        StepError: it is no manager of a swarm.
        EngineError: the swarm has lost its quorum.

    """
    nodes.check_manager(manager.name, _member(seen.info))
    swarm = nodes.observe_swarm(manager)
    listed = [node for node in manager.engine.get("/nodes") if node.get("ManagerStatus")]
    return swarm, Managers(
        _names(listed), _names(one for one in listed if one["ManagerStatus"].get("Reachability") == "reachable")
    )


def judge(settings: Settings, seen: Mapping[str, HostAnswers], swarm: Swarm, manager: str) -> list[Finding]:
    """Return a line for each host that could be asked, and for each node that hosts.toml does not name."""
    members: dict[str, Member | StepError] = {
        host: _member(one.info) if one.info else StepError(host, "", "") for host, one in seen.items()
    }
    asked = {host for host, one in seen.items() if one.info}
    rows = nodes.compare(settings, members, swarm, manager)
    return [_membership(row) for row in rows if row.host in asked or row.expected == "-"]


def quorum(managers: Managers, manager: str) -> Finding:
    """Judge how many managers there are, and how many of them may be lost."""
    total, lost = len(managers.all), len(managers.all) - len(managers.reachable)
    if lost:
        away = ", ".join(name for name in managers.all if name not in managers.reachable)
        spare = (total - 1) // 2 - lost
        text = f"{lost} of {total} managers do not answer: {away}; the swarm can lose {spare} more"
        return warning("quorum", manager, text, "Bring them back, or replace them: docker node demote, then docker node rm")
    if total == 2:
        text = "two managers are worse than one: losing either loses the quorum"
        return warning("quorum", manager, text, "Add a third, or demote one: docker node demote NODE")
    if total % 2 == 0:
        text = f"{total} managers survive the loss of {(total - 1) // 2}, no more than {total - 1} would"
        return warning("quorum", manager, text, "Add one, or demote one: docker node demote NODE")
    if total == 1:
        return ok("quorum", manager, "one manager: while it is down, notebooks continue and nothing can be changed")
    return ok("quorum", manager, f"{total} managers; the swarm can lose {(total - 1) // 2}")


def _membership(row: Row) -> Finding:
    if row.problem:
        return (failure if row.blocks or row.is_away else warning)("swarm", row.host, row.problem, row.remedy)
    return ok("swarm", row.host, f"{row.role}, {row.state}, {row.availability}")


def _member(info: Json | None) -> Member:
    swarm = (info or {}).get("Swarm") or {}
    version = str((info or {}).get("ServerVersion", ""))
    state, is_manager = swarm.get("LocalNodeState", "unknown"), bool(swarm.get("ControlAvailable"))
    return Member(str(swarm.get("NodeID", "")), str(state), is_manager, version)


def _names(listed: Iterable[Json]) -> tuple[str, ...]:
    return tuple(sorted(hostname(node) for node in listed))
