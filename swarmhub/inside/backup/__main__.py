"""Do a job of backups: it is a file, removed as soon as it has been read, for it holds the secrets. Prints lines of JSON."""

import fcntl
import json
import signal
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from swarmhub.inside.backup import evidence, places, repository, restic, restoring, saving
from swarmhub.inside.backup.places import Failed, Job

# The engine gives longer lines in pieces.
LONGEST = 8000
HUB, HOMES = "the hub's data", "the homes"
ACTS: dict[str, Callable[[Job], object]] = {
    "open": repository.open_,
    "save": saving.save,
    "archive": saving.archive,
    "list": repository.list_,
    "read": repository.read,
    "forget": repository.forget,
    "restore-hub": restoring.restore_hub,
    "restore-home": restoring.restore_home,
    "open-home": restoring.open_home,
    "keep-evidence": evidence.keep,
}


def main(job: Job) -> None:
    """Do a job, and print its answer, or what is wrong."""
    try:
        restic.prepare(job)
        if job["action"] != "keep-evidence":  # that a repository does not answer is evidence, too
            restic.reach(job["repository"])
        with _alone(job):
            answer: object = {"answer": ACTS[job["action"]](job)}
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


@contextmanager
def _alone(job: Job) -> Iterator[None]:
    """Let one at a time work on the same of a node, the schedule or an operator.

    All of a hub's containers have the folder of the cache, and the lock goes with the container.
    """
    if not (what := _worked_on(job)):
        yield
        return
    places.CACHE.mkdir(exist_ok=True)
    with open(places.CACHE / f"at-work-on-{what.split()[-1]}", "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Failed("busy", f"another backup or restore is at work on {what} of this node") from None
        yield


def _worked_on(job: Job) -> str:
    """Return what a job works on alone: a file of a home, or a drill, comes back whatever is at work."""
    if job.get("part") or job.get("to") or job.get("is_drill"):
        return ""
    if job["action"] == "save":
        return HUB if job.get("is_hub") else HOMES
    return {"restore-hub": HUB, "restore-home": HOMES, "archive": HOMES}.get(job["action"], "")


def stop(*_: object) -> None:
    """End with what restic does, where SIGTERM comes: the first process of a container has no default handler.

    Raises:
        Failed: always.

    """
    raise Failed("stopped", "it was told to stop")


def load() -> Job:
    """Read the job, and remove it."""
    job: Job = json.loads(places.JOB.read_text())
    places.JOB.unlink()
    return job


if __name__ == "__main__":
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    signal.signal(signal.SIGTERM, stop)
    main(load())
