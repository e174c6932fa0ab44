"""The overlays' addresses against what the hosts reach: a server that asks for such an address asks the overlay.

With those of a bridge of Docker's own, such as docker_gwbridge, the engine rejects every container of the overlay.
"""

from collections.abc import Iterator, Mapping
from ipaddress import ip_address, ip_network

from swarmhub.doctor.finding import Finding, failure, ok
from swarmhub.doctor.hosts.access import HostAnswers
from swarmhub.doctor.probe import Probe
from swarmhub.host import Host
from swarmhub.services import network
from swarmhub.settings import Settings

CHECK = "addresses"
INGRESS = "ingress"


def observe(manager: Host, settings: Settings) -> dict[str, str]:
    """Ask for the subnets of the overlays that swarmhub uses, by their names; of those to come, what hosts.toml gives them."""
    given = {one["Name"]: one["IPAM"]["Config"] for one in network.all_desired(settings)}
    names = [*given, INGRESS]
    there = manager.engine.get("/networks", filters={"name": names, "scope": ["swarm"]})
    found = {one["Name"]: (one.get("IPAM") or {}).get("Config") or [] for one in there if one["Name"] in names}
    return {name: parts[0]["Subnet"] for name, parts in {**given, **found}.items() if parts and parts[0].get("Subnet")}


def judge(overlays: Mapping[str, str], seen: Mapping[str, HostAnswers], settings: Settings, manager: str) -> list[Finding]:
    """Return a line for each host and each overlay that has the addresses of something that the host reaches."""
    found = [
        failure(CHECK, host, f"the network {name} has {subnet}, and so has {what}", _remedy(name, settings))
        for host, answers in seen.items()
        for name, subnet in overlays.items()
        if answers.probe
        for what in _met(subnet, answers.probe)
    ]
    told = ", ".join(f"{name} {subnet}" for name, subnet in overlays.items())
    return found or ([ok(CHECK, manager, f"no host reaches anything else by the overlays' addresses: {told}")] if told else [])


def _met(subnet: str, probe: Probe) -> Iterator[str]:
    """Yield what a host reaches by an overlay's addresses."""
    overlay = ip_network(subnet)
    for route in probe.routes:
        if overlay.overlaps(ip_network(route.subnet, strict=False)):
            yield f"its network {route.subnet} ({route.device})"
    for server in probe.name_servers:
        if ip_address(server.partition("%")[0]) in overlay:
            yield f"its name server {server}"


def _remedy(name: str, settings: Settings) -> str:
    keys = dict(zip([one["Name"] for one in network.all_desired(settings)], ("subnet", "proxy_subnet"), strict=False))
    if name == INGRESS:
        return "Make that network again with other addresses (docs/network.md); a new swarm: network.pool in hosts.toml"
    return (
        f'In hosts.toml, below [network]: {keys[name]} = "…", with addresses that are free there; then: fab network --recreate'
    )
