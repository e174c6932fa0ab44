"""How many managers may go."""

import pytest

from swarmhub.cluster import quorum
from swarmhub.cluster.nodes import Swarm
from swarmhub.errors import StepError
from tests.unit.support.swarms import node


def managers(*reachable: bool) -> Swarm:
    """Return a swarm of managers, some of which cannot be reached."""
    return Swarm("cluster", tuple(node(f"m{i}", f"m{i}", "manager", is_reachable=one) for i, one in enumerate(reachable)))


@pytest.mark.parametrize(
    "others", [(True,), (True, True), (True, True, False), (True, True, True, True), (True, True, True, False)]
)
def test_a_manager_may_go_while_most_of_the_others_answer(others: tuple[bool, ...]) -> None:
    """It is a worker in the swarm that is left."""
    found = managers(True, *others)
    left = quorum.without(found, found.nodes[0], "m0", "removing it")
    assert [one.role for one in left.nodes] == ["worker", *["manager"] * len(others)]


@pytest.mark.parametrize("others", [(), (False,), (True, False), (True, False, False), (True, True, False, False)])
def test_a_manager_that_the_others_need_stays(others: tuple[bool, ...]) -> None:
    """Half is not most."""
    found = managers(True, *others)
    with pytest.raises(StepError, match="removing it would"):
        quorum.without(found, found.nodes[0], "m0", "removing it")
