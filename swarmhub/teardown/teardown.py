"""Remove what was deployed from every node; data and certificates only on demand."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from swarmhub.cluster.update import Update
from swarmhub.engine import as_root
from swarmhub.engine.removal import Thing, remove_soon
from swarmhub.errors import StepError, UsageError
from swarmhub.firewall import firewall
from swarmhub.host import Host
from swarmhub.notebooks.servers import RunningServer
from swarmhub.plan.plans import Change, Cost, Plan, Progress
from swarmhub.settings import Settings
from swarmhub.teardown.leftovers import OnCluster, OnNode

STEP = "teardown"
# A service's containers end within their grace period of 20 s, and hold networks, volumes and images until then.
SECONDS = 60


def plan(
    settings: Settings,
    cluster: OnCluster,
    nodes: Mapping[str, OnNode],
    people: Sequence[RunningServer],
    *,
    manager: str,
    with_data: bool,
) -> Plan:
    """Return what removes a deployment: the services first, then what they stood on, on every node."""
    working = {one.service: one.user for one in people}
    # The firewall last: it protects the nodes until no server is left.
    services = sorted(cluster.services, key=lambda thing: thing.name == firewall.name(settings.hub.service))
    changes = [_service(thing, settings.hub.service, working, manager) for thing in services]
    if cluster.secrets:
        changes.append(Change("remove", _named("secret", cluster.secrets), manager, _Remover(cluster.secrets)))
    changes += [_remove(one, manager) for one in cluster.networks]
    for host, node in nodes.items():
        if node.ended:
            changes.append(Change("remove", _named("ended task", node.ended), host, _Remover(node.ended)))
        changes += [_remove(thing, host) for thing in (*node.containers, *node.temporary, *node.images)]
    # After the images: the releases name some of them, for a run that goes on where this one was cut off.
    if cluster.configs:
        changes.append(Change("remove", _named("config", cluster.configs), manager, _Remover(cluster.configs)))
    for node_id, labels in cluster.labels.items():
        update = Update(node_id, labels=dict.fromkeys(labels))
        changes.append(Change("remove", f"labels {', '.join(labels)} of node {node_id}", manager, update))
    if with_data:
        changes += _data(cluster, nodes, manager)
    return Plan(STEP, f"nothing of {settings.hub.service} is left on {len(nodes)} nodes", tuple(changes))


def kept(settings: Settings, cluster: OnCluster, nodes: Mapping[str, OnNode], *, with_data: bool) -> list[str]:
    """Return what stays, and how to remove it."""
    lines = []
    for host, node in nodes.items():
        people = [_named("home", node.homes)] if node.homes else []
        data = (*(thing.name for thing in node.volumes), *people, *node.certificate)
        if data and not with_data:
            lines.append(f"{', '.join(data)} on {host}; to remove them too: fab teardown --with-data")
        if node.by_hand:
            names = _some("home", node.by_hand)
            lines.append(f"{names} on {host}: made by hand, before this hub; to remove one: docker volume rm NAME")
        if node.in_use:
            lines.append(f"{', '.join(node.in_use)} on {host}: other containers use them")
    lines += [f"network {name}: {', '.join(users)} use it" for name, users in cluster.shared.items()]
    if settings.home.keep and settings.home.path:
        lines.append(f"the homes in {settings.home.path} ({settings.home.type}); they are removed by hand")
    return [*lines, "the swarm; to end it, on each node: docker swarm leave --force"]


def require_name(typed: str, domain: str) -> None:
    """Make sure that the operator means this cluster.

    Raises:
        UsageError: another name was typed.

    """
    if typed != domain:
        raise UsageError(f"{typed!r} is not the cluster's name, {domain}; nothing was removed")


def _data(cluster: OnCluster, nodes: Mapping[str, OnNode], manager: str) -> Iterator[Change]:
    for host, node in nodes.items():
        yield from (_remove(thing, host) for thing in node.volumes)
        if node.homes:
            yield Change("remove", _named("home", node.homes), host, _Remover(node.homes))
        yield from (Change("remove", path, host, _FolderRemover(path)) for path in node.certificate)
    if cluster.homes:
        yield Change("remove", _named("home record", cluster.homes), manager, _Remover(cluster.homes))


def _named(kind: str, things: Sequence[Thing]) -> str:
    """Return what several things are: the first names are enough."""
    return _some(kind, [thing.name for thing in things])


def _some(kind: str, all_names: Sequence[str]) -> str:
    names = ", ".join(all_names[:2]) + (", …" if len(all_names) > 2 else "")
    return f"{len(all_names)} {kind}{'s' if len(all_names) > 1 else ''} ({names})"


def _service(thing: Thing, hub: str, working: Mapping[str, str], manager: str) -> Change:
    user = working.get(thing.name)
    cost = Cost.NOTEBOOKS_STOP if user else Cost.HUB_STOP if thing.name == hub else Cost.NOTHING
    return Change("remove", f"service {thing.name}", manager, _Remover((thing,)), cost=cost, people=(user,) if user else ())


def _remove(thing: Thing, host: str) -> Change:
    return Change("remove", thing.shown, host, _Remover((thing,)))


@dataclass(frozen=True)
class _Remover:
    things: tuple[Thing, ...]

    def __call__(self, host: Host, progress: Progress) -> None:
        for thing in self.things:
            remove_soon(host, thing)


@dataclass(frozen=True)
class _FolderRemover:
    path: str

    def __call__(self, host: Host, progress: Progress) -> None:
        done = as_root.run(host, "rm", "-rf", self.path)
        if done.code:
            raise StepError(host.name, f"cannot remove {self.path}: {done.last}", "Correct that there, and run this again")
