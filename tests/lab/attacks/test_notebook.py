"""Attacks by a user in a notebook, on a worker, with a neighbour on its node. About fifteen seconds, without a deploy.

The servers are services made by hand under names that the firewall takes for the hub's servers.
"""

import json
from collections.abc import Iterator

import pytest

from lab import topology
from tests.lab.attacks.test_root import NEIGHBOUR, WORKER, server
from tests.lab.reaching import TRY, listening_at
from tests.lab.support import HUB, PROXY, Lab

ATTACKER, EARLY = f"{HUB}-eve", f"{HUB}-early"
CLOUDS = ("169.254.169.254", "169.254.170.2", "100.100.100.200", "168.63.129.16")
LISTENING = (53, 80, 2375, 2376, 32526)
NODES = [node.address for node in topology.NODES]
TCP = [
    *((f"{address}", port) for address in NODES for port in (22, 7946)),
    *((NODES[0], port) for port in (2375, 2376, 2377)),
    *((address, 80) for address in CLOUDS),
    ("168.63.129.16", 32526),
    ("neighbour", 8888),
    (NEIGHBOUR, 8888),
    *((PROXY, port) for port in (443, 8000, 8001)),
]
UDP = [
    *((address, port) for address in NODES for port in (7946, 4789)),
    ("neighbour", 9000),
    ("224.0.0.251", 5353),
    ("255.255.255.255", 9000),
]
ALLOWED = [(HUB, 8081), ("registry.lab", 5000), (NODES[0], 443), ("169.254.169.254", 53), ("168.63.129.16", 53)]
ON_DOCKER0 = [(address, 22) for address in NODES] + [(NODES[0], 2377), ("169.254.169.254", 80)]
# Holds all that it gets, and asks the hub for something by each at the end.
CROWD = """
import socket, sys
held = []
for _ in range(1100):
    try:
        held.append(socket.create_connection((sys.argv[1], 8081), 2))
    except OSError:
        pass
print(len(held), flush=True)
sys.stdin.read()
"""
# Connects as its first act, and says so; then it says whether it can still send.
FIRST = """
import socket, sys, time
one = socket.create_connection((sys.argv[1], 8888), 10)
print("connected", flush=True)
try:
    for _ in range(200):
        one.send(b"x")
        time.sleep(0.05)
    print("goes on", flush=True)
except OSError as error:
    print("cut", flush=True)
time.sleep(60)
"""


def names(kind: str, places: list[tuple[str, int]]) -> list[str]:
    """Return the names of attempts."""
    return [f"{kind} {address}:{port}" for address, port in places]


@pytest.fixture(scope="module")
def servers(settled: Lab) -> Iterator[dict[str, str]]:
    """Run the attacker and a neighbour; let something listen at the engine's ports and at clouds' addresses."""
    with listening_at(settled, LISTENING, CLOUDS, (WORKER,)):
        try:
            found = {name: server(settled, name) for name in (ATTACKER, NEIGHBOUR)}
            checked = ("/bin/sh", "/firewall.sh", "check")
            settled.wait(lambda: settled.execute(f"{HUB}_firewall", *checked, node=WORKER) == "", 20, "rules are not set")
            yield found
        finally:
            settled.docker("service", "rm", ATTACKER, NEIGHBOUR)


def address_of(lab: Lab, container: str) -> str:
    """Return a container's address on the servers' network."""
    return lab.docker(
        "inspect", container, "--format", '{{(index .NetworkSettings.Networks "jupyter").IPAddress}}', node=WORKER
    )


@pytest.fixture(scope="module")
def attempts(used: Lab, servers: dict[str, str]) -> dict[str, str]:
    """Try all places in one program; those that a node reaches are reached from the worker first."""
    for address in CLOUDS:
        used.on(WORKER, "timeout", "2", "bash", "-c", f": </dev/tcp/{address}/80")
    at = address_of(used, servers[NEIGHBOUR])
    places = [("SOCK_STREAM", *one) for one in (*TCP, *ALLOWED)] + [("SOCK_DGRAM", *one) for one in UDP]
    wanted = json.dumps([(kind, at if address == "neighbour" else address, port) for kind, address, port in places])
    said = json.loads(used.docker("exec", servers[ATTACKER], "python3", "-c", TRY, wanted, node=WORKER))
    return {name.replace(f" {at}:", " neighbour:"): answer for name, answer in said.items()}


@pytest.mark.parametrize("name", names("SOCK_STREAM", TCP))
def test_a_user_does_not_connect_to(attempts: dict[str, str], name: str) -> None:
    """A user in a notebook connects to a node, a cloud's metadata, a neighbour or the proxy: refused."""
    assert attempts[name] == "ConnectionRefusedError"


@pytest.mark.parametrize("name", names("SOCK_DGRAM", UDP))
def test_a_user_does_not_send_to(attempts: dict[str, str], name: str) -> None:
    """A user in a notebook sends packets to gossip, the overlay, a neighbour, or everybody: refused, and not lost."""
    assert attempts[name] in ("ConnectionRefusedError", "PermissionError")


@pytest.mark.parametrize("name", names("SOCK_STREAM", ALLOWED))
def test_a_user_connects_to(attempts: dict[str, str], name: str) -> None:
    """The hub, hosts outside the swarm, a node's published port, and DNS at the addresses where a cloud offers it."""
    assert attempts[name] == "reached"


@pytest.mark.parametrize("name", names("SOCK_STREAM", ON_DOCKER0))
def test_a_task_without_networks_does_not_connect_to(used: Lab, servers: dict[str, str], name: str) -> None:
    """A container on docker0, where Swarm puts a task without networks, connects to a node or to metadata: refused."""
    address, _, port = name.partition(" ")[2].partition(":")
    wanted = json.dumps([("SOCK_STREAM", address, int(port))])
    run = ("run", "--rm", "--network", "bridge", "registry.lab:5000/notebook:lab", "python3", "-c", TRY, wanted)
    assert json.loads(used.docker(*run, node=WORKER)) == {name: "ConnectionRefusedError"}


def test_a_user_who_fills_the_hub_with_connections(used: Lab, servers: dict[str, str]) -> None:
    """A user opens 1,100 idle connections to the hub: fifty are theirs, and meanwhile the hub answers."""
    script = f"sleep 5 | docker exec -i {servers[ATTACKER]} python3 -c '{CROWD}' {HUB} > /tmp/crowd 2>&1 &"
    used.on(WORKER, "sh", "-c", script)
    used.wait(lambda: used.on(WORKER, "cat", "/tmp/crowd").strip(), 30, "the crowd does not come")
    assert used.hub_answers()
    assert int(used.on(WORKER, "cat", "/tmp/crowd")) == 50


def test_a_user_who_is_faster_than_the_rules(used: Lab, servers: dict[str, str]) -> None:
    """A user's first process connects to a neighbour while the firewall sleeps: it is cut when the rules are set."""
    at = address_of(used, servers[NEIGHBOUR])
    keeper = used.docker("ps", "-q", "--filter", f"label=com.docker.swarm.service.name={HUB}_firewall", node=WORKER)
    used.docker("pause", keeper, node=WORKER)
    try:
        placed = ("--constraint", f"node.hostname=={WORKER}", "--network", "jupyter", "--endpoint-mode", "dnsrr")
        made = ("service", "create", "-q", "-d", "--no-resolve-image", "--restart-condition", "none", "--name", EARLY, *placed)
        used.docker(*made, "registry.lab:5000/notebook:lab", "python3", "-c", FIRST, at)
        used.wait(lambda: "connected" in used.log_of(EARLY), 15, "it does not connect")
        used.docker("unpause", keeper, node=WORKER)
        used.wait(lambda: "cut" in used.log_of(EARLY) or "goes on" in used.log_of(EARLY), 20, "it says nothing")
        assert "cut" in used.log_of(EARLY)
    finally:
        used.on(WORKER, "sh", "-c", f"docker unpause {keeper} 2>/dev/null || true")
        used.docker("service", "rm", EARLY)
