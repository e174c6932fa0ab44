"""Make a snapshot of folders, with the hub's database as SQLite itself copies it."""

import json
import sqlite3
import subprocess
from collections.abc import Sequence
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

from swarmhub.inside.backup import places, restic, witnesses
from swarmhub.inside.backup.places import DATABASE, MANIFEST, Failed, Found, Job
from swarmhub.inside.backup.restic import parsed
from swarmhub.inside.backup.witnesses import sum_of
from swarmhub.inside.database import rights, sqlite


def save(job: Job) -> Found:
    """Make a snapshot of folders, with the hub's database if that is one's."""
    if job.get("is_hub"):
        _stage(job)
    else:
        witnesses.write(places.HOMES)
    return _snapshot(job, job["paths"])


def archive(job: Job) -> Found:
    """Make a snapshot of one home, read it back, and compare it with the home: what may be removed then is in it.

    Raises:
        Failed: something cannot be read, or is not there as it is here.

    """
    home = places.HOMES / job["home"]
    if home.is_symlink() or not home.is_dir():
        raise Failed("nothing", f"the home {job['home']} is not there any more")
    told = _snapshot(job, [str(home)])
    if told["unread"]:
        raise Failed("disk", f"not all of the home can be read: {told['unread'][0]}")
    witnesses.require_same(home, told["snapshot"], told["bytes"])
    return told


def _snapshot(job: Job, paths: Sequence[str]) -> Found:
    last: Found = {}

    def say(told: Found) -> None:
        if told.get("message_type") == "status":
            restic.tell(told.get("bytes_done", 0), told.get("total_bytes", 0))
        elif told.get("message_type") == "summary":
            last.update(told)

    tags = [word for tag in job["tags"] for word in ("--tag", tag)]
    outs = [word for out in job.get("excludes", ()) for word in ("--exclude", out)]
    lines = restic.add("backup", "--host", job["node"], *tags, *outs, "--", *paths, say=say)
    # What cannot be counted before cannot be read either, and is told twice.
    unread = [one for one in map(parsed, lines) if one.get("message_type") == "error" and one.get("during") != "scan"]
    return {
        "snapshot": last["snapshot_id"],
        "files": last["total_files_processed"],
        "bytes": last["total_bytes_processed"],
        "added": last["data_added_packed"],
        "seconds": last["total_duration"],
        "unread": [f"{one.get('item', '')}: {one['error']['message']}" for one in unread],
    }


def _stage(job: Job) -> None:
    """Copy the database as SQLite does, check the copy, and write down what is saved."""
    _require_here()
    here, copy = places.DATA / DATABASE, places.STAGE / DATABASE
    places.STAGE.mkdir(mode=0o700, exist_ok=True)
    facts: Found = {"made": datetime.now(UTC).isoformat(timespec="seconds"), **job.get("facts", {})}
    if job.get("database"):
        on_server().snapshot(job["database"], copy)
    elif here.exists():
        sqlite.backup(here, copy, sqlite.ROOTS)
    if copy.exists():
        sqlite.require_hubs(copy)  # what cannot be restored is no backup
        facts["database"] = counted(copy)
    version = subprocess.run(["restic", "version"], capture_output=True, text=True, check=True).stdout.strip()
    facts |= {
        "restic": version,
        "files": {**_sums(places.STAGE, places.STAGE), **_sums(places.DATA, places.DATA.parent, job.get("excludes", ()))},
    }
    (places.STAGE / MANIFEST).write_text(json.dumps(facts, indent=1, sort_keys=True))


def _require_here() -> None:
    """Make sure that the hub's data are here: a backup without them would be taken for the newest one."""
    if (places.DATA / places.MOVED).exists():
        raise Failed("absent", "the hub was moved to another manager, and its data here are of before")
    if (places.DATA / places.COMING_HERE).exists():
        raise Failed("absent", "not all of the hub's data have come here: fab move-hub or fab restore was interrupted")
    if not any((places.DATA / one).exists() for one in (DATABASE, places.COOKIES)):
        raise Failed("absent", "there are no data of a hub here")


def on_server() -> ModuleType:
    """Return what copies a database from and to a PostgreSQL server: most hubs have none."""
    from swarmhub.inside.database import postgresql

    return postgresql


def counted(copy: Path) -> Found:
    """Check the copy of a database, and count what is in it.

    Raises:
        Failed: it is not whole.

    """
    with closing(sqlite3.connect(copy)) as opened:
        (found,) = opened.execute("pragma integrity_check(1)").fetchone()
        if found != "ok":
            raise Failed("database", f"the hub's database is damaged: {' '.join(found.split())}")
        tables = sorted(rights.tables(opened))
        rows = {table: opened.execute(f'select count(*) from "{table}"').fetchone()[0] for table in tables}  # noqa: S608
        (schema,) = (
            opened.execute("select version_num from alembic_version").fetchone() if "alembic_version" in tables else ("",)
        )
    return {"schema": schema, "rows": rows, "integrity": found}


def _sums(folder: Path, above: Path, excludes: Sequence[str] = ()) -> dict[str, str]:
    """Return the SHA-256 of the files below a folder, without those that are not saved."""
    found = {}
    for file in sorted(folder.rglob("*")):
        first = folder / file.relative_to(folder).parts[0]
        is_out = any(first.match(one) for one in excludes)
        with suppress(FileNotFoundError):  # a hub that runs has just removed it
            if file.is_file() and not file.is_symlink() and not is_out:
                found[str(file.relative_to(above))] = sum_of(file)
    return found
