"""Servers and machines that are not as ours: few sessions, greetings, other languages. About 3 s each, and no update."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import pytest

from lab import topology
from tests.lab.support import Lab

MANAGER = topology.MANAGER.name
CONFIG = "/etc/ssh/sshd_config.d/test.conf"
RELOADED = "ss -Hltn 'sport = :22' | grep -q LISTEN"


@contextmanager
def sshd(lab: Lab, line: str, *nodes: str) -> Iterator[None]:
    """Configure the nodes' sshd for a while."""
    for node in nodes:
        lab.on(node, "sh", "-c", f"echo '{line}' > {CONFIG}; sv hup ssh")
    try:
        for node in nodes:
            lab.wait(partial(listens, lab, node), 20, f"sshd on {node} does not come back")
        yield
    finally:
        for node in nodes:
            lab.on(node, "sh", "-c", f"rm {CONFIG}; sv hup ssh")


def listens(lab: Lab, node: str) -> bool:
    """Tell whether a node's sshd listens, as it does again when it has read its configuration."""
    return lab.on(node, "sh", "-c", f"{RELOADED} && echo yes || :") == "yes"


@pytest.mark.parametrize("sessions", [1, 2])
def test_a_hardened_sshd_permits_few_sessions(deployed: Lab, sessions: int) -> None:
    """A deploy takes further connections for what one does not permit."""
    with sshd(deployed, f"MaxSessions {sessions}", *(node.name for node in topology.NODES)):
        assert f"maxsessions {sessions}" in deployed.on(MANAGER, "sshd", "-T")
        done = deployed.fab("deploy")
    assert (done.code, "nothing to change" in done.out, done.err) == (0, True, ""), done.text
    assert not re.search("Exception|Traceback", done.text)


def test_an_sshd_that_permits_no_session_is_told_in_a_line(deployed: Lab) -> None:
    """With the setting that helps."""
    with sshd(deployed, "MaxSessions 0", MANAGER):
        done = deployed.fab("status")
    assert done.code == 1
    assert f"{MANAGER}: status: its sshd permits no session at all. Permit some there: MaxSessions 10" in done.err
