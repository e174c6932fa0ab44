"""The names of the hub's own services, and how servers get out of their way."""

import pytest

from hub.shared import services
from swarmhub.firewall import firewall
from swarmhub.services import engine_filter, proxy, renewal
from tests.unit.support.fakes import settings

HUB = "jupyterhub"


def test_the_services_are_called_by_these_names() -> None:
    """What is beside a hub is in the list, whether the settings want it or not."""
    wanted = settings()
    assert {proxy.name(wanted), renewal.name(wanted), engine_filter.name(HUB), firewall.name(HUB), HUB} < services.names(HUB)


def test_no_name_of_ours_is_a_servers() -> None:
    """Whatever a server would be called."""
    assert not {services.server(name, HUB) for name in services.names(HUB)} & services.names(HUB)


def test_another_hubs_services_are_its_own_matter() -> None:
    """A server of the hub jupyterhub is not renamed for those of another hub."""
    assert services.server("jupyterhub-proxy", "lab") == "jupyterhub-proxy"


@pytest.mark.parametrize(
    ("hub", "other", "may"),
    [
        ("a", "a-b", True),
        ("a-b-c", "a", True),
        ("a-b", "a-bc", False),
        ("a", "ab", False),
        ("a", "a_b", False),
        ("a", "a_firewall", True),
        ("a_check", "a", True),
        ("a", "b", False),
    ],
)
def test_hubs_whose_servers_could_share_names_are_told_apart(hub: str, other: str, may: bool) -> None:
    """One is called like a server or a service of the other; a user's name has no "_" in its server's."""
    assert (services.may_meet(hub, other), services.may_meet(other, hub)) == (may, may)
