"""Which nodes are opened for notebooks, and when."""

from dataclasses import replace

import pytest

from swarmhub.cluster import availability
from swarmhub.cluster.nodes import Member, Swarm
from swarmhub.errors import StepError
from swarmhub.plan.differences import Difference
from swarmhub.plan.plans import Change
from tests.unit.support.fakes import MANAGER, WORKER1, WORKER2, FakeHost, FakeProgress
from tests.unit.support.swarms import OUTSIDE, WHOLE, member, node

A, B = f"sha256:{'a' * 64}", f"sha256:{'b' * 64}"
LABEL_A, LABEL_B = "swarmhub.image.aaaaaaaaaaaa", "swarmhub.image.bbbbbbbbbbbb"
BOTH = frozenset({"a" * 12, "b" * 12})
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
        "waits": node("n1", "waits", availability="pause", waits=True, images=BOTH),
        "paused": node("n2", "paused", availability="pause", images=BOTH),
        "drained": node("n3", "drained", availability="drain", images=BOTH),
        "open": node("n4", "open", images=BOTH),
    }
    plan = availability.plan_placement(nodes, {name: [A, B] for name in nodes}, MANAGER)
    assert [change.sentence for change in plan.changes] == [f"activate waits (its images are there) on {MANAGER}"]


def test_what_a_node_holds_becomes_its_labels() -> None:
    """Those that are missing, whatever its availability; the plan shows them and the command that sets them."""
    nodes = {WORKER1: node("n2", WORKER1, availability="drain", images=frozenset({"a" * 12}))}
    (change,) = availability.plan_placement(nodes, {name: [A, B] for name in nodes}, MANAGER).changes
    assert change.sentence == f"label {WORKER1} (its images are there) on {MANAGER}"
    assert change.differences == (Difference(f"Labels.{LABEL_B}", None, "held"),)
    assert change.command == f"docker node update --label-add {LABEL_B}=held n2"


def sent(change: Change, availability: str, labels: dict[str, str], progress: FakeProgress) -> tuple[str, dict[str, str]]:
    """Return the availability and the labels that a node has after a change."""
    spec = {"Role": "worker", "Availability": availability, "Labels": labels}
    host = FakeHost(answers={"GET /nodes/n2": {"Version": {"Index": 3}, "Spec": spec}})
    change.apply(host, progress)
    body = host.engine.sent("POST /nodes/n2/update").body
    return body["Availability"], body["Labels"]


@pytest.mark.parametrize(("before", "after"), [("pause", "active"), ("drain", "drain")])
def test_an_opened_node_loses_its_mark(progress: FakeProgress, before: str, after: str) -> None:
    """In one update with its labels; a node that was drained while it waited stays drained."""
    plan = availability.plan_placement({WORKER1: node("n2", WORKER1, availability=before, waits=True)}, {WORKER1: [A]}, MANAGER)
    (change,) = plan.changes
    assert sent(change, before, {"swarmhub.waits": "image", "rack": "4"}, progress) == (after, {"rack": "4", LABEL_A: "held"})


def test_a_node_loses_the_label_of_an_image_that_it_lacks(progress: FakeProgress) -> None:
    """Others keep theirs, and a node that waits goes on waiting."""
    nodes = {
        WORKER1: node("n2", WORKER1, images=BOTH, waits=True),
        WORKER2: node("n3", WORKER2, images=frozenset({"b" * 12})),
        MANAGER: node("n1", MANAGER, images=BOTH),
    }
    (change,) = availability.closing(nodes, {WORKER1: [A], WORKER2: [A], MANAGER: []}, MANAGER)
    assert change.sentence == f"unlabel {WORKER1} (an image is missing) on {MANAGER}"
    before = {LABEL_A: "held", LABEL_B: "held", "swarmhub.waits": "image"}
    assert sent(change, "pause", before, progress) == ("pause", {LABEL_B: "held", "swarmhub.waits": "image"})


def test_labels_of_images_that_nobody_wants_go(progress: FakeProgress) -> None:
    """From whichever node of the swarm has them."""
    nodes = [node("n1", MANAGER, images=frozenset({"b" * 12})), node("n2", WORKER1, images=BOTH)]
    (change,) = availability.forgetting(nodes, {"b" * 12}, MANAGER)
    assert change.sentence == f"unlabel {WORKER1} (not wanted any more) on {MANAGER}"
    assert change.command == f"docker node update --label-rm {LABEL_A} n2"
    assert sent(change, "active", {LABEL_A: "held", LABEL_B: "held"}, progress) == ("active", {LABEL_B: "held"})


def test_a_node_without_its_images_stays_closed() -> None:
    """Servers that are placed there would wait for a pull; the images are named."""
    with pytest.raises(StepError, match=f"does not hold x:1, y:2 as the others do.*fab -H {WORKER1} prepull"):
        availability.plan_undrain(WORKER1, node("n2", WORKER1, availability="drain"), [A], ["x:1", "y:2"], MANAGER)


def test_a_node_with_its_images_is_opened(progress: FakeProgress) -> None:
    """By a change on the manager, which gives it its labels as well; one that is active needs none."""
    drained = node("n2", WORKER1, availability="drain", waits=True)
    assert availability.plan_undrain(WORKER1, node("n2", WORKER1), [A], ["x:1"], MANAGER).changes == ()
    (change,) = availability.plan_undrain(WORKER1, drained, [A], [], MANAGER).changes
    assert change.sentence == f"activate {WORKER1} on {MANAGER}"
    assert sent(change, "drain", {"swarmhub.waits": "image"}, progress) == ("active", {LABEL_A: "held"})


def test_a_node_that_calls_itself_otherwise_is_found_by_its_name_in_hosts_toml() -> None:
    """While it answers, its label is written; when it is gone, it is found by that."""
    nodes = {WORKER1: node("n2", "ip-10-0-0-21", images=BOTH), WORKER2: node("n3", WORKER2, images=BOTH)}
    (change,) = availability.plan_placement(nodes, {name: [A, B] for name in nodes}, MANAGER).changes
    assert (change.sentence, change.differences) == (
        f"name node ip-10-0-0-21 {WORKER1} on {MANAGER}",
        (Difference("Labels.swarmhub.host", None, WORKER1),),
    )
    named = replace(nodes[WORKER1], label=WORKER1)
    assert availability.plan_placement({WORKER1: named}, {WORKER1: [A, B]}, MANAGER).changes == ()
    gone = Swarm("cluster", (named,))
    assert availability.find(gone, WORKER1, StepError(WORKER1, "no answer", "Is it up?")) == named
