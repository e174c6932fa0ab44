"""The hub's database on a PostgreSQL server: copied into a file of SQLite and back, on a real server where there is one."""

import logging
import os
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from jupyterhub import dbutil, orm
from sqlalchemy import create_engine, inspect

from swarmhub.inside.database import on_server, postgresql, sqlite
from tests.unit.support import postgres

NAMES = ("ada", "grace", "ünïcode 🙂", "a\"b'c%s?;--")


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """Return the URL of a database on a server."""
    with postgres.serving() as url:
        yield url


@pytest.fixture
def url(server: str) -> str:
    """Return the same with nothing in it."""
    schemas = postgres.ask(
        server, "select nspname from pg_namespace where nspname !~ '^pg_' and nspname != 'information_schema'"
    )
    postgres.ask(server, *[f"drop schema {name} cascade" for (name,) in schemas], "create schema public")
    return server


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a hub's file of SQLite: users, an admin, a group, tokens, servers and shares."""
    path = tmp_path / "jupyterhub.sqlite"
    db = orm.new_session_factory(f"sqlite:///{path}")()
    admin, staff = orm.Role(name="admin", scopes=["admin:users"]), orm.Group(name="staff")
    users = [orm.User(name=name, admin=name == "ada", cookie_id=name, roles=[admin], groups=[staff]) for name in NAMES]
    db.add_all([admin, *users, *(orm.APIToken(user=user, hashed=user.name, prefix="") for user in users)])
    db.commit()
    for user in users:
        spawner = orm.Spawner(user=user, name="", state={"object_id": "é"})
        db.add(orm.Share(owner=user, spawner=spawner, user=users[0], scopes=[], created_at=user.created))
    db.commit()
    db.close()
    return path


def rows(path: Path) -> dict[str, list[Any]]:
    """Return all that a file of SQLite has."""
    with closing(sqlite3.connect(path)) as opened:
        tables = [name for (name,) in opened.execute("select name from sqlite_master where type = 'table' order by name")]
        return {name: sorted(map(repr, opened.execute(f'select * from "{name}"'))) for name in tables}  # noqa: S608


def shape(address: str) -> dict[str, Any]:
    """Return columns, keys and indexes of all tables, in words that both kinds of database share."""
    found = inspect(create_engine(address))
    return {
        table: (
            [(one["name"], str(one["type"].as_generic()), one["nullable"]) for one in found.get_columns(table)],
            found.get_pk_constraint(table)["constrained_columns"],
            sorted((one["name"] or "", str(one["options"])) for one in found.get_foreign_keys(table)),
            sorted((one["name"] or "", one["column_names"]) for one in found.get_unique_constraints(table)),
            sorted((one["name"] or "", one["column_names"], bool(one["unique"])) for one in found.get_indexes(table)),
        )
        for table in found.get_table_names()
    }


def with_driver(url: str) -> str:
    """Return a URL as SQLAlchemy wants it."""
    return url.replace("postgresql://", "postgresql+psycopg://")


def test_what_goes_to_a_server_and_back_is_the_same(url: str, file: Path, tmp_path: Path) -> None:
    """Every row of every table, whatever is in it, and the schema's revision."""
    loaded = postgresql.load(file, url)
    postgresql.snapshot(url, tmp_path / "back.sqlite")
    assert rows(tmp_path / "back.sqlite") == rows(file)
    assert (loaded["users"], loaded["alembic_version"]) == (len(NAMES), 1)
    assert sqlite.look(tmp_path / "back.sqlite")["schema"] == sqlite.look(file)["schema"]


def test_the_tables_are_those_that_jupyterhub_makes(url: str, file: Path) -> None:
    """Columns, keys, what goes with a row that goes, and indexes, by the same names: a later release may change them."""
    orm.new_session_factory(with_driver(url))
    own = shape(with_driver(url))
    postgresql.load(file, url)
    assert shape(with_driver(url)) == own


@pytest.mark.parametrize("dump", sorted(Path(__file__).with_name("dumps").glob("*.sql")), ids=lambda dump: dump.stem)
def test_a_file_of_an_older_hub_is_upgraded_on_the_server(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dump: Path
) -> None:
    """As the hub does when it starts: Alembic finds the keys by the names that it knows."""
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    with closing(sqlite3.connect(tmp_path / "old.sqlite")) as opened:
        opened.executescript(dump.read_text())
    postgresql.load(tmp_path / "old.sqlite", url)
    dbutil.upgrade_if_needed(with_driver(url), log=logging.getLogger())
    db = orm.new_session_factory(with_driver(url))()
    assert {user.name for user in db.query(orm.User)} == {"ada", "grace", "linus"}
    db.close()


def test_a_hub_goes_on_counting(url: str, file: Path) -> None:
    """A new user gets a number that nobody has."""
    postgresql.load(file, url)
    db = orm.new_session_factory(with_driver(url))()
    db.add(orm.User(name="new"))
    db.commit()
    assert [user.id for user in db.query(orm.User).order_by(orm.User.id)] == [1, 2, 3, 4, 5]
    db.close()


def test_what_was_there_is_set_aside(url: str, file: Path) -> None:
    """In a schema of its own, with all of its rows."""
    postgresql.load(file, url)
    postgres.ask(url, "update users set name = 'before' where name = 'grace'")
    postgresql.load(file, url)
    ((aside,),) = postgres.ask(url, "select nspname from pg_namespace where nspname like 'before_%'")
    assert postgres.ask(url, f"select name from {aside}.users where id = 2") == [("before",)]  # noqa: S608
    assert postgres.ask(url, "select name from users where id = 2") == [("grace",)]


def test_a_trial_leaves_nothing(url: str, file: Path) -> None:
    """It says how many rows there would be."""
    assert postgresql.load(file, url, stays=False)["users"] == len(NAMES)
    assert postgres.ask(url, "select count(*) from pg_tables where schemaname !~ '^(pg_|information)'") == [(0,)]


def test_what_the_server_does_not_take_is_told_and_nothing_is_changed(url: str, file: Path) -> None:
    """A row that refers to none: SQLite may have let it in. The line says where, and no value of it."""
    postgresql.load(file, url)
    with closing(sqlite3.connect(file)) as opened, opened:
        opened.execute("update api_tokens set user_id = 99, hashed = 'a-hash' where id = 1")
    with pytest.raises(SystemExit, match='PostgreSQL: insert or update on table "api_tokens" violates foreign key') as told:
        postgresql.load(file, url)
    assert "a-hash" not in str(told.value)
    assert postgres.ask(url, "select count(*) from pg_namespace where nspname like 'before_%'") == [(0,)]
    assert postgres.ask(url, "select count(*) from users") == [(len(NAMES),)]


def test_tables_of_something_else_are_not_touched(url: str, file: Path) -> None:
    """The database is another program's."""
    postgres.ask(url, "create table orders (id int)")
    with pytest.raises(SystemExit, match="the database has tables that are no JupyterHub's: orders"):
        postgresql.load(file, url)
    assert postgres.ask(url, "select schemaname from pg_tables where tablename = 'orders'") == [("public",)]


def test_a_database_without_tables_is_none(url: str, tmp_path: Path) -> None:
    """As where there is no file of SQLite yet."""
    postgresql.snapshot(url, tmp_path / "copy.sqlite")
    assert not (tmp_path / "copy.sqlite").exists()


WRONG = {
    "password": ("p%40ss", "other", 'password authentication failed for user "jupyterhub"'),
    "database": ("/jupyterhub", "/none", 'database "none" does not exist'),
    "host": ("127.0.0.1", "nowhere.invalid", "failed to resolve host 'nowhere.invalid'"),
}


@pytest.mark.parametrize(("part", "other", "said"), WRONG.values(), ids=WRONG)
def test_a_server_that_cannot_be_asked_is_told_in_a_line(server: str, tmp_path: Path, part: str, other: str, said: str) -> None:
    """Without the password."""
    head, _, tail = server.rpartition(part)
    with pytest.raises(SystemExit) as told:
        postgresql.snapshot(f"{head}{other}{tail}", tmp_path / "copy.sqlite")
    text = str(told.value)
    assert (said in text, "\n" in text, "w%2Frd" in text) == (True, False, False)


def test_who_was_removed_does_not_come_back_with_a_copy(url: str, file: Path, tmp_path: Path, monkeypatch: Any) -> None:
    """The copy's tokens and accounts are compared with those of the server's now, as with a file."""
    monkeypatch.setattr(sqlite, "ROOT", file.stat().st_uid)
    copies = tmp_path / "copies"
    copies.mkdir()
    postgresql.load(file, url)
    on_server.do(url, "copy", file, copies / "before-2.sqlite")
    postgres.ask(url, "delete from api_tokens where user_id = 1", "update users set admin = false where id = 1")
    (tmp_path / "access").mkdir()
    (tmp_path / "access" / "deleted").write_text("grace\n")
    answer = on_server.do(url, "restore", file, copies / "before-2.sqlite")
    assert answer["users"] == len(NAMES) - 1
    assert postgres.ask(url, "select admin from users where name = 'ada'") == [(False,)]
    assert postgres.ask(
        url, "select count(*) from users u join api_tokens t on t.user_id = u.id where name in ('ada', 'grace')"
    ) == [(0,)]


def test_a_hub_does_not_start_without_its_people(url: str, file: Path) -> None:
    """The server has nobody, and the file has: the move was forgotten, or the secret names another server."""
    with pytest.raises(SystemExit, match=r"has no users, and jupyterhub\.sqlite in the hub's volume has"):
        on_server.do(url, "try", file)
    with pytest.raises(SystemExit, match="that the secret names now has no users"):
        on_server.do(url, "require", file)
    postgresql.load(file, url)
    assert on_server.do(url, "require", file)["users"] == on_server.do(url, "try", file)["users"] == len(NAMES)


def test_a_database_moves_in_and_out(url: str, file: Path) -> None:
    """The file stays when it moves in, and is set aside when another one takes its place."""
    before = rows(file)
    moved = on_server.do(url, "move-in", file)
    assert (moved["users"], moved["rows"] > len(NAMES), rows(file) == before) == (len(NAMES), True, True)
    postgres.ask(url, "update users set name = 'on-the-server' where id = 2")
    on_server.do(url, "try-move-out", file)
    assert rows(file) == before
    on_server.do(url, "move-out", file)
    (aside,) = file.parent.glob("jupyterhub.sqlite-before-*")
    assert (rows(aside) == before, "on-the-server" in str(rows(file)["users"])) == (True, True)
    assert file.stat().st_mode & 0o777 == 0o660


def test_nothing_is_moved_where_there_is_nothing(url: str, tmp_path: Path) -> None:
    """Neither way."""
    with pytest.raises(SystemExit, match=r"there is no jupyterhub\.sqlite in the hub's volume"):
        on_server.do(url, "move-in", tmp_path / "jupyterhub.sqlite")
    with pytest.raises(SystemExit, match="the PostgreSQL database has no tables"):
        on_server.do(url, "move-out", tmp_path / "jupyterhub.sqlite")


def test_the_url_is_read_from_a_file_that_goes(
    url: str, file: Path, tmp_path: Path, monkeypatch: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """It has a password."""
    monkeypatch.setattr(sqlite, "GIVEN", tmp_path / "url")
    (tmp_path / "url").write_text(url)
    sqlite.main("move-in", str(file))
    assert not (tmp_path / "url").exists()
    assert f'"users": {len(NAMES)}' in capsys.readouterr().out
