"""JupyterHub with thousands of people: they and their groups are in its database as it would have put them there."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from jupyterhub import orm
from jupyterhub.orm import User
from sqlalchemy import Engine, event
from traitlets.config import Config

from hub.app import JupyterHub


def started(database: Path, given: dict[str, Any], *allowed: str) -> Any:
    """Return JupyterHub when it has loaded its users and groups: those of hosts.toml, as conf.d may have changed them."""
    c = Config()
    c.JupyterHub.load_groups = given
    c.JupyterHub.db_url, c.JupyterHub.authenticator_class = f"sqlite:///{database}", "dummy"
    c.Authenticator.allowed_users, c.Authenticator.admin_users = {"root", *allowed}, {"root"}
    app = JupyterHub(config=c)
    app.authenticator = app.authenticator_class(parent=app)
    app.init_db()

    async def start() -> None:
        await app.init_role_creation()
        await app.init_users()
        await app.init_groups()
        await app.init_role_assignment()

    asyncio.run(start())
    return app


def test_members_are_users_with_the_role_of_one(tmp_path: Path) -> None:
    """Those who are there and those who are not, once, in whatever form and spelling they are named."""
    for _ in range(2):
        app = started(tmp_path / "new.sqlite", {"gpu": {"users": ["Ada", "ada", "grace"]}, "staff": ["ada"]}, "Ada", "linus")
    assert {
        user.name: ({one.name for one in user.groups}, {one.name for one in user.roles}) for user in app.db.query(User)
    } == {
        "root": (set(), {"admin", "user"}),
        "ada": ({"gpu", "staff"}, {"user"}),
        "grace": ({"gpu"}, {"user"}),
        "linus": (set(), {"user"}),
    }


def test_who_is_in_a_group_stays_in_it(tmp_path: Path) -> None:
    """The admin console's members, too; what else a file of conf.d says of a group is JupyterHub's matter."""
    started(tmp_path / "new.sqlite", {"gpu": {"users": ["ada"]}})
    app = started(tmp_path / "new.sqlite", {"gpu": {"users": ["barbara"], "properties": {"size": 3}}})
    (gpu,) = app.db.query(orm.Group).filter_by(name="gpu")
    assert ({user.name for user in gpu.users}, gpu.properties) == ({"ada", "barbara"}, {"size": 3})


def test_a_name_that_is_none_ends_the_start(tmp_path: Path) -> None:
    """As JupyterHub says it."""
    with pytest.raises(ValueError, match="username '' is not valid"):
        started(tmp_path / "new.sqlite", {"gpu": {"users": [""]}})


def test_thousands_of_members_take_few_statements(tmp_path: Path) -> None:
    """JupyterHub's own way takes a commit and ten questions for each, and minutes for all: no update waits so long."""
    said, names = [], [f"student-{one}" for one in range(2000)]

    def count(*args: Any) -> None:
        said.append(args[2])

    event.listen(Engine, "before_cursor_execute", count)
    try:
        app = started(tmp_path / "new.sqlite", {"course": {"users": names}})
    finally:
        event.remove(Engine, "before_cursor_execute", count)
    # An insertion of each, and some more.
    assert (app.db.query(User).count(), len(said) < 2200) == (2001, True)
