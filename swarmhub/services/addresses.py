"""The addresses of an overlay network: how many it has, and for how many more servers there is room."""

from collections.abc import Sequence
from dataclasses import dataclass

from hub.shared.servers.nodes import usable
from swarmhub.host import Host, Json
from swarmhub.settings import Settings

DOCKERS_CHOICE = "10.0.0.0/24"


@dataclass(frozen=True)
class Use:
    """What an overlay has, and what is taken; `servers` are the notebooks on it."""

    subnet: str
    taken: int
    servers: int


def observe(manager: Host, settings: Settings, hub: str) -> Use:
    """Ask for the network and for all that has an address on it."""
    listed = manager.engine.get("/networks", filters={"name": [settings.network.name]})
    found = next((one for one in listed if one["Name"] == settings.network.name and one.get("Scope") == "swarm"), None)
    if found is None:
        return Use(settings.network.subnet or DOCKERS_CHOICE, 0, 0)
    configs = found["IPAM"].get("Config") or [{}]
    services = manager.engine.get("/services")
    return read(configs[0].get("Subnet") or DOCKERS_CHOICE, found["Id"], services, manager.engine.get("/tasks"), hub)


def read(subnet: str, network: str, services: Sequence[Json], tasks: Sequence[Json], hub: str) -> Use:
    """Count addresses: a service's VIP, and each of a task's that has not ended."""
    vips = [
        vip for one in services for vip in (one.get("Endpoint") or {}).get("VirtualIPs") or [] if vip["NetworkID"] == network
    ]
    held = [
        attached
        for task in tasks
        if task["DesiredState"] in ("running", "ready")
        for attached in task.get("NetworksAttachments") or []
        if attached["Network"]["ID"] == network
    ]
    servers = [one for one in services if (one["Spec"].get("Labels") or {}).get("swarmhub.notebooks") == hub]
    return Use(subnet, len([vip for vip in vips if vip.get("Addr")]) + len(held), len(servers))


def room(use: Use, nodes: int, settings: Settings) -> int:
    """Return how many more servers get an address."""
    each = _each(settings)
    # Each node takes one as soon as something runs there; the hub takes as many as a server.
    still = max(0, nodes - 1) + (each if use.taken == 0 else 0)
    return max(0, usable(use.subnet) - use.taken - still) // each


def larger(settings: Settings) -> str:
    """Return what makes room for more."""
    remedy = 'In hosts.toml, below [network]: subnet = "10.20.0.0/16"'
    if _each(settings) == 2:
        remedy += '; or endpoint_mode = "dnsrr", which takes one address a server instead of two'
    return remedy


def _each(settings: Settings) -> int:
    return 2 if settings.network.endpoint_mode == "vip" else 1
