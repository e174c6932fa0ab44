"""What is done to three managers: the tool is killed or cut off while the hub moves, and two of them are lost. An hour."""

import re
import signal
import time
from pathlib import Path

import pytest

from lab import topology
from tests.lab.support import FILTER, HUB, PROXY, Started
from tests.lab.test_managers import (
    FIRST,
    SECOND,
    THIRD,
    Managed,
    answer,
    bring_back,
    is_lost,
    lose_quorum,
    managed,
    managers,
    objects_of,
    recover,
    update_of_hub,
)
from tests.report import Row
from tests.scorecard import cut
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


# What a move says, one after the other; after the first "data: " the hub goes, and waits for the last of them.
SAID = ("certificate: ", "data: ", f"{FILTER}: ", f"{HUB}: ", "the hub was away", f"{PROXY}: ")


def test_cut_off_in_a_move(managed: Managed, tmp_path: Path, seen: Row) -> None:
    """3. All SSH connections are cut while the hub moves: a line says so, one hub goes on, and the same command ends well."""
    lab, said, seconds, places = managed.lab, SAID[: times(len(SAID))], [], []
    lab.start_server("grace", on=THIRD)
    with cut.proxied([node.ssh_port for node in topology.NODES], tmp_path) as proxy:
        hosts = managers(tmp_path / "cut", FIRST, SECOND, THIRD, ssh=proxy.config)
        for moment in said:
            begun = Started.begin("move-hub", SECOND, "--yes", until=moment, hosts=hosts)
            began = time.monotonic()
            proxy.cut()
            done = begun.end(180)
            seconds.append(time.monotonic() - began)
            proxy.join()
            assert done.code == 1, f"at {moment}: {done.text}"
            assert re.fullmatch(r"[\w-]+: move-hub: .+", done.err.strip()), f"at {moment}: {done.err}"
            places.append(_settled(managed))
            assert managed.server("grace", places[-1])["ready"] is True
            lab.fab("unlock", "--yes", hosts=managed.by_first)
            for target, by in ((SECOND, managed.by_first), (FIRST, managed.by_second)):
                again = lab.fab("move-hub", target, "--yes", hosts=by)
                assert again.code == 0, f"after {moment}: {again.text}"
                assert [managed.node_of(name) for name in (HUB, FILTER, PROXY)] == [target] * 3
    lab.stop_server("grace")
    seen(f"cut at {len(said)} moments; a line with host and step, at most {max(seconds):.0f} s after")
    seen(f"one hub each time, {places.count(FIRST)} times where it was; the same command ended well")


def _settled(managed: Managed) -> str:
    """Return where the hub goes on, once Swarm has ended what was begun."""
    states = ("", "completed", "rollback_completed")
    managed.lab.wait(lambda: update_of_hub(managed.lab) in states, 300, "Swarm does not end it")
    there = managed.node_of(HUB)
    managed.lab.wait(lambda: '"version"' in answer(managed, there), 60, "no hub answers")
    return there


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
