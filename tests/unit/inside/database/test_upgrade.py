"""Databases that other JupyterHubs have made: who is in them, whether ours can upgrade them, and what is refused.

`dumps/` has dumps of those that JupyterHub 1.5.1, 4.1.6 and 5.2.1 have made, with ada, grace and linus in them.
"""

import json
import os
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from swarmhub.inside.database import sqlite

DUMPS = Path(__file__).with_name("dumps")
VERSIONS = sorted(dump.stem for dump in DUMPS.glob("*.sql"))
Said = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _alembic(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let JupyterHub find its own program for upgrades, as in the hub's image."""
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")


def made(folder: Path, version: str) -> Path:
    """Return the database that a version has made."""
    path = folder / "jupyterhub.sqlite"
    with closing(sqlite3.connect(path)) as opened:
        opened.executescript((DUMPS / f"{version}.sql").read_text())
    return path


@pytest.mark.parametrize("version", VERSIONS)
def test_it_is_known_who_is_in(tmp_path: Path, capsys: Said, version: str) -> None:
    """A plan tells it before anything is done."""
    sqlite.main("people", str(made(tmp_path, version)))
    assert json.loads(capsys.readouterr().out) == {"names": ["ada", "grace", "linus"], "admins": ["ada", "linus"]}


@pytest.mark.parametrize("action", ["people", "try"])
def test_where_there_is_none_yet_nobody_is_in(tmp_path: Path, action: str) -> None:
    """A hub makes its own."""
    sqlite.main(action, str(tmp_path / "jupyterhub.sqlite"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("version", VERSIONS)
def test_one_that_ours_can_upgrade_is_tried_on_a_copy(tmp_path: Path, version: str) -> None:
    """It stays as it is, byte for byte: the hub that runs goes on with it."""
    path = made(tmp_path, version)
    before = path.read_bytes()
    sqlite.main("try", str(path))
    assert (path.read_bytes(), [one.name for one in tmp_path.iterdir()]) == (before, [path.name])


def emptied(path: Path) -> None:
    """Leave a file without a byte, as a full disk does."""
    path.write_bytes(b"")


def cut(path: Path) -> None:
    """Leave half of the file."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def overwritten(path: Path) -> None:
    """Leave something else under the name."""
    path.write_text("jupyterhub\n" * 1000)


def changed(statement: str) -> Callable[[Path], None]:
    """Return what changes a database so."""

    def change(path: Path) -> None:
        with closing(sqlite3.connect(path)) as opened, opened:
            opened.executescript(statement)

    return change


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (emptied, "it is an empty file, and a hub would start with nobody in it"),
        (cut, "it is damaged: "),
        (overwritten, "it is damaged: file is not a database"),
        (changed("drop table users"), "it is no JupyterHub's; its tables are "),
        (
            changed("drop table spawners; drop table servers; drop table oauth_clients"),
            "it is no JupyterHub's; its tables are ",
        ),
        (
            changed("update alembic_version set version_num = 'feedfacecafe'"),
            "this JupyterHub cannot upgrade it: its schema is feedfacecafe, perhaps of a newer one",
        ),
    ],
    ids=["empty", "cut off", "another file", "without users", "another program's", "newer"],
)
def test_one_that_a_hub_cannot_use_is_refused_and_stays(tmp_path: Path, spoil: Callable[[Path], None], said: str) -> None:
    """In a line that says why."""
    path = made(tmp_path, "4.1.6")
    spoil(path)
    before = path.read_bytes()
    with pytest.raises(SystemExit) as refused:
        sqlite.main("try", str(path))
    assert str(refused.value).startswith(said)
    assert path.read_bytes() == before
