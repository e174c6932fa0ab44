"""A user in the docker group of every node, who is neither root nor in sudo."""

from pathlib import Path

from lab import topology
from tests.lab.support import Lab, variant

USER = "dana"
KNOWN = f"id {USER} > /dev/null 2>&1 || useradd --create-home --shell /bin/bash --groups docker {USER}"


def make(lab: Lab, folder: Path) -> Path:
    """Make the user on every node, and a hosts.toml that logs in as that user."""
    for node in topology.NODES:
        lab.on(node.name, "sh", "-c", KNOWN)
    return variant(folder, ssh=logged_in)


def logged_in(config: str) -> str:
    """Return the ssh_config that logs in as that user."""
    return config.replace("User root", f"User {USER}")
