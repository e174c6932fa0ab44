"""After the term: people's homes saved on the operator's machine and, once they are whole there, freed on the cluster."""

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count as numbers
from pathlib import Path

from rich.filesize import decimal

from hub.shared.people.names import Names
from hub.shared.servers.mounts import HOMES, above_homes, beginning, formerly
from hub.shared.servers.nodes import hostname
from swarmhub.engine.removal import Thing, remove_soon
from swarmhub.errors import StepError, StepErrors
from swarmhub.host import Host, Json
from swarmhub.notebooks import files as home_files
from swarmhub.notebooks import homes, servers
from swarmhub.notebooks.files import Content
from swarmhub.notebooks.homes import HomeRecord, HomeVolume
from swarmhub.parallel import every
from swarmhub.people.starts import Stopper
from swarmhub.plan.plans import Change, Cost, Plan, Progress
from swarmhub.settings import Settings, handed

STEP = "class-archive"
# Of a file's name, in bytes: file systems take 255, with a number and the ending.
LONGEST = 200


@dataclass(frozen=True)
class ArchivedHome:
    """A home to save: on a node's volume, or in a folder (no volume) that the node reaches."""

    user: str
    name: str
    host: str
    mount: Json
    content: Content
    volume: str = ""
    config: str = ""


@dataclass(frozen=True)
class RosterHomes:
    """The homes of a roster. `lost` are on nodes that are gone, or are gone themselves: nothing of them can be saved."""

    homes: tuple[ArchivedHome, ...]
    lost: tuple[HomeRecord, ...]
    working: tuple[str, ...]

    def without(self, names: Sequence[str]) -> list[str]:
        """Return who has no home."""
        having = {one.user for one in self.homes} | {one.user for one in self.lost}
        return [name for name in names if name not in having]


def observe(settings: Settings, names: Sequence[str], manager: Host, nodes: Mapping[str, Host]) -> RosterHomes:
    """Ask for the homes of people; `nodes` are the hosts that answer, by the ids of their nodes.

    Raises:
        StepError: homes are kept where swarmhub cannot save them.
        StepErrors: a node that holds homes does not answer.

    """
    hub = settings.hub.service
    started = {one.user for one in servers.observe(manager, hub)}
    working = tuple(name for name in names if name in started)
    if not settings.home.is_on_one_node:
        return RosterHomes(_in_folders(settings, names, manager), (), working)
    places = [one for one in homes.places(manager, hub) if one.user in names]
    in_swarm = {node["ID"]: hostname(node) for node in manager.engine.get("/nodes")}
    if silent := [one for one in places if one.node in in_swarm and one.node not in nodes]:
        raise StepErrors(*(_silent(one, in_swarm[one.node]) for one in silent))
    asked = every([partial(_on_volumes, settings, names, host, node, places) for node, host in nodes.items()])
    found = tuple(sorted((one for answer in asked for one in answer), key=lambda one: (one.user, one.name)))
    held = {one.config for one in found}
    lost = tuple(one for one in places if one.config not in held)
    return RosterHomes(found, lost, working)


def plan(
    found: RosterHomes, settings: Settings, to: Path, manager: Host, stop: Callable[[str], Stopper] | None, *, keep: bool
) -> Plan:
    """Return what saves homes in a folder, and frees them unless they are kept; `stop` gives what stops a user's servers."""
    changes = [
        Change("stop", f"{user}'s server", manager.name, stop(user), cost=Cost.NOTEBOOKS_STOP, people=(user,))
        for user in found.working
        if stop
    ]
    for home, file in files(found.homes, to):
        act = _Archiver(home, file, settings.notebook.image, settings.hub.service, manager, keep)
        verb = "save" if keep else "save and free"
        changes.append(Change(verb, f"the home of {home.user}, {decimal(home.content.bytes)}, to {file}", home.host, act))
    for place in () if keep else found.lost:
        what = f"the home of {place.user}, which is gone"
        changes.append(Change("forget", what, manager.name, partial(_forget, place.config)))
    return Plan(STEP, "nobody on the roster has a home", tuple(changes))


def files(found: Sequence[ArchivedHome], to: Path) -> list[tuple[ArchivedHome, Path]]:
    """Return a file for each home, which does not exist yet: nothing that was saved before is written over."""
    chosen: list[Path] = []
    for home in found:
        paths = (to / f"{_stem(home.user)}{f'-{number}' if number > 1 else ''}.tar.gz" for number in numbers(1))
        chosen.append(next(path for path in paths if path not in chosen and not path.exists()))
    return list(zip(found, chosen, strict=True))


def _stem(user: str) -> str:
    """Return the name of somebody's file: theirs, cut where a file system would not take it."""
    long = len(user.encode()) > LONGEST
    return f"{user[:40]}-{hashlib.sha256(user.encode()).hexdigest()[:10]}" if long else user


def question(found: RosterHomes, *, keep: bool) -> str:
    """Return what to ask before it is done: what stops, and what is then only in the archive."""
    lost = ", ".join(one.user for one in found.lost)
    parts = [f"Servers that stop: {', '.join(found.working)}; what is not saved there is lost." if found.working else ""]
    if not keep:
        number = len(found.homes)
        parts.append(f"Then {number} home{'' if number == 1 else 's'} will be on this machine only." if number else "")
        parts.append(f"Gone already, and forgotten: the homes of {lost}." if lost else "")
    return " ".join([*(part for part in parts if part), "Go on?"])


def _on_volumes(
    settings: Settings, names: Sequence[str], host: Host, node: str, places: Sequence[HomeRecord]
) -> list[ArchivedHome]:
    hub = settings.hub.service
    here = [one for one in homes.volumes(host, hub, settings.home.name) if one.user in names]
    homes_of, begins = Counter(one.user for one in here), beginning(settings.home.name, hub)
    # A user may have one for each named server; of the volume's name only the end tells them apart.
    folders = {one: one.user if homes_of[one.user] == 1 else one.name.removeprefix(begins) for one in here}
    mounts = [_of_volume(one, name) for one, name in folders.items()]
    content = home_files.count(host, settings.notebook.image, mounts, [*folders.values()]) if here else {}
    records = {one.name: one.config for one in places if one.node == node}
    configs = {one: records.get(formerly(one.name), "") for one in here}
    return [
        ArchivedHome(one.user, name, host.name, mount, content[name] or Content(0, 0), one.name, configs[one])
        for (one, name), mount in zip(folders.items(), mounts, strict=True)
    ]


def _in_folders(settings: Settings, names: Sequence[str], manager: Host) -> tuple[ArchivedHome, ...]:
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
    return tuple(ArchivedHome(folders[name], name, manager.name, mount, content) for name, content in found.items() if content)


def _of_volume(volume: HomeVolume, name: str) -> Json:
    return {"Type": "volume", "Source": volume.name, "Target": f"{HOMES}/{name}", "VolumeOptions": {"NoCopy": True}}


def _silent(place: HomeRecord, node: str) -> StepError:
    return StepError(
        node, f"holds the home of {place.user} and cannot be asked", "Bring it back; or leave them out of the roster"
    )


@dataclass(frozen=True)
class _Archiver:
    home: ArchivedHome
    file: Path
    image: str
    hub: str
    manager: Host
    keep: bool

    def __call__(self, host: Host, progress: Progress) -> None:
        home = self.home
        for folder in (self.file.parent.parent, self.file.parent):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        saved = home_files.save(host, self.image, home.mount, home.name, self.file, partial(progress.amount, host.name))
        progress.log(host.name, f"{self.file} is whole: {saved.files} files, {decimal(saved.bytes)}")
        if not self.keep:
            self._free(host)

    def _free(self, host: Host) -> None:
        """Take the home off the cluster; its record first: who comes back then starts anew, wherever that is."""
        if any(one.user == self.home.user for one in servers.observe(self.manager, self.hub)):
            cause = f"{self.home.user} has started a server meanwhile; the home is saved, and not freed"
            raise StepError(host.name, cause, "Run this again")
        if self.home.config:
            _forget(self.home.config, self.manager, None)
        if self.home.volume:
            remove_soon(host, Thing(f"volume {self.home.volume}", f"/volumes/{self.home.volume}"))
        else:
            home_files.remove(host, self.image, self.home.mount, self.home.name)


def _forget(config: str, manager: Host, _: Progress | None) -> None:
    manager.engine.delete(f"/configs/{config}")
