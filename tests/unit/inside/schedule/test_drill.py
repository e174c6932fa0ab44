"""A drill with a backup, and the evidence of it."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from swarmhub.inside.schedule import drill, scratch
from swarmhub.inside.schedule.drill import DrillError, Place

BACKUP = {"run": "R", "hub": "h", "homes": {"w1": "s1", "w2": "s2"}}
BOOTED = {"users": 3, "user": "ada", "version": "6.1.1"}
OPENED = {"home": "work-ada", "bytes": 5, "sha256": "f00"}


class Cluster:
    """What the containers of a drill answer, and what they were asked."""

    def __init__(self) -> None:
        restored = {"rows": {"users": 3, "groups": 1}, "made": "M", "versions": {"schema": "x"}}
        self.answers: dict[str, Any] = {"restore-hub": restored, "keep-evidence": {}}
        self.opened: dict[str, Any] = {"s1": None, "s2": OPENED}
        self.lines = ["[I] a hub says much", json.dumps(BOOTED)]
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.did: list[str] = []

    def ask(self, action: str, mounts: Sequence[Any] = (), **job: Any) -> dict[str, Any]:
        """Answer a container's job."""
        self.asked.append((action, {**job, "mounts": [one["Source"] for one in mounts]}))
        self.did.append(action)
        if action == "open-home":
            return {"opened": self.opened[job["snapshot"]]}
        answer = self.answers[action]
        if isinstance(answer, Exception):
            raise answer
        found: dict[str, Any] = answer
        return found

    def boot(self, body: dict[str, Any], files: Mapping[str, bytes]) -> list[str]:
        """Answer as the scratch hub."""
        self.did.append("boot")
        self.body, self.files = body, files
        return self.lines

    def practise(self) -> dict[str, Any]:
        """Do a drill."""
        clear = lambda: self.did.append("clear")  # noqa: E731 - it is one
        return drill.practise(BACKUP, Place("jupyterhub", "jupyterhub:1", "scratch", "kept"), self.ask, self.boot, clear)

    @property
    def kept(self) -> dict[str, Any]:
        """Return the evidence that was kept."""
        (found,) = [job for action, job in self.asked if action == "keep-evidence"]
        assert found["mounts"] == ["kept"]
        evidence: dict[str, Any] = found["evidence"]
        return evidence


@pytest.fixture
def cluster() -> Cluster:
    """Return a cluster on which a drill goes well."""
    return Cluster()


def test_a_drill_restores_boots_logs_in_and_opens(cluster: Cluster) -> None:
    """In this order; nothing of it is left, and the evidence is kept."""
    evidence = cluster.practise()
    assert cluster.did == ["clear", "restore-hub", "boot", "open-home", "open-home", "clear", "keep-evidence"]
    assert cluster.asked[0][1] == {"snapshot": "h", "time": "drill", "is_drill": True, "mounts": ["scratch"]}
    assert (evidence["outcome"], evidence["hub"], evidence["home"]) == ("passed", BOOTED, {**OPENED, "host": "w2"})
    assert cluster.kept == evidence
    told = "R: JupyterHub 6.1.1 boots on it with 3 users, 1 groups, as saved; ada logs in by a cookie; "
    assert drill.told(evidence).startswith(f"{told}a file of the home work-ada is as it was saved")


def test_the_scratch_hub_reaches_nobody(cluster: Cluster) -> None:
    """It has no network, no port, no engine, and the scratch volume alone."""
    cluster.practise()
    config = cluster.body["HostConfig"]
    assert (config["NetworkMode"], [one["Source"] for one in config["Mounts"]]) == ("none", ["scratch"])
    assert "Ports" not in str(cluster.body)
    assert [*cluster.files] == ["drill/scratch.py", "drill/config.py"]


@pytest.mark.parametrize(
    ("lines", "cause"),
    [
        (["Traceback", "sqlite3.OperationalError: no such table"], "does not boot on the copy: sqlite3.OperationalError"),
        ([], "it says nothing"),
        (['{"failed": "ada is not logged in"}'], "ada is not logged in"),
        ([json.dumps(BOOTED | {"users": 2})], "has 2 users, and 3 were saved"),
    ],
)
def test_a_backup_that_is_of_no_use_is_evidence_too(cluster: Cluster, lines: list[str], cause: str) -> None:
    """With the cause; the scratch volume goes all the same."""
    cluster.lines = lines
    with pytest.raises(DrillError, match=cause):
        cluster.practise()
    assert (cluster.kept["outcome"], cause in cluster.kept["cause"], cluster.did[-1]) == ("failed", True, "clear")


def test_a_hub_that_does_not_end_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or the schedule would wait for it, and make no more backups."""
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\ntrap '' TERM\necho it hangs\nwhile :; do sleep 0.05; done\n")
    program.chmod(0o755)
    monkeypatch.setattr(scratch, "sys", SimpleNamespace(executable=str(program)))
    for name, value in {"CONFIG": tmp_path / "config.py", "DATA": tmp_path, "SECONDS": 1.0, "END_SECONDS": 0.2}.items():
        monkeypatch.setattr(scratch, name, value)
    monkeypatch.setattr(scratch, "PORT", 1)
    assert scratch.main() == {"failed": "the hub does not boot on the copy: it hangs"}


def test_a_damaged_backup_boots_nothing(cluster: Cluster) -> None:
    """Its sums are wrong."""
    cluster.answers["restore-hub"] = ValueError("other rows than were saved")
    with pytest.raises(ValueError, match="other rows"):
        cluster.practise()
    assert ("boot" in cluster.did, cluster.kept["outcome"]) == (False, "failed")


def test_a_hub_without_users_or_homes_is_told_as_such(cluster: Cluster) -> None:
    """It boots, and that is all there is to see."""
    cluster.lines, cluster.opened = [json.dumps(BOOTED | {"user": ""})], {"s1": None, "s2": None}
    told = drill.told(cluster.practise())
    assert "it has nobody who could log in; no file of a home was opened" in told


def test_the_newest_whole_backup_is_tried() -> None:
    """By when it was made, whatever its name is; one without the hub is none."""

    def snapshot(run: str, part: str, time: str, host: str = "m") -> dict[str, Any]:
        return {"id": f"{run}-{part}", "time": time, "hostname": host, "tags": ["swarmhub:x", f"run:{run}", f"part:{part}"]}

    listed = [
        snapshot("20261130-000000", "hub", "2026-11-30T15:00:00Z"),
        snapshot("20261130-000000", "homes", "2026-11-30T15:00:01Z", "w1"),
        snapshot("20261130-010000", "hub", "2026-11-30T01:00:00Z"),
        snapshot("20261130-160000", "homes", "2026-11-30T16:00:00Z", "w1"),
    ]
    found = drill.newest(listed)
    assert found is not None
    assert (found["run"], found["hub"], found["homes"]) == (
        "20261130-000000",
        "20261130-000000-hub",
        {"w1": "20261130-000000-homes"},
    )
    assert drill.newest(listed[3:]) is None
