"""Which nodes are opened for notebooks, and when."""

import pytest

from swarmhub import availability
from swarmhub.errors import StepError
from swarmhub.images import Held
from swarmhub.nodes import Member
from tests.unit.fakes import MANAGER, WORKER1, FakeHost, FakeProgress
from tests.unit.swarms import OUTSIDE, WHOLE, member, node

HELD = Held("sha256:a", frozenset({"sha256:d"}))
SILENT = StepError(WORKER1, "no answer", "Is it up?")


@pytest.mark.parametrize(
    ("said", "found"), [(member("n2"), "n2"), (OUTSIDE, "n2"), (member(""), "n2"), (SILENT, "n2"), (member("other"), None)]
)
def test_a_node_is_found_by_its_own_word_or_by_its_name(said: Member | StepError, found: str | None) -> None:
    """A host that is in another swarm is none of this one's, whatever it is called."""
    seen = availability.find(WHOLE, WORKER1, said)
    assert (seen.id if seen else None) == found


def test_a_host_outside_the_swarm_has_no_node() -> None:
    """What needs the node says so."""
    with pytest.raises(StepError, match=r"is not in the swarm\..*fab swarm-init"):
        availability.require(WHOLE, "swarm-worker9", OUTSIDE)


def test_only_nodes_that_wait_are_opened() -> None:
    """What an operator has paused or drained stays so."""
    nodes = {
        "waits": node("n1", "waits", availability="pause", waits=True),
        "paused": node("n2", "paused", availability="pause"),
        "drained": node("n3", "drained", availability="drain"),
        "open": node("n4", "open"),
    }
    plan = availability.plan_activation(nodes, MANAGER)
    assert [change.sentence for change in plan.changes] == [f"activate waits (its image is there) on {MANAGER}"]


@pytest.mark.parametrize(("before", "after"), [("pause", "active"), ("drain", "drain")])
def test_an_opened_node_loses_its_mark(progress: FakeProgress, before: str, after: str) -> None:
    """A node that was drained while it waited stays drained."""
    spec = {"Role": "worker", "Availability": before, "Labels": {"swarmhub.waits": "image", "rack": "4"}}
    host = FakeHost(answers={"GET /nodes/n2": {"Version": {"Index": 3}, "Spec": spec}})
    plan = availability.plan_activation({WORKER1: node("n2", WORKER1, availability=before, waits=True)}, MANAGER)
    plan.changes[0].apply(host, progress)
    assert host.engine.sent("POST /nodes/n2/update").body == {"Role": "worker", "Availability": after, "Labels": {"rack": "4"}}


def test_an_active_node_needs_no_undrain() -> None:
    """It says so, whatever images it has."""
    assert availability.plan_undrain(WORKER1, node("n2", WORKER1), None, None, MANAGER).changes == ()


@pytest.mark.parametrize(("held", "wanted"), [(None, "sha256:d"), (HELD, "sha256:other"), (None, None)])
def test_a_node_without_the_image_stays_closed(held: Held | None, wanted: str | None) -> None:
    """Notebooks placed there would wait for a pull."""
    with pytest.raises(StepError, match=f"fab -H {WORKER1} prepull"):
        availability.plan_undrain(WORKER1, node("n2", WORKER1, availability="drain"), held, wanted, MANAGER)


def test_a_node_with_the_image_is_opened() -> None:
    """By a change on the manager."""
    plan = availability.plan_undrain(WORKER1, node("n2", WORKER1, availability="drain"), HELD, "sha256:d", MANAGER)
    assert [change.sentence for change in plan.changes] == [f"activate {WORKER1} on {MANAGER}"]
