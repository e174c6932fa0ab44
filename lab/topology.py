"""Say what the lab consists of: names, addresses and ports, and nothing that acts.

SWARMHUB_LAB is the number of a lab beside the first one, from 1 to 5: it has names, addresses and ports of its own.
"""

import os
from dataclasses import dataclass
from pathlib import Path

NUMBER = int(os.environ.get("SWARMHUB_LAB") or "0")
SUFFIX = f"-{NUMBER}" if NUMBER else ""


def address(host: int) -> str:
    """Return the address that a part of this lab has."""
    return f"10.213.{NUMBER}.{host}"


def port(first: int) -> int:
    """Return the port of 127.0.0.1 that this lab has in place of the first one's."""
    return first + 10_000 * NUMBER


ROOT = Path(__file__).resolve().parent
STATE = ROOT / f"state{SUFFIX}"
# That of a second lab is made from the first one's.
HOSTS = f"lab/hosts{SUFFIX}.toml"
ANY_LABEL = "swarmhub.lab"
LABEL = f"{ANY_LABEL}{SUFFIX}"
NETWORK = f"swarmhub-lab{SUFFIX}"
SHARED = f"{NETWORK}-shared"
# What the engines of the machines in QEMU hold.
FILLED = "swarmhub-lab-kernel"
SUBNET = f"{address(0)}/24"
DOMAIN = "hub.localhost"
GITHUB = "github.localhost"
# The same inside as outside: a browser and the hub are led to one address.
GITHUB_PORT = port(8444)
GITHUB_URL = f"https://{GITHUB}:{GITHUB_PORT}"
REGISTRY = "registry.lab:5000"
REGISTRY_PORT = port(5443)
# One that asks for a login, by TLS.
PRIVATE = "private.lab:5000"
PRIVATE_PORT = port(5444)


@dataclass(frozen=True)
class Node:
    """A host of the lab's swarm; `ports` maps its ports to this machine's 127.0.0.1."""

    name: str
    address: str
    ports: dict[int, int]

    @property
    def hostname(self) -> str:
        """Return the name that the host calls itself."""
        return self.name

    @property
    def ssh_port(self) -> int:
        """Return the port of 127.0.0.1 that leads to this node's sshd."""
        return self.ports[22]


MANAGER = Node("swarm-manager1", address(11), {22: port(2211), 80: port(8480), 443: port(8443)})
WORKERS = (
    Node("swarm-worker1", address(21), {22: port(2221)}),
    Node("swarm-worker2", address(22), {22: port(2222)}),
)
NODES = (MANAGER, *WORKERS)


@dataclass(frozen=True)
class Service:
    """A server beside the swarm, all of them from one image."""

    name: str
    address: str
    command: tuple[str, ...]
    ports: dict[int, int]
    hostname: str


# How long the certificates of one of the ACME servers hold. They are renewed with a third of that left, and until then a
# deploy has to be over.
SHORT_SECONDS = 30
PEBBLE = f"pebble -dnsserver {address(2)}:53 -config"
# dnsmasq takes no updates: Knot, beside it, has the records by which the domain is proved.
KNOT_PORT = 5353
KNOT = "rm -f /run/knot.pid && knotd --config /srv/lab/knot.conf"
DNSMASQ = (
    "dnsmasq -k --log-facility=- --addn-hosts=/srv/lab/hosts --local=/lab/ --local=/localhost/ "
    f"--server=/_acme-challenge.{DOMAIN}/127.0.0.1#{KNOT_PORT}"
)
# A university's directory, and the keys by which its learning platform signs (LTI 1.3): a test puts them there.
CAMPUS = "campus.lab"
SLAPD = (
    "rm -rf /srv/ldap && mkdir -p /srv/ldap /srv/jwks && slapadd -q -f /srv/lab/slapd.conf -l /srv/lab/people.ldif"
    " && exec slapd -d 0 -f /srv/lab/slapd.conf -h ldap:///"
)
JWKS = "python3 -m http.server 8080 --directory /srv/jwks"
SERVICES = (
    Service(
        "dns",
        address(2),
        ("sh", "-c", f"{KNOT} & exec {DNSMASQ}"),
        {},
        "dns.lab",
    ),
    Service(
        "registry", address(3), ("docker-registry", "serve", "/srv/lab/registry.yml"), {5000: REGISTRY_PORT}, "registry.lab"
    ),
    Service("private", address(8), ("docker-registry", "serve", "/srv/lab/private.yml"), {5000: PRIVATE_PORT}, "private.lab"),
    Service(
        "acme",
        address(4),
        (*PEBBLE.split(), "/srv/lab/pebble.json"),
        {15000: port(15000)},
        "acme.lab",
    ),
    Service(
        "acme-staging",
        address(5),
        (*PEBBLE.split(), "/srv/lab/pebble.json"),
        {15000: port(15001)},
        "acme-staging.lab",
    ),
    Service(
        "acme-short",
        address(7),
        (
            "sh",
            "-c",
            f"sed s/7776000/{SHORT_SECONDS}/ /srv/lab/pebble.json > /tmp/pebble.json && exec {PEBBLE} /tmp/pebble.json",
        ),
        {15000: port(15002)},
        "acme-short.lab",
    ),
    Service("campus", address(9), ("sh", "-c", f"{SLAPD} & exec {JWKS}"), {}, CAMPUS),
    Service("github", address(6), ("python3", "/srv/lab/github.py", str(GITHUB_PORT)), {GITHUB_PORT: GITHUB_PORT}, GITHUB),
)
DNS = SERVICES[0].address
ACME_PRODUCTION = "https://acme.lab:14000/dir"
ACME_SHORT = "https://acme-short.lab:14000/dir"
HUB_URL = f"https://{DOMAIN}:{MANAGER.ports[443]}"


def on_first(value: object) -> str | None:
    """Return an address or a published port of this lab as the first one has it, if that is another one."""
    ours = SUBNET.removesuffix("0/24")
    if isinstance(value, str) and NUMBER and ours in value:
        return value.replace(ours, "10.213.0.")
    published = {one for part in (*NODES, *SERVICES) for one in part.ports.values()}
    return str(value - port(0)) if isinstance(value, int) and NUMBER and value in published else None


def hosts_toml(first: str) -> str:
    """Return a hosts.toml of the first lab, or a variant of it, as this lab's."""
    return first.replace('"state/', f'"{STATE.name}/').replace(f"https://{GITHUB}:8444", GITHUB_URL)


def hosts_file() -> str:
    """Return what the lab's DNS answers, in the form of /etc/hosts."""
    names = [(node.address, node.name) for node in NODES]
    names += [(service.address, service.hostname) for service in SERVICES]
    names.append((MANAGER.address, DOMAIN))
    return "".join(f"{address} {name}\n" for address, name in names)
