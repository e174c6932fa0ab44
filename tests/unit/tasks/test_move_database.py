"""The move of the hub's database as it is typed, on a cluster in memory."""

from pathlib import Path

import pytest
from invoke.exceptions import Exit

from tests.unit.support.cluster import Hosts, Type
from tests.unit.support.fakes import MANAGER

TABLE = '\n[secrets]\nnames = ["DATABASE_URL"]\n\n[database]\nurl = {secret = "DATABASE_URL"}\n'


@pytest.fixture
def server(hosts: Hosts, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Hosts:
    """Let hosts.toml name a server, after the hub was deployed without one."""
    (folder / "hosts.toml").write_text(f"{(folder / 'hosts.toml').read_text()}{TABLE}")
    monkeypatch.setenv("DATABASE_URL", "postgresql://hub:hush-hush@db.example.org/hub")
    return hosts


def test_a_move_is_shown_and_asked_for(type_: Type, server: Hosts, capsys: pytest.CaptureFixture[str]) -> None:
    """Without an answer nothing is changed, and the password is nowhere."""
    with pytest.raises(Exit, match="There is no terminal to ask on"):
        type_("move-database")
    said = capsys.readouterr().out
    assert f"move-database move the hub's database to PostgreSQL on {MANAGER} (the hub restarts, notebooks go on)" in said
    assert "hush-hush" not in said
    assert [one for one in server[MANAGER].engine.asked() if one.startswith(("POST", "DELETE"))] == []


def test_where_it_is_as_wanted_nothing_is_asked(type_: Type, hosts: Hosts, capsys: pytest.CaptureFixture[str]) -> None:
    """A second run says so."""
    type_("move-database")
    assert "the hub's database is on SQLite, as hosts.toml says" in capsys.readouterr().out
    assert [one for one in hosts[MANAGER].engine.asked() if one.startswith(("POST", "DELETE"))] == []


def test_a_deploy_is_refused_until_then(type_: Type, server: Hosts) -> None:
    """It would start a hub without its people."""
    with pytest.raises(Exit, match="Move it: fab move-database"):
        type_("deploy")
