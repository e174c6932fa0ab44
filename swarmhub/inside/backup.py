"""Save what the hub or people have with restic, say what is saved, and put it back. Prints lines of JSON.

The job is a file that is removed as soon as it has been read, for it holds the secrets; restic finds these in memory only.
What is there is never deleted: it is renamed, and only once all that takes its place has come and is whole.
"""

import hashlib
import json
import os
import shutil
import socket
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

from swarmhub.inside import database, rights

JOB = Path("/swarmhub-backup.json")
# In memory: the secrets are on no disk while restic runs.
SECRETS = Path("/dev/shm/swarmhub")  # noqa: S108 - in a container of its own
STAGE, DATA, CERTIFICATES, CACHE = Path("/backup"), Path("/data"), Path("/etc/letsencrypt"), Path("/cache")
DATABASE, MANIFEST = "jupyterhub.sqlite", "manifest.json"
ASIDE, COMING = "before-restore-", "restoring-"
REACH_SECONDS, ASK_SECONDS = 10.0, 60.0
# The engine gives longer lines in pieces.
LONGEST = 8000
PORTS = {"https": 443, "http": 80, "sftp": 22}
# restic's exit codes, since 0.17.
KINDS = {10: "missing", 11: "locked", 12: "password"}
PARTLY, CUT = 3, -9
NO_SESSION = "unable to start the sftp session"
SSH_CONFIG = """\
Host *
  BatchMode yes
  StrictHostKeyChecking yes
  ConnectTimeout 10
  ServerAliveInterval 15
  UserKnownHostsFile {folder}/known_hosts
  IdentityFile {folder}/ssh_key
  IdentitiesOnly yes
"""


class Failed(Exception):  # noqa: N818 - it is an answer
    """What was to be done cannot be; `kind` tells what helps."""

    def __init__(self, kind: str, text: str) -> None:
        self.kind = kind
        super().__init__(text)


Job = Mapping[str, Any]
Found = dict[str, Any]


def main(job: Job) -> None:
    """Do a job, and print its answer, or what is wrong."""
    acts: dict[str, Callable[[Job], object]] = {
        "open": _open,
        "save": _save,
        "list": _list,
        "read": _read,
        "forget": _forget,
        "restore-hub": _restore_hub,
        "restore-home": _restore_home,
    }
    try:
        _prepare(job)
        _reach(job["repository"])
        answer: object = {"answer": acts[job["action"]](job)}
    except Failed as error:
        answer = {"failed": str(error), "kind": error.kind}
    except OSError as error:
        answer = {"failed": f"{error.filename or ''}: {error.strerror or error}".lstrip(": "), "kind": "disk"}
    except SystemExit as error:  # so says the database's own script
        answer = {"failed": f"the hub's database: {error.code}", "kind": "database"}
    except sqlite3.Error as error:
        answer = {"failed": f"the hub's database: {error}", "kind": "database"}
    text = json.dumps(answer)
    for start in range(0, len(text), LONGEST):
        print(json.dumps({"part": text[start : start + LONGEST]}), flush=True)


def _prepare(job: Job) -> None:
    """Write what restic reads its secrets from."""
    SECRETS.mkdir(mode=0o700, exist_ok=True)
    ssh = SSH_CONFIG.format(folder=SECRETS)
    s3 = "[default]\naws_access_key_id={}\naws_secret_access_key={}\n".format(*job.get("s3") or ("", ""))
    texts = {"repository": job["repository"], "password": job["password"], "ssh_config": ssh, "s3": s3}
    for name, text in (texts | {name: job.get(name) or "" for name in ("ssh_key", "known_hosts", "ca")}).items():
        with open(os.open(SECRETS / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(text)


def _reach(repository: str) -> None:
    """Make sure that something answers where the repository is: restic itself would try for a quarter of an hour."""
    address = _address(repository)
    if address is None:
        return
    try:
        socket.create_connection(address, REACH_SECONDS).close()
    except OSError as error:
        raise Failed("silent", f"{address[0]}:{address[1]} does not answer: {error.strerror or error}") from None


def _address(repository: str) -> tuple[str, int] | None:
    """Return host and port of a repository, None of one in a folder."""
    kind, _, rest = repository.partition(":")
    if kind not in ("sftp", "rest", "s3"):
        return None
    if kind == "sftp" and not rest.startswith("//"):  # user@host:path
        return rest.partition(":")[0].rpartition("@")[2], PORTS["sftp"]
    scheme = "sftp" if kind == "sftp" else "https"
    found = urlsplit(rest if "://" in rest else f"{scheme}://{rest.lstrip('/')}", scheme)
    return found.hostname or "", found.port or PORTS.get(found.scheme, PORTS["https"])


def _restic(*words: str, say: Callable[[Found], None] = lambda _: None, seconds: float | None = None) -> list[str]:
    """Run restic and return the lines that it prints, each told to `say` too if it is JSON.

    Raises:
        Failed: it fails.

    """
    files = ("--repository-file", f"{SECRETS}/repository", "--password-file", f"{SECRETS}/password")
    ca = ("--cacert", f"{SECRETS}/ca") if (SECRETS / "ca").stat().st_size else ()
    command = ["restic", "--json", *files, *ca, "--cache-dir", str(CACHE), "-o", f"sftp.args=-F {SECRETS}/ssh_config", *words]
    environment = {**os.environ, "RESTIC_PROGRESS_FPS": "1", "AWS_SHARED_CREDENTIALS_FILE": f"{SECRETS}/s3"}
    with open(SECRETS / "said", "w+") as said:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=said, text=True, errors="replace", env=environment)
        with process:
            lines = list(_told(process, say, seconds))
        said.seek(0)
        errors = said.read().splitlines()
    if seconds and process.returncode == CUT:
        why = f": {errors[-1].rpartition(': ')[2]}" if errors else ""
        raise Failed("silent", f"the repository does not answer within {seconds:.0f} s{why}")
    if process.returncode not in (0, PARTLY):
        cause = _cause(errors)
        raise Failed(KINDS.get(process.returncode, "restic"), _said_by_ssh() if NO_SESSION in cause else cause)
    return lines + [line for line in errors if '"during"' in line or line.startswith("Ignoring ")]


def _told(process: "subprocess.Popen[str]", say: Callable[[Found], None], seconds: float | None) -> Iterator[str]:
    if seconds:  # no progress is waited for
        try:
            yield from process.communicate(timeout=seconds)[0].splitlines()
        except subprocess.TimeoutExpired:
            process.kill()
        return
    for line in process.stdout or ():
        yield line.rstrip("\n")
        if found := _parsed(line):
            say(found)


def _parsed(line: str) -> Found:
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _cause(lines: Sequence[str]) -> str:
    """Return why restic has failed: the first thing that was wrong with a file, else its last word."""
    found = [one for one in map(_parsed, lines) if one]
    errors = [f"{one.get('item', '')}: {one['error']['message']}" for one in found if one.get("message_type") == "error"]
    if errors:
        return errors[0] + (f"; and {len(errors) - 1} more like this" if len(errors) > 1 else "")
    exits = [one["message"] for one in found if one.get("message_type") == "exit_error"]
    plain = [line for line in lines if line.strip() and not _parsed(line)]
    panic = next((line for line in plain if line.startswith("panic: ")), "")
    text = panic or (exits or plain[-1:] or ["restic says nothing"])[-1]
    return text.removeprefix("Fatal: ").splitlines()[0]


def _said_by_ssh() -> str:
    """Return why ssh makes no connection: restic loses its words."""
    address = (SECRETS / "repository").read_text()
    host, port = _address(address) or ("", 22)
    user = address.removeprefix("sftp:").removeprefix("//").partition("@")[0] if "@" in address else "root"
    command = ["ssh", "-F", f"{SECRETS}/ssh_config", "-p", str(port), "-l", user, host, "-s", "sftp"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False)
    return f"ssh: {(done.stderr.strip().splitlines() or ['it makes no connection by sftp'])[-1].strip()}"


def _open(job: Job) -> Found:
    """Make sure that the repository is there; make it, if the job says so."""
    try:
        _restic("cat", "config", "--no-lock", seconds=ASK_SECONDS)
    except Failed as error:
        if error.kind != "missing" or not job.get("make"):
            raise
        _restic("init", seconds=ASK_SECONDS)
        return {"made": True}
    return {"made": False}


def _save(job: Job) -> Found:
    """Make a snapshot of folders, with the hub's database if that is one's."""
    if job.get("is_hub"):
        _stage(job)
    last: Found = {}

    def say(told: Found) -> None:
        if told.get("message_type") == "status":
            print(json.dumps({"done": told.get("bytes_done", 0), "total": told.get("total_bytes", 0)}), flush=True)
        elif told.get("message_type") == "summary":
            last.update(told)

    tags = [word for tag in job["tags"] for word in ("--tag", tag)]
    outs = [word for out in job.get("excludes", ()) for word in ("--exclude", out)]
    lines = _restic("backup", "--host", job["node"], *tags, *outs, "--", *job["paths"], say=say)
    unread = [one for one in map(_parsed, lines) if one.get("message_type") == "error"]
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
    here, copy = DATA / DATABASE, STAGE / DATABASE
    STAGE.mkdir(mode=0o700, exist_ok=True)
    facts: Found = {"made": datetime.now(UTC).isoformat(timespec="seconds"), **job.get("facts", {})}
    if job.get("database"):
        _server().snapshot(job["database"], copy)
    elif here.exists():
        database.backup(here, copy, database.ROOTS)
    if copy.exists():
        facts["database"] = _facts(copy)
    version = subprocess.run(["restic", "version"], capture_output=True, text=True, check=True).stdout.strip()
    facts |= {"restic": version, "files": {**_sums(STAGE, STAGE), **_sums(DATA, DATA.parent, job.get("excludes", ()))}}
    (STAGE / MANIFEST).write_text(json.dumps(facts, indent=1, sort_keys=True))


def _server() -> ModuleType:
    from swarmhub.inside import postgresql  # most hubs have no server

    return postgresql


def _facts(copy: Path) -> Found:
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
        if file.is_file() and not file.is_symlink() and not is_out:
            found[str(file.relative_to(above))] = _sum(file)
    return found


def _sum(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _list(job: Job) -> Found:
    """Return the hub's snapshots, and how many cannot be read."""
    lines = _restic("snapshots", "--no-lock", "--tag", job["tag"], seconds=ASK_SECONDS)
    found = next(json.loads(line) for line in lines if line.startswith("["))
    kept = ("id", "time", "hostname", "tags", "paths")
    return {
        "snapshots": [{name: one.get(name) for name in kept} | {"summary": one.get("summary") or {}} for one in found or ()],
        "damaged": len([line for line in lines if line.startswith("Ignoring ")]),
    }


def _read(job: Job) -> Found:
    """Return files of a snapshot as texts, by name."""
    return {name: "\n".join(_restic("dump", "--no-lock", job["snapshot"], f"{STAGE}/{name}")) for name in job["names"]}


def _forget(job: Job) -> Found:
    """Remove the snapshots that are not to be kept, and what only they have; return how many they were."""
    keeps = [word for kind, number in job["keep"].items() for word in (f"--keep-{kind}", str(number))]
    lines = _restic("forget", "--prune", "--tag", job["tag"], "--group-by", "host,paths", "--retry-lock", "2m", *keeps)
    groups: list[Found] = next((json.loads(line) for line in lines if line.startswith("[")), [])
    return {"removed": sum(len(one.get("remove") or ()) for one in groups)}


def _fetch(source: str, to: Path, *words: str) -> None:
    """Restore a folder of a snapshot, whole or not at all."""

    def say(told: Found) -> None:
        if told.get("message_type") == "status":
            print(json.dumps({"done": told.get("bytes_restored", 0), "total": told.get("total_bytes", 0)}), flush=True)

    try:
        _restic("restore", "--no-lock", source, "--target", str(to), *words, say=say)
    except Failed as error:
        shutil.rmtree(to, ignore_errors=True)
        if str(error).endswith(": not found"):
            raise Failed("nothing", f"{source.partition(':')[2]} is not in this backup") from None
        raise


def _restore_hub(job: Job) -> Found:
    """Put back what the hub keeps, and certificates where there is none for the domain."""
    _forget_coming(DATA)
    new = DATA / f"{COMING}{job['time']}"
    _fetch(f"{job['snapshot']}:{DATA}", new)
    _fetch(f"{job['snapshot']}:{STAGE}", STAGE)
    try:
        rows = _check()
        access, url = DATA / database.ACCESS, job.get("database", "")
        if (STAGE / DATABASE).exists():
            _put_back(new / DATABASE, access, url)
        kept = [access.name] if (access / rights.CURRENT).is_file() else []
        if job.get("userlist") and not kept:
            _put_into_force(new / database.ACCESS, job["userlist"])
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise
    aside = _swap(DATA, new, DATA / f"{ASIDE}{job['time']}", kept)
    shutil.rmtree(new)
    certificate = job.get("chain", "")
    is_missing = bool(certificate) and not Path(certificate).exists()
    if is_missing:
        _restic(
            "restore", "--no-lock", f"{job['snapshot']}:{CERTIFICATES}", "--target", str(CERTIFICATES), "--overwrite", "never"
        )
    return {"aside": aside, "kept": kept, "certificate": is_missing, "users": rows.get("users", 0)}


def _put_back(come: Path, access: Path, url: str) -> None:
    """Put the database that was saved where it is to be, without what was taken from people since: a file, or on a server."""
    here = DATA / DATABASE
    if url:
        here = STAGE / "now.sqlite"
        _server().snapshot(url, here)
    # On an empty cluster nobody has taken anything from anybody since.
    is_empty = not here.exists() and not access.exists()
    change = bool if is_empty else rights.without_taken(here, access)
    database.backup(STAGE / DATABASE, come, database.HUBS, change)
    if url:
        _server().load(come, url)
        come.unlink()


def _put_into_force(access: Path, userlist: str) -> None:
    """Let the operator's userlist be the one in force: that of the backup may let in who was removed since."""
    access.mkdir(mode=0o770, exist_ok=True)
    file = access / rights.CURRENT
    file.unlink(missing_ok=True)
    file.write_text(userlist)
    file.chmod(database.HUBS)


def _check() -> dict[str, int]:
    """Make sure that what has come is what was saved, and that its database is a hub's; return the numbers of rows."""
    try:
        manifest = json.loads((STAGE / MANIFEST).read_text())
    except (OSError, ValueError):
        raise Failed("damaged", "it has no manifest, so it is no whole backup of a hub") from None
    for name, wanted in manifest["files"].items():
        # What the hub keeps besides may have changed between the sum and the snapshot; restic has its own sums.
        file = STAGE / name
        if not name.startswith(f"{DATA.name}/") and not (file.is_file() and _sum(file) == wanted):
            raise Failed("damaged", f"{name} is not what was saved")
    if "database" not in manifest:
        return {}
    found = _facts(STAGE / DATABASE)
    if found["rows"] != manifest["database"]["rows"]:
        raise Failed("damaged", "the hub's database has other rows than were saved")
    database.require_hubs(STAGE / DATABASE)
    rows: dict[str, int] = found["rows"]
    return rows


def _forget_coming(folder: Path) -> None:
    """Remove what a restore that was cut off had brought so far."""
    for left in folder.glob(f"{COMING}*"):
        if left.is_dir() and not left.is_symlink():
            shutil.rmtree(left)


def _swap(folder: Path, new: Path, aside: Path, kept: Sequence[str] = ()) -> str:
    """Set aside what is in a folder, but for what is kept, and put what is new in its place; return where it was put."""
    old = [one for one in folder.iterdir() if one.name not in kept and not one.name.startswith((ASIDE, COMING))]
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


def _restore_home(job: Job) -> Found:
    """Put back a home, or one thing in it: in its place, or into a folder of the home."""
    home, part = Path(job["target"]), job.get("part", "")
    _forget_coming(home)
    new, source = home / f"{COMING}{job['time']}", Path(job["path"]) / part
    # Of the folder that is restored itself, restic keeps neither owner nor mode: so it is one in another.
    name = "".join(f"\\{letter}" if letter in "*?[]\\" else letter for letter in source.name)
    _fetch(f"{job['snapshot']}:{source.parent}", new, "--include", f"/{name}")
    come = new / source.name
    if not os.path.lexists(come):
        shutil.rmtree(new, ignore_errors=True)
        raise Failed("nothing", f"{part or 'this home'} is not in this backup")
    if part or job.get("to"):
        place = _place(home, job.get("to") or str(Path(part).parent))
        target = place / (come.name if part else f"home-{job['time']}")
        aside = _set_aside(target, f"{target.name}.{ASIDE}{job['time']}")
        come.rename(target)
        told = {"place": str(target.relative_to(home)), "aside": aside and str((place / aside).relative_to(home))}
    else:
        told = {"place": "", "aside": _swap(home, come, home / f"{ASIDE}{job['time']}")}
    shutil.rmtree(new)
    return told


def _place(home: Path, folder: str) -> Path:
    """Return a folder of a home; what is missing of it is made, and belongs to the owner of the home."""
    place = home
    for part in Path(folder).parts:
        place = place / part
        if not place.is_dir():
            _make(place, home)
    return place


def _set_aside(target: Path, name: str) -> str:
    if not os.path.lexists(target):
        return ""
    target.rename(target.with_name(name))
    return name


def load() -> Job:
    """Read the job, and remove it."""
    job: Job = json.loads(JOB.read_text())
    JOB.unlink()
    return job


if __name__ == "__main__":
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    main(load())
