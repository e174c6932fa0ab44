"""Idle servers: the culler's service and role, its settings, and whom it leaves alone."""

import json
import logging
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from traitlets.config import Config

from hub.config import culling
from hub.config.people import groups
from hub.shared.database import SQLite
from swarmhub.settings import handed
from tests.unit.support.fakes import NOTEBOOK, settings

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


def configured(**table: Any) -> Any:
    """Return JupyterHub's configuration."""
    c = Config()
    c.JupyterHub.services, c.JupyterHub.load_roles = [], []
    culling.configure(c, handed.tables(settings(culling=table))["culling"], Path("/data/jupyterhub.sqlite"))
    return c.JupyterHub


def culler(folder: Path, **table: Any) -> Any:
    """Return the culler's configuration: what its process makes of the hub's file and of what it is handed on."""
    c, file = Config(), folder / "settings.json"
    file.write_text(handed.document(settings(culling=table), {NOTEBOOK: NOTEBOOK}))
    culling.configure_culler(c, configured(**table).services[0]["environment"], file)
    return c.IdleCuller


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Return a hub's database in which Grace has two servers that say nothing, and is a member of staff."""
    file = tmp_path / "hub.sqlite"
    with closing(sqlite3.connect(file)) as db, db:
        db.executescript("""
            create table users (id, name, state); create table groups (id, name);
            create table user_group_map (user_id, group_id); create table spawners (user_id, name, state);
            insert into users values (1, 'grace', null); insert into groups values (1, 'staff'), (2, 'students');
            insert into user_group_map values (1, 1); insert into spawners values (1, '', null), (1, 'second', '{}');
        """)
    return file


def says(database: Path, **use: float) -> None:
    """Let the hub keep what Grace's server said of its use, in seconds from now."""
    state = {"object_id": "x", "use": {"used": None, **{name: NOW.timestamp() + ago for name, ago in use.items()}}}
    with closing(sqlite3.connect(database)) as db, db:
        db.execute("update spawners set state = ? where name = ''", (json.dumps(state),))


def is_due(database: Path, idle: float, age: float = 3600, user: str = "grace", server: str = "", **table: Any) -> bool:
    """Return whether a server is culled that has been idle and has run for so many seconds."""
    model = {"name": server, "full_name": f"{user}/{server}", "started": (NOW - timedelta(seconds=age)).isoformat()}
    found = settings(culling=table).culling.model_dump(exclude_none=True)
    arbiter = culling.arbiter(found, SQLite(database), NOW.timestamp)
    return arbiter(inactive=timedelta(seconds=idle), inactive_limit=0, server=model)


def test_the_culler_is_a_service_with_no_more_than_its_role() -> None:
    """It may list users and servers with their activity, and stop servers; `enabled = false` leaves nothing of it."""
    hub = configured()
    (role,) = hub.load_roles
    assert (role["services"], set(role["scopes"])) == (
        [hub.services[0]["name"]],
        {"list:users", "read:users:activity", "read:servers", "delete:servers"},
    )
    # With its own defaults, where it cannot read its settings, it would stop everybody after ten minutes.
    assert hub.services[0]["environment"]["TRAITLETS_APPLICATION_RAISE_CONFIG_FILE_ERROR"] == "1"
    off = configured(enabled=False)
    assert (off.services, off.load_roles) == ([], [])


def test_the_culler_does_what_hosts_toml_says(tmp_path: Path) -> None:
    """Its own process reads the times, in seconds."""
    c = culler(tmp_path, idle="2h", every="5m", remove_named=True)
    assert c.url == "http://127.0.0.1:8081/hub/api"
    assert (c.timeout, c.cull_every, c.remove_named_servers) == (7200, 300, True)


@pytest.mark.parametrize(
    ("idle", "table", "due"),
    [
        (3599, {}, False),
        (3600, {}, True),
        (3600, {"except_users": ["grace"]}, False),
        (3600, {"except_users": ["ada"]}, True),
        (0, {"max_age": "1h"}, True),
        (0, {"max_age": "2h"}, False),
        (0, {"max_age": "1h", "except_users": ["grace"]}, False),
    ],
)
def test_a_server_stops_when_it_is_idle_or_old_and_nobody_is_excepted(
    database: Path, idle: float, table: dict[str, Any], due: bool
) -> None:
    """Exceptions hold for the age as well as for idleness, and for servers with names of their own."""
    assert is_due(database, idle, **table) is is_due(database, idle, server="second", **table) is due


@pytest.mark.parametrize(
    ("idle", "table", "why"), [(3600, {}, "nobody uses it"), (0, {"max_age": "30m"}, "it has run for max_age")]
)
def test_the_hubs_log_says_why_a_server_stops(
    database: Path, idle: float, table: dict[str, Any], why: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The culler's own line gives the time since the last traffic, which an open page makes all the time."""
    caplog.set_level(logging.INFO)
    assert is_due(database, idle, **table)
    assert caplog.messages == [f"grace stops: {why}"]


def test_what_the_server_has_said_counts(database: Path) -> None:
    """A page that is open asks all the time: nobody has used it for eight hours; and somebody has asked to keep it."""
    says(database, used=-8 * 3600 + 1)
    assert not is_due(database, 1)
    says(database, used=-8 * 3600)
    assert is_due(database, 1)
    says(database, used=-8 * 3600, kept=1)
    assert not is_due(database, 1)
    assert not is_due(database, 1, server="second")


@pytest.mark.parametrize(("group", "due"), [("staff", False), ("students", True)])
def test_members_of_an_excepted_group_are_left_alone(database: Path, group: str, due: bool) -> None:
    """The hub's database says who is in a group: hosts.toml's are there, and the admin console's."""
    assert groups.of(SQLite(database), "grace") == {"staff"}
    assert is_due(database, 3600, except_groups=[group]) is due
