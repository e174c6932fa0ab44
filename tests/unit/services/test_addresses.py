"""The addresses of an overlay network: how many are taken, and by what."""

from typing import Any

from swarmhub.services import addresses
from swarmhub.services.addresses import Use
from tests.unit.support.fakes import FakeHost, settings

NET = "net1"


def task(state: str, network: str = NET) -> dict[str, Any]:
    """Return a task with an address on a network."""
    return {"DesiredState": state, "NetworksAttachments": [{"Network": {"ID": network}, "Addresses": ["10.0.1.5/24"]}]}


def test_addresses_in_use_are_counted() -> None:
    """VIPs and tasks on this network, without tasks that have ended."""
    service = {
        "Spec": {"Labels": {"swarmhub.notebooks": "jupyterhub"}},
        "Endpoint": {"VirtualIPs": [{"NetworkID": NET, "Addr": "10.0.1.4/24"}, {"NetworkID": "other", "Addr": "10.0.0.4/24"}]},
    }
    hub = {"Spec": {"Name": "jupyterhub", "Labels": None}}
    tasks = [task("running"), task("shutdown"), task("running", "other")]
    assert addresses.read("10.0.1.0/24", NET, [service, hub], tasks, "jupyterhub") == Use("10.0.1.0/24", 2, 1)


def test_network_that_is_still_to_come_is_estimated() -> None:
    """With the subnet of the settings, or a /24 as Docker chooses one."""
    wanted = settings(network={"subnet": "10.20.0.0/16"})
    empty = FakeHost(answers={"GET /networks": []})
    assert addresses.observe(empty, wanted, "jupyterhub").subnet == "10.20.0.0/16"
    assert addresses.observe(empty, settings(), "jupyterhub").subnet.endswith("/24")


def test_only_the_swarms_own_network_of_that_name_counts() -> None:
    """The engine lists longer names too, and networks of one host; Docker's choice is a /24 where none is told."""
    longer = {"Name": "jupyter-proxy", "Id": "x", "Scope": "swarm", "IPAM": {"Config": [{"Subnet": "10.9.0.0/24"}]}}
    local = {"Name": "jupyter", "Id": "y", "Scope": "local", "IPAM": {"Config": [{"Subnet": "10.8.0.0/24"}]}}
    ours = {"Name": "jupyter", "Id": NET, "Scope": "swarm", "IPAM": {"Config": [{"Subnet": "10.7.0.0/16"}]}}
    answers = {"GET /services": [], "GET /tasks": [task("running"), task("ready")]}

    def seen(*listed: Any) -> Use:
        return addresses.observe(FakeHost(answers=answers | {"GET /networks": list(listed)}), settings(), "jupyterhub")

    assert seen(longer, local, ours) == Use("10.7.0.0/16", 2, 0)
    assert seen(longer, local) == Use(addresses.DOCKERS_CHOICE, 0, 0)
    configs: tuple[Any, ...] = (None, [], [{}])
    for config in configs:
        assert seen({**ours, "IPAM": {"Config": config}}).subnet == addresses.DOCKERS_CHOICE
