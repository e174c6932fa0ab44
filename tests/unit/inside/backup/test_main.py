"""What a job of backups answers."""

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
