"""Homes that leave the cluster: found with what is in them, saved by whoever is asked to, and freed once they are saved."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from rich.filesize import decimal

from hub.shared.people.names import Names
from hub.shared.servers.mounts import HOMES, above_homes, beginning, formerly
from hub.shared.servers.nodes import hostname
from swarmhub.engine.removal import Thing, remove_soon
from swarmhub.engine.swarm import configs
from swarmhub.errors import StepError, StepErrors
from swarmhub.host import Host, Json
from swarmhub.notebooks import files as home_files
from swarmhub.notebooks import homes, servers
from swarmhub.notebooks.files import Content
from swarmhub.notebooks.homes import HomeRecord, HomeVolume
from swarmhub.parallel import every
from swarmhub.plan.plans import Change, Progress
from swarmhub.settings import Settings, handed

# Of a folder's name, in bytes.
LONGEST = 255


@dataclass(frozen=True)
class LeavingHome:
    """A home to save: on a node's volume, or in a folder (no volume) that the node reaches.

    `name` is its folder in the mount; `record` says on which node it is, if the swarm knows.
    """

    user: str
    name: str
    host: str
    mount: Json
    content: Content
    volume: str = ""
    record: HomeRecord | None = None


@dataclass(frozen=True)
class LeavingHomes:
    """The homes of people. `lost` are on nodes that are gone, or are gone themselves: nothing of them can be saved."""

    homes: tuple[LeavingHome, ...]
    lost: tuple[HomeRecord, ...]
    working: tuple[str, ...]

    def without(self, names: Sequence[str]) -> list[str]:
        """Return who has no home."""
        having = {one.user for one in self.homes} | {one.user for one in self.lost}
        return [name for name in names if name not in having]


# Do it with a home, which is on that host.
Act = Callable[[LeavingHome, Host, Progress], object]


@dataclass(frozen=True)
class Archive:
    """Where a home is saved, as people read it, and what saves it there whole, or raises."""

    told: str
    save: Act


def observe(settings: Settings, names: Sequence[str], manager: Host, nodes: Mapping[str, Host]) -> LeavingHomes:
    """Ask for the homes of people; `nodes` are the hosts that answer, by the ids of their nodes.

    Raises:
        StepError: homes are kept where swarmhub cannot save them.
        StepErrors: a node that holds homes does not answer.

    """
    hub = settings.hub.service
    started = {one.user for one in servers.observe(manager, hub)}
    working = tuple(name for name in names if name in started)
    if not settings.home.is_on_one_node:
        return LeavingHomes(_in_folders(settings, names, manager), (), working)
    places = [one for one in homes.places(manager, hub) if one.user in names]
    if away := silent(places, manager, nodes):
        raise StepErrors(*(_silent(one, host) for one, host in away))
    asked = every([partial(_on_volumes, settings, names, host, node, places) for node, host in nodes.items()])
    found = tuple(sorted((one for answer in asked for one in answer), key=lambda one: (one.user, one.name)))
    held = {one.record for one in found}
    return LeavingHomes(found, tuple(one for one in places if one not in held), working)


def silent(places: Sequence[HomeRecord], manager: Host, nodes: Mapping[str, Host]) -> list[tuple[HomeRecord, str]]:
    """Return the homes that are on nodes of the swarm which do not answer, with the names of these."""
    in_swarm = {node["ID"]: hostname(node) for node in manager.engine.get("/nodes")}
    return [(one, in_swarm[one.node]) for one in places if one.node in in_swarm and one.node not in nodes]


def _silent(place: HomeRecord, node: str) -> StepError:
    return StepError(
        node, f"holds the home of {place.user} and cannot be asked", "Bring it back; or leave them out of the roster"
    )


def _on_volumes(
    settings: Settings, names: Sequence[str], host: Host, node: str, places: Sequence[HomeRecord]
) -> list[LeavingHome]:
    hub = settings.hub.service
    here = [one for one in homes.volumes(host, hub, settings.home.name) if one.user in names]
    folders = _folders(here, beginning(settings.home.name, hub))
    mounts = [_of_volume(one, name) for one, name in folders.items()]
    content = home_files.count(host, settings.notebook.image, mounts, [*folders.values()]) if here else {}
    records = {one.name: one for one in places if one.node == node}
    return [
        LeavingHome(one.user, name, host.name, mount, content[name] or Content(0, 0), one.name, records.get(formerly(one.name)))
        for (one, name), mount in zip(folders.items(), mounts, strict=True)
    ]


def _folders(here: Sequence[HomeVolume], begins: str) -> dict[HomeVolume, str]:
    """Return under which name each home is mounted: its user's, if that is no other's and no longer than file systems take."""
    homes_of = Counter(one.user for one in here)
    # A user may have one for each named server; of the volume's name only the end tells them apart.
    several = {one: one.name.removeprefix(begins) for one in here if homes_of[one.user] > 1}
    odd = {one.user for one in here if len(one.user.encode()) > LONGEST} | {*several.values()}
    return {one: several.get(one) or (one.name if one.user in odd else one.user) for one in here}


def _in_folders(settings: Settings, names: Sequence[str], manager: Host) -> tuple[LeavingHome, ...]:
    home = settings.home
    mount = above_homes(handed.tables(settings)["home"], settings.hub.service)
    if mount is None:
        cause = f"homes are on volumes of the driver {home.driver!r}" if home.keep else "no homes are kept (home.keep = false)"
        raise StepError(manager.name, cause, "Only local volumes, paths, NFS and CIFS can be archived here")
    if home.name.replace("{username}", "").count("{"):
        cause = f"home.name = {home.name!r}: whose folders these are cannot be told by their names"
        raise StepError(manager.name, cause, "Archive them on the file server")
    folders = {Names(name).path(home.name): name for name in names}
    found = home_files.count(manager, settings.notebook.image, [mount], [*folders])
    return tuple(LeavingHome(folders[name], name, manager.name, mount, content) for name, content in found.items() if content)


def _of_volume(volume: HomeVolume, name: str) -> Json:
    return {"Type": "volume", "Source": volume.name, "Target": f"{HOMES}/{name}", "VolumeOptions": {"NoCopy": True}}


def change(home: LeavingHome, to: Archive, free: Act | None) -> Change:
    """Return what saves a home, and then frees it unless it stays."""

    def act(host: Host, progress: Progress) -> None:
        to.save(home, host, progress)
        if free:
            free(home, host, progress)

    what = f"the home of {home.user}, {decimal(home.content.bytes)}, to {to.told}"
    return Change("save and free" if free else "save", what, home.host, act)


def warning(found: Sequence[LeavingHome], where: str) -> str:
    """Return what to say before homes are freed: `where` they are then."""
    return f"Then {len(found)} home{'' if len(found) == 1 else 's'} will be {where} only." if found else ""


@dataclass(frozen=True)
class Freeing:
    """Take a home off the cluster that was just saved, unless its user has come back meanwhile.

    `require_away` raises where its user is known to be back, though no server of theirs runs.
    """

    image: str
    hub: str
    manager: Host
    require_away: Callable[[str], None] = lambda _: None

    def __call__(self, home: LeavingHome, host: Host, progress: Progress) -> None:
        """Do it; its record first: who comes back then starts with an empty home, wherever that is."""
        if any(one.user == home.user for one in servers.observe(self.manager, self.hub)):
            cause = f"{home.user} has started a server meanwhile; the home is saved, and not freed"
            raise StepError(host.name, cause, "Run this again")
        self.require_away(home.user)
        if home.record:
            forget(home.record, self.manager, None)
        try:
            self._remove(home, host)
        except BaseException:
            if home.record:  # its user is to find it again
                labels = {homes.LABEL: self.hub, homes.USER: home.user, homes.NODE: home.record.node}
                configs.create(self.manager, home.record.name, labels, {})
            raise

    def _remove(self, home: LeavingHome, host: Host) -> None:
        if home.volume:
            remove_soon(host, Thing(f"volume {home.volume}", f"/volumes/{home.volume}"))
        else:
            home_files.remove(host, self.image, home.mount, home.name)


def forget(record: HomeRecord, manager: Host, _: Progress | None) -> None:
    """Remove what says on which node a home is."""
    manager.engine.delete(f"/configs/{record.config}")
