"""Say what the lab consists of: names, addresses and ports, and nothing that acts."""

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent
STATE = ROOT / "state"
LABEL = "swarmhub.lab"
NETWORK = "swarmhub-lab"
SHARED = "swarmhub-lab-shared"
# What the engines of the machines in QEMU hold.
FILLED = "swarmhub-lab-kernel"
SUBNET = "10.213.0.0/24"
DOMAIN = "hub.localhost"
GITHUB = "github.localhost"
REGISTRY = "registry.lab:5000"
REGISTRY_PORT = 5443
# One that asks for a login, by TLS.
PRIVATE = "private.lab:5000"
PRIVATE_PORT = 5444


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


MANAGER = Node("swarm-manager1", "10.213.0.11", {22: 2211, 80: 8480, 443: 8443})
WORKERS = (
    Node("swarm-worker1", "10.213.0.21", {22: 2221}),
    Node("swarm-worker2", "10.213.0.22", {22: 2222}),
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
PEBBLE = "pebble -dnsserver 10.213.0.2:53 -config"
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
        "10.213.0.2",
        ("sh", "-c", f"{KNOT} & exec {DNSMASQ}"),
        {},
        "dns.lab",
    ),
    Service(
        "registry", "10.213.0.3", ("docker-registry", "serve", "/srv/lab/registry.yml"), {5000: REGISTRY_PORT}, "registry.lab"
    ),
    Service("private", "10.213.0.8", ("docker-registry", "serve", "/srv/lab/private.yml"), {5000: PRIVATE_PORT}, "private.lab"),
    Service(
        "acme",
        "10.213.0.4",
        (*PEBBLE.split(), "/srv/lab/pebble.json"),
        {15000: 15000},
        "acme.lab",
    ),
    Service(
        "acme-staging",
        "10.213.0.5",
        (*PEBBLE.split(), "/srv/lab/pebble.json"),
        {15000: 15001},
        "acme-staging.lab",
    ),
    Service(
        "acme-short",
        "10.213.0.7",
        (
            "sh",
            "-c",
            f"sed s/7776000/{SHORT_SECONDS}/ /srv/lab/pebble.json > /tmp/pebble.json && exec {PEBBLE} /tmp/pebble.json",
        ),
        {15000: 15002},
        "acme-short.lab",
    ),
    Service("campus", "10.213.0.9", ("sh", "-c", f"{SLAPD} & exec {JWKS}"), {}, CAMPUS),
    Service("github", "10.213.0.6", ("python3", "/srv/lab/github.py"), {8444: 8444}, GITHUB),
)
DNS = SERVICES[0].address
ACME_PRODUCTION = "https://acme.lab:14000/dir"
ACME_SHORT = "https://acme-short.lab:14000/dir"
HUB_URL = f"https://{DOMAIN}:{MANAGER.ports[443]}"


def hosts_file() -> str:
    """Return what the lab's DNS answers, in the form of /etc/hosts."""
    names = [(node.address, node.name) for node in NODES]
    names += [(service.address, service.hostname) for service in SERVICES]
    names.append((MANAGER.address, DOMAIN))
    return "".join(f"{address} {name}\n" for address, name in names)
