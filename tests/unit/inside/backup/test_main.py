"""What a job of backups answers."""

import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from swarmhub.inside.backup import __main__ as program
from swarmhub.inside.backup import places
from swarmhub.wait import until
from tests.unit.inside.backup.container import Container

ROOT = Path(__file__).resolve().parents[4]


def test_the_job_is_removed_as_soon_as_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has the password."""
    file = tmp_path / "job.json"
    file.write_text('{"password": "x"}')
    monkeypatch.setattr(places, "JOB", file)
    assert (program.load(), file.exists()) == ({"password": "x"}, False)


def test_a_long_answer_comes_in_pieces(container: Container, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine would break the line."""
    monkeypatch.setattr(program, "LONGEST", 20)
    assert container.do("open") == {"answer": {"made": False}}


def test_one_backup_at_a_time_is_at_work_on_a_node(container: Container) -> None:
    """The schedule's or an operator's; homes are saved meanwhile, and a file of a home, and a drill, come back."""
    snapshot = container.save_hub()
    places.HOMES.mkdir()
    with open(places.CACHE / "at-work-on-data", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        done = container.do("save", is_hub=True, paths=[str(places.STAGE)], tags=["a:b"], node="m")
        drill = container.do("restore-hub", snapshot=snapshot, time="drill", is_drill=True)
        homes = container.do("save", paths=[str(places.STAGE)], tags=["a:b"], node="m")
    assert (done["kind"], done["failed"]) == ("busy", "another backup or restore is at work on the hub's data of this node")
    assert ("answer" in drill, "answer" in homes) == (True, True)
    assert "answer" in container.do("save", is_hub=True, paths=[str(places.STAGE)], tags=["a:b"], node="m")


WORKING = """
import pathlib, signal, sys
from swarmhub.inside.backup import __main__ as program, places, restic
places.SECRETS = pathlib.Path(sys.argv[1])
script = "trap 'sleep 0.3; touch gone; exit 130' INT; echo begun > begun; while :; do sleep 0.05; done"
restic._command = lambda words: ["sh", "-c", script]
restic._environment = dict
signal.signal(signal.SIGTERM, program.stop)
restic.run("forget")
"""


def test_restic_ends_before_what_has_begun_it(tmp_path: Path) -> None:
    """When its container is stopped: a lock that is left keeps others out; a shell stands in for restic."""
    command = [sys.executable, "-c", WORKING, str(tmp_path)]
    here = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=tmp_path, env=here) as working:
        until((tmp_path / "begun").exists, 60, lambda: AssertionError("it does not begin"), pause=0.05)
        working.send_signal(signal.SIGTERM)
        _, failed = working.communicate(timeout=60)
    assert ((tmp_path / "gone").exists(), working.returncode) == (True, 1)
    assert failed.strip().endswith("Failed: it was told to stop")
