"""The smoke test as a whole: which nodes, which profile, one at a time on the cluster, and nothing left on any way out."""

import io
import os
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from invoke.context import Context
from rich.console import Console

from swarmhub.errors import StepError, StepErrors, UsageError
from swarmhub.history import lock
from swarmhub.people import api
from swarmhub.run.report import Report
from swarmhub.run.run import Run
from swarmhub.settings import Settings
from swarmhub.smoke import kernel, proof
from swarmhub.smoke.trial import Trial
from tests.unit.support.cluster import NODES, Hosts
from tests.unit.support.fakes import MANAGER, WORKER1, WORKER2, settings
from tests.unit.support.hubs import FakeHub

ALL = (MANAGER, WORKER1, WORKER2)
PROFILES: Any = [{"name": "Small"}, {"name": "GPU", "groups": ["/gpu users"]}]


@pytest.fixture
def hub(hosts: Hosts, monkeypatch: pytest.MonkeyPatch) -> FakeHub:
    """Return the cluster's hub; its kernels count well."""
    hub = FakeHub(users={"ada"})
    hosts[MANAGER].engine.answers |= hub.answers
    for name, node in NODES.items():
        swarm = {"NodeID": node, "LocalNodeState": "active", "ControlAvailable": name == MANAGER}
        hosts[name].engine.answers |= {
            "GET /volumes": {"Volumes": None},
            "GET /info": {"ServerVersion": "29", "Swarm": swarm, "SystemTime": hosts[name].engine.configs.time},
        }
    monkeypatch.setattr(api, "connect", lambda _: hub.api())
    monkeypatch.setattr(kernel, "run", lambda server, code: "42")
    return hub


@pytest.fixture
def run(hosts: Hosts, hub: FakeHub, given: Settings) -> Iterator[Run]:
    """Return the run, and end it."""
    run = Run(Context())
    run.hosts = hosts  # type: ignore[assignment]
    run.report = Report(Console(file=io.StringIO(), width=200))
    yield run
    run.finish(None)


def said(run: Run) -> str:
    """Return what was told."""
    file = run.report._console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


def test_every_node_is_tried_by_a_user_of_its_own(run: Run, hub: FakeHub) -> None:
    """Homes on one node only would hold one user there; nobody of them stays."""
    proof.prove(run, ALL)
    assert sorted(options["node"] for options in hub.options) == ["n1", "n1", "n2", "n2", "n3", "n3"]
    assert "smoke      3 of 3 nodes start servers, run code and keep files, " in said(run)
    assert hub.users == {"ada"}


def test_some_nodes_can_be_tried(run: Run, hub: FakeHub, hosts: Hosts) -> None:
    """Those that -H names, by the same users, under the cluster's lock: a deploy would replace the hub meanwhile."""
    users: list[str] = []
    locked: list[bool] = []

    def look(user: str) -> None:
        users.append(user)
        locked.append(lock.NAME in hosts[MANAGER].engine.configs.names)

    hub.on_start = look
    proof.prove(run, (WORKER1,))
    assert ({options["node"] for options in hub.options}, set(users), locked) == ({"n2"}, {"smoke--2"}, [True, True])
    assert "1 of 1 nodes" in said(run)


def errors(run: Run) -> list[StepError]:
    """Return what the smoke test ends with."""
    with pytest.raises(StepErrors) as failed:
        proof.prove(run, ALL)
    return list(failed.value.errors)


def test_a_node_that_fails_keeps_no_other_from_being_tried(run: Run, hub: FakeHub) -> None:
    """There is an error for each node that failed."""
    hub.refuses["smoke--2"] = "no such image"
    (error,) = errors(run)
    assert (error.host, error.cause) == (WORKER1, "start: no such image")
    assert said(run).count("read the file") == 2
    assert hub.users == {"ada"}


def test_a_node_that_does_not_answer_is_a_failure(run: Run, hosts: Hosts) -> None:
    """It cannot be said to run notebooks; the others are tried."""
    hosts[WORKER2].engine.answers["GET /info"] = StepError(WORKER2, "no answer", "Is it up?")
    (error,) = errors(run)
    assert (error.host, error.cause) == (WORKER2, "no answer")
    assert said(run).count("read the file") == 2


def test_what_cannot_be_removed_is_an_error(run: Run, hosts: Hosts) -> None:
    """Nodes that work are no success if traces stay."""
    answers: list[Any] = [{"Volumes": None}, StepError(WORKER1, "no answer", "Is it up?")]

    def volumes(_: object) -> Any:
        answer = answers.pop(0)
        if isinstance(answer, StepError):
            raise answer
        return answer

    hosts[WORKER1].engine.answers["GET /volumes"] = volumes
    assert [error.cause for error in errors(run)] == ["no answer"]


def test_ctrl_c_removes_what_was_made(run: Run, hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said so, no further phase begins, and the users are gone."""
    given_up, give_up = threading.Event(), Trial.give_up

    def interrupt(_: str) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        given_up.wait(10)

    def end(trial: Trial) -> None:
        give_up(trial)
        given_up.set()

    monkeypatch.setattr(Trial, "give_up", end)
    hub.on_start = interrupt
    with pytest.raises(KeyboardInterrupt):
        proof.prove(run, (WORKER1,))
    assert said(run) == "smoke      interrupted; what was made for it is removed\n"
    assert (hub.users, hub.running) == ({"ada"}, {})


def test_a_bug_is_no_failure_of_a_node(run: Run, hub: FakeHub) -> None:
    """It is raised as it is, after the traces are gone."""

    def fail(_: str) -> None:
        raise ZeroDivisionError

    hub.on_start = fail
    with pytest.raises(ZeroDivisionError):
        proof.prove(run, (WORKER1,))
    assert hub.users == {"ada"}


@pytest.mark.parametrize(("name", "chosen"), [("", "Small"), ("GPU", "GPU")])
def test_the_first_profile_or_the_named_one_is_tried(name: str, chosen: str) -> None:
    """Without a name it is what people find preselected; without profiles everybody gets [notebook]'s server."""
    profile = proof.choose(settings().model_copy(update={"profiles": _profiles()}), name)
    assert profile
    assert (profile.name, proof.choose(settings(), "")) == (chosen, None)


@pytest.mark.parametrize(("profiles", "known"), [(True, "'Small', 'GPU'"), (False, "none")])
def test_an_unknown_profile_is_wrong_usage(profiles: bool, known: str) -> None:
    """The line says which there are, and nothing was connected to."""
    given = settings().model_copy(update={"profiles": _profiles() if profiles else ()})
    with pytest.raises(UsageError) as wrong:
        proof.choose(given, "gpu")
    assert str(wrong.value) == f"--profile gpu: there is no such profile; hosts.toml has {known}"


def test_a_profile_of_a_group_is_tried_by_a_member(run: Run, hub: FakeHub, change: Callable[..., None]) -> None:
    """The hub is told to take the test's users for members: they join no group, which the provider may manage."""
    change(profiles=_profiles())
    proof.prove(run, (WORKER1,), "GPU")
    assert hub.options[0] == {"node": "n2", "profile": "GPU", "groups": ["/gpu users"]}


@pytest.mark.parametrize("how", [{"nodes": "workers"}, {"node_labels": {"rack": "3"}}], ids=["workers", "a label"])
def test_a_node_that_takes_no_servers_is_left_out(
    run: Run, hub: FakeHub, hosts: Hosts, change: Callable[..., None], how: dict[str, Any]
) -> None:
    """By notebook.nodes, or by a label that the profile asks for: the line says why, and the others are tried."""
    listed = hosts[MANAGER].engine.answers["GET /nodes"]
    for one in listed[1:]:
        one["Spec"]["Labels"] = {**(one["Spec"].get("Labels") or {}), "rack": "3"}
    change(notebook=run.settings.notebook.model_copy(update=how))
    proof.prove(run, ALL)
    assert {options["node"] for options in hub.options} == {"n2", "n3"}
    assert f"{MANAGER} is left out: its node takes no such server (node." in said(run)
    assert "2 of 2 nodes" in said(run)


@pytest.fixture
def change(run: Run) -> Callable[..., None]:
    """Return what changes the run's settings."""

    def change(**update: Any) -> None:
        run.settings = run.settings.model_copy(update=update)

    return change


def _profiles() -> Any:
    return Settings.model_validate(settings().model_dump(exclude_unset=True) | {"profiles": PROFILES}).profiles
