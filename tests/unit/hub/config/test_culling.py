"""Idle servers: the culler's service and role, its settings, and whom it leaves alone."""

import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from traitlets.config import Config

from hub.config import culling, groups
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


def is_due(
    tmp_path: Path, idle: float, age: float = 3600, user: str = "grace", server: str = "", **table: Any
) -> tuple[bool, float]:
    """Return whether a server is culled that has been idle and has run for so many seconds, and the limit given."""
    model = {"name": server, "full_name": f"{user}/{server}", "started": (NOW - timedelta(seconds=age)).isoformat()}
    arbiter = culling.arbiter(
        settings(culling=table).culling.model_dump(exclude_none=True), tmp_path / "hub.sqlite", lambda: NOW
    )
    limit = culler(tmp_path, **table).timeout
    return arbiter(inactive=timedelta(seconds=idle), inactive_limit=limit, server=model), limit


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
    tmp_path: Path, idle: float, table: dict[str, Any], due: bool
) -> None:
    """Exceptions hold for the age as well as for idleness, and for servers with names of their own."""
    assert is_due(tmp_path, idle, **table)[0] is is_due(tmp_path, idle, server="second", **table)[0] is due


@pytest.mark.parametrize(("group", "due"), [("staff", False), ("students", True)])
def test_members_of_an_excepted_group_are_left_alone(tmp_path: Path, group: str, due: bool) -> None:
    """The hub's database says who is in a group: hosts.toml's are there, and the admin console's."""
    with sqlite3.connect(tmp_path / "hub.sqlite") as db:
        db.executescript("""
            create table users (id, name); create table groups (id, name); create table user_group_map (user_id, group_id);
            insert into users values (1, 'grace'); insert into groups values (1, 'staff'), (2, 'students');
            insert into user_group_map values (1, 1);
        """)
    db.close()
    assert groups.members(tmp_path / "hub.sqlite", ["staff"]) == {"grace"}
    assert is_due(tmp_path, 3600, except_groups=[group])[0] is due
