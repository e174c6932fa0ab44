"""The MTU below the overlay."""

import pytest

from swarmhub.doctor.network import mtu
from swarmhub.doctor.probe import Address
from swarmhub.settings.schema.model import MTU
from tests.unit.doctor.answers import info, probe, seen
from tests.unit.support.fakes import MANAGER, WORKER1, settings


def carrying(size: int) -> tuple[Address, ...]:
    """Return addresses of which the node's own is on a device with this MTU."""
    return (Address("lo", "127.0.0.1", 65536), Address("eth0", "10.0.0.11", size))


def test_full_size_is_well() -> None:
    """1500 bytes are what Docker counts on, and a smaller size that the overlay was told; without an address none is judged."""
    (found,) = mtu.judge({MANAGER: seen()}, settings())
    wanted = settings(network={"options": {MTU: "1400"}})
    (told,) = mtu.judge({MANAGER: seen(probe=probe(addresses=carrying(1400)))}, wanted)
    assert (found.level, told.level) == ("ok", "ok")
    assert mtu.judge({MANAGER: seen(info=info(address=""))}, settings()) == []


def test_smaller_one_fails_with_the_smallest_of_all() -> None:
    """The line for hosts.toml fits every node."""
    both = {MANAGER: seen(probe=probe(addresses=carrying(1450))), WORKER1: seen(WORKER1, probe=probe(addresses=carrying(1400)))}
    found = mtu.judge(both, settings())
    assert [one.level for one in found] == ["failure", "failure"]
    assert all('"com.docker.network.driver.mtu" = "1400"' in one.remedy for one in found)


def test_address_that_no_device_carries_warns() -> None:
    """The swarm knows the node by an address that is not its own: NAT."""
    (found,) = mtu.judge({MANAGER: seen(info=info(address="203.0.113.5"))}, settings())
    assert (found.level, "203.0.113.5" in found.text) == ("warning", True)


@pytest.mark.parametrize(("bridge", "levels"), [(1500, ["failure", "failure"]), (1400, ["failure"])])
def test_the_way_out_of_servers_may_be_no_larger(bridge: int, levels: list[str]) -> None:
    """Docker's bridge does not follow the device below it: downloads in a notebook hang."""
    addresses = (*carrying(1400), Address("docker_gwbridge", "172.18.0.1", bridge))
    found = mtu.judge({MANAGER: seen(probe=probe(addresses=addresses))}, settings())
    assert [one.level for one in found] == levels
