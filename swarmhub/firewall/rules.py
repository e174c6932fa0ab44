"""The rules that keep notebooks away from the nodes and from a cloud's metadata, as `iptables -S` writes them."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from hub.shared.settings import API_PORT
from swarmhub.settings.target import target

# Whoever asks there gets the machine's own credentials: all clouds' by link-local addresses, Alibaba's, Azure's, and in IPv6
# those of AWS, its EKS, Google, Oracle, Scaleway and OpenStack. Some are the machine's name server, too, so DNS passes.
METADATA = (
    "169.254.0.0/16",
    "100.100.100.200",
    "168.63.129.16:80",
    "168.63.129.16:32526",
    "fd00:ec2::254",
    "fd00:ec2::23",
    "fd20:ce::254",
    "fd00:c1::a9fe:a9fe",
    "fd00:42::42",
    "fe80::a9fe:a9fe",
)
DNS = 53
GATEWAYS = "docker_gwbridge"
# What a server may have open to the hub, which has 1,024 for all: JupyterLab needs a few.
HUB_CONNECTIONS = 50
# What goes to everybody on a network: to some of its addresses, by link-local ones, and by broadcast.
EVERYBODY = {4: ("224.0.0.0/4", "255.255.255.255/32"), 6: ("fe80::/10", "ff00::/8")}
# A neighbour is asked for its own address by these, and answers.
NEIGHBOURS = (135, 136)
SSH, MANAGEMENT, GOSSIP = 22, 2377, 7946
ENGINE = (2375, 2376)
# The kernel takes 28 characters for the name of a chain.
CHAIN_LENGTH = 28
REFUSE = {"tcp": "-j REJECT --reject-with tcp-reset", "udp": "-j REJECT"}

Address = IPv4Address | IPv6Address


@dataclass(frozen=True)
class Endpoints:
    """By which addresses the other nodes reach a host, and the ports of its sshd."""

    addresses: tuple[str, ...] = ()
    ssh: tuple[int, ...] = ()


@dataclass(frozen=True)
class ChainRules:
    """The rules of a chain, a line each."""

    chain: str
    ipv4: tuple[str, ...]
    ipv6: tuple[str, ...]


def chain(hub: str) -> str:
    """Return the name of a hub's chain, which no other hub's has."""
    whole = f"SWARMHUB-{hub}"
    return whole if len(whole) <= CHAIN_LENGTH else f"{whole[:21]}-{hashlib.sha256(hub.encode()).hexdigest()[:6]}"


def desired(hub: str, nodes: Iterable[Endpoints], swarm: Iterable[str], data_port: int, deny: Sequence[str]) -> ChainRules:
    """Return the rules; `swarm` are the nodes' addresses in the swarm, `data_port` is that of its overlay networks."""
    nodes = tuple(nodes)
    ports = {
        "tcp": {SSH, *ENGINE, MANAGEMENT, GOSSIP, *(port for node in nodes for port in node.ssh)},
        "udp": {GOSSIP, data_port},
    }
    addresses = _addresses([*(address for node in nodes for address in node.addresses), *swarm])
    of_family = {
        version: tuple(f"-A {chain(hub)} {rule}" for rule in _rules(version, ports, addresses, deny)) for version in (4, 6)
    }
    return ChainRules(chain(hub), of_family[4], of_family[6])


def isolating(hub: str) -> ChainRules:
    """Return the rules by which a server reaches nothing on its network, which is PEERS in them, but the hub.

    The hub's address is another after each of its restarts, so its port is open, wherever it leads.
    """
    of_family = {version: tuple(_isolating(chain(hub), version)) for version in (4, 6)}
    return ChainRules(chain(hub), of_family[4], of_family[6])


def _isolating(name: str, version: int) -> Iterator[str]:
    # Of its own accord a server says nothing: hub and proxy get their answers. What it has connected itself is cut, for the
    # kernel knows who began: Docker's rules for DNS make it track connections from before the first process.
    yield f"-A {name} -m conntrack --ctdir REPLY -j RETURN"
    yield f"-A {name} -m conntrack --ctstate INVALID -j DROP"
    to_hub, first = f"-p tcp -m tcp --dport {API_PORT}", "--tcp-flags FIN,SYN,RST,ACK SYN"
    bound = f"-m connlimit --connlimit-above {HUB_CONNECTIONS} --connlimit-mask 0 --connlimit-saddr"
    yield f"-A {name} {to_hub} {first} {bound} {REFUSE['tcp']}"
    yield f"-A {name} {to_hub} -j RETURN"
    for kind in NEIGHBOURS if version == 6 else ():
        yield f"-A {name} -p ipv6-icmp -m icmp6 --icmpv6-type {kind} -j RETURN"
    yield f"-A {name} -p tcp {REFUSE['tcp']}"
    yield f"-A {name} -j REJECT"
    for peers in ("PEERS", *EVERYBODY[version]):
        yield f"-A OUTPUT -d {peers} ! -o lo -j {name}"


def _addresses(texts: Iterable[str]) -> list[Address]:
    # A node that has just joined has no address yet, or 0.0.0.0; one may serve metadata itself.
    metadata = [ip_network(network) for network, port in map(target, METADATA) if port is None]
    found = {ip_address(text) for text in texts if text}
    named = (one for one in found if not (one.is_unspecified or one.is_loopback or any(one in net for net in metadata)))
    return sorted(named, key=lambda one: (one.version, int(one)))


def _rules(version: int, ports: Mapping[str, set[int]], addresses: Sequence[Address], deny: Sequence[str]) -> Iterator[str]:
    # What answers somebody outside, as the hub does, is no attempt to reach them.
    yield "-m conntrack --ctdir REPLY -j RETURN"
    # Docker keeps containers apart there unless somebody has made this network otherwise.
    yield f"-i {GATEWAYS} -o {GATEWAYS} -j REJECT"
    for one in deny:
        yield from _denied(version, *target(one))
    for one in METADATA:
        yield from _metadata(version, *target(one))
    for protocol, numbers in ports.items():
        # All else leaves the chain here: with many nodes it is long, and each packet of a download comes by.
        yield f"-p {protocol} -m multiport ! --dports {','.join(map(str, sorted(numbers)))} -j RETURN"
    own = ["-m addrtype --dst-type LOCAL"]
    others = [f"-d {ip_network(one)}" for one in addresses if one.version == version]
    for where in [*own, *others]:
        for protocol, refusal in REFUSE.items():
            yield f"-p {protocol} {where} {refusal}" if where in own else f"{where} -p {protocol} {refusal}"


def _metadata(version: int, network: str, port: int | None) -> Iterator[str]:
    if port is None and ip_network(network).version == version:
        yield from (f"-d {network} -p {protocol} -m {protocol} --dport {DNS} -j RETURN" for protocol in REFUSE)
    yield from _denied(version, network, port)


def _denied(version: int, network: str, port: int | None) -> Iterator[str]:
    if ip_network(network).version != version:
        return
    if port is None:
        yield f"-d {network} -j REJECT"
        return
    for protocol, refusal in REFUSE.items():
        yield f"-d {network} -p {protocol} -m {protocol} --dport {port} {refusal}"
