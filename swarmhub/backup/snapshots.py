"""The backups that a repository holds: each is a snapshot of the hub, and one for every node with homes."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from urllib.parse import unquote

from rich.filesize import decimal

from swarmhub.backup import drilling, saving
from swarmhub.backup.repository import Repository, ask
from swarmhub.errors import StepError, UsageError
from swarmhub.host import Host, Json
from swarmhub.notebooks.homes import names

HEADS = ("BACKUP", "MADE (UTC)", "HUB", "HOMES", "FILES", "SIZE", "NEW", "TRIED")


@dataclass(frozen=True)
class Snapshot:
    """What restic has saved at once: on which host, when, and how much of it was new."""

    id: str
    host: str
    made: datetime
    files: int
    bytes: int
    added: int


@dataclass(frozen=True)
class ArchivedHome:
    """A home in a snapshot of its own, which no thinning out removes: its volume's or folder's name, and whose it is."""

    name: str
    user: str
    snapshot: Snapshot


@dataclass(frozen=True)
class Backup:
    """The snapshots of one run. Without the hub's it is not whole: that run was cut off, has failed, or has `archived` homes.

    `earlier` are the hosts whose homes are of an earlier run.
    """

    run: str
    hub: Snapshot | None
    homes: Mapping[str, Snapshot]
    earlier: frozenset[str] = frozenset()
    archived: tuple[ArchivedHome, ...] = ()

    @property
    def snapshots(self) -> tuple[Snapshot, ...]:
        """Return all of them."""
        return (*([self.hub] if self.hub else []), *self.homes.values(), *(one.snapshot for one in self.archived))

    @property
    def made(self) -> datetime:
        """Return when the first one was made."""
        return min(one.made for one in self.snapshots)


@dataclass(frozen=True)
class Listing:
    """What a repository has of a hub: its backups, and what drills have shown, both the oldest first.

    Where it has no backup of the hub, `others` are the tags of each snapshot of somebody else's.
    """

    address: str
    hub: str
    backups: tuple[Backup, ...]
    drills: tuple[Json, ...] = ()
    others: tuple[Sequence[str], ...] = ()

    @property
    def lack(self) -> str:
        """Return that it has no backup of the hub, what it has instead, and what helps; nothing, if it has one."""
        if self.backups:
            return ""
        hubs = sorted({tag.removeprefix(saving.OF) for tags in self.others for tag in tags if tag.startswith(saving.OF)})
        remedy = f"Set backup.repository in hosts.toml to where the backups of {self.hub} are"
        if hubs:
            cause = f"{self.address} has no backup of the hub {self.hub}, but of {', '.join(hubs)}"
            return f"{cause}. {remedy}; or hub.service, to the hub that this is to be"
        if self.others:
            return f"{self.address} has no backup of any hub: its snapshots are somebody else's. {remedy}"
        return (
            f"{self.address} has no backup yet. Make one: fab backup; or set backup.repository in hosts.toml to where some are"
        )


def observe(host: Host, repository: Repository) -> Listing:
    """Ask for the backups of the hub, and for what drills have shown.

    Raises:
        StepError: the repository cannot be read, or so little of it that a backup may be missing.

    """
    answer = ask(host, repository, "list", [drilling.evidence(repository.hub)], tag=saving.of(repository.hub))
    found = read(answer["snapshots"])
    if answer["damaged"] and not found:
        cause = f"{repository.address}: none of its {answer['damaged']} snapshots can be read"
        raise StepError(host.name, cause, "The repository is damaged: restic check tells more; restore it from its own copy")
    return Listing(repository.address, repository.hub, found, tuple(answer.get("drills", ())), tuple(answer.get("others", ())))


def read(listed: Sequence[Json]) -> tuple[Backup, ...]:
    """Read the backups off the snapshots, as restic lists them."""
    runs: dict[str, Backup] = {}
    for one in listed:
        tags = dict(tag.partition(":")[::2] for tag in one["tags"] or ())
        if {"run", "part"} <= tags.keys():
            run = tags["run"]
            runs[run] = _with(runs.get(run, Backup(run, None, {})), tags, _snapshot(one))
    return tuple(sorted((one for one in runs.values() if one.snapshots), key=lambda one: one.made))


def _with(backup: Backup, tags: Mapping[str, str], snapshot: Snapshot) -> Backup:
    """Return a backup with one snapshot more."""
    if tags["part"] == saving.HUB:
        return replace(backup, hub=snapshot)
    if tags["part"] == saving.HOMES:
        return replace(backup, homes={**backup.homes, snapshot.host: snapshot})
    if tags["part"] == saving.ARCHIVE and {"home", "user"} <= tags.keys():
        home = ArchivedHome(unquote(tags["home"]), unquote(tags["user"]), snapshot)
        return replace(backup, archived=(*backup.archived, home))
    return backup


def _snapshot(one: Json) -> Snapshot:
    summary = one["summary"]
    sums = (summary.get(key, 0) for key in ("total_files_processed", "total_bytes_processed", "data_added_packed"))
    return Snapshot(one["id"], one["hostname"], datetime.fromisoformat(one["time"]), *sums)


def choose(known: Listing, typed: str) -> Backup:
    """Return the backup whose name begins as was typed, or the newest one that is whole.

    Raises:
        UsageError: there is none, or there are several.

    """
    if known.lack:
        raise UsageError(known.lack)
    whole = [one for one in known.backups if one.hub]
    if not typed and whole:
        return whole[-1]
    found = [one for one in known.backups if typed and one.run.startswith(typed)]
    if len(found) != 1:
        wrong = f"there is no backup {typed}" if typed else "there is no whole backup yet"
        wrong = f"{typed} is the beginning of {len(found)} backups" if found else wrong
        raise UsageError(f"{wrong}; see what there is: fab backups")
    if found[0].archived:
        raise UsageError(f"{typed} has archived homes only: fab restore --backup {typed} --home NAME")
    if found[0].hub is None:
        raise UsageError(f"the backup {typed} has not been brought to its end: the hub is missing in it; take another one")
    return found[0]


def kept(known: Iterable[Backup]) -> Mapping[str, ArchivedHome]:
    """Return the homes that are archived, by name, each as it was archived last."""
    return {home.name: home for one in known for home in one.archived}


def archived(known: Listing, typed: str, name: str) -> ArchivedHome | None:
    """Return the newest archived home of a user, or with a name, of the runs that begin as was typed; None if there is none.

    Raises:
        UsageError: several homes of the user are archived.

    """
    there = kept(one for one in known.backups if one.run.startswith(typed))
    found = {home.name: home for home in there.values() if name in (home.user, home.name)}
    if len(found) > 1 and name not in found:
        raise UsageError(f"{name} has several homes in the archive: {', '.join(sorted(found))}; name one of them")
    return found.get(name) or next(iter(found.values()), None)


def completed(chosen: Backup, known: Listing) -> Backup:
    """Return a backup with the homes of nodes that were away, as the newest of the earlier ones has them."""
    earlier = [one for one in known.backups if one.made <= chosen.made]
    homes = {host: snapshot for one in earlier for host, snapshot in one.homes.items()}
    return replace(chosen, homes={**homes, **chosen.homes}, earlier=frozenset(homes.keys() - chosen.homes.keys()))


def rows(known: Listing) -> list[tuple[str, ...]]:
    """Return the backups as people read them, the newest first, with how the last drill with each has ended."""
    tried = {one["backup"]: f"{one['outcome']} {one['at'][:16].replace('T', ' ')}" for one in known.drills}
    return [
        (
            one.run,
            f"{one.made:%Y-%m-%d %H:%M:%S}",
            "-" if one.archived else "yes" if one.hub else "missing",
            _homes(one),
            str(sum(each.files for each in one.snapshots)),
            decimal(sum(each.bytes for each in one.snapshots)),
            decimal(sum(each.added for each in one.snapshots)),
            tried.get(one.run, "-"),
        )
        for one in reversed(known.backups)
    ]


def _homes(backup: Backup) -> str:
    """Return where a backup's homes are from, or whose are archived by it."""
    whose = f"archived: {names(one.user for one in backup.archived)}" if backup.archived else ""
    return ", ".join([*sorted(backup.homes), *([whose] if whose else [])]) or "-"


def values(known: Listing) -> list[Json]:
    """Return them for JSON."""
    return [
        {
            "run": one.run,
            "made": one.made.isoformat(),
            "hub": one.hub.id if one.hub else None,
            "homes": {host: each.id for host, each in one.homes.items()},
            "archived": {each.name: each.user for each in one.archived},
            "files": sum(each.files for each in one.snapshots),
            "bytes": sum(each.bytes for each in one.snapshots),
            "added": sum(each.added for each in one.snapshots),
            "drills": [drill for drill in known.drills if drill["backup"] == one.run],
        }
        for one in known.backups
    ]
