"""Copy the hub's SQLite database, put a copy back, try an upgrade, open it to the hub's user, or say how it is; in JSON.

A file copy of a database in use is torn more often than not; SQLite's own backup never is. A copy that is put back brings back
no rights that have been taken away since.
"""

import errno
import json
import logging
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from swarmhub.inside.database import rights

BUSY_SECONDS = 30
DAMAGED = "damaged"
# Where earlier releases kept the copies: next to the database, in a folder that the hub's user may rename.
BEFORE = "backups"
# Root's: the hub runs in it, as root or as another user.
GROUP = 0
# The user who has the copies.
ROOT = 0
# Where the hub keeps who is in (hub/shared/people/listed.py); an earlier release takes its own list for a newer one,
# unless it finds it here as that of its last start.
ACCESS = "access"
IMAGE_BEFORE = "userlist.image"
IMAGES_LIST = Path("/srv/jupyterhub/userlist")
# The URL of a PostgreSQL server's, where the hub works with one. It has a password.
GIVEN = Path("/swarmhub-database-url")
# A copy is for nobody but root; it holds tokens' hashes, as the database does.
ROOTS, HUBS = 0o600, 0o660
FOLDER = 0o700


def main(action: str, database: str, copy: str = "") -> None:
    """Do: `look`, `people`, `try`, `copy` to a file, `restore` from it, `remove`, `open` its folder, `hold` its userlist.

    With a PostgreSQL server's URL at hand, `require` that it has users, and move: see `on_server`; `set-aside` is of the file.
    """
    here = Path(database)
    if here.is_symlink() or (here.exists() and not here.is_file()):
        sys.exit(f"{here} is no plain file: look at what the hub has done there")
    if GIVEN.exists():
        from swarmhub.inside.database import on_server  # an image of before has no driver for it

        print(json.dumps(on_server.do(_given(), action, here, copy and Path(copy))))
        return
    if action == "open":
        _open(here.parent)
    if action == "hold":
        _hold(here.parent / ACCESS)
    if action == "set-aside":
        set_aside(here)
    print(json.dumps(do(action, here, here.parent / ACCESS, copy and Path(copy))))


def set_aside(database: Path) -> None:
    """Rename a database that no hub works with any more; a backup leaves it out."""
    if database.exists():
        database.rename(database.with_name(f"{database.name}-before-{datetime.now(UTC):%Y%m%d-%H%M%S}"))


def _given() -> str:
    url = GIVEN.read_text().strip()
    GIVEN.unlink()
    return url


def do(action: str, database: Path, access: Path, copy: Path | str = "") -> dict[str, object]:
    """Do what is about a file of SQLite, and return what is said of it; `access` is where the hub keeps who is in."""
    if action in ("people", "try") and database.exists():
        require_hubs(database)
    if isinstance(copy, Path):
        _of_copy(action, database, access, copy)
    if action == "try" and database.exists():
        _try(database)
    return {**_people(database)} if action == "people" else look(database)


def _of_copy(action: str, database: Path, access: Path, copy: Path) -> None:
    _close(copy.parent)
    _move(access.parent / BEFORE, copy.parent)
    if action == "copy" and database.exists():
        _keep(database, copy)
    if action == "restore":
        _require_roots(copy, ROOTS)
        backup(copy, database, HUBS, rights.without_taken(database, access))
    if action == "remove":
        copy.unlink(missing_ok=True)


def _close(folder: Path) -> None:
    """Close the folder of the copies to all but root: the engine makes a new volume's open."""
    if not folder.is_symlink() and folder.is_dir() and folder.stat().st_uid == ROOT:
        folder.chmod(FOLDER)
    _require_roots(folder, FOLDER)


def _require_roots(path: Path, mode: int) -> None:
    found = path.lstat()
    if not _is_roots(found, mode):
        sys.exit(f"{path} is not root's alone ({stat.filemode(found.st_mode)}, owner {found.st_uid}), so it is not used")


def _is_roots(found: os.stat_result, mode: int) -> bool:
    """Tell whether a file, or with the mode of one a folder, is root's alone, and no link."""
    is_kind = stat.S_ISDIR(found.st_mode) if mode == FOLDER else stat.S_ISREG(found.st_mode) and found.st_nlink == 1
    return is_kind and found.st_uid == ROOT and stat.S_IMODE(found.st_mode) == mode


def _move(before: Path, to: Path) -> None:
    """Move an earlier release's copies out of the hub's reach, once: what appears there later is the hub's own."""
    if any(to.iterdir()) or not os.path.lexists(before) or not _is_roots(before.lstat(), FOLDER):
        return
    for old in before.glob("*.sqlite"):
        if _is_roots(old.lstat(), ROOTS):
            part = to / f"{old.name}.part"
            shutil.copyfile(old, part, follow_symlinks=False)
            part.chmod(ROOTS)
            part.replace(to / old.name)
            old.unlink()


def _keep(database: Path, copy: Path) -> None:
    """Copy the database; one that SQLite cannot read is kept as it is, for it must not bar the way to a better one."""
    try:
        backup(database, copy, ROOTS)
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError:
        shutil.copyfile(database, copy)
        copy.chmod(ROOTS)


def backup(source: Path, target: Path, mode: int, change: Callable[[sqlite3.Connection], object] = bool) -> None:
    """Write `target` again, with a change, whole or not at all."""
    part = target.with_name(target.name + ".part")
    part.unlink(missing_ok=True)
    with closing(_opened(source)) as old:
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, ROOTS))
        part.chmod(mode)
        with closing(sqlite3.connect(part)) as new:
            old.backup(new)
            change(new)
            new.commit()
    # SQLite's own files beside a database belong to the one that is replaced.
    for beside in ("-wal", "-shm", "-journal"):
        target.with_name(target.name + beside).unlink(missing_ok=True)
    part.replace(target)


def _hold(access: Path) -> None:
    """Keep the userlist in force, whatever image starts."""
    if access.is_symlink() or not access.is_dir() or not IMAGES_LIST.exists():
        return
    new = access / f"{IMAGE_BEFORE}.new"
    new.unlink(missing_ok=True)
    with open(os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, HUBS), "w") as opened:
        opened.write(IMAGES_LIST.read_text())
    new.chmod(HUBS)
    new.replace(access / IMAGE_BEFORE)


def require_hubs(database: Path) -> None:
    """Make sure that a file is a whole database of a JupyterHub's."""
    if not database.stat().st_size:
        sys.exit("it is an empty file, and a hub would start with nobody in it")
    try:
        with closing(_opened(database)) as opened:
            found = opened.execute("pragma quick_check(1)").fetchone()[0]
            tables = rights.tables(opened)
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError as error:
        sys.exit(f"it is damaged: {error}")
    if found != "ok":
        sys.exit(f"it is damaged: {' '.join(found.split())}")
    if "users" not in tables or not tables & {"spawners", "servers", "oauth_clients"}:
        sys.exit(f"it is no JupyterHub's; its tables are {', '.join(sorted(tables)) or 'none'}")


def _people(database: Path) -> dict[str, list[str]]:
    if not database.exists():
        return {"names": [], "admins": []}
    with closing(_opened(database)) as opened:
        found = opened.execute("select name, admin from users order by name").fetchall()
    return {"names": [name for name, _ in found], "admins": [name for name, admin in found if admin]}


def _try(database: Path) -> None:
    """Upgrade a copy of the database as the hub will upgrade it, with the JupyterHub of this image."""
    from jupyterhub import dbutil  # only the hub's image has it

    with TemporaryDirectory() as folder:
        copy = Path(folder) / "copy.sqlite"
        backup(database, copy, ROOTS)
        try:
            dbutil.upgrade_if_needed(f"sqlite:///{copy}", backup=False, log=logging.getLogger())
        except subprocess.CalledProcessError:
            sys.exit(f"this JupyterHub cannot upgrade it: its schema is {look(database)['schema']}, perhaps of a newer one")


def _open(folder: Path) -> None:
    """Let the hub's group, and no others, at all that the hub keeps; not at the copies."""
    for above, folders, files in os.walk(folder):
        if Path(above) == folder and BEFORE in folders:
            folders.remove(BEFORE)
        for path in (above, *(os.path.join(above, name) for name in files)):
            _give(path)


def _give(path: str) -> None:
    # Opened first: by its path, the hub that runs could put a link there in between.
    try:
        opened = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO, errno.ENOENT):  # a link, a socket, or gone
            return
        raise
    try:
        found = os.fstat(opened)
        mode = stat.S_IMODE(found.st_mode)
        wanted = (mode | (0o770 if stat.S_ISDIR(found.st_mode) else 0o660)) & ~0o007
        if found.st_gid != GROUP:
            os.fchown(opened, -1, GROUP)
        if mode != wanted:
            os.fchmod(opened, wanted)
    finally:
        os.close(opened)


def _opened(database: Path) -> sqlite3.Connection:
    """Open a database that is there; not read-only, for what a killed hub left half written is rolled back first."""
    return sqlite3.connect(f"{database.absolute().as_uri()}?mode=rw", timeout=BUSY_SECONDS, uri=True)


def look(database: Path) -> dict[str, object]:
    """Return size in bytes, the schema's revision (Alembic's), and the number of users."""
    if not database.exists():
        return {"bytes": 0, "schema": "", "users": 0}
    size = database.stat().st_size
    try:
        schema, users = _read(database)
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError:
        schema, users = DAMAGED, 0
    return {"bytes": size, "schema": schema, "users": users}


def _read(database: Path) -> tuple[str, int]:
    with closing(_opened(database)) as opened:
        tables = rights.tables(opened)
        schema = opened.execute("select version_num from alembic_version").fetchone() if "alembic_version" in tables else None
        (users,) = opened.execute("select count(*) from users").fetchone() if "users" in tables else (0,)
    return (schema[0] if schema else ""), users


if __name__ == "__main__":
    main(*sys.argv[1:])
