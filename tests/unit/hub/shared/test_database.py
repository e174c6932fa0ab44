"""The hub's database as its own code opens it: a file, or a server, whose password nothing shows."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from jupyterhub import orm
from sqlalchemy import create_engine, make_url, text

from hub.config import data
from hub.config.people import groups
from hub.shared import database, operator_token
from hub.shared.database import Opened, PostgreSQL, SQLite
from hub.shared.people import listed
from tests.unit.support import postgres

TABLES = {"database": {"url": {"secret": "DATABASE_URL"}}}


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """Return the URL of a database on a server."""
    with postgres.serving() as url:
        yield url


@pytest.fixture
def of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return what makes a hub's database of the URL in its secret."""
    monkeypatch.setattr(database, "MEMORY", tmp_path)
    monkeypatch.setenv("PGPASSFILE", "")

    def make(url: str) -> Any:
        (tmp_path / "DATABASE_URL").write_text(f"{url}\n")
        return database.of(TABLES, tmp_path, tmp_path)

    return make


def test_without_a_url_it_is_a_file_on_the_hubs_volume(tmp_path: Path) -> None:
    """As it always was; before the hub's first start there is nothing to open."""
    found = database.of({}, tmp_path, tmp_path)
    assert (found, found.url) == (SQLite(tmp_path / "jupyterhub.sqlite"), f"sqlite:///{tmp_path}/jupyterhub.sqlite")
    with found.opened() as opened:
        assert opened is None


def test_what_fails_halfway_changes_nothing(tmp_path: Path) -> None:
    """Of a file, as of a server."""
    file = tmp_path / "jupyterhub.sqlite"
    with closing(sqlite3.connect(file)) as made, made:
        made.execute("create table users (name)")
    with pytest.raises(sqlite3.Error), SQLite(file).opened() as opened:
        _change(opened, "insert into users values (?)", "insert into nothing values (?)")
    with SQLite(file).opened() as opened:
        assert opened is not None
        assert (opened.tables(), opened.rows("select * from users")) == ({"users"}, [])


def _change(opened: Opened | None, *statements: str) -> None:
    assert opened is not None
    for one in statements:
        opened.change(one, [("ada",)])


URLS = {
    "plain": (
        "postgresql://hub:p%40ss@db.example.org/hub",
        "postgresql+psycopg://hub@/hub?connect_timeout=10&host=db.example.org",
    ),
    "postgres": ("postgres://hub:x@db:5433/hub", "postgresql+psycopg://hub@/hub?connect_timeout=10&host=db&port=5433"),
    "SQLAlchemy's": ("postgresql+psycopg://hub:x@db/hub", "postgresql+psycopg://hub@/hub?connect_timeout=10&host=db"),
    "options": (
        "postgresql://hub@db/hub?password=x&sslmode=verify-full&connect_timeout=3",
        "postgresql+psycopg://hub@/hub?connect_timeout=3&host=db&sslmode=verify-full",
    ),
    "one port for several hosts": (
        "postgresql://hub:x@a,b/hub?port=5433",
        "postgresql+psycopg://hub@/hub?connect_timeout=10&host=a%2Cb&port=5433%2C5433",
    ),
    "several hosts": (
        "postgresql://hub:x@a:1,b:2/hub?target_session_attrs=read-write",
        "postgresql+psycopg://hub@/hub?connect_timeout=10&host=a%2Cb&port=1%2C2&target_session_attrs=read-write",
    ),
}


@pytest.mark.parametrize(("url", "expected"), URLS.values(), ids=URLS)
def test_jupyterhub_gets_the_url_without_the_password(of: Any, url: str, expected: str) -> None:
    """It logs its URL, and writes it into a file for Alembic."""
    found = of(url)
    assert (found.url.partition("?")[0], sorted(found.url.partition("?")[2].split("&"))) == (
        expected.partition("?")[0],
        sorted(expected.partition("?")[2].split("&")),
    )
    assert "p@ss" not in repr(found)
    assert create_engine(found.url).dialect.create_connect_args(make_url(found.url))[1]["user"] == "hub"


def test_the_password_is_where_libpq_looks_for_it(of: Any, tmp_path: Path) -> None:
    """For nobody but the hub's user, in memory."""
    of(r"postgresql://hub:a%3Ab%5Cc@db/hub")
    (file,) = tmp_path.glob("hub-database-*")
    assert (file.read_text(), file.stat().st_mode & 0o777) == ("*:*:*:*:a\\:b\\\\c\n", 0o600)


def test_jupyterhub_and_the_hubs_own_code_work_on_a_server(of: Any, server: str, tmp_path: Path) -> None:
    """JupyterHub by the URL without a password; who is out goes with tokens, groups and roles; the culler reads groups."""
    found = of(server)
    db = orm.new_session_factory(found.url)()
    admin, staff = orm.Role(name="admin", scopes=[]), orm.Group(name="staff")
    users = [orm.User(name=name, admin=True, cookie_id=name, roles=[admin], groups=[staff]) for name in ("ada", "grace")]
    db.add_all([admin, *users, *(orm.APIToken(user=user, hashed=user.name, prefix="") for user in users)])
    service = orm.Service(name=operator_token.NAME)
    db.add_all([service, orm.APIToken(service=service, hashed="operators", prefix="")])
    db.commit()
    db.close()
    assert groups.of(found, "grace") == {"staff"}
    groups.drop_members(tmp_path, found, {"staff": ["ada", "grace"]})
    groups.drop_members(tmp_path, found, {"staff": ["grace"]})
    assert (groups.of(found, "ada"), groups.of(found, "grace")) == (set(), {"staff"})
    listed.enforce(tmp_path / "access", "ada admin\ngrace admin\n", found)
    (tmp_path / "access" / listed.CURRENT).write_text("ada\n")
    listed.enforce(tmp_path / "access", "", found)
    operator_token._forget(found)
    with create_engine(server.replace("postgresql://", "postgresql+psycopg://")).connect() as opened:
        left = [
            list(opened.execute(text(f"select * from {table}")))  # noqa: S608
            for table in ("api_tokens", "user_role_map", "user_group_map")
        ]
        assert opened.execute(text("select name, admin from users")).all() == [("ada", False)]
    assert [len(one) for one in left] == [1, 0, 0]


def test_a_database_in_order_has_no_problem(of: Any, server: str) -> None:
    """Empty, or a hub's."""
    assert of(server).check("jupyterhub") == ""


PROBLEMS = {
    "password": ("p%40ss", "other", "password authentication failed", "the right password"),
    "database": ("/jupyterhub", "/none", 'database "none" does not exist', "createdb"),
    "host": ("127.0.0.1", "nowhere.invalid", "failed to resolve host", "Is the host in the URL right?"),
    "TLS": ("/jupyterhub", "/jupyterhub?sslmode=require", "server does not support SSL", "Turn TLS on there"),
    "rights": ("/jupyterhub", "/postgres", "its user may not make tables and schemas there", "owner to USER"),
}


@pytest.mark.parametrize(("part", "other", "said", "help_"), PROBLEMS.values(), ids=PROBLEMS)
def test_a_problem_is_told_with_what_helps(of: Any, server: str, part: str, other: str, said: str, help_: str) -> None:
    """In a line, without the password."""
    head, _, tail = server.rpartition(part)
    problem = of(f"{head}{other}{tail}").check("jupyterhub")
    assert (said in problem, help_ in problem, "\n" in problem, "w/rd" in problem) == (True, True, False, False), problem


def test_tables_of_something_else_are_a_problem(of: Any, server: str) -> None:
    """The database is another program's."""
    postgres.ask(server, "create schema jupyterhub", "create table jupyterhub.orders (id int)")
    problem = of(server).check("jupyterhub")
    with pytest.raises(SystemExit) as refused:
        data.require_hubs(of(server))
    postgres.ask(server, "drop schema jupyterhub cascade")
    data.require_hubs(of(server))
    assert "it has tables that are no JupyterHub's: orders. Give the hub a database of its own" in problem
    assert str(refused.value) == f"this hub does not start: {problem}"


def test_another_hubs_database_is_a_problem(of: Any, server: str) -> None:
    """Each would take the other's servers for gone. What an administrator has written there stays."""
    of(server).claim("jupyterhub")
    of(server).claim("other")
    assert of(server).check("jupyterhub") == ""
    problem = of(server).check("other")
    assert "it is another hub's, jupyterhub. Give each hub its own" in problem
    postgres.ask(server, "comment on database jupyterhub is 'of the IT department'")
    of(server).claim("jupyterhub")
    assert postgres.ask(server, database.OWNER) == [("of the IT department",)]
    assert of(server).check("other") == ""


def test_a_server_that_does_not_answer_ends_the_hub_in_a_line(of: Any) -> None:
    """Swarm starts it again."""
    found = PostgreSQL({"host": "127.0.0.1", "port": "1", "user": "hub", "dbname": "hub", "password": "hush"})
    with pytest.raises(SystemExit, match=r"the database: .*Connection refused"), found.opened():
        pass
