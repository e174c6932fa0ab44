"""The step of a deploy that lets the cluster make backups itself."""

from pathlib import Path
from typing import Any

import pytest
from invoke.config import Config
from invoke.context import Context

from swarmhub.deploy import steps
from swarmhub.deploy.data import schedule
from swarmhub.engine.swarm import configs
from swarmhub.errors import SettingsError
from swarmhub.images import restic
from swarmhub.plan.plans import Plan
from swarmhub.run.run import Run
from swarmhub.services.schedule import service
from tests.unit.support.cluster import Hosts
from tests.unit.support.fakes import MANAGER, FakeProgress

TABLE = '[backup]\nrepository = "/mnt/backup"\nevery = "1d"\n'


@pytest.fixture
def run(hosts: Hosts, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return a run on a cluster on which every step but this one has been done, with a schedule in its settings."""
    file = folder / "hosts.toml"
    file.write_text(f"{file.read_text()}\n{TABLE}")
    monkeypatch.setenv("BACKUP_PASSWORD", "hush")
    made = Run(Context(Config()))
    made.__dict__["hosts"] = hosts
    return made


def planned(run: Run) -> Plan:
    """Return the step's plan, among all."""
    return {plan.step: plan for plan in steps.every_plan(run)}["schedule"]


def kinds(plan: Plan) -> list[tuple[str, str]]:
    """Return what a plan does."""
    return [(one.verb, one.what.split()[0]) for one in plan.changes]


def done(run: Run, hosts: Hosts) -> dict[str, Any]:
    """Let the cluster have what the plan makes; return the service."""
    wanted = schedule._wanted(run)
    spec = service.desired(run.settings, wanted)
    secret = service.secret_name(run.settings, wanted)
    engine = hosts[MANAGER].engine
    found = {"ID": "b1", "Version": {"Index": 1}, "Spec": spec}
    engine.answers["GET /services"] = [found]
    engine.answers["GET /secrets"] = [*engine.answers["GET /secrets"], {"ID": "x", "Spec": {"Name": secret}}]
    configs.ensure(hosts[MANAGER], spec, {"swarmhub.service": "jupyterhub"})
    service._Leaver(service.left_name(run.settings, wanted), "jupyterhub", wanted.left)(hosts[MANAGER], FakeProgress())
    engine.requests.clear()
    run.look.forget()
    return found


def test_the_plan_of_a_deploy_shows_it(run: Run) -> None:
    """After the service; its image is among those that are built."""
    plans = steps.every_plan(run)
    assert [plan.step for plan in plans][-2:] == ["service", "schedule"]
    assert kinds(plans[-1]) == [("create", "secret"), ("create", "config"), ("create", "service")]
    (images,) = [plan for plan in plans if plan.step == "build-hub"]
    assert restic.recipe(run.settings).tag in [change.what for change in images.changes]


def test_a_cluster_without_a_schedule_has_no_such_step(hosts: Hosts) -> None:
    """Nor a question for it."""
    made = Run(Context(Config()))
    made.__dict__["hosts"] = hosts
    assert "schedule" not in [plan.step for plan in steps.every_plan(made)]


def test_a_deploy_with_nothing_to_do_asks_no_node_for_it(run: Run, hosts: Hosts) -> None:
    """What is looked at anyway tells whether it is as wanted."""
    done(run, hosts)
    before = {name: len(host.engine.requests) for name, host in hosts.items()}
    run.look.everywhere()
    looked = {name: [str(one) for one in host.engine.requests[before[name] :]] for name, host in hosts.items()}
    assert planned(run).changes == ()
    after = {name: [str(one) for one in host.engine.requests[before[name] :]] for name, host in hosts.items()}
    asked_more = {name: [one for one in after[name][len(looked[name]) :] if "restic" in one] for name in hosts}
    assert asked_more == {name: [] for name in hosts}


def test_it_goes_when_the_setting_goes(run: Run, hosts: Hosts) -> None:
    """With its secret and what the deploys have left, and nothing of the hub's."""
    done(run, hosts)
    made = Run(Context(Config()))
    made.__dict__["hosts"] = hosts
    backup = run.settings.backup.model_copy(update={"every": None})
    made.__dict__["settings"] = run.settings.model_copy(update={"backup": backup})
    plans = {plan.step: plan for plan in steps.every_plan(made)}
    assert kinds(plans["schedule"]) == [("remove", "service"), ("remove", "secret"), ("remove", "config")]
    assert plans["service"].changes == ()


def test_the_password_is_missed_before_anything_is_connected_to(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the check of the settings, with its name."""
    monkeypatch.delenv("BACKUP_PASSWORD")
    with pytest.raises(SettingsError, match="BACKUP_PASSWORD"):
        run.check()
