"""The overlays' addresses against what the hosts reach."""

import pytest

from swarmhub.doctor.network import overlap
from swarmhub.doctor.probe import Route
from tests.unit.doctor.answers import probe, seen
from tests.unit.support.fakes import MANAGER, WORKER1, FakeHost, settings

OVERLAYS = {"jupyter": "10.0.1.0/24", "jupyter-proxy": "10.0.2.0/24", "ingress": "10.0.0.0/24"}


def test_addresses_of_ones_own_are_well() -> None:
    """Each host has networks of its own, and Docker's bridges."""
    routes = (
        Route("192.168.1.0/24", "eth0"),
        Route("172.18.0.0/16", "docker_gwbridge"),
        Route("172.19.0.0/16", "br-1a2b3c4d5e6f"),
    )
    (found,) = overlap.judge(
        OVERLAYS, {MANAGER: seen(probe=probe(routes=routes, name_servers=("10.0.3.1",)))}, settings(), MANAGER
    )
    assert (found.level, "jupyter 10.0.1.0/24" in found.text) == ("ok", True)


@pytest.mark.parametrize(
    ("route", "network", "key"),
    [
        ("10.0.0.0/8", "jupyter", " subnet = "),
        ("10.0.1.128/25", "jupyter", " subnet = "),
        ("10.0.2.0/23", "jupyter-proxy", "proxy_subnet"),
        ("10.0.0.7", "ingress", "network.pool"),
    ],
)
def test_a_network_that_a_host_reaches_is_named(route: str, network: str, key: str) -> None:
    """On whichever host, with the key that gives the overlay other addresses."""
    there = {MANAGER: seen(), WORKER1: seen(WORKER1, probe=probe(routes=(Route(route, "eth1"),)))}
    found = [one for one in overlap.judge(OVERLAYS, there, settings(), MANAGER) if f"network {network} " in one.text]
    assert [(one.level, one.host) for one in found] == [("failure", WORKER1)]
    assert (f"{route} (eth1)" in found[0].text, key in found[0].remedy) == (True, True)


@pytest.mark.parametrize("device", ["docker0", "docker_gwbridge", "br-1a2b3c4d5e6f", "br-lan", "br-ex"])
def test_a_bridge_is_a_network_like_any_other(device: str) -> None:
    """With an overlay on one of Docker's own, its engine rejects every container: the pool overlaps with another one."""
    found = overlap.judge(OVERLAYS, {MANAGER: seen(probe=probe(routes=(Route("10.0.0.0/16", device),)))}, settings(), MANAGER)
    assert {one.level for one in found} == {"failure"}


@pytest.mark.parametrize(("server", "level"), [("10.0.1.53", "failure"), ("fe80::1%eth0", "ok"), ("127.0.0.53", "ok")])
def test_a_name_server_is_not_to_be_on_an_overlay(server: str, level: str) -> None:
    """No server would resolve a name."""
    found = overlap.judge(OVERLAYS, {MANAGER: seen(probe=probe(name_servers=(server,)))}, settings(), MANAGER)
    assert [one.level for one in found] == [level]


def test_networks_to_come_have_what_the_settings_give_them() -> None:
    """Those that are there have what they have; one for which Docker will choose is left out."""
    wanted = settings(network={"subnet": "10.20.0.0/16"})
    there = [{"Name": "ingress", "IPAM": {"Config": [{"Subnet": "10.0.0.0/24"}]}}, {"Name": "jupyter-old", "IPAM": {}}]
    found = overlap.observe(FakeHost(answers={"GET /networks": there}), wanted)
    assert found == {"jupyter": "10.20.0.0/16", "ingress": "10.0.0.0/24"}
