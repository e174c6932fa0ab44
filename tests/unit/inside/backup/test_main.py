"""What a job of backups answers."""

import fcntl
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from swarmhub.inside.backup import __main__ as program
from swarmhub.inside.backup import places
from tests.unit.inside.backup.container import Container


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
import signal, subprocess
from swarmhub.inside.backup import __main__ as program
signal.signal(signal.SIGTERM, program.stop)
restic = "trap 'sleep 0.3; echo its lock is removed; exit 130' INT; echo begun; while :; do sleep 0.05; done"
with subprocess.Popen(["sh", "-c", restic]) as process:
    process.wait()
"""


def test_restic_ends_before_what_has_begun_it() -> None:
    """When its container is stopped: a lock that is left keeps others out; a shell stands in for restic."""
    command = [sys.executable, "-c", WORKING]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, start_new_session=True) as working:
        assert working.stdout
        assert working.stdout.readline() == "begun\n"
        working.send_signal(signal.SIGTERM)
        said, failed = working.communicate(timeout=60)
    assert (said, working.returncode) == ("its lock is removed\n", 1)
    assert failed.strip().endswith("Failed: it was told to stop")
