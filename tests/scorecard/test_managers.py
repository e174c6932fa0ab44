"""What is done to three managers: the tool is killed while the hub moves, and two of them are lost."""

import signal
import time

import pytest

from tests.lab.support import FILTER, HUB, PROXY, Started
from tests.lab.test_managers import (
    FIRST,
    SECOND,
    Managed,
    answer,
    bring_back,
    is_lost,
    lose_quorum,
    managed,
    objects_of,
    recover,
    update_of_hub,
)
from tests.report import Row
from tests.scorecard.counts import times

__all__ = ["managed"]
pytestmark = pytest.mark.timeout(3600)
# As an operator stops them, and as a machine that loses its power does.
WAYS = (("sv", "-w", "60", "stop", "docker"), ("sh", "-c", "sv down docker; kill -9 $(cat /run/docker.pid)"))
# All that asks the swarm, and what is to be refused of what would change it.
COMMANDS = (("status",), ("plan",), ("deploy", "--yes"), ("users",), ("drain", SECOND, "--yes"))


def test_killed_in_a_move(managed: Managed, seen: Row) -> None:
    """1. The tool is killed while the hub waits for the last of its data on another manager."""
    lab = managed.lab
    lab.start_server("grace")
    begun = Started.begin("move-hub", SECOND, "--yes", until="data: ", hosts=managed.by_first)
    lab.wait(lambda: managed.node_of(HUB) == SECOND, 30, "the hub does not go")
    begun.end(30, signal.SIGKILL)
    # Swarm ends what was begun, the one way or the other.
    lab.wait(lambda: update_of_hub(lab) in ("completed", "rollback_completed"), 300, "Swarm does not end it")
    there = managed.node_of(HUB)
    lab.wait(lambda: '"version"' in answer(managed, there), 60, "no hub answers")
    assert managed.server("grace", there)["ready"] is True
    done = lab.fab("move-hub", SECOND, "--yes", hosts=managed.by_first)
    assert done.code == 0, done.text
    assert [managed.node_of(name) for name in (HUB, FILTER, PROXY)] == [SECOND] * 3
    back = lab.fab("move-hub", FIRST, "--yes", hosts=managed.by_second)
    assert back.code == 0, back.text
    lab.stop_server("grace")
    seen(f"one hub, on {there}, and a server that went on; the next move ended well")


def test_quorum_lost(managed: Managed, seen: Row) -> None:
    """16. Two of three managers are lost at once: their engines are stopped, or killed."""
    lab, hosts, seconds, count = managed.lab, managed.by_first, [], times(10)
    for number in range(count):
        lab.start_server("grace", on=FIRST)
        kept = objects_of(lab)
        lose_quorum(lab, *WAYS[number % len(WAYS)])
        assert '"ready": true' in managed.ask("users/grace", FIRST)
        for command in COMMANDS:
            said = lab.fab(*command, hosts=hosts)
            assert (said.code, "fab recover-quorum" in said.text, "Traceback" in said.text) == (1, True, False), said.text
        assert is_lost(lab)
        began = time.monotonic()
        recover(managed, kept)
        seconds.append(time.monotonic() - began)
        bring_back(lab)
        done = lab.fab("deploy", "--yes", hosts=hosts)
        assert done.code == 0, done.text
        lab.stop_server("grace")
    lab.forget_homes()
    seen(f"{count} times: {len(COMMANDS)} commands say so and name `fab recover-quorum`; the hub and a server go on until then")
    seen(
        f"nothing is lost of services, secrets and configs; the hub answers {min(seconds):.0f} to {max(seconds):.0f} s after it"
    )
    seen("the others are managers again when they are back, and a deploy ends well")
