"""Copy the hub's SQLite database, put a copy back, try an upgrade, open it to the hub's user, or say how it is; in JSON.

A file copy of a database in use is torn more often than not; SQLite's own backup never is.
"""

import json
import logging
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

BUSY_SECONDS = 30
DAMAGED = "damaged"
BACKUPS = "backups"
# Root's: the hub runs in it, as root or as another user.
GROUP = 0
# A copy is for nobody but root; it holds tokens' hashes, as the database does.
ROOTS, HUBS = 0o600, 0o660


def main(action: str, database: str, copy: str = "") -> None:
    """Do one of: `look`, `people`, `try`, `copy` to a file, `restore` from it, `remove`, `open` its folder."""
    here, there = Path(database), Path(copy)
    if action in ("people", "try") and here.exists():
        _require_hubs(here)
    if action == "people":
        print(json.dumps(_people(here)))
        return
    if action == "try" and here.exists():
        _try(here)
    if action == "copy" and here.exists():
        there.parent.mkdir(mode=0o700, exist_ok=True)
        _keep(here, there)
    if action == "restore":
        _backup(there, here, HUBS)
    if action == "open":
        _open(here.parent)
    if action == "remove":
        here.unlink(missing_ok=True)
    print(json.dumps(_look(here)))


def _keep(database: Path, copy: Path) -> None:
    """Copy the database; one that SQLite cannot read is kept as it is, for it must not bar the way to a better one."""
    try:
        _backup(database, copy, ROOTS)
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError:
        shutil.copyfile(database, copy)
        copy.chmod(ROOTS)


def _backup(source: Path, target: Path, mode: int) -> None:
    """Write `target` anew, whole or not at all."""
    part = target.with_name(target.name + ".part")
    part.unlink(missing_ok=True)
    with closing(_opened(source)) as old:
        os.close(os.open(part, os.O_CREAT | os.O_WRONLY, ROOTS))
        part.chmod(mode)
        with closing(sqlite3.connect(part)) as new:
            old.backup(new)
    # SQLite's own files beside a database belong to the one that is replaced.
    for beside in ("-wal", "-shm", "-journal"):
        target.with_name(target.name + beside).unlink(missing_ok=True)
    part.replace(target)


def _require_hubs(database: Path) -> None:
    """Make sure that a file is a whole database of a JupyterHub's."""
    if not database.stat().st_size:
        sys.exit("it is an empty file, and a hub would start with nobody in it")
    try:
        with closing(_opened(database)) as opened:
            found = opened.execute("pragma quick_check(1)").fetchone()[0]
            tables = {name for (name,) in opened.execute("select name from sqlite_master where type = 'table'")}
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
        _backup(database, copy, ROOTS)
        try:
            dbutil.upgrade_if_needed(f"sqlite:///{copy}", backup=False, log=logging.getLogger())
        except subprocess.CalledProcessError:
            sys.exit(f"this JupyterHub cannot upgrade it: its schema is {_look(database)['schema']}, perhaps of a newer one")


def _open(folder: Path) -> None:
    """Let the hub's group, and no others, at all that the hub keeps; not at the copies."""
    for above, folders, files in os.walk(folder):
        if Path(above) == folder and BACKUPS in folders:
            folders.remove(BACKUPS)
        for path in (above, *(os.path.join(above, name) for name in files)):
            _give(path)


def _give(path: str) -> None:
    found = os.lstat(path)
    if stat.S_ISLNK(found.st_mode):
        return
    mode = stat.S_IMODE(found.st_mode)
    wanted = (mode | (0o770 if stat.S_ISDIR(found.st_mode) else 0o660)) & ~0o007
    if found.st_gid != GROUP:
        os.chown(path, -1, GROUP)
    if mode != wanted:
        os.chmod(path, wanted)


def _opened(database: Path) -> sqlite3.Connection:
    """Open a database that is there; not read-only, for what a killed hub left half written is rolled back first."""
    return sqlite3.connect(f"{database.absolute().as_uri()}?mode=rw", timeout=BUSY_SECONDS, uri=True)


def _look(database: Path) -> dict[str, object]:
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
        tables = {name for (name,) in opened.execute("select name from sqlite_master where type = 'table'")}
        schema = opened.execute("select version_num from alembic_version").fetchone() if "alembic_version" in tables else None
        (users,) = opened.execute("select count(*) from users").fetchone() if "users" in tables else (0,)
    return (schema[0] if schema else ""), users


if __name__ == "__main__":
    main(*sys.argv[1:])
