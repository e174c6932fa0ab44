"""A node's spec is changed in the fields that are meant, and sent whole."""

import pytest

from swarmhub.cluster.update import Demotion, Update
from swarmhub.errors import StepError
from tests.unit.support.fakes import Clock, FakeHost, FakeProgress, in_turn

SPEC = {"Name": "", "Role": "worker", "Availability": "active", "Labels": {"rack": "4", "old": "1"}}


@pytest.mark.parametrize(
    ("update", "changed"),
    [
        (Update("n2", role="manager"), {"Role": "manager"}),
        (Update("n2", availability="drain"), {"Availability": "drain"}),
        (Update("n2", labels={"old": None, "new": "2"}), {"Labels": {"rack": "4", "new": "2"}}),
    ],
)
def test_what_is_not_meant_stays(progress: FakeProgress, update: Update, changed: dict[str, object]) -> None:
    """The version is that of the spec that was read: somebody else's change in between makes it fail."""
    host = FakeHost(answers={"GET /nodes/n2": {"Version": {"Index": 7}, "Spec": SPEC}})
    update(host, progress)
    sent = host.engine.sent("POST /nodes/n2/update")
    assert (sent.params, sent.body) == ({"version": 7}, SPEC | changed)


def test_a_demotion_waits_until_the_node_is_one_of_the_managers(progress: FakeProgress, clock: Clock) -> None:
    """Docker refuses it before."""
    named = {"Version": {"Index": 7}, "Spec": SPEC | {"Role": "manager"}}
    there = named | {"ManagerStatus": {"Reachability": "reachable"}}
    host = FakeHost(answers={"GET /nodes/n2": in_turn(named, named, there, there, there)})
    Demotion("n2")(host, progress)
    assert host.engine.sent("POST /nodes/n2/update").body["Role"] == "worker"
    assert len(clock.slept) == 2


def test_a_node_that_does_not_join_the_managers_is_an_error_with_two_ways_out(progress: FakeProgress, clock: Clock) -> None:
    """Nothing is sent."""
    host = FakeHost(answers={"GET /nodes/n2": {"Version": {"Index": 7}, "Spec": SPEC | {"Role": "manager"}}})
    with pytest.raises(
        StepError, match=r"has not joined the managers after 120 s\. Restart its engine; or take it out: docker"
    ):
        Demotion("n2")(host, progress)
    assert clock.now > 1120
    assert not [call for call in host.engine.asked() if call.startswith("POST")]
