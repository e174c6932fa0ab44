"""The hub's database is opened once: on a real server where there is one, and where there is none."""

from pathlib import Path

import pytest

from swarmhub.inside.database import reach
from tests.unit.support import postgres


def given(url: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a URL where the script finds it."""
    file = folder / "url"
    file.write_text(url)
    monkeypatch.setattr(reach, "GIVEN", file)
    return file


def test_a_server_that_is_up_is_said_nothing_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file with the URL is gone."""
    with postgres.serving() as url:
        file = given(url, tmp_path, monkeypatch)
        reach.main()
    assert not file.exists()


def test_another_programs_database_is_told_in_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It opens, and no hub would start with it."""
    with postgres.serving() as url:
        postgres.ask(url, "create table orders (id int)")
        given(url, tmp_path, monkeypatch)
        with pytest.raises(SystemExit, match=r"^PostgreSQL: the database has tables that are no JupyterHub's: orders$"):
            reach.main()


def test_a_server_that_is_down_is_told_in_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its address, without the password; the file with the URL is gone then, too."""
    file = given("postgresql://hub:h%40sh@127.0.0.1:1/hub", tmp_path, monkeypatch)
    with pytest.raises(SystemExit) as told:
        reach.main()
    assert str(told.value) == 'PostgreSQL: connection to server at "127.0.0.1", port 1 failed: Connection refused'
    assert not file.exists()
