"""The plan that moves the hub to another manager, from one look; and what is left to the operator then."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial

from hub.shared import services
from swarmhub import settings as settings_file
from swarmhub.cluster import availability
from swarmhub.cluster.nodes import Member, SwarmNode
from swarmhub.deploy.data import databases
from swarmhub.engine import ports
from swarmhub.errors import StepError, StepErrors, UsageError
from swarmhub.history import database, releases
from swarmhub.history.database import Database
from swarmhub.host import Host, Json
from swarmhub.images import pull
from swarmhub.images.hub import build
from swarmhub.move import cutover, parcels
from swarmhub.move.cutover import Way
from swarmhub.move.parcels import Parcel
from swarmhub.notebooks import places, work
from swarmhub.parallel import together
from swarmhub.plan.plans import Change, Plan, Progress
from swarmhub.run.run import Run
from swarmhub.services import network, volume
from swarmhub.settings import Settings

STEP = "move-hub"
# Swarm's words for an update that is not over.
MOVING = ("updating", "rollback_started")


@dataclass(frozen=True)
class Found:
    """The hub's service, the host and the node that have it now, and the node of the host that is to have it."""

    hub: Json
    source: str
    from_node: str
    to_node: SwarmNode


def plan(run: Run, target: str) -> Plan:
    """Plan the move of the hub; if it has arrived, what an interrupted move has left to do.

    Raises:
        UsageError: hosts.toml does not name the target as a manager.
        StepErrors: the hub cannot leave, or not go there.

    """
    found = _find(run, target)
    way = _way(run, found, target)
    image = found.hub["Spec"]["TaskTemplate"]["ContainerSpec"]["Image"]
    data = parcels.data(run.settings)
    if found.source == target:
        return Plan(STEP, f"the hub is on {target}", tuple(_rest(run, way, data, image)))
    moved = cutover.pinned(_services(run), run.settings.hub.service, found.from_node)
    _require(run, found, target, moved)
    aside = [_setting_aside(way.source, data, image, way)] if data else []
    changes = (
        *_images(run, way, moved),
        *_copies(run, way, data, image),
        cutover.hub_change(way, moved[0], _filter(moved), data),
        *(_moving(run, way, one, image) for one in moved[1:] if one is not _filter(moved)),
        *aside,
        *_recording(run, way),
    )
    return Plan(STEP, "", changes)


def question(settings: Settings, target: str) -> str:
    """Return what to ask before the hub moves: what people notice, and what they will not see by themselves."""
    parts = [
        "Servers go on. For some seconds nobody can log in or start a server, and then connections to notebooks break once.",
        *([f"From then on {settings.hub.domain} has to lead to {target}, or nobody gets in."] if _by_host(settings) else []),
        "Move the hub?",
    ]
    return " ".join(parts)


def _by_host(settings: Settings) -> bool:
    """Tell whether people reach the hub on the node that has it, and on no other."""
    return settings.hub.publish == "host"


def address(run: Run, host: str) -> str:
    """Return by which address the swarm knows a host."""
    node = availability.find(run.look.swarm(), host, run.look.members()[host])
    return node.address if node else ""


def next_steps(settings: Settings, target: str, address: str) -> list[str]:
    """Return what only the operator can do: the order in hosts.toml, and where the domain leads."""
    told = []
    managers = settings.hosts.managers
    if managers[0] != target:
        names = ", ".join(f'"{one}"' for one in (target, *(one for one in managers if one != target)))
        told.append(f"in hosts.toml, {_line()}: managers = [{names}]. Until then, name it: fab -H {target} deploy")
    if _by_host(settings):
        where = f"{target} ({address})" if address else target
        told.append(f"let {settings.hub.domain} lead to {where}: its DNS record, or what stands in front")
    if settings.backup.every:
        told.append("fab deploy: until then the cluster itself makes no backup of the hub's data")
    return told


def _line() -> str:
    from swarmhub.settings.lines import line_of, positions  # only a move needs it

    return f"line {line_of(('hosts', 'managers'), positions(settings_file.path().read_text()))}"


def _find(run: Run, target: str) -> Found:
    settings = run.settings
    if target not in settings.hosts.managers:
        raise UsageError(f"{target} is a worker; the hub needs a manager: name it under hosts.managers, then fab swarm-init")
    hub, members = run.look.service().service, run.look.members()
    from_node = work.hub_node(hub, settings.hub.service)
    if hub is None or not from_node:
        raise StepError(run.manager, "there is no hub that could move", "Deploy it: fab deploy")
    if (hub.get("UpdateStatus") or {}).get("State", "") in MOVING:
        cause = "the hub is being replaced, or goes back from where it could not start"
        raise StepError(run.manager, cause, "Wait until it runs (fab status), then run this again")
    hosts = {one.node: host for host, one in members.items() if isinstance(one, Member)}
    if from_node not in hosts:
        node = next((one.host for one in run.look.swarm().nodes if one.id == from_node), from_node)
        remedy = "Bring it back; if it is lost for good, restore a backup on another manager: docs/backups.md"
        raise StepError(node, "has the hub and its data, and does not answer", remedy)
    return Found(hub, hosts[from_node], from_node, availability.require(run.look.swarm(), target, members[target]))


def _way(run: Run, found: Found, target: str) -> Way:
    time = f"{datetime.now(UTC):%Y%m%d-%H%M%S}"
    return Way(run.hosts[found.source], run.hosts[target], found.from_node, found.to_node.id, time)


def _services(run: Run) -> Sequence[Json]:
    found: Sequence[Json] = run.hosts[run.manager].engine.get("/services")
    return found


def _filter(moved: Sequence[Json]) -> Json | None:
    """Return the filter among services, if there is one."""
    return next((one for one in moved if one["Spec"]["Name"] == services.engine(moved[0]["Spec"]["Name"])), None)


def _require(run: Run, found: Found, target: str, moved: Sequence[Json]) -> None:
    """Make sure that the hub runs, is of this checkout, and can run on the target.

    Raises:
        StepErrors: with each thing that is in the way.

    """
    if errors := [*_of_hub(run, found), *_of_target(run, found, target), *_of_ports(run.hosts[target], moved)]:
        raise StepErrors(*errors)


def _of_hub(run: Run, found: Found) -> Iterable[StepError]:
    spec = found.hub["Spec"]
    if (spec["Mode"].get("Replicated") or {}).get("Replicas") == 0:
        yield StepError(found.source, "the hub is stopped", "Start it first: fab deploy")
    if spec["TaskTemplate"]["ContainerSpec"]["Image"] != run.look.builds[0].tag:
        cause = "the hub that runs is not what this checkout and hosts.toml make"
        yield StepError(found.source, cause, "Bring it in line first: fab deploy")


def _of_target(run: Run, found: Found, target: str) -> Iterable[StepError]:
    node = found.to_node
    if node.role != "manager":
        yield StepError(target, "is a worker in the swarm", "Promote it first: fab swarm-init")
    if node.state != "ready" or node.availability != "active":
        state = node.availability if node.state == "ready" else node.state
        yield StepError(target, f"takes no work: it is {state}", f"First: fab undrain {target}")
    folders: Mapping[str, object] = places.wanted(run.settings)
    if folders:
        marked = places.marked({host: run.look.folders(host) for host in run.look.present()})
        lacking = [one for one in folders if one in marked and one not in run.look.folders(target).marked]
        for folder in lacking:
            yield StepError(target, f"has not got {folder} mounted as the other nodes have", "Mount it there (/etc/fstab)")


def _of_ports(host: Host, moved: Sequence[Json]) -> Iterable[StepError]:
    for port in cutover.published(moved):
        if holder := ports.observe(host, port):
            yield StepError(host.name, f"port {port} is taken by {holder.name}", "Free it there, then run this again")


def _images(run: Run, way: Way, moved: Sequence[Json]) -> tuple[Change, ...]:
    """Return what brings the images of the services, and that on which the hub's are built."""
    from swarmhub.transfer import plan as transfer
    from swarmhub.transfer.relays import Cluster

    hub, options = run.settings.hub.service, network.desired(run.settings)["Options"]
    wanted = cutover.images(moved)
    wanted += [one.tag for one in build.grounds(run.look.builds) if way.source.engine.find(f"/images/{one.tag}/json")]
    at = Cluster(way.source, run.hosts, hub, wanted[0], options)
    images = {pull.local(image): transfer.find(at, way.source.name, image) for image in wanted}
    return transfer.plan(at, way.source.name, images, transfer.observe(at, [way.target.name])).changes


def _copies(run: Run, way: Way, data: Parcel | None, image: str) -> list[Change]:
    """Return what brings the folders while the hub runs: all that can go wrong with it goes wrong here."""
    made = volume.plan(volume.desired(run.settings), volume.observe(way.target, run.settings.volume.name), way.target.name)
    copied = Database(run.settings.volume.name, image, run.settings.hub.service)
    # A new hub has no copies yet.
    has_copies = way.source.engine.find(f"/volumes/{copied.backups}") is not None
    beside = parcels.beside(run.settings, run.look.certificate())
    going = [one for one in beside if one.source != copied.backups or has_copies]
    is_new = has_copies and way.target.engine.find(f"/volumes/{copied.backups}") is None
    keeping = [Change("create", f"volume {copied.backups}", way.target.name, partial(_keep, copied))] if is_new else []
    parts = [*going, *([data] if data else [])]
    copies = [_copying(way, one, image) for one in parts]
    return [*made.changes, *keeping, *copies]


def _keep(copies: Database, host: Host, progress: Progress) -> None:
    database.have_copies(host, copies)


def _copying(way: Way, parcel: Parcel, image: str) -> Change:
    def copy(host: Host, progress: Progress) -> None:
        parcels.carry(way.source, host, parcel, image, progress, time=way.time)

    gist = "while the hub runs" if parcel.replaces else ""
    return Change("copy", f"the hub's {parcel.what} from {way.source.name}", way.target.name, copy, gist=gist)


def _moving(run: Run, way: Way, one: Json, image: str) -> Change:
    """Return what takes over a service that the hub can be without for a while."""
    if one["Spec"]["Name"] == services.renewal(run.settings.hub.service):
        return cutover.renewal_change(way, one, parcels.certificate(run.settings, run.look.certificate()), image)
    return cutover.change(way, one)


def _setting_aside(host: Host, data: Parcel, image: str, way: Way) -> Change:
    to = way.target.name

    def set_aside(host: Host, progress: Progress) -> None:
        parcels.set_aside(host, data, image, progress, to=to, time=way.time)

    return Change(
        "set aside", f"the hub's data in {data.source}", host.name, set_aside, gist=f"no hub starts with them: it is on {to}"
    )


def _rest(run: Run, way: Way, data: Parcel | None, image: str) -> list[Change]:
    """Return what an interrupted move has left: services and data of the hub on other managers."""
    members, changes = run.look.members(), []
    others = [host for host in run.settings.hosts.managers if host != way.target.name and isinstance(members[host], Member)]
    listed = _services(run)
    for host in others:
        node = run.look.member(host).node
        there = replace(way, source=run.hosts[host], from_node=node)
        changes += [_moving(run, there, one, image) for one in cutover.pinned(listed, run.settings.hub.service, node)]
    if data:
        stale = together([partial(parcels.could_start, run.hosts[host], data, image) for host in others])
        changes += [
            _setting_aside(run.hosts[host], data, image, way) for host, is_stale in zip(others, stale, strict=True) if is_stale
        ]
    return [*changes, *_recording(run, way)]


def _recording(run: Run, way: Way) -> list[Change]:
    """Return what records a release: that of before is of another node."""
    known, hub = run.look.releases(), run.look.service().service
    if not known or hub is None:
        return []
    last = known[-1]
    spec = cutover.repinned(last.spec, way.to_node)
    if spec == last.spec:
        return []
    new, url = replace(last, number=last.number + 1, spec=spec, copy="", commit=""), databases.settled(run, "").url
    return [releases.record(new, way.target.name, url)]
