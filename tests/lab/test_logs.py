"""Logs that are sent elsewhere: about 40 s, for two updates of the hub."""

from collections.abc import Iterator

import pytest

from tests.lab.support import HUB, Lab

# A datagram needs no listener. The driver is the service's own, as it would be its engine's: an engine that is restarted
# for it may leave the lab without an overlay ("vxlan interface: file exists").
SYSLOG = ("--log-driver", "syslog", "--log-opt", "syslog-address=udp://127.0.0.1:514")


@pytest.fixture
def elsewhere(deployed: Lab) -> Iterator[Lab]:
    """Let the hub's log go elsewhere; in the end, it is kept where it was."""
    deployed.docker("service", "update", "--quiet", *SYSLOG, HUB)
    deployed.wait(deployed.hub_answers, 60, "the hub does not answer")
    yield deployed
    deployed.let_stand()


def test_a_log_that_goes_elsewhere_is_read_from_its_copy(elsewhere: Lab) -> None:
    """Docker keeps a copy to be read; the task that runs is in it."""
    newest = elsewhere.container()[:12]
    read = elsewhere.fab("logs")
    assert (read.code, "JupyterHub is now running" in read.out) == (0, True), read.text
    assert elsewhere.docker("inspect", newest, "--format", "{{.HostConfig.LogConfig.Type}}") == "syslog"
    copy = [line for line in elsewhere.docker("logs", newest).splitlines() if "Private Hub API" in line]
    assert copy
    assert copy[0] in read.out
