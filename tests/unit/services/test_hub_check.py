"""The check of the hub's configuration: when it runs, what its container gets, and what is told."""

import io
import json
import tarfile

import pytest
from pydantic import SecretStr

from swarmhub.errors import StepError
from swarmhub.plan.plans import Change, Cost, Plan
from swarmhub.services import hub_check
from tests.unit.support.fakes import MANAGER, FakeHost, FakeProgress, once

SPEC = {"TaskTemplate": {"ContainerSpec": {"Image": "jupyterhub:0123456789ab", "Env": ["A=1", "B=2"]}}}
CHECK = hub_check.change(SPEC, {"TOKEN": SecretStr("hush")}, MANAGER)


def answering(*lines: str, code: int = 0) -> FakeHost:
    """Return a host whose container prints this."""
    return FakeHost(MANAGER, once(*lines, code=code))


@pytest.mark.parametrize(("container", "user"), [({"User": "61081:0"}, "61081:0"), ({}, "")])
def test_it_runs_as_the_hub_will(container: dict[str, str], user: str) -> None:
    """With the service's environment and user, so that what only root could read is found; no network, engine or volume."""
    host = answering('{"problems": []}')
    spec = {"TaskTemplate": {"ContainerSpec": {"Image": "jupyterhub:1", "Env": ["A=1", "B=2"], **container}}}
    check = hub_check.change(spec, {}, MANAGER)
    check.apply(host, FakeProgress())
    body = host.engine.sent("POST /containers/create").body
    assert (body["Image"], body["Env"], body["User"]) == ("jupyterhub:1", ["A=1", "B=2"], user)
    assert body["HostConfig"] == {"NetworkMode": "none"}


def test_secrets_are_files_and_nothing_else() -> None:
    """They stand where Swarm mounts them, and in no request but that one."""
    host = answering('{"problems": []}')
    CHECK.apply(host, FakeProgress())
    with tarfile.open(fileobj=io.BytesIO(host.engine.sent("PUT /containers/once/archive").body)) as tar:
        file = tar.extractfile("run/secrets/TOKEN")
        assert file is not None
        assert file.read() == b"hush"
    assert "hush" not in str(host.engine.sent("POST /containers/create").body) + repr(CHECK)


def test_problems_are_one_line() -> None:
    """All of them, and that the hub was not touched."""
    host = answering("a line of conf.d's own", json.dumps({"problems": ["conf.d/a.py:1: x", "jupyterhub.A.b: y"]}), code=1)
    with pytest.raises(StepError) as error:
        CHECK.apply(host, FakeProgress())
    assert str(error.value) == (
        f"{MANAGER}: the hub's configuration: conf.d/a.py:1: x; jupyterhub.A.b: y. "
        "The hub was not touched: correct it, then run this again"
    )


@pytest.mark.parametrize(("lines", "said"), [(["x", "Killed"], "Killed"), ([], "nothing is said")])
def test_a_check_that_does_not_end_is_a_failure(lines: list[str], said: str) -> None:
    """Without its answer nothing is known to be in order."""
    with pytest.raises(StepError, match=f"it cannot be loaded: {said}"):
        CHECK.apply(answering(*lines, code=137), FakeProgress())


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
