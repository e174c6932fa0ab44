"""A user who tries a node: what is done there, and what each failure is called."""

import threading
from dataclasses import replace

import pytest

from swarmhub.errors import StepError
from swarmhub.smoke import kernel
from swarmhub.smoke.trial import FILE, Interrupted, Trial
from tests.unit.support.fakes import WORKER1, FakeProgress
from tests.unit.support.hubs import SERVICE, FakeHub, as_api

USER = "smoke--2"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> FakeHub:
    """Return a hub that knows the user, with kernels that count well."""
    monkeypatch.setattr(kernel, "run", lambda server, code: "42")
    return FakeHub(users={USER})


@pytest.fixture
def trial(hub: FakeHub, progress: FakeProgress) -> Trial:
    """Return a trial of the first worker."""
    return Trial(
        api=as_api(hub.api()),
        manager=hub.manager(),
        hub=SERVICE,
        user=USER,
        host=WORKER1,
        node="n2",
        options={},
        keeps_files=True,
        progress=progress,
        is_over=threading.Event(),
    )


def test_each_phase_is_told_with_its_seconds(trial: Trial, progress: FakeProgress) -> None:
    """The lines name the node."""
    trial.run()
    phases = ("start", "kernel", "write a file", "stop", "start again", "read the file")
    assert progress.lines == [(WORKER1, f"{phase}: 0.0 s") for phase in phases]


def test_the_server_is_started_twice_on_the_node_and_stopped_in_the_end(trial: Trial, hub: FakeHub) -> None:
    """The hub is told the node and the profile; no server and no file stays."""
    running: list[int] = []
    hub.on_start = lambda _: running.append(len(hub.running))
    replace(trial, options={"profile": "small"}).run()
    assert hub.options == [{"node": "n2", "profile": "small"}] * 2
    assert (running, hub.running, hub.files) == ([0, 0], {}, {})


def test_without_homes_nobody_looks_for_files(trial: Trial, progress: FakeProgress) -> None:
    """Where home.keep is false, what people write is gone when they stop, as wanted."""
    replace(trial, keeps_files=False).run()
    assert [line.partition(":")[0] for _, line in progress.lines] == ["start", "kernel"]


def failing(trial: Trial) -> str:
    """Return the line that an operator reads."""
    with pytest.raises(StepError) as failed:
        trial.run()
    return str(failed.value)


def test_a_start_that_fails_says_what_the_hub_says(trial: Trial, hub: FakeHub) -> None:
    """The line names node and phase, and where to look."""
    hub.refuses[USER] = "Spawn failed: No node that may run your server is up and has its image"
    assert failing(trial) == (
        f"{WORKER1}: start: Spawn failed: No node that may run your server is up and has its image. Its log: fab logs"
    )


def test_a_server_elsewhere_proves_nothing(trial: Trial, hub: FakeHub) -> None:
    """A hub that does not place it where it was told is an error, and its server is stopped."""
    hub.elsewhere = True
    assert failing(trial).startswith(f"{WORKER1}: start: the server runs on another node (n9). ")
    assert hub.running == {}


def test_a_file_of_somebody_elses_is_an_error(trial: Trial, hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home that is another's is worse than none; what is gone is what people would lose; a kernel has to count."""
    hub.on_start = lambda _: hub.files.update({USER: {"content": f"of another, in {FILE}"}} if hub.files else {})
    assert "read the file" in failing(trial)
    hub.on_start, hub.keeps = str, False
    assert failing(trial).startswith(f"{WORKER1}: read the file: what was written before the stop is not there any more. ")
    monkeypatch.setattr(kernel, "run", lambda server, code: "43")
    assert failing(trial).startswith(f"{WORKER1}: kernel: its kernel answers '43' to 6 * 7. ")


def test_a_trial_that_is_over_begins_nothing(trial: Trial, hub: FakeHub) -> None:
    """After a Ctrl-C its user's server is stopped, and the next phase does not come."""
    hub.on_start = lambda _: trial.give_up()
    with pytest.raises(Interrupted):
        trial.run()
    assert hub.running == {}
