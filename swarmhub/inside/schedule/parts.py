"""The parts of a backup that a node makes: its homes; where the hub is also its data, the thinning out, and the drill."""

import copy
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from swarmhub.inside.backup.places import Failed
from swarmhub.inside.backup.restic import host_name, parsed
from swarmhub.inside.schedule import drill, facts, slots
from swarmhub.inside.schedule.drill import DrillError
from swarmhub.inside.schedule.engine import Engine
from swarmhub.inside.schedule.lock import Lock

HUB, HOMES, THIN, VERIFY = "hub", "homes", "thin", "verify"
JOB = "swarmhub-backup.json"
LABEL, HOME = "swarmhub.schedule", "swarmhub.home"
# As in swarmhub.backup.contents.
FOLDER, STAGE = "/homes", "/backup"

Json = dict[str, Any]
Say = Callable[[str], object]


class Node:
    """A node, and what it has to do of a schedule."""

    def __init__(self, schedule: Json, secrets: Json, program: Mapping[str, bytes], engine: Engine, say: Say = print) -> None:
        """`secrets` open the repository, and a database on a server; `program` is what the containers run."""
        self._schedule, self._program, self._engine, self._say = schedule, program, engine, say
        # What saves the hub reads it. A drill must not know it: it would put the backup in the place of what people work with.
        self._database = {name: value for name, value in secrets.items() if name == "database"}
        self._secrets = {name: value for name, value in secrets.items() if name not in self._database}
        info = engine.get("/info")
        self._id = str(info["Swarm"]["NodeID"])
        self.name = str(schedule["hosts"].get(self._id, info["Name"]))
        self._lock = Lock(engine)

    @property
    def periods(self) -> dict[str, float]:
        """Return the parts that this node has to do, in order, and how often."""
        schedule = self._schedule
        every = float(schedule["every"])
        if self._id != schedule["node"]:
            return {HOMES: every} if schedule["volumes"] else {}
        return {
            HUB: every,
            **({HOMES: every} if schedule["volumes"] or schedule["shared"] else {}),
            **({THIN: every} if schedule["keep"] else {}),
            **({VERIFY: float(schedule["verify"])} if schedule["verify"] else {}),
        }

    @property
    def at(self) -> float:
        """Return the seconds after midnight UTC at which periods begin."""
        return float(self._schedule["at"])

    def sweep(self) -> None:
        """Remove the containers that an earlier one of this service has left."""
        for one in self._engine.get("/containers/json", all=True, filters={"label": [f"{LABEL}={self._schedule['hub']}"]}):
            self._engine.remove(one["Id"])

    def do(self, part: str, slot: float, *, is_first: bool) -> Json:
        """Do a part for a period, and return what it came to; `is_first` tells that it was never done before.

        Raises:
            Busy, Failed, EngineError, DrillError: it cannot be done now.

        """
        if part == HUB:
            return self._save_hub(slots.name(slot), is_first=is_first)
        if part == HOMES:
            return self._save_homes(slots.name(slot))
        return self._thin_out() if part == THIN else self._verify()

    def _save_hub(self, run: str, *, is_first: bool) -> Json:
        schedule = self._schedule
        with self._lock.held(schedule["hub"], self.name, "a scheduled backup"):
            # Never later: an empty folder where a share should be mounted would be taken for a new repository.
            if is_first:
                self._ask("open", make=True)
            files = facts.files(self._engine, schedule["hub"], run, schedule["domain"], schedule["hosts"])
            job = {"is_hub": True, "paths": schedule["paths"], "excludes": schedule["out"], **self._database}
            return self._save(HUB, run, schedule["data"], files, **job)

    def _save_homes(self, run: str) -> Json:
        mounts = self._homes()
        if not mounts:
            return {"files": 0, "bytes": 0, "added": 0, "seconds": 0.0}
        return self._save(HOMES, run, mounts, {}, is_hub=False, paths=[FOLDER, STAGE], excludes=[])

    def _save(self, part: str, run: str, mounts: Sequence[Json], files: Mapping[str, bytes], **job: Any) -> Json:
        tags = [self._tag, f"run:{run}", f"part:{part}"]
        told = self._ask("save", mounts, files, tags=tags, node=self.name, **job)
        for line in told["unread"][:5]:
            self._say(f"{part}: not saved, as it has changed or gone meanwhile: {line}")
        return {key: told[key] for key in ("files", "bytes", "added", "seconds")} | {"unread": len(told["unread"])}

    @property
    def _tag(self) -> str:
        return f"swarmhub:{self._schedule['hub']}"

    def _homes(self) -> list[Json]:
        """Return the mounts of the homes that are on this node, or of the folder that all are in."""
        if self._schedule["shared"]:
            return list(self._schedule["shared"]) if self._id == self._schedule["node"] else []
        if not self._schedule["volumes"]:
            return []
        names = sorted(one["Name"] for one in self._engine.get("/volumes").get("Volumes") or [] if self._is_home(one))
        options = {"NoCopy": True}
        return [
            {"Type": "volume", "Source": name, "Target": f"{FOLDER}/{name}", "ReadOnly": True, "VolumeOptions": options}
            for name in names
        ]

    def _is_home(self, volume: Json) -> bool:
        """Tell whether a volume is somebody's home and its files are on this node."""
        labels = volume.get("Labels") or {}
        if volume["Driver"] != "local" or (volume.get("Options") or {}).get("device"):
            return False
        if HOME in labels:
            return bool(labels[HOME] == self._schedule["hub"])
        by_hand = self._schedule["by_hand"]
        return bool(by_hand and re.fullmatch(by_hand, volume["Name"]))

    def _thin_out(self) -> Json:
        return self._ask("forget", tag=self._tag, keep=self._schedule["keep"])

    def _verify(self) -> Json:
        schedule, hub = self._schedule, self._schedule["hub"]
        backup = drill.newest(self._ask("list", tag=self._tag)["snapshots"])
        if backup is None:
            raise Failed("nothing", "there is no whole backup yet")
        spec = self._engine.get(f"/services/{hub}")["Spec"]
        image = str(spec["TaskTemplate"]["ContainerSpec"]["Image"])
        place = drill.Place(hub, image, schedule["scratch"], schedule["evidence"])

        def clear() -> None:
            listed = self._engine.get("/volumes", filters={"name": [place.scratch]}).get("Volumes") or []
            there = [one.get("Labels") or {} for one in listed if one["Name"] == place.scratch]
            if any(labels.get(drill.LABEL) != hub for labels in there):
                raise DrillError(f"somebody else has made the volume {place.scratch}, whose name a drill needs")
            self._engine.delete(f"/volumes/{place.scratch}", force=True)

        evidence = drill.practise(backup, place, self._ask, self._boot, clear)
        self._say(drill.told(evidence))
        return {key: evidence[key] for key in ("backup", "seconds")}

    def _boot(self, body: Json, files: Mapping[str, bytes]) -> list[str]:
        lines: list[str] = []
        self._engine.run(body | {"Labels": self._schedule["body"]["Labels"]}, files, lines.append)
        return lines

    def _ask(self, action: str, mounts: Sequence[Json] = (), files: Mapping[str, bytes] | None = None, **job: Any) -> Json:
        """Let a container do something with the repository, and return its answer."""
        body = copy.deepcopy(self._schedule["body"])
        body["HostConfig"]["Mounts"] += mounts
        body["Hostname"] = host_name()
        content = json.dumps({**self._secrets, "action": action, **job}).encode()
        pieces: list[str] = []
        last: list[str] = []

        def hear(line: str) -> None:
            told = parsed(line)
            pieces.extend([told["part"]] if "part" in told else [])
            last[:] = [line] if not told and line.strip() else last

        self._engine.run(body, {**self._program, JOB: content, **(files or {})}, hear)
        answer = parsed("".join(pieces))
        if "answer" not in answer:
            raise Failed(answer.get("kind", "restic"), answer.get("failed") or (last or ["it says nothing"])[0])
        found: Json = answer["answer"]
        return found
