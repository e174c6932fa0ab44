"""What a notebook cannot reach, tried from inside servers' containers on the manager and on a worker."""

import json
from collections.abc import Iterator

import pytest

from lab import topology
from tests.lab.reaching import TRY, listening_at
from tests.lab.support import HUB, PROXY, Lab, Settings

MANAGER = topology.MANAGER.name
WORKER, LAST = (worker.name for worker in topology.WORKERS)
USERS = {"ada": MANAGER, "grace": WORKER}
# On grace's node, too.
NEIGHBOUR = "barbara"
CHAIN, FIREWALL = f"SWARMHUB-{HUB}", f"{HUB}_firewall"
ADDRESSES = {node.name: node.address for node in topology.NODES}
METADATA = "169.254.169.254"
# Each is a place at which something listens, tried with TCP.
OPEN = [
    *((address, 22) for address in ADDRESSES.values()),
    *((address, 7946) for address in ADDRESSES.values()),
    *((ADDRESSES[MANAGER], port) for port in (2375, 2376, 2377)),
    (METADATA, 80),
]


def tried(lab: Lab, user: str, *places: tuple[str, int], kind: str = "SOCK_STREAM") -> dict[str, str]:
    """Return what becomes of a user's connections."""
    wanted = json.dumps([(kind, *place) for place in places])
    said = lab.in_server(user, f"python3 -c '{TRY.replace(chr(39), chr(34))}' '{wanted}'")
    return by_place(said)


def by_place(said: str) -> dict[str, str]:
    """Return what became of each connection, by its place."""
    return {name.partition(" ")[2]: answer for name, answer in json.loads(said).items()}


def all_(places: list[tuple[str, int]], answer: str) -> dict[str, str]:
    """Return one answer for each place."""
    return {f"{address}:{port}": answer for address, port in places}


def rules(lab: Lab, node: str) -> list[str]:
    """Return what a node's firewall has of ours."""
    families = ("iptables", "ip6tables")
    return [f"{family} {line}" for family in families for line in lab.on(node, family, "-S").splitlines() if CHAIN in line]


@pytest.fixture(scope="module")
def listening(settled: Lab) -> Iterator[Lab]:
    """Let something listen at the engine's ports on the manager, and at a metadata service's address beside it."""
    with listening_at(settled, (2375, 2376, 80), (METADATA,), (WORKER, LAST)):
        yield settled


@pytest.fixture(scope="module")
def servers(listening: Lab) -> Iterator[Lab]:
    """Run a server on the manager and two on a worker."""
    everybody = {**USERS, NEIGHBOUR: WORKER}
    for user, node in everybody.items():
        listening.start_server(user, on=node)
    yield listening
    for user in everybody:
        listening.stop_server(user)
    listening.forget_homes()


@pytest.mark.parametrize("user", USERS)
def test_a_notebook_reaches_no_port_of_a_node_and_no_metadata(servers: Lab, user: str) -> None:
    """Neither on its own node nor on another; the node itself reaches them all."""
    for address, port in OPEN:
        servers.on(USERS[user], "timeout", "2", "bash", "-c", f": </dev/tcp/{address}/{port}")
    assert tried(servers, user, *OPEN) == all_(OPEN, "ConnectionRefusedError")


def from_hub(lab: Lab, *places: tuple[str, int]) -> dict[str, str]:
    """Return what becomes of the hub's connections."""
    wanted = json.dumps([("SOCK_STREAM", *place) for place in places])
    return by_place(lab.docker("exec", lab.container(), "python3", "-c", TRY, wanted))


@pytest.mark.parametrize("user", ["ada", NEIGHBOUR])
def test_a_notebook_reaches_nobody_elses(servers: Lab, user: str) -> None:
    """Neither the server nor what somebody runs beside it, from another node or the same; the hub reaches both."""
    servers.in_server("grace", "python3 -m http.server 9000 >/dev/null 2>&1 &")
    hers = [(servers.in_server("grace", "hostname -i").strip(), port) for port in (8888, 9000)]
    servers.wait(lambda: from_hub(servers, *hers) == all_(hers, "reached"), 10, "nothing listens there")
    assert tried(servers, user, *hers, (f"{HUB}-grace", 8888)) == all_(
        [*hers, (f"{HUB}-grace", 8888)], "ConnectionRefusedError"
    )
    assert tried(servers, user, (HUB, 8081)) == all_([(HUB, 8081)], "reached")
    # Nor the proxy on their network, which answers the hub's own network and the public address.
    address = '{{(index .NetworkSettings.Networks "jupyter").IPAddress}}'
    proxy = [(servers.docker("inspect", servers.container(PROXY), "--format", address), port) for port in (8001, 8000, 443)]
    assert tried(servers, user, *proxy) == all_(proxy, "ConnectionRefusedError")
    # Packets without a connection neither: the kernel says so at once.
    assert tried(servers, user, hers[0], kind="SOCK_DGRAM") == all_(hers[:1], "PermissionError")


def test_servers_stay_apart_without_the_firewalls_container(servers: Lab) -> None:
    """What it has set stands in each server; the next one sets it for those that started meanwhile."""
    kept = servers.docker("ps", "-q", "--filter", f"label=com.docker.swarm.service.name={FIREWALL}", node=WORKER)
    hers = (servers.in_server("grace", "hostname -i").strip(), 8888)
    servers.docker("kill", kept, node=WORKER)
    assert tried(servers, NEIGHBOUR, hers) == all_([hers], "ConnectionRefusedError")
    assert servers.fab("firewall").code == 0
    assert tried(servers, NEIGHBOUR, hers) == all_([hers], "ConnectionRefusedError")


@pytest.mark.parametrize("user", USERS)
def test_a_notebook_has_no_engine(servers: Lab, user: str) -> None:
    """No socket of Docker's or of containerd's is anywhere in it."""
    sockets = "find / -xdev -type s; find /run /var/run /srv /mnt -type s -o -name '*.sock'"
    assert "sock" not in servers.in_server(user, f"({sockets}) 2>/dev/null || true")


@pytest.mark.parametrize("user", USERS)
def test_all_else_is_reached(servers: Lab, user: str) -> None:
    """Hosts beside the swarm, and the hub by its public address on a node."""
    registry, github = (one.address for one in topology.SERVICES if one.name in ("registry", "github"))
    outside = [(registry, 5000), (github, topology.GITHUB_PORT), (ADDRESSES[MANAGER], 443)]
    assert tried(servers, user, *outside) == all_(outside, "reached")


@pytest.mark.parametrize("user", USERS)
def test_a_notebook_has_no_capability(servers: Lab, user: str) -> None:
    """Neither now nor after a program that would give it one."""
    status = dict(line.split(":", 1) for line in servers.in_server(user, "cat /proc/1/status").splitlines())
    assert {int(status[name], 16) for name in ("CapPrm", "CapEff", "CapBnd", "CapInh", "CapAmb")} == {0}
    assert status["NoNewPrivs"].strip() == "1"


def test_every_node_has_the_rules_once(settled: Lab) -> None:
    """The same ones; IPv6 has its own metadata address."""
    found = [rules(settled, node) for node in ADDRESSES]
    assert [len(set(one)) for one in found] == [len(one) for one in found]
    assert (found[0], found[0]) == (found[1], found[2])
    assert any("fd00:ec2::254" in rule for rule in found[0])


def test_rules_that_somebody_took_are_put_back(settled: Lab) -> None:
    """The chain's and the jumps to it, within seconds and once."""
    before = rules(settled, WORKER)
    # In one go: the next look is five seconds away at most.
    taken = f"iptables -F {CHAIN}; iptables -F DOCKER-USER; ip6tables -F {CHAIN}; iptables -S; ip6tables -S"
    left = settled.on(WORKER, "sh", "-c", taken)
    assert f"-A {CHAIN}" not in left
    settled.wait(lambda: rules(settled, WORKER) == before, 20, "the rules do not come back")


def test_rules_come_back_with_the_engine(settled: Lab) -> None:
    """After a restart, and with a firewall that had nothing, as after one of the machine."""
    before = rules(settled, LAST)
    settled.on(LAST, "sv", "-w", "30", "stop", "docker")
    assert rules(settled, LAST) == []
    settled.on(LAST, "sv", "-w", "30", "start", "docker")
    settled.wait(lambda: sorted(rules(settled, LAST)) == sorted(before), 60, "the rules do not come back")
    # The swarm takes a while to see the node again.
    state = ("node", "inspect", LAST, "--format", "{{.Status.State}} {{.Status.Addr}}")
    settled.wait(lambda: settled.docker(*state) == f"ready {ADDRESSES[LAST]}", 60, f"{LAST} does not come back")
    left = settled.fab("plan", "--exit-code")
    assert left.code == 0, left.text


def test_a_node_whose_firewall_is_not_to_be_had_is_named(settled: Lab) -> None:
    """A deploy fails with it, though all else is as wanted; when it is mended, the firewall stand again by themselves."""
    there = "/usr/sbin/iptables"
    settled.on(LAST, "mv", there, f"{there}.away")
    try:
        kept = settled.docker("ps", "-q", "--filter", f"label=com.docker.swarm.service.name={FIREWALL}", node=LAST)
        settled.docker("kill", kept, node=LAST)
        done = settled.fab("firewall")
    finally:
        settled.on(LAST, "mv", f"{there}.away", there)
    assert done.code == 1
    assert f"{LAST}: firewall: the firewall rules are not active: this host has no iptables" in done.err
    assert WORKER not in done.err
    assert settled.fab("firewall").code == 0


def test_a_second_deploy_leaves_the_firewall_alone(deployed: Lab) -> None:
    """The service has the version that it had."""
    before = deployed.service_version(FIREWALL)
    assert deployed.fab("deploy").code == 0
    assert deployed.service_version(FIREWALL) == before


def test_the_firewall_goes_and_comes_and_the_hub_goes_on(servers: Lab, settings: Settings) -> None:
    """Switched off, a deploy takes the rules from all nodes, and notebooks reach them; more can be denied as well."""
    before = servers.fingerprint()["task"]
    off = settings(("[github]", "[firewall]\nenabled = false\n\n[github]"))
    assert servers.fab("deploy", hosts=off).code == 0
    assert [rules(servers, node) for node in ADDRESSES] == [[], [], []]
    assert tried(servers, "grace", *OPEN) == all_(OPEN, "reached")
    registry = topology.SERVICES[1].address
    more = settings(("[github]", f'[firewall]\nisolate_servers = false\ndeny = ["{registry}:5000"]\n\n[github]'))
    assert servers.fab("deploy", hosts=more).code == 0
    assert tried(servers, "grace", (registry, 5000)) == {f"{registry}:5000": "ConnectionRefusedError"}
    # Who starts now is not kept apart, and is so again with the next deploy.
    servers.stop_server(NEIGHBOUR)
    servers.start_server(NEIGHBOUR, on=WORKER)
    hers = (servers.in_server("grace", "hostname -i").strip(), 8888)
    assert tried(servers, NEIGHBOUR, hers) == all_([hers], "reached")
    assert servers.fab("deploy").code == 0
    assert tried(servers, NEIGHBOUR, hers) == all_([hers], "ConnectionRefusedError")
    assert servers.fingerprint()["task"] == before
