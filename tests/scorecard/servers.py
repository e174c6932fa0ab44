"""Servers of many people: started and stopped a few at a time, and told from others that took their place."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from tests.lab.support import HUB, Lab

AT_ONCE = 4


def start(lab: Lab, users: Sequence[str]) -> None:
    """Start their servers."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(lab.start_server, users))


def stop(lab: Lab, users: Sequence[str]) -> None:
    """Stop their servers."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(lab.stop_server, users))


def tasks(lab: Lab, users: Sequence[str]) -> str:
    """Return what tells their servers from any that were started later."""
    services = [f"{HUB}-{user}" for user in users]
    return lab.docker("service", "ps", *services, "--filter", "desired-state=running", "--format", "{{.ID}}")
