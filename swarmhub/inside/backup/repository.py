"""The repository itself: made, asked for what is in it, and thinned out."""

import json

from swarmhub.inside.backup import evidence, places, restic
from swarmhub.inside.backup.places import Failed, Found, Job
from swarmhub.inside.backup.restic import PATIENT


def open_(job: Job) -> Found:
    """Make sure that the repository is there; make it, if the job says so."""
    try:
        restic.run("cat", "config", "--no-lock", seconds=restic.ASK_SECONDS)
    except Failed as error:
        if error.kind != "missing" or not job.get("make"):
            raise
        restic.run("init", seconds=restic.ASK_SECONDS)
        return {"made": True}
    return {"made": False}


def list_(job: Job) -> Found:
    """Return the hub's snapshots, how many cannot be read, and what drills have shown; of no snapshots, whose others are."""
    found, lines = _snapshots("--tag", job["tag"])
    others = [] if found else _snapshots()[0]
    kept = ("id", "time", "hostname", "tags", "paths")
    return {
        "snapshots": [{name: one.get(name) for name in kept} | {"summary": one.get("summary") or {}} for one in found],
        "others": [one.get("tags") or [] for one in others],
        "damaged": len([line for line in lines if line.startswith("Ignoring ")]),
        "drills": evidence.known(),
    }


def _snapshots(*which: str) -> tuple[list[Found], list[str]]:
    """Return snapshots, and all that restic says of them."""
    lines = restic.run("snapshots", "--no-lock", *which, seconds=restic.ASK_SECONDS)
    return next(json.loads(line) for line in lines if line.startswith("[")) or [], lines


def read(job: Job) -> Found:
    """Return files of a snapshot as texts, by name."""
    return {
        name: "\n".join(restic.run("dump", "--no-lock", job["snapshot"], f"{places.STAGE}/{name}")) for name in job["names"]
    }


def forget(job: Job) -> Found:
    """Remove the snapshots that are not to be kept, and what only they have; return how many they were.

    Each host's snapshots of the hub are counted, and each host's of homes, whatever the folders were that they have.
    """
    restic.unlock()
    keeps = [word for kind, number in job["keep"].items() for word in (f"--keep-{kind}", str(number))]
    removed = 0
    for part in ("hub", "homes"):
        which = ("--tag", f"{job['tag']},part:{part}", "--group-by", "host")
        lines = restic.run("forget", "--prune", *which, *PATIENT, *keeps)
        groups: list[Found] = next((json.loads(line) for line in lines if line.startswith("[")), [])
        removed += sum(len(one.get("remove") or ()) for one in groups)
    return {"removed": removed}
