"""Logs that are sent elsewhere: about a minute, for three updates of the hub."""

from collections.abc import Iterator

import pytest

from tests.lab.support import HUB, Lab

# A datagram needs no listener. The driver is the service's own, as it would be its engine's: an engine that is restarted
# for it may leave the lab without an overlay ("vxlan interface: file exists").
SYSLOG = ("--log-driver", "syslog", "--log-opt", "syslog-address=udp://127.0.0.1:514")


@pytest.fixture(scope="module")
def kept(used: Lab) -> Iterator[Lab]:
    """Give the lab; in the end, the hub's log is kept where it was."""
    used.let_stand()
    yield used
    used.let_stand()


def send_elsewhere(lab: Lab, *options: str) -> None:
    """Let the hub's log go elsewhere."""
    lab.docker("service", "update", "--quiet", *SYSLOG, *options, HUB)
    lab.wait(lab.hub_answers, 60, "the hub does not answer")


def test_a_log_that_goes_elsewhere_is_read_from_its_copy(kept: Lab) -> None:
    """Docker keeps a copy to be read; the task that runs is in it."""
    send_elsewhere(kept)
    newest = kept.container()[:12]
    read = kept.fab("logs")
    assert (read.code, "JupyterHub is now running" in read.out) == (0, True), read.text
    assert kept.docker("inspect", newest, "--format", "{{.HostConfig.LogConfig.Type}}") == "syslog"
    copy = [line for line in kept.docker("logs", newest).splitlines() if "Private Hub API" in line]
    assert copy
    assert copy[0] in read.out


def test_a_log_without_a_copy_is_told_after_what_there_is(kept: Lab) -> None:
    """The lines of tasks before are shown; that the newest has none is an error, with where to look."""
    send_elsewhere(kept, "--log-opt", "cache-disabled=true")
    read = kept.fab("logs")
    assert (read.code, "Private Hub API" in read.out) == (1, True), read.text
    assert f"sends logs elsewhere (log-driver syslog) and has none of {HUB}" in read.err
