"""Other hubs whose servers could be called like this one's."""

from swarmhub.doctor.finding import Level
from swarmhub.doctor.hub import others


def test_two_deployed_hubs_with_such_names_are_a_warning() -> None:
    """Both work, and one user of one of them may get no server; before the first deploy, which is refused, it is a failure."""
    levels = [[one.level for one in others.judge("a", "a-b", "m", is_deployed)] for is_deployed in (True, False)]
    assert levels == [[Level.WARNING], [Level.FAILURE]]


def test_no_other_hub_is_nothing_to_say() -> None:
    """Most swarms have one hub."""
    assert others.judge("a", "", "m", True) == []
