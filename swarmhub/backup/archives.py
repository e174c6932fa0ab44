"""The archive in the repository: homes that may go from the cluster, each in a snapshot that no thinning out removes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from rich.filesize import decimal

from swarmhub.backup import contents, repository, restoring, saving
from swarmhub.backup.repository import Repository
from swarmhub.backup.snapshots import Backup
from swarmhub.host import Host, Json
from swarmhub.notebooks.leaving import Archive, LeavingHome
from swarmhub.plan.plans import Progress
from swarmhub.plan.shown import duration
from swarmhub.settings import Settings


@dataclass(frozen=True)
class _Archiver:
    where: Repository
    run: str

    def __call__(self, home: LeavingHome, host: Host, progress: Progress) -> None:
        """Save a home; what cannot be read back as it is here raises, so that it is not freed."""
        tags = [*saving.tags(self.where.hub, self.run, saving.ARCHIVE)]
        tags += [f"home:{quote(name_of(home), safe='')}", f"user:{quote(home.user, safe='')}"]
        told = repository.ask(
            host, self.where, "archive", [_mount(home)], progress=progress, home=name_of(home), tags=tags, node=host.name
        )
        read = f"{told['files']} files, {decimal(told['bytes'])}, read back whole"
        new = f"{decimal(told['added'])} sent, {duration(told['seconds'])}"
        progress.log(host.name, f"the home of {home.user} is in the archive: {read}; {new}")


def to(where: Repository, run: str) -> Archive:
    """Return the repository as the place where homes are saved for good."""
    return Archive("the repository", _Archiver(where, run))


def name_of(home: LeavingHome) -> str:
    """Return a home's name in backups: its volume's, or its folder's."""
    return home.volume or home.name


def _mount(home: LeavingHome) -> Json:
    return saving.volume(home.volume) if home.volume else {**home.mount, "Target": contents.HOMES, "ReadOnly": True}


def saved(host: Host, where: Repository, settings: Settings, known: Sequence[Backup]) -> Mapping[tuple[str, str], datetime]:
    """Return when homes were last saved by whole backups, by host and name; the name is empty of all that are in one folder."""
    newest = {name: one for one in known if one.hub for name in one.homes}
    if not settings.home.is_on_one_node:
        return {(name, ""): one.homes[name].made for name, one in newest.items()}
    read = {
        run: restoring.observe(host, where, settings, one).homes
        for run, one in {one.run: one for one in newest.values()}.items()
    }
    return {
        (home.host, home.name): one.homes[name].made
        for name, one in newest.items()
        for home in read[one.run]
        if home.host == name
    }
