"""Whose homes are where."""

import pytest

from swarmhub import homes, swarm_config
from swarmhub.homes import Place, Volume
from tests.unit.fakes import WORKER1, FakeHost

LABELS = {homes.LABEL: "jupyterhub", homes.USER: "ada"}


def test_the_swarm_knows_on_which_node_a_home_is() -> None:
    """By the record that the hub has made when it was placed the first time; another hub's are not asked for."""
    manager = FakeHost()
    swarm_config.create(manager, "jupyterhub-home-ada", LABELS | {homes.NODE: "n2"}, {})
    swarm_config.create(manager, "other-home-ada", LABELS | {homes.LABEL: "other"}, {})
    assert homes.places(manager, "jupyterhub") == (Place("c1", "jupyterhub-home-ada", "ada", "n2"),)


@pytest.mark.parametrize("listed", [None, [{"Name": "jupyterhub-home-ada", "Labels": LABELS}]])
def test_a_node_knows_which_homes_it_has(listed: list[object] | None) -> None:
    """By the label of their volumes."""
    host = FakeHost(WORKER1, {"GET /volumes": {"Volumes": listed}})
    assert homes.volumes(host, "jupyterhub") == ((Volume("jupyterhub-home-ada", "ada"),) if listed else ())
    assert host.engine.requests[0].params == {"filters": {"label": ["swarmhub.home=jupyterhub"]}}


@pytest.mark.parametrize(("number", "said"), [(2, "a, b"), (7, "a, b, c, d, e, … (7 people)")])
def test_of_many_people_the_first_are_named(number: int, said: str) -> None:
    """A line stays one."""
    assert homes.names("gfedcba"[-number:]) == said
