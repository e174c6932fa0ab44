"""Where the hub finds the server that it has started."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from hub.spawner import SwarmSpawner

VIP = {"NetworkID": "u1k9xd2mzbq1", "Addr": "10.0.1.7/24"}
ATTACHMENT = {"Network": {"ID": "u1k9xd2mzbq1", "Spec": {"Name": "jupyter"}}, "Addresses": ["10.0.1.9/24"]}


def where(service: dict[str, Any], task: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return the address and port of a server whose service and task the engine answers so."""

    async def get_object(_: SwarmSpawner) -> dict[str, Any]:
        return service

    async def get_task(_: SwarmSpawner) -> dict[str, Any]:
        return task

    monkeypatch.setattr(SwarmSpawner, "get_object", get_object)
    monkeypatch.setattr(SwarmSpawner, "get_task", get_task)
    spawner = SwarmSpawner(user=SimpleNamespace(name="ada", url="/user/ada/"), network_name="jupyter")
    return asyncio.run(spawner.get_ip_and_port())


@pytest.mark.parametrize(
    ("endpoint", "address"),
    [
        ({"Spec": {"Mode": "vip"}, "VirtualIPs": [VIP]}, "10.0.1.7"),
        ({"Spec": {"Mode": "dnsrr"}}, "10.0.1.9"),
        ({"Spec": {"Mode": "dnsrr"}, "VirtualIPs": None}, "10.0.1.9"),
    ],
    ids=["vip", "dnsrr", "dnsrr with a null"],
)
def test_a_server_is_reached_by_its_address(endpoint: dict[str, Any], address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hub asks the service's own address, or its task's where the service has none; a name would be kept too long."""
    assert where({"ID": "s1", "Endpoint": endpoint}, {"NetworksAttachments": [ATTACHMENT]}, monkeypatch) == (address, 8888)
