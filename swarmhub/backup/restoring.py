"""The way back from a backup: of the hub, onto whatever manager, with the homes that are gone; or of one home."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import cycle
from typing import Any

from pydantic import SecretStr

from hub.shared.people.names import Names
from hub.shared.servers import mounts
from hub.shared.servers.mounts import HOME, USER
from swarmhub.backup import contents, repository
from swarmhub.backup.contents import CLUSTER, SavedHome
from swarmhub.backup.repository import Repository
from swarmhub.backup.snapshots import ArchivedHome, Backup
from swarmhub.certificate import certs
from swarmhub.engine.removal import Thing, remove_soon
from swarmhub.engine.swarm import configs, replicated
from swarmhub.errors import StepError, UsageError
from swarmhub.host import Host, Json
from swarmhub.inside.backup.restic import parsed
from swarmhub.notebooks import files as home_files
from swarmhub.plan.plans import Change, Cost, Plan, Progress
from swarmhub.settings import Settings, handed

STEP = "restore"
TARGET = "/home"


@dataclass(frozen=True)
class Wanted:
    """A backup, and what it says of the cluster that it was made of."""

    backup: Backup
    homes: tuple[SavedHome, ...]

    @property
    def hub(self) -> str:
        """Return the snapshot of the hub."""
        return self.backup.hub.id if self.backup.hub else ""


@dataclass(frozen=True)
class HomePlace:
    """A home to put back: where it is in the backup, the host that gets it, and how it is mounted there.

    `saved` tells when, if an earlier backup has it; `folder` is the one to make below the mount `above`, if it is missing.
    """

    user: str
    snapshot: str
    path: str
    host: str
    mount: Json
    is_new: bool = False
    saved: datetime | None = None
    above: Json | None = None
    folder: str = ""


def observe(host: Host, where: Repository, settings: Settings, backup: Backup) -> Wanted:
    """Ask a backup what it holds."""
    snapshot = backup.hub.id if backup.hub else ""
    facts = repository.ask(host, where, "read", snapshot=snapshot, names=[CLUSTER])[CLUSTER]
    found = parsed(facts)
    homes = (SavedHome(**configs.known(SavedHome, one)) for one in found["homes"])
    return Wanted(backup, tuple(replace(one, name=_whole_name(settings, one)) for one in homes))


def _whole_name(settings: Settings, home: SavedHome) -> str:
    """Return the name of a home's volume: of one that is elsewhere a backup knows the record, whose name may be cut."""
    if not (mounts.is_former(home.name) and mounts.is_whole(settings.home.name)):
        return home.name
    found = mounts.home(handed.tables(settings), settings.hub.service, Names(home.user))
    whole = str(found.mount["Source"]) if found else ""
    return whole if mounts.formerly(whole) == home.name else home.name


def plan(
    settings: Settings,
    where: Repository,
    wanted: Wanted,
    service: Json | None,
    lost: Sequence[HomePlace],
    manager: str,
    time: str,
    userlist: str,
    url: SecretStr | None = None,
) -> Plan:
    """Return what puts the hub back, and the homes that are `lost`; `service` is the hub's, which stops.

    The `userlist` comes into force where none is; `url` is the database's, if it is on a server.
    """
    is_up = service is not None and (service["Spec"]["Mode"].get("Replicated") or {}).get("Replicas", 1) != 0
    what = f"the hub's data of {wanted.backup.run}"
    on_server = " and the schema before_… on the PostgreSQL server" if url else ""
    gist = f"what is there is set aside as before-restore-{time} in {settings.volume.name}{on_server}"
    act = _HubRestorer(settings, where, wanted.hub, time, userlist, url)
    hub = Change("restore", what, manager, act, gist=gist, cost=_cost(is_up))
    homes = [
        Change("restore", f"the home of {one.user}", one.host, _HomeRestorer(settings, where, one, time), gist=_since(one))
        for one in lost
    ]
    restored = replicated.stopped_for(service, hub, manager) if service and is_up else [hub]
    return Plan(STEP, "", (*restored, *homes))


def _since(home: HomePlace) -> str:
    return f"it is on no node; as it was at {home.saved:%Y-%m-%d %H:%M} UTC" if home.saved else "it is on no node"


def _cost(is_up: bool) -> Cost:
    return Cost.HUB_STOP if is_up else Cost.NOTHING


def missing(settings: Settings, wanted: Wanted, there: Collection[str], present: Sequence[str]) -> list[HomePlace]:
    """Return the homes that no node has, as `there` are the volumes of those that are.

    Each goes to the host that had it, or to the others in turn if that is gone, where these take servers; none of a host that
    only does not answer.
    """
    managers = settings.hosts.managers if settings.notebook.nodes == "workers" else ()
    others = cycle([host for host in present if host not in managers] or present)
    return [
        HomePlace(
            one.user,
            wanted.backup.homes[one.host].id,
            f"{contents.HOMES}/{one.name}",
            one.host if one.host in present else next(others),
            _volume(settings, one),
            is_new=True,
            saved=wanted.backup.homes[one.host].made if one.host in wanted.backup.earlier else None,
        )
        for one in wanted.homes
        if one.name not in there
        and one.host in wanted.backup.homes
        and (one.host in present or one.host not in settings.hosts.all)
    ]


def _volume(settings: Settings, home: SavedHome) -> Json:
    """Return the mount of a home's volume, which the engine makes as the hub would; one with a name by hand has no label."""
    table = settings.home
    options = {**table.options, **({"size": str(table.quota)} if table.quota else {})}
    driver = {"Name": table.driver, "Options": options}
    labels = {HOME: settings.hub.service, USER: home.user}
    return {
        "Type": "volume",
        "Source": home.name,
        "Target": TARGET,
        "VolumeOptions": {"NoCopy": True, "Labels": labels, "DriverConfig": driver},
    }


def place(
    settings: Settings, wanted: Wanted, name: str, there: Mapping[str, Collection[str]], present: Sequence[str], manager: str
) -> HomePlace:
    """Return where one home is in a backup, and where it goes: where it is now, if some host has it.

    `there` are the volumes of homes by host.

    Raises:
        UsageError: the backup has no such home, or several.
        StepError: it may be on a host that does not answer.

    """
    if settings.home.keep and not settings.home.is_on_one_node:
        return _in_folder(settings, wanted, name, manager)
    found = [one for one in wanted.homes if name in (one.user, one.name)]
    if len(found) != 1:
        several = ", ".join(one.name for one in found)
        wrong = f"{name} has several homes in it: {several}; name one of them" if found else f"it has no home of {name}"
        raise UsageError(f"backup {wanted.backup.run}: {wrong}")
    (home,) = found
    snapshot = wanted.backup.homes.get(home.host)
    if snapshot is None:
        raise UsageError(f"backup {wanted.backup.run}: neither it nor one before has the homes of {home.host}: fab backups")
    host = next((host for host, names in there.items() if home.name in names), "")
    if host:
        saved = snapshot.made if home.host in wanted.backup.earlier else None
        path = f"{contents.HOMES}/{home.name}"
        return HomePlace(home.user, snapshot.id, path, host, _volume(settings, home), saved=saved)
    wanted = replace(wanted, homes=(home,))
    if not (lost := missing(settings, wanted, (), present)):
        remedy = "Bring it back; if it is lost for good, take it out of hosts.toml: the home then goes to another node"
        raise StepError(home.host, f"does not answer, and had the home of {home.user}", remedy)
    return lost[0]


def _in_folder(settings: Settings, wanted: Wanted, name: str, manager: str) -> HomePlace:
    # The manager may have been another one when an earlier backup was made.
    snapshot = max(wanted.backup.homes.values(), key=lambda one: one.made, default=None)
    if snapshot is None:
        raise UsageError(f"backup {wanted.backup.run}: it has no homes")
    tables, hub = handed.tables(settings), settings.hub.service
    home = mounts.home(tables, hub, Names(name))
    if home is None:
        raise UsageError("no homes are kept (home.keep = false)")
    # Of the folder above all homes, only this one: its owner may have put links to others into it.
    mount, path = {**home.mount, "Target": TARGET}, f"{contents.HOMES}/{home.folder}"
    above = mounts.above_homes(tables["home"], hub)
    return HomePlace(name, snapshot.id, path, manager, mount, above=above, folder=home.folder)


def archived_place(
    settings: Settings, wanted: ArchivedHome, there: Mapping[str, Collection[str]], present: Sequence[str], manager: str
) -> HomePlace:
    """Return where an archived home goes: where its user has one now, else where it was, or to any host if that is gone."""
    snapshot = wanted.snapshot
    backup = Backup("", None, {snapshot.host: snapshot})
    if settings.home.keep and not settings.home.is_on_one_node:
        found = _in_folder(settings, Wanted(backup, ()), wanted.user, manager)
    else:
        volume = _volume_of(settings, wanted)
        homes = (SavedHome(volume, wanted.user, snapshot.host),)
        found = place(settings, Wanted(backup, homes), volume, there, present, manager)
    return replace(found, path=f"{contents.HOMES}/{wanted.name}")


def _volume_of(settings: Settings, wanted: ArchivedHome) -> str:
    """Return the name of the volume for an archived home, which may have been a folder when it was archived."""
    hub, name = settings.hub.service, settings.home.name
    home = mounts.home(handed.tables(settings), hub, Names(wanted.user))
    return wanted.name if home is None or wanted.name.startswith(mounts.beginning(name, hub)) else str(home.mount["Source"])


def home_plan(settings: Settings, where: Repository, one: HomePlace, run: str, part: str, to: str, time: str) -> Plan:
    """Return what puts back a home, or one thing in it, in its place or into the folder `to` of the home."""
    what = f"{part} of the home of {one.user}" if part else f"the home of {one.user}"
    aside = "what is there is set aside" if not to else f"into {to}, which is made in the home"
    told = [*([] if one.is_new else [aside]), *([f"as it was at {one.saved:%Y-%m-%d %H:%M} UTC"] if one.saved else [])]
    act = _HomeRestorer(settings, where, one, time, part, to)
    return Plan(STEP, "", (Change("restore", f"{what} of {run}", one.host, act, gist="; ".join(told)),))


@dataclass(frozen=True)
class _HubRestorer:
    settings: Settings
    where: Repository
    snapshot: str
    time: str
    userlist: str
    url: SecretStr | None

    def __call__(self, host: Host, progress: Progress) -> None:
        settings = self.settings
        places = contents.of_hub(settings, read_only=False)
        chain = certs.place(settings, certs.CHAIN) if settings.proxy.takes_tls else ""
        job: dict[str, Any] = {"snapshot": self.snapshot, "time": self.time, "chain": chain, "userlist": self.userlist}
        job["database"] = self.url.get_secret_value() if self.url else ""
        told = repository.ask(host, self.where, "restore-hub", places, progress=progress, **job)
        aside = told["aside"]
        progress.log(
            host.name, f"{told['users']} users; {f'what was there is in {aside}' if aside else 'there was nothing before'}"
        )
        if told["kept"]:
            progress.log(host.name, "the userlist in force here stays, and with it who was removed since")
        if told["certificate"]:
            progress.log(host.name, "the certificate came back, as there was none")


@dataclass(frozen=True)
class _HomeRestorer:
    settings: Settings
    where: Repository
    home: HomePlace
    time: str
    part: str = ""
    to: str = ""

    def __call__(self, host: Host, progress: Progress) -> None:
        home, image = self.home, self.settings.notebook.image
        is_made = home.above is not None and home_files.make(host, image, home.above, home.folder)
        mounts = [home.mount, *contents.marker(self.settings)]
        job: dict[str, Any] = {"snapshot": home.snapshot, "path": home.path, "part": self.part, "to": self.to}
        try:
            told = repository.ask(
                host, self.where, "restore-home", mounts, progress=progress, time=self.time, target=TARGET, **job
            )
        except BaseException:
            if home.is_new:  # half a home would be taken for one
                remove_soon(host, Thing(f"volume {home.mount['Source']}", f"/volumes/{home.mount['Source']}"))
            elif home.above is not None and is_made:
                home_files.remove(host, image, home.above, home.folder)
            raise
        if told["aside"]:
            progress.log(host.name, f"what was there is in {told['aside']} in the home")
        if told["place"]:
            progress.log(host.name, f"it is in {told['place']} in the home")


def check(backup: str | None, home: str | None, part: str | None, to: str | None) -> None:
    """Check what was typed.

    Raises:
        UsageError: a path leads out of the home, there is one without a home, or something is empty.

    """
    for flag, given in (("--backup", backup), ("--home", home), ("--path", part), ("--to", to)):
        if given == "":  # of --home "$NAME", the hub would be restored
            raise UsageError(f"{flag} is empty, and without it something else would be restored: is a variable not set?")
    for flag, path in (("--path", part), ("--to", to)):
        if path and not home:
            raise UsageError(f"{flag} is about a home: name its user with --home")
        if path and (path.startswith("/") or not {*path.split("/")}.isdisjoint({"", ".", ".."})):
            raise UsageError(f"{flag} {path}: that is no path inside a home, such as work/notes.ipynb")


def require_there(user: str, *, is_there: bool) -> None:
    """Make sure that a part of a home does not become all of it: its user would find a home that is root's.

    Raises:
        UsageError: no node has the home.

    """
    if not is_there:
        raise UsageError(f"the home of {user} is gone: bring all of it back, without --path and --to")


def require_stopped(users: Collection[str], user: str, manager: str) -> None:
    """Make sure that nobody works in a home that is put back as a whole.

    Raises:
        StepError: their server runs.

    """
    if user in users:
        cause = f"{user} has a server that runs, and would go on with files that are replaced"
        raise StepError(
            manager, cause, "Stop it in the admin console; or take one file: --path; or a folder of its own: --to DIR"
        )
