"""The groups of hosts.toml in JupyterHub's own database."""

from pathlib import Path

import pytest
from jupyterhub import orm
from traitlets.config import Config

from hub.config.people import groups
from hub.shared.database import SQLite


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
    groups.drop_members(tmp_path, SQLite(database), {"gpu": ["ada", "grace"]})
    groups.drop_members(tmp_path, SQLite(database), {"gpu": ["ada"]})
    found = {name: groups.of(SQLite(database), name) for name in ("ada", "linus", "grace")}
    assert found == {"ada": {"gpu"}, "linus": {"gpu"}, "grace": {"staff"}}
    groups.drop_members(tmp_path, SQLite(database), {})
    assert (groups.of(SQLite(database), "ada"), groups.of(SQLite(database), "linus")) == (set(), {"gpu"})


@pytest.mark.parametrize("content", [None, b""], ids=["none", "empty"])
def test_a_hub_without_a_database_starts(tmp_path: Path, content: bytes | None) -> None:
    """The first start, and one on a new volume, have nobody to take out."""
    file = tmp_path / "jupyterhub.sqlite"
    if content is not None:
        file.write_bytes(content)
    groups.drop_members(tmp_path, SQLite(file), {"gpu": ["ada"]})
    groups.drop_members(tmp_path, SQLite(file), {})
    assert (tmp_path / groups.RECORD).read_text() == "{}"
