"""Take a folder of the hub's to another node: pack it, put it in place there, and set aside what it was; in JSON.

It runs in a container that has this one folder, and nothing else of the node.
"""

import fcntl
import gzip
import io
import json
import os
import re
import shutil
import sqlite3
import stat
import sys
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from swarmhub.inside.database import sqlite

JOB = Path("/swarmhub-parcel.json")
FOLDER, PARCEL = Path("/parcel"), Path("/parcel.tar.gz")
DATABASE, COOKIES = "jupyterhub.sqlite", "jupyterhub_cookie_secret"
BESIDE = ("-wal", "-shm", "-journal")
CERTBOT = ".certbot.lock"
# hub/config/data.py knows them: a hub waits for one, and does not start with the other.
COMING, MOVED = ".swarmhub-coming", ".swarmhub-moved"
# What has been set aside stays where it is; so does a file system's own folder.
ASIDE = ("moved-to-", "before-move-", "before-restore-", "restoring-", "lost+found")
# The hub's data are mostly a database: more takes longer, and saves little.
LEVEL = 1

Job = Mapping[str, Any]


def main(job: Job) -> dict[str, Any]:
    """Do what the job says, and return what there is to tell."""
    does = {"look": _look, "pack": _pack, "unpack": _unpack, "aside": _aside}
    return does[job["action"]](job)


def _look(job: Job) -> dict[str, Any]:
    """Tell whether a hub's data are there, which a hub could start with; its database may be on a server."""
    is_hubs = any((FOLDER / one).exists() for one in (DATABASE, COOKIES))
    return {"data": is_hubs and not any((FOLDER / one).exists() for one in (COMING, MOVED))}


def _pack(job: Job) -> dict[str, Any]:
    """Pack the folder, or what is `only` asked for of it; a database as SQLite copies one that is in use."""
    count = size = 0
    if job.get("only"):  # no hub writes there: it could lock such a file for ever
        _let_certbot_end()
    with PARCEL.open("wb") as file, gzip.GzipFile(fileobj=file, mode="wb", compresslevel=LEVEL) as packed:
        with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar:
            for path in _paths(job.get("only") or ()):
                content = _add(tar, path)
                count, size = count + (content is not None), size + (content or 0)
    return {"files": count, "bytes": size, "packed": PARCEL.stat().st_size}


def _let_certbot_end() -> None:
    """Wait for a certbot that is at work in the folder: half of a new certificate would go. It removes its lock in the end."""
    with suppress(FileNotFoundError), (FOLDER / CERTBOT).open() as lock:
        fcntl.lockf(lock, fcntl.LOCK_SH)


def _paths(only: Any) -> Iterator[Path]:
    """Yield what is packed, each folder before what is in it."""
    yield FOLDER
    if not only:
        kept = (one for one in sorted(FOLDER.iterdir()) if not one.name.startswith(ASIDE) and one.name not in (COMING, MOVED))
        for one in kept:
            yield from _below(one)
        return
    above = {parent for name in only for parent in (FOLDER / name).parents if FOLDER in parent.parents}
    yield from sorted(one for one in above if one.is_dir())
    for name in only:
        if os.path.lexists(FOLDER / name):
            yield from _below(FOLDER / name)


def _below(path: Path) -> Iterator[Path]:
    yield path
    inside: list[Path] = []
    with suppress(FileNotFoundError, NotADirectoryError):  # a hub that runs has just removed it
        inside = sorted(path.iterdir()) if path.is_dir() and not path.is_symlink() else []
    for one in inside:
        yield from _below(one)


def _add(tar: tarfile.TarFile, path: Path) -> int | None:
    """Add one thing, and return the size of a file; what a hub that runs has just removed is left out."""
    is_database = path == FOLDER / DATABASE
    if path.name.startswith(DATABASE) and path.name.removeprefix(DATABASE) in BESIDE and path.parent == FOLDER:
        return None
    with suppress(FileNotFoundError):
        name = str(path.relative_to(FOLDER))
        info = tar.gettarinfo(path, arcname=name)
        if info is None or not info.isreg():
            if info is not None and (info.isdir() or info.issym()):
                tar.addfile(info)
            return None
        # Two names of one file are two files there.
        info.type, info.linkname = tarfile.REGTYPE, ""
        content = _copied(path) if is_database else _read(path)
        info.size = len(content)
        tar.addfile(info, io.BytesIO(content))
        return len(content)
    return None


def _read(path: Path) -> bytes:
    # A hub that runs could put a link there meanwhile.
    with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as opened:
        return opened.read() if stat.S_ISREG(os.fstat(opened.fileno()).st_mode) else b""


def _copied(path: Path) -> bytes:
    with TemporaryDirectory() as folder:
        copy = Path(folder) / DATABASE
        sqlite.backup(path, copy, sqlite.ROOTS)
        return copy.read_bytes()


def _unpack(job: Job) -> dict[str, Any]:
    """Put what has come in place: over what is there, or where the job has a `time`, instead of it."""
    aside = _make_room(job["time"]) if job.get("time") else ""
    with tarfile.open(PARCEL, "r:gz") as tar:
        # Whatever is in it: the container has this folder, and nothing else to lose.
        tar.extractall(FOLDER, numeric_owner=True, filter=partial(_wanted, tuple(job.get("spared") or ())))  # noqa: S202
    if job.get("time"):
        if (FOLDER / DATABASE).exists():
            sqlite.require_hubs(FOLDER / DATABASE)
        (FOLDER / MOVED).unlink(missing_ok=True)
    os.sync()
    if job.get("is_last"):
        (FOLDER / COMING).unlink()
    return {"aside": aside}


def _wanted(spared: tuple[str, ...], member: tarfile.TarInfo, folder: str) -> tarfile.TarInfo | None:
    """Return what is put in place: all but what is spared, if something has its name."""
    is_spared = any(member.name == one or member.name.startswith(f"{one}/") for one in spared)
    return None if is_spared and not member.isdir() and os.path.lexists(os.path.join(folder, member.name)) else member


def _make_room(time: str) -> str:
    """Mark the folder as one that is not whole; set aside what is there, but remove what an earlier try has brought."""
    came_before = (FOLDER / COMING).exists()
    there = [one for one in FOLDER.iterdir() if not one.name.startswith(ASIDE) and one.name not in (COMING, MOVED)]
    aside = f"before-move-{time}" if there and not came_before else ""
    if aside:
        _set_aside(there, FOLDER / aside)
    (FOLDER / COMING).touch(exist_ok=True)
    for one in there if came_before else ():
        shutil.rmtree(one) if one.is_dir() and not one.is_symlink() else one.unlink()
    return aside


def _aside(job: Job) -> dict[str, Any]:
    """Set aside all that is there, and say where the hub is now: no hub starts with it any more."""
    name = f"moved-to-{re.sub('[^A-Za-z0-9.-]', '-', job['to'])}-{job['time']}"
    (FOLDER / MOVED).unlink(missing_ok=True)
    (FOLDER / MOVED).write_text(f"{job['to']}\n")
    # A hub of either user reads it.
    (FOLDER / MOVED).chmod(0o644)
    there = [one for one in FOLDER.iterdir() if not one.name.startswith(ASIDE) and one.name not in (COMING, MOVED)]
    if there:
        _set_aside(there, FOLDER / name)
    os.sync()
    return {"aside": name if there else ""}


def _set_aside(there: list[Path], folder: Path) -> None:
    folder.mkdir(mode=0o700)
    for one in there:
        one.rename(folder / one.name)


if __name__ == "__main__":
    try:
        print(json.dumps(main(json.loads(JOB.read_text()))))
    except (OSError, EOFError, tarfile.TarError, gzip.BadGzipFile, sqlite3.Error) as error:
        sys.exit(f"{type(error).__name__}: {error}")
