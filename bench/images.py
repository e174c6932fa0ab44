"""Time how images are brought to nodes without a registry, on engines of their own next to the lab's.

    python -m bench.images [NODES [IMAGE]]

NODES engines (8) and one more, which holds the image (the lab's notebook), make a swarm; each sends 100 Mbit/s (`tc tbf`).
Measured are: the whole image to one node and to all; one changed layer of 5 MB to all, with the bytes that each node received;
and for comparison `docker save | gzip | ssh docker load` to one node. The lab has to be up. In the end the engines are removed.
"""

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from lab import containers, images, keys, machine, topology, up
from lab.keys import State
from lab.topology import Node
from swarmhub.engine import context
from swarmhub.parallel import together
from swarmhub.plan import plans
from swarmhub.plan.plans import Change
from swarmhub.ssh.connection import Connections, make_config
from swarmhub.ssh.host import SshHost
from swarmhub.transfer import plan as transfer
from swarmhub.transfer import program
from swarmhub.transfer.relays import Cluster

# It has Python, as the hub's has.
PYTHON = IMAGE = f"{topology.REGISTRY}/notebook:lab"
CHANGED = "bench/changed:1"
RATE = "100mbit"
LAYER_BYTES = 5_000_000
RECEIVED = "/sys/class/net/eth0/statistics/rx_bytes"
BY_HAND = "docker save $0 | gzip | ssh -i /root/key -o StrictHostKeyChecking=no root@$1 docker load"


class Bench:
    """The engines: the first one has the image."""

    def __init__(self, client: Any, nodes: Sequence[Node], image: str, connections: Connections) -> None:
        self.client, self.image = client, image
        self.source, *self.others = (node.name for node in nodes)
        self.hosts = {node.name: SshHost(node.name, connections) for node in nodes}
        self.cluster = Cluster(self.hosts[self.source], dict(self.hosts), "bench", PYTHON, {})

    def on(self, node: str, *command: str) -> str:
        """Run a command in a node."""
        return containers.run(self.client, node, *command)

    def build(self, tag: str, size: int) -> None:
        """Build an image on the source, with one layer of so many bytes upon the other one."""
        file = f"FROM {self.image}\\nUSER root\\nRUN head -c {size} /dev/urandom > /opt/more\\n"
        self.on(self.source, "sh", "-c", f"printf '{file}' | docker build -q -t {tag} -")

    def bring(self, image: str, nodes: Sequence[str]) -> None:
        """Bring an image to some nodes."""
        stores = transfer.observe(self.cluster, nodes)
        found = transfer.find(self.cluster, self.source, image)
        plan = transfer.plan(self.cluster, self.source, {image: found}, stores)
        plans.apply(plan, dict(self.hosts), Silence(), Silence())

    def program(self) -> None:
        """Give all nodes the program."""
        program.ensure(self.cluster.manager, PYTHON, "bench", list(self.hosts.values()))

    def forget(self, image: str, nodes: Sequence[str]) -> None:
        """Remove an image from some nodes."""
        together([partial(self.on, node, "docker", "image", "rm", "--force", image) for node in nodes])

    def received(self) -> int:
        """Return how many bytes all nodes but the source have received so far."""
        return sum(int(self.on(node, "cat", RECEIVED)) for node in self.others)


class Silence:
    """A progress, and a journal, that say nothing."""

    def doing(self, change: Change) -> None:
        """Say nothing."""

    begin = done = doing

    def log(self, host: str, line: str) -> None:
        """Say nothing."""

    output = log

    def failed(self, place: str) -> None:
        """Say nothing."""

    def amount(self, host: str, done: int, total: int) -> None:
        """Say nothing."""


def main(count: int, image: str = IMAGE) -> None:
    """Measure and print."""
    client = machine.connect()
    if client is None:
        sys.exit("no Docker Engine answers: fab lab.up")
    nodes = [
        Node(f"bench{number}", topology.address(100 + number), {22: topology.port(2300 + number)})
        for number in range(count + 1)
    ]
    print(f"load of this machine: {os.getloadavg()[0]:.1f}")
    with engines(client, nodes, image) as bench:
        size = int(bench.on(bench.source, "docker", "image", "inspect", image, "--format", "{{.Size}}"))
        print(f"{size / 1e6:.0f} MB, {RATE}, {count} nodes")
        measure(bench, count)


def measure(bench: Bench, count: int) -> None:
    """Measure each way in turn."""
    source, others = bench.source, bench.others
    by_hand = timed(lambda: bench.on(source, "sh", "-c", BY_HAND, bench.image, address(others[0])))
    tell("save | gzip | ssh load, to one node", by_hand)
    tell(f"the same to {count}, one after the other, reckoned", by_hand * count)
    # The program is loaded onto each node once, and stays.
    bench.forget(bench.image, others[:1])
    tell(f"the program to {count}", timed(bench.program))
    one = timed(lambda: bench.bring(bench.image, others[:1]))
    tell("brought to one node", one)
    bench.forget(bench.image, others[:1])
    before = bench.received()
    every = timed(lambda: bench.bring(bench.image, others))
    tell(
        f"brought to {count}",
        every,
        f"{every / one:.2f} of one node, {(bench.received() - before) / count / 1e6:.0f} MB a node",
    )
    bench.build(CHANGED, LAYER_BYTES)
    before = bench.received()
    changed = timed(lambda: bench.bring(CHANGED, others))
    tell(f"one changed layer of 5 MB to {count}", changed, f"{(bench.received() - before) / count / 1e6:.1f} MB a node")
    print(f"{by_hand * count / every:.1f} times as fast as by hand")


def tell(what: str, seconds: float, more: str = "") -> None:
    """Print a line."""
    print(f"{what:<52}{seconds:7.1f}s  {more}", flush=True)


def timed(work: Callable[[], object]) -> float:
    """Return how many seconds something takes."""
    started = time.monotonic()
    work()
    return time.monotonic() - started


def address(name: str) -> str:
    """Return a node's address."""
    return topology.address(100 + int(name.removeprefix("bench")))


@contextmanager
def engines(client: Any, nodes: Sequence[Node], image: str) -> Iterator[Bench]:
    """Start the engines, make them a swarm, and remove them in the end."""
    with tempfile.TemporaryDirectory() as folder:
        state = State(Path(folder) / "state")
        shutil.copytree(topology.STATE, state.folder)
        for node, end in ((node, end) for node in nodes for end in ("", ".pub")):
            shutil.copy(state / f"{topology.MANAGER.name}.ssh_host_key{end}", state / f"{node.name}.ssh_host_key{end}")
        keys.write_ssh(state, nodes)
        built = images.ensure(client, print)
        try:
            for node in nodes:
                containers._create(client, node, built, state)
                client.start(containers.container_name(node.name))
            bench = Bench(client, nodes, image, Connections(make_config(None, state / "ssh_config")))
            together([partial(up._wait_for_node, client, node.name, node.ssh_port) for node in nodes])
            make_swarm(bench)
            client.put_archive(
                containers.container_name(bench.source), "/root", context.archive({"key": state.bytes("ssh_key")}, mode=0o600)
            )
            yield bench
        finally:
            for node in nodes:
                client.remove_container(containers.container_name(node.name), force=True, v=True)


def make_swarm(bench: Bench) -> None:
    """Make the engines a swarm with the image on the first, and hold their links."""
    bench.on(bench.source, "docker", "swarm", "init", "--advertise-addr", "eth0")
    token = bench.on(bench.source, "docker", "swarm", "join-token", "--quiet", "worker")
    for node in bench.others:
        bench.on(node, "docker", "swarm", "join", "--token", token, address(bench.source))
    for image in {PYTHON, bench.image}:
        bench.on(bench.source, "docker", "pull", "--quiet", image)
    for node in (bench.source, *bench.others):
        limit = ("tc", "qdisc", "add", "dev", "eth0", "root", "tbf", "rate", RATE, "burst", "256k", "latency", "400ms")
        bench.on(node, *limit)


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 8, *sys.argv[2:3])
