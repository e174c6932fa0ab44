"""A host's load, memory and disk, read off what one command prints."""

import pytest

from swarmhub.errors import StepError
from swarmhub.host import Output
from swarmhub.status import machine
from swarmhub.status.machine import FACTS, Machine
from tests.unit.support.fakes import FakeHost

PRINTED = """0.50 0.21 0.28 1/432 14720
2
MemTotal:        1000 kB
MemAvailable:     400 kB
/dev/vda         2000      600 900      40% /var/lib/docker
"""


def test_load_memory_and_disk_are_read() -> None:
    """Sizes are bytes; what a file system keeps for root counts neither as used nor as there."""
    assert machine.read(PRINTED) == Machine(0.5, 2, 600 * 1024, 1000 * 1024, 600 * 1024, 1500 * 1024)


def test_a_host_is_asked_with_one_command() -> None:
    """One round trip a host, with the folder in which its Docker writes."""
    host = FakeHost(commands={f"sh -c {FACTS} sh /data/docker": Output(0, PRINTED, "")})
    machine.observe(host, "/data/docker")
    assert host.ran == [("sh", "-c", FACTS, "sh", "/data/docker")]


@pytest.mark.parametrize("printed", ["", "0.50\n2\n", PRINTED.replace("0.50", "much")])
def test_a_host_that_prints_something_else_is_named(printed: str) -> None:
    """A host without one of the commands is an error with its last word."""
    host = FakeHost(commands={f"sh -c {FACTS} sh /d": Output(0, printed, "df: no such file")})
    with pytest.raises(StepError, match="swarm-manager1") as raised:
        machine.observe(host, "/d")
    assert (raised.value.cause, raised.value.remedy.startswith("Try there:")) == (
        "does not tell its load: df: no such file",
        True,
    )
