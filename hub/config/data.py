"""What the hub keeps on its volume: open to root's group, for a hub before or after this one may run as another user."""

import os
import secrets
import time
from pathlib import Path

from hub.shared import told
from hub.shared.database import Database, SQLite, anothers, help_for

UMASK = 0o007
# What `fab move-hub` leaves on a volume (swarmhub/inside/parcel.py): it is not whole yet; its hub runs on another node now.
COMING, MOVED = ".swarmhub-coming", ".swarmhub-moved"
# A hub has been up with the database that is there: it has people in it.
STARTED = ".swarmhub-started"
# Then the hub ends, and Swarm goes back to the node that has all of it.
COMING_SECONDS = 120
# What JupyterHub makes where there is no such file.
COOKIE_SECRET_BYTES = 32
BACK = (
    "Put a backup back: fab restore, then fab deploy; or a copy from before an update: fab rollback --with-database; "
    "or move the file away, to start with a new one: docs/failures.md, The hub does not start"
)


def share() -> None:
    """Let what is made from now on be its group's too, and nobody else's."""
    os.umask(UMASK)


def require_whole(data: Path, seconds: float = COMING_SECONDS, pause: float = 0.1) -> None:
    """Return when the volume has come from another node as a whole, if it is to come.

    Raises:
        SystemExit: it does not come, or the hub has been moved away from here: there is one hub, on one of the copies.

    """
    if (moved := data / MOVED).exists():
        told.refuse(f"it was moved to {moved.read_text().strip()}, and its data here are of before")
    give_up = time.monotonic() + seconds
    while (data / COMING).exists():
        if time.monotonic() > give_up:
            told.refuse(
                f"its data have not come within {seconds:.0f} s: fab move-hub or fab restore was interrupted. Run it again"
            )
        time.sleep(pause)


def make(database: Database, cookies: Path) -> None:
    """Make what is missing of the files that SQLite and JupyterHub themselves would let nobody but their user write.

    An empty file is a new database to JupyterHub; what is on a server it makes itself. The other is the secret of the cookies.

    Raises:
        SystemExit: one is not the hub's to write, as after a copy that somebody put back by hand; the database is empty, and a
            hub has been up with it, as after a machine that lost its power.

    """
    files = [database.file] if isinstance(database, SQLite) else []
    for file in files:
        _require_people(file)
    for file in (*files, cookies):
        if file.exists() and not os.access(file, os.R_OK | os.W_OK):
            remedy = f"On the manager, in its volume: chgrp 0 {file.name}; chmod 660 {file.name}"
            told.refuse(f"{file} is not the hub's to write. {remedy}")
    for file in files:
        file.touch()
    if not cookies.exists():
        new = cookies.with_name(f"{cookies.name}.new")
        new.write_text(f"{secrets.token_hex(COOKIE_SECRET_BYTES)}\n")
        new.replace(cookies)


def require_hubs(database: Database) -> None:
    """Make sure that the database is whole, and no other program's: JupyterHub would add its own tables to any.

    Raises:
        SystemExit: it is not, or cannot be opened.

    """
    if isinstance(database, SQLite) and (damage := database.damage()):
        told.refuse(f"{database.file} is damaged: {damage}. {BACK}")
    try:
        wrong = anothers(database)
    except SystemExit as error:
        told.refuse(str(error))
    if wrong:
        where, remedy = (database.file, BACK) if isinstance(database, SQLite) else ("the database", help_for(wrong))
        told.refuse(f"{where}: {wrong}. {remedy}")


def has_started(data: Path) -> None:
    """Keep that a hub has been up with the database on this volume."""
    (data / STARTED).touch()


def _require_people(file: Path) -> None:
    """Start with nobody in a new database only: who has taken the file away wants that."""
    started = file.with_name(STARTED)
    if not file.exists():
        started.unlink(missing_ok=True)
    elif not file.stat().st_size and started.exists():
        told.refuse(f"{file} is empty, and has had people in it. {BACK}")
