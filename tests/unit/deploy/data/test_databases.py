"""The hub's database where hosts.toml wants it: the move to a server and back, and what is refused until it is made."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from invoke.config import Config
from invoke.context import Context
from pydantic import SecretStr

from swarmhub import settings as settings_file
from swarmhub.deploy import prerequisites, rollout, way_back
from swarmhub.deploy.data import databases
from swarmhub.deploy.data.databases import Databases
from swarmhub.errors import SettingsError, StepError
from swarmhub.history.database import Database
from swarmhub.plan.plans import Plan
from swarmhub.run.run import Run
from swarmhub.settings import load
from tests.unit.support import cluster
from tests.unit.support.authority import Authority
from tests.unit.support.cluster import Hosts
from tests.unit.support.fakes import MANAGER, FakeHost, FakeProgress

URL = "postgresql://hub:hush-hush@db.example.org/hub"
TABLE = '\n[secrets]\nnames = ["DATABASE_URL"]\n\n[database]\nurl = {secret = "DATABASE_URL"}\n'
LOOKED = {"bytes": 4096, "schema": "4621fec11365", "users": 2}
# The name that the secret with URL has in the swarm, but for its version.
NAMED = "jupyterhub-database_url-"


@pytest.fixture
def wants_server(hosts: Hosts, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let hosts.toml name a database on a server, once the hub that runs is one without."""
    file = folder / "hosts.toml"
    file.write_text(f"{file.read_text()}{TABLE}")
    monkeypatch.setenv("DATABASE_URL", URL)


@pytest.fixture
def on_server(folder: Path, wants_server: None, authority: Authority) -> Hosts:
    """Return a cluster whose hub works with the server."""
    settings_file.current.cache_clear()
    return cluster.deployed(load(folder / "hosts.toml"), authority, {**cluster.SECRETS, "DATABASE_URL": SecretStr(URL)})


def running(hosts: Hosts) -> Run:
    """Return a run on these hosts."""
    run = Run(Context(Config()))
    run.__dict__["hosts"] = hosts
    return run


def rolled(run: Run, *, moves: bool = False) -> Plan:
    """Return the plan of the rollout."""
    return rollout.plan(run, prerequisites.require(run.settings, run.look, run.manager), moves=moves)


def words(plan: Plan) -> list[str]:
    """Return what a plan does, without what follows from versions and hashes."""
    return [one.sentence.removesuffix(f" on {MANAGER}").partition(":")[0] for one in plan.changes]


@pytest.mark.usefixtures("wants_server")
def test_a_deploy_does_not_start_a_hub_without_its_people(hosts: Hosts) -> None:
    """The server may be empty: the move is a command of its own, and so are its ways back."""
    with pytest.raises(StepError, match=r"the hub's database is on SQLite, and hosts\.toml says PostgreSQL") as told:
        rolled(running(hosts))
    assert "fab move-database" in told.value.remedy


@pytest.mark.usefixtures("wants_server")
def test_a_move_is_tried_before_the_hub_stops(hosts: Hosts) -> None:
    """It stops between the trial and the start of the one that works with the server; the file is set aside at last."""
    done = words(rolled(running(hosts), moves=True))
    assert done[0].startswith(f"create secret {NAMED}")
    assert done[2:] == [
        "check the hub's configuration in jupyterhub",
        "try to move the hub's database to PostgreSQL",
        "copy the hub's database to jupyterhub_backups",
        "stop service jupyterhub",
        "move the hub's database to PostgreSQL",
        "update service jupyterhub",
        "record release 2",
        "set aside jupyterhub.sqlite in jupyterhub-data",
    ]
    assert done[1].startswith("create config jupyterhub-settings-")


def test_a_move_back_takes_the_secret_away_at_last(on_server: Hosts, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """hosts.toml names no database any more; the environment still has the URL, which the running hub's settings name."""
    file = folder / "hosts.toml"
    file.write_text(file.read_text().removesuffix(TABLE))
    done = words(rolled(running(on_server), moves=True))
    assert [one for one in done if "database" in one] == [
        "try to move the hub's database to SQLite, in jupyterhub-data",
        "copy the hub's database to jupyterhub_backups",
        "move the hub's database to SQLite, in jupyterhub-data",
        *[one for one in done if one.startswith(f"remove secret {NAMED}")],
    ]
    monkeypatch.delenv("DATABASE_URL")
    with pytest.raises(SettingsError, match="DATABASE_URL"):
        rolled(running(on_server), moves=True)


def test_a_hub_on_the_server_has_nothing_to_change(on_server: Hosts) -> None:
    """And nothing to move."""
    run = running(on_server)
    assert rolled(run).changes == ()
    assert databases.unmoved(run, "image") == "the hub's database is on PostgreSQL, as hosts.toml says"


def test_another_url_needs_the_hubs_people(on_server: Hosts, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may have another password only, or lead to an empty server: that is looked at before the hub restarts."""
    monkeypatch.setenv("DATABASE_URL", URL.replace("db.", "other."))
    done = words(rolled(running(on_server)))
    assert done.index("check that PostgreSQL has the hub's users") < done.index("update service jupyterhub")
    assert "stop service jupyterhub" not in done


@pytest.mark.usefixtures("wants_server")
def test_a_new_hub_is_checked_for_a_file_that_was_forgotten(hosts: Hosts) -> None:
    """There is no service that tells what the last hub worked with: a file with users is not passed over."""
    del hosts[MANAGER].engine.answers["GET /services/jupyterhub"]
    assert "check the hub's database in PostgreSQL" in words(rolled(running(hosts)))


@pytest.mark.usefixtures("wants_server")
def test_a_move_without_a_service_goes_by_the_file(hosts: Hosts) -> None:
    """As after the removal of the service, or a run that was killed in between."""
    del hosts[MANAGER].engine.answers["GET /services/jupyterhub"]
    done = words(rolled(running(hosts), moves=True))
    assert "move the hub's database to PostgreSQL" in done
    assert "stop service jupyterhub" not in done


@pytest.mark.usefixtures("wants_server")
def test_a_hub_made_by_hand_is_taken_over_first(hosts: Hosts) -> None:
    """What database it has nobody knows."""
    hosts[MANAGER].engine.answers["GET /services/jupyterhub"]["Spec"]["Labels"] = {}
    with pytest.raises(StepError, match="made by hand, has a database of its own"):
        databases.observe(running(hosts), "image")


@pytest.mark.usefixtures("wants_server")
def test_a_rollback_waits_for_the_move(hosts: Hosts) -> None:
    """It would look at a server that no hub has worked with."""
    run = running(hosts)
    with pytest.raises(StepError, match="fab move-database"):
        way_back.plan(run, run.look.releases()[0], with_database=False)


def test_a_hub_that_was_stopped_starts_again_after_a_ctrl_c(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the middle of the move, or while the hub stops: nobody has to find out that it is down."""
    again: list[str] = []
    monkeypatch.setattr("swarmhub.engine.replicated._start_again", lambda found, *_: again.append(found["ID"]))
    here = Database("jupyterhub-data", "jupyterhub:1", "jupyterhub")
    spec = {"Name": "jupyterhub", "TaskTemplate": {"ContainerSpec": {}}}
    found = {"ID": "s1", "Version": {"Index": 1}, "Spec": spec}
    for change in databases.before(Databases(here, replace(here, url=SecretStr(URL)), found), MANAGER):
        interrupted = {"POST /containers/create": KeyboardInterrupt(), "POST /services/s1/update": KeyboardInterrupt()}
        with pytest.raises(KeyboardInterrupt):
            change.apply(FakeHost(MANAGER, interrupted), FakeProgress())
    assert again == ["s1", "s1"]


def test_no_plan_shows_the_url(on_server: Hosts, folder: Path) -> None:
    """Neither a change, nor what it is made of."""
    file = folder / "hosts.toml"
    file.write_text(file.read_text().removesuffix(TABLE))
    run = running(on_server)
    assert "hush-hush" not in repr(rolled(run, moves=True)) + repr(databases.observe(run, "image", moves=True))


def test_a_hub_that_was_stopped_for_a_move_starts_again_if_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the spec that it had; one that has been replaced meanwhile is left."""
    here = Database("jupyterhub-data", "jupyterhub:1", "jupyterhub")
    spec = {
        "Name": "jupyterhub",
        "Mode": {"Replicated": {"Replicas": 1}},
        "TaskTemplate": {"ContainerSpec": {"Image": "jupyterhub:1"}},
    }
    found = {"ID": "s1", "Version": {"Index": 1}, "Spec": spec}
    stop, move = databases.before(Databases(here, replace(here, url=SecretStr(URL)), found), MANAGER)
    assert move.undo is None
    assert stop.undo is not None
    waited: list[Any] = []
    monkeypatch.setattr("swarmhub.engine.converge.wait", lambda *given: waited.append(given))
    stopped = {"ID": "s1", "Version": {"Index": 8}, "Spec": {**spec, "Mode": {"Replicated": {"Replicas": 0}}}}
    host = FakeHost(MANAGER, {"GET /services/jupyterhub": found, "POST /services/s1/update": {}})
    stop.undo(host, FakeProgress())
    assert "POST /services/s1/update" not in host.engine.asked()
    host.engine.answers["GET /services/jupyterhub"] = stopped
    stop.undo(host, FakeProgress())
    sent = host.engine.sent("POST /services/s1/update")
    assert (sent.body["Mode"], sent.params["version"]) == ({"Replicated": {"Replicas": 1}}, 8)
    assert len(waited) == 1
