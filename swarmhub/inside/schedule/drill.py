"""A drill: the newest backup is restored into a scratch volume, a hub boots on it, somebody logs in, a home's file is opened.

The schedule does it on the cluster, and an operator by `fab backup-verify`: who asks the engine differs, what is done does not.
"""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

Json = dict[str, Any]
# Let a container of backups do an action, with some mounts, and return its answer.
Ask = Callable[..., Json]
# Run a container to its end, and return what it has printed.
Boot = Callable[[Json, Mapping[str, bytes]], Sequence[str]]

SCRATCH, FOLDER, EVIDENCE = Path(__file__).with_name("scratch.py"), "/drill", "/evidence"
CONFIG = "from scratch import configure\n\nconfigure(c)  # noqa: F821\n"
LABEL = "swarmhub.drill"
# By which a deploy knows the volume as its own (swarmhub/history/database.py).
COPIES = "swarmhub.backups"
# Of all tables of the database: those that people ask about.
TOLD = ("users", "groups")


class DrillError(Exception):
    """The backup does not do what it is for."""


def newest(listed: Sequence[Json]) -> Json | None:
    """Return the newest backup with the hub's snapshot, of the snapshots that restic lists: its name, and their ids."""
    runs: dict[str, Json] = {}
    for one in sorted(listed, key=lambda one: str(one["time"])):
        tags = dict(tag.partition(":")[::2] for tag in one.get("tags") or ())
        found = runs.setdefault(tags.get("run", ""), {"run": tags.get("run", ""), "hub": "", "homes": {}, "made": one["time"]})
        if tags.get("part") == "hub":
            found["hub"] = one["id"]
        elif tags.get("part") == "homes":
            found["homes"][one["hostname"]] = one["id"]
    whole = [one for one in runs.values() if one["hub"]]
    return max(whole, key=lambda one: str(one["made"]), default=None)


@dataclass(frozen=True)
class Place:
    """Where a drill is done: for which hub, in the image of that hub, in which volume, and in which one evidence is kept."""

    hub: str
    image: str
    scratch: str
    evidence: str

    @property
    def kept(self) -> Json:
        """Return the mount of the volume with the evidence; one that is made by it is known as the one for copies, too."""
        return kept_in(self.evidence, self.hub)

    @property
    def data(self) -> Json:
        """Return the mount of the scratch volume; a drill that was killed leaves it, and its label tells whose it is."""
        return {**_volume(self.scratch, "/data"), "VolumeOptions": {"NoCopy": True, "Labels": {LABEL: self.hub}}}


def kept_in(volume: str, hub: str) -> Json:
    """Return the mount of a hub's volume for copies and evidence, which the engine makes where there is none."""
    return {**_volume(volume, EVIDENCE), "VolumeOptions": {"NoCopy": True, "Labels": {COPIES: hub}}}


def practise(backup: Json, place: Place, ask: Ask, boot: Boot, clear: Callable[[], None]) -> Json:
    """Do the drill with a backup, keep the evidence, and return it.

    Raises:
        Exception: of those who ask the engine: it fails. That is evidence, too.

    """
    began, at = time.monotonic(), datetime.now(UTC).isoformat(timespec="seconds")
    evidence: Json = {"at": at, "backup": backup["run"], "image": place.image}

    def keep(**more: Any) -> None:
        evidence.update(more, seconds=round(time.monotonic() - began, 1))
        ask("keep-evidence", [place.kept], evidence=evidence)

    clear()
    try:
        data = ask("restore-hub", [place.data], snapshot=backup["hub"], time="drill", is_drill=True)
        evidence |= {"made": data["made"], "versions": data["versions"], "rows": data["rows"]}
        evidence["hub"] = _booted(boot, place, data["rows"])
        evidence["home"] = _opened(ask, backup["homes"])
    except BaseException as error:
        if isinstance(error, Exception):
            with suppress(Exception):  # why it fails is what is to be told
                keep(outcome="failed", cause=str(error))
        raise
    finally:
        clear()
    keep(outcome="passed", cause="")
    return evidence


def told(evidence: Json) -> str:
    """Return what a drill has shown, in a line."""
    rows = ", ".join(f"{number} {name}" for name in TOLD if (number := evidence["rows"].get(name)))
    who = f"{evidence['hub']['user']} logs in by a cookie" if evidence["hub"]["user"] else "it has nobody who could log in"
    home = evidence["home"]
    opened = f"a file of the home {home['home']} is as it was saved" if home else "no file of a home was opened"
    booted = f"JupyterHub {evidence['hub']['version']} boots on it with {rows or 'no users'}"
    return f"{evidence['backup']}: {booted}, as saved; {who}; {opened}; {evidence['seconds']} s"


def _booted(boot: Boot, place: Place, rows: Mapping[str, int]) -> Json:
    """Boot the scratch hub, and return what it says."""
    body = {
        "Image": place.image,
        "User": "0",
        "Entrypoint": ["python3", "-B", f"{FOLDER}/{SCRATCH.name}"],
        "Cmd": [],
        "Healthcheck": {"Test": ["NONE"]},
        # Nobody reaches it, and it reaches nobody: neither people's servers nor the proxy, the filter, the engine or mail.
        "HostConfig": {"Mounts": [place.data], "NetworkMode": "none"},
    }
    files = {f"{FOLDER[1:]}/{SCRATCH.name}": SCRATCH.read_bytes(), f"{FOLDER[1:]}/config.py": CONFIG.encode()}
    lines = boot(body, files)
    answer = next((found for line in reversed(lines) if (found := _answer(line))), None)
    if answer is None:
        raise DrillError(f"the hub does not boot on the copy: {(list(lines) or ['it says nothing'])[-1].strip()}")
    if "failed" in answer:
        raise DrillError(str(answer["failed"]))
    if answer["users"] != rows.get("users", 0):
        raise DrillError(f"the hub on the copy has {answer['users']} users, and {rows.get('users', 0)} were saved")
    return answer


def _opened(ask: Ask, homes: Mapping[str, str]) -> Json | None:
    """Open a file of one home, of the first node that has one which nobody has changed meanwhile; None where none is known."""
    for host, snapshot in sorted(homes.items()):
        if found := ask("open-home", [], snapshot=snapshot)["opened"]:
            return {**found, "host": host}
    return None


def _volume(name: str, target: str) -> Json:
    return {"Type": "volume", "Source": name, "Target": target, "VolumeOptions": {"NoCopy": True}}


def _answer(line: str) -> Json | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) and ("users" in found or "failed" in found) else None
