"""A drill that an operator asks for."""

import json
from typing import Any

import pytest

from hub.shared import services
from swarmhub.backup import drilling
from swarmhub.backup.drilling import Drill
from swarmhub.errors import StepError
from swarmhub.history import database
from tests.unit.backup.answers import answering, jobs, repository
from tests.unit.support.fakes import MANAGER, FakeHost, FakeProgress

BACKUP = {"run": "R", "hub": "h", "homes": {"w1": "s1"}}
RESTORED = {"answer": {"rows": {"users": 3}, "made": "M", "versions": {}}}
OPENED = {"answer": {"opened": {"home": "work-ada", "bytes": 5, "sha256": "f00"}}}


def host(booted: dict[str, Any]) -> FakeHost:
    """Return a manager whose containers answer in turn: restored, booted, opened, kept."""
    made = FakeHost(MANAGER, answering(RESTORED, {}, OPENED, {"answer": {}}))
    usual, turns = made.engine.answers["GET /containers/once/logs"], iter(range(4))

    def logs(request: Any) -> Any:
        lines = usual(request)
        return [json.dumps(booted)] if next(turns) == 1 else lines

    made.engine.answers["GET /containers/once/logs"] = logs
    return made


def test_it_is_one_change_that_costs_nobody_anything() -> None:
    """And says what is done."""
    (change,) = drilling.plan(Drill(repository(), BACKUP, "jupyterhub:1"), MANAGER).changes
    assert (change.sentence, change.price) == (f"try the backup R on {MANAGER}", "")


def test_the_evidence_is_handed_back() -> None:
    """For the line that ends the command."""
    one = Drill(repository(), BACKUP, "jupyterhub:1")
    manager = host({"users": 3, "user": "ada", "version": "6.1.1"})
    one(manager, FakeProgress())
    assert [job["action"] for job in jobs(manager)] == ["restore-hub", "open-home", "keep-evidence"]
    assert "ada logs in by a cookie" in one.told
    assert manager.engine.asked("DELETE").count("DELETE /volumes/jupyterhub_drill") == 2


def test_a_backup_of_no_use_is_told_in_one_line() -> None:
    """With its name, and what to do."""
    with pytest.raises(StepError, match="R: the hub on the copy has 2 users, and 3 were saved"):
        Drill(repository(), BACKUP, "jupyterhub:1")(host({"users": 2, "user": "", "version": "6"}), FakeProgress())


def test_somebody_elses_volume_is_not_emptied_for_it() -> None:
    """The volume `drill` of a stack called like the hub."""
    manager = host({})
    manager.engine.answers["GET /volumes/jupyterhub_drill"] = {"Labels": {"com.docker.stack.namespace": "jupyterhub"}}
    with pytest.raises(StepError, match="somebody else has made the volume jupyterhub_drill"):
        Drill(repository(), BACKUP, "jupyterhub:1")(manager, FakeProgress())
    assert not manager.engine.asked("DELETE") + manager.engine.asked("POST")


def test_the_volume_of_the_evidence_is_one_that_a_deploy_takes_for_its_own() -> None:
    """On an empty cluster, the first look at the backups makes it, and the first copy of the database finds it."""
    mount = drilling.evidence("hub")
    assert (mount["Source"], mount["VolumeOptions"]["Labels"]) == (services.backups("hub"), {database.LABEL: "hub"})
