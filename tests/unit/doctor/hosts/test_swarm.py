"""Who is in the swarm, and its quorum."""

import pytest

from swarmhub.doctor.hosts import swarm
from swarmhub.doctor.hosts.swarm import Managers
from swarmhub.errors import StepError
from tests.unit.doctor.answers import info, seen
from tests.unit.support.fakes import MANAGER, WORKER1, WORKER2, FakeHost, settings
from tests.unit.support.swarms import WHOLE, node, with_nodes

SEEN = {
    MANAGER: seen(info=info("n1", manager=True)),
    WORKER1: seen(WORKER1, info=info("n2")),
    WORKER2: seen(WORKER2, info=info("n3")),
}


@pytest.mark.parametrize(
    ("names", "reachable", "level", "words"),
    [
        ("a", "a", "ok", "one manager"),
        ("ab", "ab", "warning", "two managers are worse than one"),
        ("abc", "abc", "ok", "can lose 1"),
        ("abcd", "abcd", "warning", "survive the loss of 1, no more than 3 would"),
        ("abcde", "abcde", "ok", "can lose 2"),
        ("abc", "ab", "warning", "1 of 3 managers do not answer: c; the swarm can lose 0 more"),
    ],
)
def test_quorum_is_judged(names: str, reachable: str, level: str, words: str) -> None:
    """An odd number of managers that all answer is well."""
    found = swarm.quorum(Managers(tuple(names), tuple(reachable)), MANAGER)
    assert (found.level, words in found.text) == (level, True)


def test_members_are_well() -> None:
    """A line a host; a node outside the swarm fails, a stranger in it warns, and who could not be asked is not repeated."""
    assert [(one.host, one.level) for one in swarm.judge(settings(), SEEN, WHOLE, MANAGER)] == [(host, "ok") for host in SEEN]
    silent = SEEN | {WORKER2: seen(WORKER2, info=None)}
    assert [one.host for one in swarm.judge(settings(), silent, WHOLE, MANAGER)] == [MANAGER, WORKER1]
    outside = SEEN | {WORKER2: seen(WORKER2, info=info("", state="inactive"))}
    found = swarm.judge(settings(), outside, with_nodes(node("n9", "other")), MANAGER)
    assert ("failure", WORKER2, "is in no swarm") in [(one.level, one.host, one.text) for one in found]
    assert ("warning", "other") in [(one.level, one.host) for one in found]


def test_managers_are_read_from_the_engine() -> None:
    """With those of them that the others reach."""
    listed = [
        {
            "ID": f"n{n}",
            "Spec": {"Role": "manager", "Availability": "active"},
            "Description": {"Hostname": name},
            "Status": {"State": "ready"},
            "ManagerStatus": {"Reachability": reach},
        }
        for n, (name, reach) in enumerate({"b": "unreachable", "a": "reachable"}.items())
    ]
    host = FakeHost(answers={"GET /nodes": listed, "GET /swarm": {"ID": "c"}})
    _, managers = swarm.observe(host, SEEN[MANAGER])
    assert managers == Managers(("a", "b"), ("a",))


def test_worker_is_no_manager() -> None:
    """It cannot be asked about the swarm, and the remedy says how to promote it."""
    with pytest.raises(StepError, match="worker"):
        swarm.observe(FakeHost(), SEEN[WORKER1])
