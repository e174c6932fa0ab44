"""How the operator's tools get into the hub's API."""

import sqlite3
import stat
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from jupyterhub import orm
from traitlets.config import Config

from hub.shared.database import SQLite
from hub.shared.operator_token import NAME, let_in


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return where the token is to be, in a folder that is not there yet."""
    return tmp_path / "run" / "token"


def configured(file: Path, database: Path | None = None) -> Any:
    """Return the configuration that JupyterHub would get."""
    c = Config()
    let_in(c, database=SQLite(database or file.with_name("none.sqlite")), file=file)
    return c


def given(c: Any) -> str:
    """Return the token that the hub would go by."""
    (service,) = c.JupyterHub.services.get_value([])
    return str(service["api_token"])


def test_only_the_files_owner_can_read_the_token(file: Path) -> None:
    """The token that the hub goes by stands in a file that nobody else may read, in a folder that nobody else may enter."""
    c = configured(file)
    assert file.read_text() == given(c)
    assert [stat.S_IMODE(path.stat().st_mode) for path in (file, file.parent)] == [0o600, 0o700]


def test_every_container_makes_its_own_token(file: Path, tmp_path: Path) -> None:
    """It ends with the container; `jupyterhub token` loads the configuration too, and changes nothing that a hub goes by."""
    assert given(configured(file)) == given(configured(file)) != given(configured(tmp_path / "another" / "token"))


def test_other_services_stay(file: Path) -> None:
    """The service is added to those that are there, as an admin: JupyterHub lets nobody else give or take the admin bit."""
    c = Config()
    c.JupyterHub.services = [{"name": "culler"}]
    let_in(c, database=SQLite(file.with_name("none.sqlite")), file=file)
    assert [(one["name"], one.get("admin")) for one in c.JupyterHub.services] == [("culler", None), (NAME, True)]


def database_with(folder: Path, *services: str) -> Path:
    """Make a hub's database in which each of these services has a token."""
    path = folder / "jupyterhub.sqlite"
    db = orm.new_session_factory(f"sqlite:///{path}")()
    db.add(orm.OAuthClient(identifier="jupyterhub"))
    for name in services:
        service = orm.Service(name=name)
        db.add(service)
        db.commit()
        service.new_api_token(token=f"the-old-token-of-{name}")
    db.close()
    return path


def owners(database: Path) -> list[str]:
    """Return whose tokens the hub would honour."""
    with closing(sqlite3.connect(database)) as connection:
        asked = connection.execute("SELECT name FROM api_tokens JOIN services ON services.id = service_id ORDER BY name")
        return [name for (name,) in asked]


def test_tokens_of_earlier_containers_end(file: Path, tmp_path: Path) -> None:
    """JupyterHub honours every token that ever stood in its configuration: ours of before are taken back, no others."""
    database = database_with(tmp_path, NAME, "culler")
    configured(file, database)
    assert owners(database) == ["culler"]


def test_a_command_in_the_container_takes_nothing_back(file: Path, tmp_path: Path) -> None:
    """Loading the configuration again does not lock out whom the running hub has let in."""
    configured(file)
    database = database_with(tmp_path, NAME)
    configured(file, database)
    assert owners(database) == [NAME]


@pytest.mark.parametrize("content", [None, b""], ids=["none", "empty"])
def test_a_first_start_has_nothing_to_take_back(file: Path, tmp_path: Path, content: bytes | None) -> None:
    """Without a database, or with one that JupyterHub is yet to fill, there is none made and no error."""
    database = tmp_path / "jupyterhub.sqlite"
    if content is not None:
        database.write_bytes(content)
    configured(file, database)
    assert (database.read_bytes() if database.exists() else None) == content
