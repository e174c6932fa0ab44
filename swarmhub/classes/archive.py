"""After the term: people's homes saved and, once they are whole there, freed on the cluster.

Without a repository for backups they are files of the operator's machine; so they are where somebody wants to hand them on.
"""

import hashlib
from collections.abc import Callable, Sequence
from functools import partial
from itertools import count as numbers
from pathlib import Path

from rich.filesize import decimal

from swarmhub.host import Host
from swarmhub.notebooks import files as home_files
from swarmhub.notebooks import leaving
from swarmhub.notebooks.leaving import Archive, Freeing, LeavingHome, LeavingHomes
from swarmhub.people.starts import Stopper
from swarmhub.plan.plans import Change, Cost, Plan, Progress
from swarmhub.settings import Settings

STEP = "class-archive"
# Of a file's name, in bytes: file systems take 255, with a number and the ending.
LONGEST = 200


def plan(
    found: LeavingHomes,
    settings: Settings,
    archives: Sequence[Archive],
    manager: Host,
    stop: Callable[[str], Stopper] | None,
    *,
    keep: bool,
) -> Plan:
    """Return what saves each home in its archive, and frees it unless it is kept; `stop` gives what stops a user's servers."""
    changes = [
        Change("stop", f"{user}'s server", manager.name, stop(user), cost=Cost.NOTEBOOKS_STOP, people=(user,))
        for user in found.working
        if stop
    ]
    free = None if keep else Freeing(settings.notebook.image, settings.hub.service, manager)
    changes += [leaving.change(home, to, free) for home, to in zip(found.homes, archives, strict=True)]
    for place in () if keep else found.lost:
        what = f"the home of {place.user}, which is gone"
        changes.append(Change("forget", what, manager.name, partial(leaving.forget, place)))
    return Plan(STEP, "nobody on the roster has a home", tuple(changes))


def files(found: Sequence[LeavingHome], to: Path, image: str) -> list[Archive]:
    """Return a file for each home, which does not exist yet: nothing that was saved before is written over."""
    chosen: list[Path] = []
    for home in found:
        paths = (to / f"{_stem(home.user)}{f'-{number}' if number > 1 else ''}.tar.gz" for number in numbers(1))
        chosen.append(next(path for path in paths if path not in chosen and not path.exists()))
    return [Archive(str(file), partial(_write, file, image)) for file in chosen]


def _stem(user: str) -> str:
    """Return the name of somebody's file: theirs, cut where a file system would not take it."""
    long = len(user.encode()) > LONGEST
    return f"{user[:40]}-{hashlib.sha256(user.encode()).hexdigest()[:10]}" if long else user


def _write(file: Path, image: str, home: LeavingHome, host: Host, progress: Progress) -> None:
    for folder in (file.parent.parent, file.parent):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    saved = home_files.save(host, image, home.mount, home.name, file, partial(progress.amount, host.name))
    progress.log(host.name, f"{file} is whole: {saved.files} files, {decimal(saved.bytes)}")


def question(found: LeavingHomes, where: str, *, keep: bool) -> str:
    """Return what to ask before it is done: what stops, and what is then only in the archive; `where` says that in words."""
    lost = ", ".join(one.user for one in found.lost)
    parts = [f"Servers that stop: {', '.join(found.working)}; what is not saved there is lost." if found.working else ""]
    if not keep:
        parts.append(leaving.warning(found.homes, where))
        parts.append(f"Gone already, and forgotten: the homes of {lost}." if lost else "")
    return " ".join([*(part for part in parts if part), "Go on?"])
