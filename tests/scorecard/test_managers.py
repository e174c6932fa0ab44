"""What is done to a hub that moves: the tool is killed, and nobody is there to bring the hub back. Five minutes."""

import signal

import pytest

from tests.lab.support import FILTER, HUB, PROXY, Started
from tests.lab.test_managers import FIRST, SECOND, Managed, answer, managed, update_of_hub
from tests.report import Row

__all__ = ["managed"]
pytestmark = pytest.mark.timeout(1800)


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
