"""One run at a time changes the cluster, and each one leaves an entry there."""

import json
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.lab.support import HUB, Lab, Settings, Started

UPDATE = f"update service {HUB}"


@pytest.fixture
def deploying(deployed: Lab) -> Iterator[Started]:
    """Give a run that is halted in the middle of a change; the change restarts nothing."""
    deployed.docker("service", "update", "--quiet", "--detach", "--label-add", "by=hand", HUB)
    fab = deployed.started("service", until=f"| {HUB}: ")
    fab.process.send_signal(signal.SIGSTOP)
    yield fab
    if fab.process.poll() is None:
        fab.end(kill=signal.SIGCONT)


def newest(lab: Lab) -> Any:
    """Return the newest entry of the history."""
    return json.loads(lab.fab("history", "--json").out)[0]


@pytest.mark.quick
def test_second_run_is_told_who_is_at_it(deployed: Lab, deploying: Started) -> None:
    """While one run changes something, a second one says in under 5 s who, since when and for what, and changes nothing."""
    begun = time.monotonic()
    second = deployed.fab("deploy")
    seconds = time.monotonic() - begun
    assert (second.code, second.err.count("\n")) == (1, 1)
    for part in ("the cluster is locked by", "since 20", f"for: service of {HUB}, now at: {UPDATE}", "fab unlock"):
        assert part in second.err
    assert seconds < 5
    assert deploying.end(kill=signal.SIGCONT).code == 0
    assert newest(deployed)["ended"] == "done"
    assert "nobody holds the lock" in deployed.fab("unlock").out


def test_ctrl_c_gives_the_lock_back(deployed: Lab, deploying: Started) -> None:
    """After Ctrl-C nobody holds the lock, and the entry says what was begun."""
    deploying.process.send_signal(signal.SIGCONT)
    assert deploying.end(kill=signal.SIGINT).code == 130
    assert "nobody holds the lock" in deployed.fab("unlock").out
    entry = newest(deployed)
    assert entry["ended"] == "interrupted"
    assert entry["changes"][-1].startswith(UPDATE)
    assert entry["changes"][-1].endswith("(begun)")


def test_lock_of_a_dead_run_is_taken_away_on_demand(deployed: Lab, deploying: Started) -> None:
    """A run whose process is killed holds the lock on; `unlock` says whose it is, frees it, and the entry tells."""
    deploying.end(kill=signal.SIGKILL)
    assert deployed.fab("service").code == 1
    asked = deployed.fab("unlock")
    assert asked.code == 2
    assert "--yes" in asked.err
    freed = deployed.fab("unlock", "--yes")
    assert (freed.code, f"for: service of {HUB}, now at: {UPDATE}" in freed.out) == (0, True)
    assert newest(deployed)["ended"].startswith("unlocked by ")
    assert deployed.fab("service").code == 0


def test_failed_run_leaves_its_reason(deployed: Lab, settings: Settings) -> None:
    """An entry says how a deploy failed, in the words that the operator read, and that it changed nothing."""
    failed = deployed.fab("deploy", hosts=settings(("[github]", "[network]\nattachable = true\n\n[github]")))
    assert failed.code == 1
    entry = newest(deployed)
    assert entry["changes"] == []
    assert entry["ended"] == f"failed: {failed.err.splitlines()[0]}"
