"""The groups of hosts.toml in JupyterHub's own database."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from jupyterhub import orm
from jupyterhub.app import JupyterHub
from jupyterhub.orm import User
from sqlalchemy import Engine, event
from traitlets.config import Config

from hub.config import groups


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Return a database of JupyterHub's in which ada, grace and linus are in the group gpu, and grace in staff."""
    file = tmp_path / "jupyterhub.sqlite"
    session = orm.new_session_factory(f"sqlite:///{file}")()
    users = {name: orm.User(name=name) for name in ("ada", "grace", "linus")}
    session.add_all([orm.Group(name="gpu", users=list(users.values())), orm.Group(name="staff", users=[users["grace"]])])
    session.commit()
    session.close()
    session.get_bind().dispose()
    return file


def test_jupyterhub_is_told_the_groups() -> None:
    """In the form that it takes since version 3.2."""
    c = Config()
    groups.configure(c, {"gpu": ["ada", "grace"]})
    assert c.JupyterHub.load_groups == {"gpu": {"users": ["ada", "grace"]}}


def test_who_is_dropped_from_hosts_toml_leaves_the_group(tmp_path: Path, database: Path) -> None:
    """Whom the console has added stays, also in a group that is dropped, and so do the other groups."""
    groups.drop_members(tmp_path, database, {"gpu": ["ada", "grace"]})
    groups.drop_members(tmp_path, database, {"gpu": ["ada"]})
    assert (groups.members(database, ["gpu"]), groups.members(database, ["staff"])) == ({"ada", "linus"}, {"grace"})
    groups.drop_members(tmp_path, database, {})
    assert groups.members(database, ["gpu"]) == {"linus"}


@pytest.mark.parametrize("content", [None, b""], ids=["none", "empty"])
def test_a_hub_without_a_database_starts(tmp_path: Path, content: bytes | None) -> None:
    """The first start, and one on a new volume, have nobody to take out."""
    file = tmp_path / "jupyterhub.sqlite"
    if content is not None:
        file.write_bytes(content)
    groups.drop_members(tmp_path, file, {"gpu": ["ada"]})
    groups.drop_members(tmp_path, file, {})
    assert (tmp_path / groups.RECORD).read_text() == "{}"


def started(database: Path, given: dict[str, Any]) -> Any:
    """Return JupyterHub when it has loaded groups: those of hosts.toml, as a file of conf.d may have changed them."""
    c = Config()
    groups.configure(c, {})
    c.JupyterHub.load_groups = given
    c.JupyterHub.db_url, c.JupyterHub.authenticator_class = f"sqlite:///{database}", "dummy"
    app = JupyterHub(config=c)
    app.authenticator = app.authenticator_class(parent=app)
    app.init_db()

    async def start() -> None:
        await app.init_role_creation()
        await app.init_groups()

    asyncio.run(start())
    return app


def test_members_are_users_with_the_role_of_one(tmp_path: Path) -> None:
    """Those who are there and those who are not, once, in whatever form and spelling they are named."""
    for _ in range(2):
        app = started(tmp_path / "new.sqlite", {"gpu": {"users": ["Ada", "ada", "grace"]}, "staff": ["ada"]})
    assert {
        user.name: ([one.name for one in user.groups], [one.name for one in user.roles]) for user in app.db.query(User)
    } == {
        "ada": (["gpu", "staff"], ["user"]),
        "grace": (["gpu"], ["user"]),
    }


def test_who_is_in_stays_in(database: Path) -> None:
    """The admin console's members, too; what else a file of conf.d says of a group is JupyterHub's matter."""
    app = started(database, {"gpu": {"users": ["barbara"], "properties": {"size": 3}}})
    (gpu,) = app.db.query(orm.Group).filter_by(name="gpu")
    assert ({user.name for user in gpu.users}, gpu.properties) == ({"ada", "grace", "linus", "barbara"}, {"size": 3})


def test_a_name_that_is_none_ends_the_start(tmp_path: Path) -> None:
    """As JupyterHub says it."""
    with pytest.raises(ValueError, match="Username '' is not valid"):
        started(tmp_path / "new.sqlite", {"gpu": {"users": [""]}})


def test_thousands_of_members_take_few_statements(tmp_path: Path) -> None:
    """JupyterHub's own way takes a commit and ten questions for each, and minutes for all: no update waits so long."""
    said: list[str] = []

    def count(*args: Any) -> None:
        said.append(args[2])

    event.listen(Engine, "before_cursor_execute", count)
    try:
        app = started(tmp_path / "new.sqlite", {"course": {"users": [f"student-{one}" for one in range(2000)]}})
    finally:
        event.remove(Engine, "before_cursor_execute", count)
    assert (app.db.query(User).count(), len(said) < 4000) == (2000, True)
