"""What the engine says of a node, as far as the hub and swarmhub read it alike."""

from collections.abc import Mapping
from typing import Any


def hostname(node: Mapping[str, Any]) -> str:
    """Return a node's name; one that has just joined has not yet described itself, and is called by its id."""
    return str((node.get("Description") or {}).get("Hostname") or node["ID"])
