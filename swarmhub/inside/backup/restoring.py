"""Put back what the hub keeps, or a home.

What is there is never deleted: it is renamed, and only once all that takes its place has come and is whole.
"""

import json
import os
import shutil
import stat
from collections.abc import Sequence
from pathlib import Path

from swarmhub.inside.backup import places, restic
from swarmhub.inside.backup.places import DATABASE, MANIFEST, Failed, Found, Job
from swarmhub.inside.backup.saving import counted, on_server
from swarmhub.inside.backup.witnesses import sum_of
from swarmhub.inside.database import rights, sqlite

ASIDE, COMING = "before-restore-", "restoring-"
# A restore's time, as it ends the names of its folders: what else begins like one is somebody's own.
TIME = f"{'[0-9]' * 8}-{'[0-9]' * 6}"
# Of a name, in bytes: file systems take no more.
LONGEST = 255
# A path that a snapshot does not have, in restic's words: nothing is there, or above it is a link or a file.
ABSENT = (": not found", ": not a directory")


def fetch(source: str, to: Path, *words: str) -> None:
    """Restore a folder of a snapshot, whole or not at all."""

    def say(told: Found) -> None:
        if told.get("message_type") == "status":
            restic.tell(told.get("bytes_restored", 0), told.get("total_bytes", 0))

    try:
        restic.run("restore", "--no-lock", source, "--target", str(to), *words, say=say)
    except Failed as error:
        shutil.rmtree(to, ignore_errors=True)
        if str(error).endswith(ABSENT):
            raise Failed("nothing", f"{source.partition(':')[2]} is not in this backup") from None
        raise


def fetch_one(snapshot: str, source: Path, new: Path) -> Path:
    """Restore one thing into the folder `new`, and return where it is there.

    Of the folder that is restored itself, restic keeps neither owner nor mode: so it is one in another.
    """
    name = "".join(f"\\{letter}" if letter in "*?[]\\" else letter for letter in source.name)
    fetch(f"{snapshot}:{source.parent}", new, "--include", f"/{name}")
    return new / source.name


def restore_hub(job: Job) -> Found:
    """Put back what the hub keeps, and certificates where there is none for the domain."""
    _forget_coming(places.DATA)
    new = places.DATA / f"{COMING}{job['time']}"
    fetch(f"{job['snapshot']}:{places.DATA}", new)
    fetch(f"{job['snapshot']}:{places.STAGE}", places.STAGE)
    try:
        manifest = _check()
        access = places.DATA / sqlite.ACCESS
        if (places.STAGE / DATABASE).exists():
            # A drill has a volume of its own, and no server.
            _put_back(new / DATABASE, access, "" if job.get("is_drill") else job.get("database", ""))
        kept = [access.name] if (access / rights.CURRENT).is_file() else []
        if job.get("userlist") and not kept:
            _put_into_force(new / sqlite.ACCESS, job["userlist"])
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise
    # With half of it no hub starts: one without its database would make a new one.
    coming = places.DATA / places.COMING_HERE
    coming.touch()
    aside = _swap(places.DATA, new, places.DATA / f"{ASIDE}{job['time']}", [*kept, coming.name])
    coming.unlink()
    shutil.rmtree(new)
    certificate = job.get("chain", "")
    has_come = bool(certificate) and not Path(certificate).exists() and _bring_certificates(job["snapshot"])
    return {"aside": aside, "kept": kept, "certificate": has_come, **_told(manifest)}


def _bring_certificates(snapshot: str) -> bool:
    """Restore what is missing of the certificates; tell whether the backup has any: not one of a hub behind a proxy."""
    target = str(places.CERTIFICATES)
    try:
        restic.run("restore", "--no-lock", f"{snapshot}:{target}", "--target", target, "--overwrite", "never")
    except Failed as error:
        if str(error).endswith(ABSENT):
            return False
        raise
    return True


def _put_back(come: Path, access: Path, url: str) -> None:
    """Put the database that was saved where it is to be, without what was taken from people since: a file, or on a server."""
    here = places.DATA / DATABASE
    if url:
        here = places.STAGE / "now.sqlite"
        on_server().snapshot(url, here)
    # On an empty cluster nobody has taken anything from anybody since.
    is_empty = not here.exists() and not access.exists()
    change = bool if is_empty else rights.without_taken(here, access)
    sqlite.backup(places.STAGE / DATABASE, come, sqlite.HUBS, change)
    if url:
        on_server().load(come, url)
        come.unlink()


def _put_into_force(access: Path, userlist: str) -> None:
    """Let the operator's userlist be the one in force: that of the backup may let in who was removed since."""
    access.mkdir(mode=0o770, exist_ok=True)
    file = access / rights.CURRENT
    file.unlink(missing_ok=True)
    file.write_text(userlist)
    file.chmod(sqlite.HUBS)


def _told(manifest: Found) -> Found:
    """Return what a backup says of the hub: its rows, when it was made, and of which versions."""
    data = manifest.get("database", {"rows": {}, "schema": ""})
    versions = {"restic": manifest.get("restic", ""), "schema": data.get("schema", "")}
    return {"users": data["rows"].get("users", 0), "rows": data["rows"], "made": manifest["made"], "versions": versions}


def _check() -> Found:
    """Make sure that what has come is what was saved, and that its database is a hub's; return the manifest."""
    try:
        manifest: Found = json.loads((places.STAGE / MANIFEST).read_text())
        # A snapshot of homes has a manifest, too, but no list of the hub's files.
        _ = manifest["made"], manifest["files"].items(), manifest.get("database", {"rows": {}})["rows"].items()
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        raise Failed("damaged", "it has no manifest, so it is no whole backup of a hub") from None
    for name, wanted in manifest["files"].items():
        # What the hub keeps besides may have changed between the sum and the snapshot; restic has its own sums.
        file = places.STAGE / name
        if not name.startswith(f"{places.DATA.name}/") and not (file.is_file() and sum_of(file) == wanted):
            raise Failed("damaged", f"{name} is not what was saved")
    if "database" in manifest:
        if counted(places.STAGE / DATABASE)["rows"] != manifest["database"]["rows"]:
            raise Failed("damaged", "the hub's database has other rows than were saved")
        sqlite.require_hubs(places.STAGE / DATABASE)
    return manifest


def _forget_coming(folder: Path) -> None:
    """Remove what a restore that was cut off had brought so far."""
    for left in folder.glob(f"{COMING}{TIME}"):
        if left.is_symlink():  # whoever has the folder may have put it there
            left.unlink()
        elif left.is_dir():
            shutil.rmtree(left)


def _swap(folder: Path, new: Path, aside: Path, kept: Sequence[str] = ()) -> str:
    """Set aside what is in a folder, but for what is kept, and put what is new in its place; return where it was put.

    What an earlier restore has set aside stays, unless the backup has it, too.
    """
    come = {one.name for one in new.iterdir()}
    there = (one for one in folder.iterdir() if one.name not in kept)
    old = [one for one in there if one.name in come or not one.name.startswith((ASIDE, COMING))]
    if old:
        _make(aside, folder)
    for one in old:
        one.rename(aside / one.name)
    for one in list(new.iterdir()):
        if one.name not in kept:
            one.rename(folder / one.name)
    found = new.stat()
    if new.parent != folder:  # it came as a folder of its own, with its owner
        os.chown(folder, found.st_uid, found.st_gid)
        folder.chmod(stat.S_IMODE(found.st_mode))
    return aside.name if old else ""


def _make(folder: Path, like: Path) -> None:
    """Make a folder for nobody but the owner of another one."""
    folder.mkdir(mode=0o700, exist_ok=True)
    found = like.stat()
    os.chown(folder, found.st_uid, found.st_gid)


def restore_home(job: Job) -> Found:
    """Put back a home, or one thing in it: in its place, or into a folder of the home."""
    home, part = Path(job["target"]), job.get("part", "")
    _forget_coming(home)
    new, source = home / f"{COMING}{job['time']}", Path(job["path"]) / part
    come = fetch_one(job["snapshot"], source, new)
    try:
        if not os.path.lexists(come):
            raise Failed("nothing", f"{part or 'this home'} is not in this backup")
        if not part and not job.get("to"):
            return {"place": "", "aside": _swap(home, come, home / f"{ASIDE}{job['time']}")}
        place = _place(home, job.get("to") or str(Path(part).parent))
        target = place / (come.name if part else f"home-{job['time']}")
        aside = _set_aside(target, f".{ASIDE}{job['time']}")
        come.rename(target)
        return {"place": str(target.relative_to(home)), "aside": aside and str((place / aside).relative_to(home))}
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _place(home: Path, folder: str) -> Path:
    """Return a folder of a home; what is missing of it is made, and belongs to the owner of the home.

    Raises:
        Failed: its owner has put a file there, or a link, which could lead to what else this container has.

    """
    place = home
    for part in Path(folder).parts:
        place = place / part
        if place.is_symlink() or (place.exists() and not place.is_dir()):
            raise Failed("link", f"{place.relative_to(home)} is a link or a file in the home now: nothing can be put into it")
        if not place.is_dir():
            _make(place, home)
    return place


def _set_aside(target: Path, ending: str) -> str:
    """Rename what is there, with an ending that its name may have no room for; return the new name."""
    if not os.path.lexists(target):
        return ""
    aside = os.fsencode(target.name)[: LONGEST - len(ending)].decode(errors="ignore") + ending
    target.rename(target.with_name(aside))
    return aside


def open_home(job: Job) -> Found:
    """Bring one file of a home back, and compare it with what was saved; nothing, where each was changed meanwhile.

    Raises:
        Failed: it is not what was saved.

    """
    manifest = restic.parsed("\n".join(restic.run("dump", "--no-lock", job["snapshot"], f"{places.STAGE}/{MANIFEST}")))
    for number, one in enumerate(manifest.get("witnesses", ())):
        come = fetch_one(job["snapshot"], Path(one["path"]), places.STAGE / f"opened-{number}")
        there = come.lstat() if os.path.lexists(come) else None
        if there and (there.st_size, there.st_mtime_ns) == (one["size"], one["changed"]):
            if (found := sum_of(come)) != one["sum"]:
                raise Failed("damaged", f"a file of the home {one['home']} is not what was saved")
            return {"opened": {"home": one["home"], "bytes": there.st_size, "sha256": found}}
    return {"opened": None}
