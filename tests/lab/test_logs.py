"""Logs that an engine sends elsewhere: about 60 s, most of them three updates of the hub."""

from collections.abc import Iterator

import pytest

from lab import topology
from tests.lab.support import HUB, Lab

MANAGER = topology.MANAGER.name
# A datagram is sent, whoever listens. The driver is the service's own, as it would be an engine's:
# an engine that is restarted for it may leave the lab without an overlay ("vxlan interface: file exists").
SYSLOG = ("--log-driver", "syslog", "--log-opt", "syslog-address=udp://127.0.0.1:514")


@pytest.fixture
def elsewhere(deployed: Lab) -> Iterator[Lab]:
    """Let the hub's log go elsewhere; in the end, it is kept where it was."""
    deployed.docker("service", "update", "--quiet", *SYSLOG, HUB)
    deployed.wait(deployed.hub_answers, 60, "the hub does not answer")
    yield deployed
    deployed.let_stand()


def test_a_log_that_goes_elsewhere_is_read_from_its_copy_or_said_to_be_there(elsewhere: Lab) -> None:
    """Docker keeps a copy to be read, unless that is turned off: then the line says where the log goes, and what helps."""
    read = elsewhere.fab("logs")
    assert (read.code, "JupyterHub is now running" in read.out) == (0, True), read.text
    elsewhere.docker("service", "update", "--quiet", *SYSLOG, "--log-opt", "cache-disabled=true", HUB)
    elsewhere.wait(elsewhere.hub_answers, 60, "the hub does not answer")
    told = elsewhere.fab("logs")
    assert told.code == 1, told.text
    assert f"{MANAGER}: logs: its engine sends logs elsewhere (log-driver syslog) and has none of {HUB}" in told.err
    assert '"log-driver": "local"' in told.err
