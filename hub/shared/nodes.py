"""What the engine says of nodes and their network, as far as the hub and swarmhub read it alike."""

from collections.abc import Mapping
from ipaddress import ip_network
from typing import Any


def hostname(node: Mapping[str, Any]) -> str:
    """Return a node's name; one that has just joined has not yet described itself, and is called by its id."""
    return str((node.get("Description") or {}).get("Hostname") or node["ID"])


def usable(subnet: str) -> int:
    """Return how many addresses a subnet has for containers: all but its own, its broadcast's and its gateway's."""
    return ip_network(subnet).num_addresses - 3
