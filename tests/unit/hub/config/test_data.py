"""What the hub keeps, for a hub of another user."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from threading import Timer

import pytest
from jupyterhub import orm
from jupyterhub.app import JupyterHub
from traitlets.config import Config

from hub.config import data
from hub.shared.database import PostgreSQL, SQLite


@pytest.fixture(autouse=True)
def _shared() -> Iterator[None]:
    """Do what the hub does first, and take it back."""
    before = os.umask(0o022)
    data.share()
    yield
    os.umask(before)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Return where the database is to be."""
    return tmp_path / "jupyterhub.sqlite"


@pytest.fixture
def cookies(tmp_path: Path) -> Path:
    """Return where the secret is to be."""
    return tmp_path / "cookie_secret"


def mode(file: Path) -> int:
    """Return who may do what with a file."""
    return file.stat().st_mode & 0o777


def test_what_is_made_is_the_groups_and_nobody_elses(tmp_path: Path) -> None:
    """Whatever it is."""
    (tmp_path / "file").touch()
    assert mode(tmp_path / "file") == 0o660


def test_jupyterhubs_database_is_the_groups(database: Path, cookies: Path) -> None:
    """SQLite's own would be its user's to write; JupyterHub fills the empty one."""
    data.make(SQLite(database), cookies)
    db = orm.new_session_factory(f"sqlite:///{database}")()
    db.add(orm.User(name="ada"))
    db.commit()
    assert mode(database) == 0o660
    data.make(SQLite(database), cookies)
    assert [user.name for user in db.query(orm.User)] == ["ada"]
    db.close()


def test_jupyterhub_takes_the_secret_of_its_cookies(database: Path, cookies: Path) -> None:
    """The file is its group's, too, and JupyterHub leaves it as it is."""
    data.make(SQLite(database), cookies)
    hub = JupyterHub(config=Config({"JupyterHub": {"cookie_secret_file": str(cookies)}}))
    hub.init_secrets()
    assert (hub.cookie_secret.hex(), len(hub.cookie_secret)) == (cookies.read_text().strip(), 32)
    assert mode(cookies) == 0o660


def test_a_secret_that_is_there_stays(database: Path, cookies: Path) -> None:
    """Or everybody would have to log in again."""
    cookies.write_text("00")
    data.make(SQLite(database), cookies)
    assert (cookies.read_text(), {*cookies.parent.iterdir()}) == ("00", {cookies, database})


@pytest.mark.parametrize("name", ["hub.sqlite", "cookies"])
def test_a_file_that_is_not_the_hubs_to_write_is_told_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """As after a copy that root put back by hand: the log ends with it, not with a traceback."""
    (tmp_path / name).touch()
    # These tests may be root's, who may write all.
    monkeypatch.setattr(os, "access", lambda file, mode: file != tmp_path / name)
    with pytest.raises(SystemExit, match=f"{name} is not the hub's to write.*chmod 660 {name}"):
        data.make(SQLite(tmp_path / "hub.sqlite"), tmp_path / "cookies")


def test_an_empty_database_that_has_had_people_in_it_starts_no_hub(database: Path, cookies: Path) -> None:
    """As after a machine that lost its power; the log ends with the way back, and the file stays."""
    data.make(SQLite(database), cookies)
    data.has_started(database.parent)
    with pytest.raises(SystemExit, match=r"is empty, and has had people in it.*fab restore, then fab deploy"):
        data.make(SQLite(database), cookies)
    assert database.stat().st_size == 0


def test_an_empty_database_of_a_first_start_that_was_cut_off_is_filled(database: Path, cookies: Path) -> None:
    """So is one in place of a file that somebody has taken away."""
    data.make(SQLite(database), cookies)
    data.make(SQLite(database), cookies)
    data.has_started(database.parent)
    database.unlink()
    data.make(SQLite(database), cookies)
    data.make(SQLite(database), cookies)
    assert database.exists()


def filled(file: Path, script: str) -> SQLite:
    """Return a database in which a script has been run."""
    with closing(sqlite3.connect(file)) as opened, opened:
        opened.executescript(script)
    return SQLite(file)


OF_JUPYTERHUBS = [file.read_text() for file in (Path(__file__).parents[2] / "inside" / "database" / "dumps").glob("*.sql")]


@pytest.mark.parametrize("script", ["", *OF_JUPYTERHUBS, "create table users (name)"])
def test_a_hub_starts_with_a_new_database_and_with_that_of_any_jupyterhub(database: Path, cookies: Path, script: str) -> None:
    """Also with one of a first start that was cut off."""
    kept = filled(database, script)
    data.require_hubs(kept)
    data.make(kept, cookies)
    data.require_hubs(kept)


def test_no_hub_starts_with_another_programs_database(database: Path) -> None:
    """JupyterHub's tables would be added to it; the last line of the log says what helps, and nothing is changed."""
    kept = filled(database, "create table orders (id int)")
    before = database.read_bytes()
    with pytest.raises(SystemExit, match=r"tables that are no JupyterHub's: orders\. .*fab restore, then fab deploy"):
        data.require_hubs(kept)
    assert database.read_bytes() == before


@pytest.mark.parametrize(("place", "damage"), [(0, "file is not a database"), (8192, "Page 3")])
def test_no_hub_starts_with_a_damaged_database(database: Path, place: int, damage: str) -> None:
    """Whether it can be opened at all, or only a page of it is broken."""
    kept = filled(database, OF_JUPYTERHUBS[0])
    content = bytearray(database.read_bytes())
    content[place : place + 400] = b"?" * 400
    database.write_bytes(content)
    with pytest.raises(SystemExit, match=rf"^this hub does not start: .*is damaged: .*{damage}.*fab restore, then fab deploy"):
        data.require_hubs(kept)


def test_a_server_that_does_not_answer_is_told_as_what_keeps_the_hub_from_starting() -> None:
    """With what helps."""
    away = PostgreSQL({"host": "127.0.0.1", "port": "1", "user": "hub", "dbname": "hub", "password": "hush"})
    with pytest.raises(SystemExit, match=r"^this hub does not start: the database: .*Connection refused.*Is the server up"):
        data.require_hubs(away)


def test_a_volume_that_is_whole_is_not_waited_for(tmp_path: Path) -> None:
    """Nor one whose last part comes while the hub waits."""
    data.require_whole(tmp_path, seconds=0)
    coming = tmp_path / data.COMING
    coming.touch()
    Timer(0.05, coming.unlink).start()
    data.require_whole(tmp_path, seconds=20, pause=0.01)
    assert not coming.exists()


def test_a_volume_that_does_not_come_ends_the_hub(tmp_path: Path) -> None:
    """So Swarm goes back to the node that has it."""
    (tmp_path / data.COMING).touch()
    with pytest.raises(SystemExit, match="fab move-hub or fab restore was interrupted"):
        data.require_whole(tmp_path, seconds=0, pause=0)


def test_a_hub_that_was_moved_away_does_not_start(tmp_path: Path) -> None:
    """It says where it is."""
    (tmp_path / data.MOVED).write_text("swarm-manager2\n")
    with pytest.raises(SystemExit, match="was moved to swarm-manager2"):
        data.require_whole(tmp_path)
