"""A backup: a snapshot of the hub, and one of the homes of each node, all at once while people work."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import SecretStr
from rich.filesize import decimal

from swarmhub.backup import contents, repository
from swarmhub.backup.contents import Contents
from swarmhub.backup.repository import Repository
from swarmhub.certificate.certbot import FOLDER as CERTIFICATES
from swarmhub.host import Host, Json
from swarmhub.plan.plans import Change, Plan, Progress
from swarmhub.plan.shown import duration
from swarmhub.settings import Settings

STEP = "backup"
HUB, HOMES = "hub", "homes"
# What the tag of all snapshots of a hub begins with; the rest is its name.
OF = "swarmhub:"
# Each home in a snapshot of its own: what thins out knows the other parts only.
ARCHIVE = "archive"
# What an earlier release kept in the volume, what a restore has set aside, and the database itself: its copy is saved.
LEFT_OUT = (
    "jupyterhub.sqlite",
    "jupyterhub.sqlite-*",
    "before-restore-*",
    "restoring-*",
    "moved-to-*",
    "before-move-*",
    ".swarmhub-*",
    "backups",
)
MOST_TOLD = 5
# What restic calls them.
KINDS = {"h": "hourly", "d": "daily", "w": "weekly", "m": "monthly", "y": "yearly"}


@dataclass(frozen=True)
class Outcome:
    """What a backup has saved so far, by host and part: what each snapshot holds, and what of it was new."""

    run: str
    saved: dict[tuple[str, str], Json] = field(default_factory=dict)

    def told(self, seconds: float) -> str:
        """Return a line on the whole."""
        nodes = len([part for _, part in self.saved if part == HOMES])
        homes = f" and the homes of {nodes} node{'' if nodes == 1 else 's'}" if nodes else ""
        size, new = decimal(self._sum("bytes")), decimal(self._sum("added"))
        return f"{self.run}: the hub{homes}, {self._sum('files')} files, {size}; {new} sent, {duration(seconds)}"

    def _sum(self, key: str) -> int:
        return sum(int(one[key]) for one in self.saved.values())


def tags(hub: str, run: str, part: str) -> list[str]:
    """Return what tells a snapshot from others: whose it is, of which backup, and what is in it."""
    return [of(hub), f"run:{run}", f"part:{part}"]


def of(hub: str) -> str:
    """Return the tag of all snapshots of a hub."""
    return f"{OF}{hub}"


def plan(
    settings: Settings,
    where: Repository,
    found: Contents,
    files: Mapping[str, bytes],
    manager: str,
    outcome: Outcome,
    url: SecretStr | None = None,
) -> Plan:
    """Return what saves the hub, with `files` beside what the manager has, and the homes of all nodes at once.

    `url` is the database's, if it is on a server.
    """
    paths = [contents.DATA, contents.STAGE, *([CERTIFICATES] if settings.proxy.takes_tls else [])]
    hub = _Part(HUB, contents.of_hub(settings, read_only=True), paths, files, url)
    changes = [Change("save", "the hub's data", manager, _Saver(where, outcome, hub), gist=_gist(settings), lane=HUB)]
    for host, homes in found.homes.items():
        if homes:
            mounts = [volume(one.name) for one in homes]
            part = _Part(HOMES, mounts, [contents.HOMES, contents.STAGE])
            count = f"{len(homes)} home{'' if len(homes) == 1 else 's'}"
            changes.append(
                Change(
                    "save", count, host, _Saver(where, outcome, part), gist=", ".join(one.user for one in homes[:5]), lane=HOMES
                )
            )
    if found.shared:
        part = _Part(HOMES, found.shared, [contents.HOMES, contents.STAGE])
        changes.append(
            Change("save", "all homes", manager, _Saver(where, outcome, part), gist="the folder that they are in", lane=HOMES)
        )
    return Plan(STEP, "", tuple(changes), at_once=True)


def forgetting(settings: Settings, where: Repository, manager: str) -> Plan:
    """Return what removes the backups that are not to be kept; nothing, where all are."""
    keep = settings.backup.keep
    if keep is None:
        return Plan(STEP, "all backups are kept")

    def forget(host: Host, progress: Progress) -> None:
        removed = repository.ask(host, where, "forget", tag=of(where.hub), keep=kinds(settings))["removed"]
        progress.log(host.name, f"{removed} snapshot{'' if removed == 1 else 's'} removed; kept: {keep}")

    return Plan(STEP, "", (Change("thin out", f"the backups, keeping {keep},", manager, forget),))


def kinds(settings: Settings) -> dict[str, int]:
    """Return how many of which kind are kept, in restic's words; nothing, where all are."""
    return {KINDS[one[-1]]: int(one[:-1]) for one in (settings.backup.keep or "").split()}


def _gist(settings: Settings) -> str:
    certificates = ", certificates" if settings.proxy.takes_tls else ""
    return f"database, cookies, userlist in force{certificates}, settings, releases"


def volume(name: str) -> Json:
    """Return the mount by which a home's volume is read."""
    options = {"NoCopy": True}
    return {
        "Type": "volume",
        "Source": name,
        "Target": f"{contents.HOMES}/{name}",
        "ReadOnly": True,
        "VolumeOptions": options,
    }


@dataclass(frozen=True)
class _Part:
    name: str
    mounts: Sequence[Json]
    paths: Sequence[str]
    files: Mapping[str, bytes] = field(default_factory=dict)
    database: SecretStr | None = None


@dataclass(frozen=True)
class _Saver:
    repository: Repository
    outcome: Outcome
    part: _Part

    def __call__(self, host: Host, progress: Progress) -> None:
        part = self.part
        is_hub = part.name == HUB
        answer = repository.ask(
            host,
            self.repository,
            "save",
            part.mounts,
            files=part.files,
            progress=None if is_hub else progress,
            is_hub=is_hub,
            database=part.database.get_secret_value() if part.database else "",
            paths=part.paths,
            excludes=[f"{contents.DATA}/{name}" for name in LEFT_OUT] if is_hub else [],
            tags=tags(self.repository.hub, self.outcome.run, part.name),
            node=host.name,
        )
        self.outcome.saved[host.name, part.name] = answer
        size, new = decimal(answer["bytes"]), decimal(answer["added"])
        progress.log(host.name, f"{part.name}: {answer['files']} files, {size}; {new} sent, {duration(answer['seconds'])}")
        for line in answer["unread"][:MOST_TOLD]:
            progress.log(host.name, f"not saved, as it has changed or gone meanwhile: {line}")
        if len(answer["unread"]) > MOST_TOLD:
            progress.log(host.name, f"and {len(answer['unread']) - MOST_TOLD} more")
