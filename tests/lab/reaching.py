"""What can be connected to, tried from inside a container, and what listens there."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from lab import topology
from tests.lab.support import Lab

MANAGER = topology.MANAGER
# "refused" is what a server that nobody listens at says too: that a place is open otherwise is seen from the node.
TRY = """
import json, socket, sys
found = {}
for kind, address, port in json.loads(sys.argv[1]):
    name = f"{kind} {address}:{port}"
    one = socket.socket(type=getattr(socket, kind))
    one.settimeout(1)
    # A kernel answers no more than some packets a second with a refusal.
    for _ in range(5 if kind == "SOCK_DGRAM" else 1):
        try:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            one.connect((address, port))
            if kind == "SOCK_DGRAM":
                one.send(b"?")
                one.recv(1)
            found[name] = "reached"
        except OSError as error:
            found[name] = type(error).__name__
        if found[name] != "TimeoutError":
            break
print(json.dumps(found))
"""


@contextmanager
def listening_at(lab: Lab, ports: Sequence[int], addresses: Sequence[str], nodes: Sequence[str]) -> Iterator[None]:
    """Let something listen at ports of the manager, and at addresses of its own that other nodes have a route to."""
    for port in ports:
        lab.on(MANAGER.name, "/usr/sbin/sshd", "-p", str(port), "-o", f"PidFile=/run/sshd-{port}.pid")
    for address in addresses:
        lab.on(MANAGER.name, "ip", "address", "add", f"{address}/32", "dev", "lo")
        for node in nodes:
            lab.on(node, "ip", "route", "add", address, "via", MANAGER.address)
    try:
        yield
    finally:
        for address in addresses:
            for node in nodes:
                lab.on(node, "ip", "route", "del", address)
            lab.on(MANAGER.name, "ip", "address", "del", f"{address}/32", "dev", "lo")
        for port in ports:
            lab.on(MANAGER.name, "sh", "-c", f"kill $(cat /run/sshd-{port}.pid)")
