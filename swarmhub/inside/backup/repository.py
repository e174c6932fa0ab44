"""The repository itself: made, asked for what is in it, and thinned out."""

import json

from swarmhub.inside.backup import places, restic
from swarmhub.inside.backup.places import Failed, Found, Job


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
    """Return the hub's snapshots, and how many cannot be read."""
    lines = restic.run("snapshots", "--no-lock", "--tag", job["tag"], seconds=restic.ASK_SECONDS)
    found = next(json.loads(line) for line in lines if line.startswith("["))
    kept = ("id", "time", "hostname", "tags", "paths")
    return {
        "snapshots": [{name: one.get(name) for name in kept} | {"summary": one.get("summary") or {}} for one in found or ()],
        "damaged": len([line for line in lines if line.startswith("Ignoring ")]),
    }


def read(job: Job) -> Found:
    """Return files of a snapshot as texts, by name."""
    return {
        name: "\n".join(restic.run("dump", "--no-lock", job["snapshot"], f"{places.STAGE}/{name}")) for name in job["names"]
    }


def forget(job: Job) -> Found:
    """Remove the snapshots that are not to be kept, and what only they have; return how many they were."""
    keeps = [word for kind, number in job["keep"].items() for word in (f"--keep-{kind}", str(number))]
    lines = restic.run("forget", "--prune", "--tag", job["tag"], "--group-by", "host,paths", "--retry-lock", "2m", *keeps)
    groups: list[Found] = next((json.loads(line) for line in lines if line.startswith("[")), [])
    return {"removed": sum(len(one.get("remove") or ()) for one in groups)}
