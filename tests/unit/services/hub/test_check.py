"""The check of the hub's configuration: when it runs, what its service gets, and what is told."""

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import pytest

from swarmhub.errors import StepError
from swarmhub.plan.plans import Change, Cost, Plan
from swarmhub.services.hub import check as hub_check
from tests.unit.support.fakes import MANAGER, Clock, FakeHost, FakeProgress

SECRET = {"SecretName": "jupyterhub-token-1", "File": {"Name": "TOKEN"}}
SPEC: dict[str, Any] = {
    "Name": "jupyterhub",
    "TaskTemplate": {
        "ContainerSpec": {
            "Image": "jupyterhub:0123456789ab",
            "User": "61081:0",
            "Env": ["A=1", "B=2"],
            "Secrets": [SECRET],
            "Mounts": [{"Type": "volume", "Source": "jupyterhub-data", "Target": "/data"}],
        },
        "Placement": {"Constraints": ["node.id==n1"]},
        "Networks": [{"Target": "net"}],
    },
}
CHECK = hub_check.change(SPEC, MANAGER)


def answering(*lines: str, state: str = "complete", answers: Mapping[str, Any] = MappingProxyType({})) -> FakeHost:
    """Return a host on which the check's task ends so, after it has printed this."""
    status = {"State": state, "ContainerStatus": {"ContainerID": "once"}}
    return FakeHost(
        MANAGER,
        {
            "GET /secrets": [{"ID": "id-of-token", "Spec": {"Name": SECRET["SecretName"]}}],
            "POST /services/create": {"ID": "c1"},
            "GET /tasks": [{"Status": status}],
            "GET /containers/once/logs": list(lines),
        }
        | dict(answers),
    )


def test_it_runs_as_the_hub_will() -> None:
    """With the service's environment, user and secrets, so that what only root could read is found; no network, no volume."""
    host = answering('{"problems": []}')
    CHECK.apply(host, FakeProgress())
    sent = host.engine.sent("POST /services/create").body
    container = sent["TaskTemplate"].pop("ContainerSpec")
    assert (container["Image"], container["Env"], container["User"]) == ("jupyterhub:0123456789ab", ["A=1", "B=2"], "61081:0")
    assert container["Secrets"] == [SECRET | {"SecretID": "id-of-token"}]
    assert ("Mounts" in container, "Networks" in sent["TaskTemplate"]) == (False, False)
    assert sent["TaskTemplate"]["RestartPolicy"] == {"Condition": "none"}


@pytest.mark.parametrize("is_left", [False, True], ids=["nothing is left", "one is left of a run that was killed"])
def test_it_leaves_nothing(is_left: bool) -> None:
    """Its service is removed in the end, and before it one with the same name."""
    left = {"ID": "c0", "Spec": {"Labels": {"swarmhub.service": "jupyterhub"}}}
    host = answering("x", answers={"GET /services/jupyterhub_check": left} if is_left else {})
    with pytest.raises(StepError):
        CHECK.apply(host, FakeProgress())
    removed = [call for call in host.engine.asked() if call.startswith("DELETE")]
    assert removed == [*(["DELETE /services/c0"] if is_left else []), "DELETE /services/c1"]


@pytest.mark.parametrize("labels", [None, {"com.docker.stack.namespace": "jupyterhub"}, {"swarmhub.service": "other"}])
def test_somebody_elses_service_of_its_name_stays(labels: dict[str, str] | None) -> None:
    """The service `check` of a stack called like the hub."""
    theirs = {"ID": "c0", "Spec": {"Labels": labels}}
    host = answering("x", answers={"GET /services/jupyterhub_check": theirs})
    with pytest.raises(StepError, match="somebody else has made the service jupyterhub_check"):
        CHECK.apply(host, FakeProgress())
    assert not host.engine.asked("DELETE") + host.engine.asked("POST")


def test_problems_are_one_line() -> None:
    """All of them, and that the hub was not touched."""
    host = answering("a line of conf.d's own", json.dumps({"problems": ["conf.d/a.py:1: x", "jupyterhub.A.b: y"]}))
    with pytest.raises(StepError) as error:
        CHECK.apply(host, FakeProgress())
    assert str(error.value) == (
        f"{MANAGER}: the hub's configuration: conf.d/a.py:1: x; jupyterhub.A.b: y. "
        "The hub was not touched: correct it, then run this again"
    )


@pytest.mark.parametrize(("lines", "said"), [(["x", "Killed"], "Killed"), ([], "nothing is said")])
def test_a_check_without_an_answer_is_a_failure(lines: list[str], said: str) -> None:
    """Without its answer nothing is known to be in order."""
    with pytest.raises(StepError, match=f"it cannot be loaded: {said}"):
        CHECK.apply(answering(*lines, state="failed"), FakeProgress())


def test_what_keeps_it_from_starting_is_told() -> None:
    """An engine that refuses the task says why."""
    task = {"Status": {"State": "rejected", "Err": "No such image: jupyterhub:0123456789ab"}}
    with pytest.raises(StepError, match="it cannot be loaded: No such image: jupyterhub:0123456789ab"):
        CHECK.apply(answering(answers={"GET /tasks": [task]}), FakeProgress())


def test_a_task_that_swarm_has_stopped_says_nothing_of_the_configuration() -> None:
    """Its node may have been away for a moment."""
    task = {"Status": {"State": "shutdown"}}
    with pytest.raises(StepError, match=r"Swarm has stopped the check of the hub's configuration \(shutdown\). Run this again"):
        CHECK.apply(answering(answers={"GET /tasks": [task]}), FakeProgress())


def test_one_that_does_not_end_is_given_up(clock: Clock) -> None:
    """And removed."""
    host = answering(answers={"GET /tasks": [{"Status": {"State": "running"}}]})
    with pytest.raises(StepError, match="does not end: it is running after 300 s"):
        CHECK.apply(host, FakeProgress())
    assert host.engine.asked()[-1] == "DELETE /services/c1"


@pytest.mark.parametrize(
    ("found", "cost", "is_checked"),
    [(None, Cost.NOTHING, True), ({}, Cost.HUB_RESTART, True), ({}, Cost.NOTHING, False)],
    ids=["created", "restarted", "relabelled"],
)
def test_it_runs_first_whenever_another_hub_is_to_start(found: object, cost: Cost, is_checked: bool) -> None:
    """What leaves the hub running needs no check."""
    update = Change("update", "service jupyterhub", MANAGER, lambda *_: None, cost=cost)
    plan = hub_check.before(Plan("service", "", (update,)), CHECK, found)
    assert plan.changes == ((CHECK, update) if is_checked else (update,))
    assert hub_check.before(Plan("service", "as wanted"), CHECK, {}).changes == ()
