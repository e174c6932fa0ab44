"""The overlay's addresses against the people on the userlist."""

import pytest

from swarmhub.doctor.network import addresses
from swarmhub.services.addresses import Use
from tests.unit.support.fakes import MANAGER, settings

VIP = settings(network={"endpoint_mode": "vip"})
DNSRR = settings()
NET = "net1"


@pytest.mark.parametrize(
    ("use", "users", "mode", "level", "room"),
    [
        (Use("10.0.1.0/24", 0, 0), 100, "vip", "ok", 124),
        (Use("10.0.1.0/24", 0, 0), 200, "vip", "warning", 124),
        (Use("10.0.1.0/24", 0, 0), 200, "dnsrr", "ok", 250),
        (Use("10.0.1.0/24", 251, 125), 200, "vip", "failure", 0),
        (Use("10.0.1.0/24", 251, 200), 200, "vip", "ok", 0),
        (Use("10.20.0.0/16", 1, 0), 2000, "vip", "ok", 32765),
    ],
)
def test_room_is_compared_with_those_who_may_come(use: Use, users: int, mode: str, level: str, room: int) -> None:
    """A VIP takes a second address a server; no room at all fails, too little for everybody warns."""
    found = addresses.judge(use, users, 3, VIP if mode == "vip" else DNSRR, MANAGER)
    assert (found.level, f"room for {room} more" in found.text) == (level, True), found.text


def test_remedy_is_a_larger_subnet_or_no_vips() -> None:
    """The second only where there are VIPs."""
    with_vips = addresses.judge(Use("10.0.1.0/24", 0, 0), 300, 3, VIP, MANAGER)
    without = addresses.judge(Use("10.0.1.0/24", 0, 0), 300, 3, DNSRR, MANAGER)
    assert ("dnsrr" in with_vips.remedy, "dnsrr" in without.remedy) == (True, False)


@pytest.mark.parametrize(("taken", "room"), [(249, "2 more servers,"), (250, "1 more server,")])
def test_the_room_is_told_in_words(taken: int, room: str) -> None:
    """With those of the list who have no server now."""
    found = addresses.judge(Use("10.0.1.0/24", taken, 7), 10, 3, DNSRR, MANAGER)
    assert found.text == f"10.0.1.0/24 has room for {room} 3 of 10 users have none now"
