"""Say what the machines are: names, addresses and ports, and nothing that acts."""

from dataclasses import dataclass

from lab import topology
from lab.topology import Node

STATE = topology.STATE / "kernel"


@dataclass(frozen=True)
class Machine:
    """A simulated computer: the node that it is, its number on the network between the nodes, and its memory in MB."""

    node: Node
    number: int
    memory: int

    @property
    def name(self) -> str:
        """Return its host name."""
        return self.node.name


MANAGER = Machine(Node("swarm-manager1", "10.214.0.11", {22: 2311, 443: 9443}), 11, 2560)
WORKER = Machine(Node("swarm-worker1", "10.214.0.21", {22: 2321, 443: 9444}), 21, 1792)
MACHINES = (MANAGER, WORKER)
NODES = tuple(machine.node for machine in MACHINES)
# The cable between the two: datagrams between two ports of 127.0.0.1, these and the machines' numbers.
CABLE = 9400
HUB_URL = f"https://{topology.DOMAIN}:{MANAGER.node.ports[443]}"
