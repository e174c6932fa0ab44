"""The MTU between the nodes: Docker's overlays count on 1500 bytes below them and lose larger packets in silence.

So does the bridge by which servers reach all that is not on the overlay.
"""

from collections.abc import Mapping

from swarmhub.doctor.finding import Finding, failure, ok, warning
from swarmhub.doctor.hosts.access import HostAnswers
from swarmhub.settings import Settings
from swarmhub.settings.schema.model import MTU

CHECK = "mtu"
ASSUMED = 1500
BRIDGE = "docker_gwbridge"


def judge(seen: Mapping[str, HostAnswers], settings: Settings) -> list[Finding]:
    """Compare the device that carries each node's address with what the overlay counts on."""
    assumed = int(settings.network.options.get(MTU, ASSUMED))
    in_swarm = {host: one for host, one in seen.items() if one.probe and one.address}
    mtus = {host: _device(one) for host, one in in_swarm.items()}
    smallest = min((mtu for _, mtu in filter(None, mtus.values())), default=assumed)
    found = [_of(host, in_swarm[host].address, device, assumed, smallest) for host, device in mtus.items()]
    smaller = {host: device for host, device in mtus.items() if device and _is_too_large(in_swarm[host], device)}
    return [*found, *(_bridge(host, device) for host, device in smaller.items())]


def _device(one: HostAnswers) -> tuple[str, int] | None:
    addresses = one.probe.addresses if one.probe else ()
    return next(((item.device, item.mtu) for item in addresses if item.address == one.address), None)


def _of(host: str, address: str, device: tuple[str, int] | None, assumed: int, smallest: int) -> Finding:
    if device is None:
        remedy = "A NAT between the nodes? Let it join with its own: docker swarm join --advertise-addr"
        return warning(CHECK, host, f"no device of it carries {address}, by which the other nodes know it", remedy)
    name, mtu = device
    if mtu < assumed:
        remedy = f'In hosts.toml, below [network]: options = {{ "{MTU}" = "{smallest}" }}; then: fab network --recreate'
        return failure(
            CHECK, host, f"{name} takes {mtu} bytes, the overlay counts on {assumed}: large packets get lost", remedy
        )
    return ok(CHECK, host, f"{name} takes {mtu} bytes, the overlay counts on {assumed}")


def _is_too_large(one: HostAnswers, device: tuple[str, int]) -> bool:
    addresses = one.probe.addresses if one.probe else ()
    return any(item.device == BRIDGE and item.mtu > device[1] for item in addresses)


def _bridge(host: str, device: tuple[str, int]) -> Finding:
    name, mtu = device
    remedy = f"Make {BRIDGE} again there, with {MTU}={mtu} (docs/network.md, Large packets get lost)"
    text = f"{name} takes {mtu} bytes, {BRIDGE} more: servers lose large packets to all that is outside the overlay"
    return failure(CHECK, host, text, remedy)
