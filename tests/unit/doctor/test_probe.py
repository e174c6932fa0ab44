"""The script that each host runs once, and what is read from it."""

import subprocess
import time

import pytest

from swarmhub.doctor import probe
from swarmhub.errors import StepError
from swarmhub.host import Output
from tests.unit.doctor.answers import SAID, SpeakingHost

TEXT = SAID.format(address="10.0.0.11")


class LocalHost(SpeakingHost):
    """A host that is this machine."""

    def run(self, *argv: str) -> Output:
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        return Output(done.returncode, done.stdout, done.stderr)


def test_everything_is_read_from_one_answer() -> None:
    """User, free bytes, kernel, addresses with their MTU, folders and bash."""
    found = probe.parse(TEXT, 1000, 0)
    assert (found.user, found.free, found.release) == ("root", {"/var/lib/docker": 20_480_000_000}, "6.12.1")
    assert found.kernel == {"IPVS": "yes", "ESP": "no"}
    assert [(one.device, one.address, one.mtu) for one in found.addresses][1] == ("eth0", "10.0.0.11", 1500)
    assert (found.folders, found.has_bash) == (("/bin", "/usr"), True)
    routed = probe.parse(f"{TEXT}route 10.0.0.0/24 eth0\nnameserver 10.0.0.2\n", 1000, 0)
    assert (routed.routes, routed.name_servers) == ((probe.Route("10.0.0.0/24", "eth0"),), ("10.0.0.2",))
    of_vxlan = probe.parse(f"{TEXT}vxlan vx-001001-abcde 4097 4789\n", 1000, 0)
    assert of_vxlan.vxlans == (probe.Vxlan("vx-001001-abcde", 4097, 4789),)
    # Busybox' date prints an N for the nanoseconds.
    assert probe.parse(TEXT.replace("1000.500", "1000.N"), 1000, 0).offset == 0


def test_script_runs_in_a_real_shell() -> None:
    """On this machine it tells the time, the user and the root's free bytes; a folder that is missing is no error."""
    found = probe.observe(LocalHost(), "/")
    assert abs(found.offset) < 1 + found.error
    assert found.free["/"] > 0
    assert set(found.kernel) == {"IPVS", "ESP"}
    assert probe.observe(LocalHost(), "/none/such").free == {}


def test_round_trip_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock is asked in the middle between question and answer."""
    ticks = iter([10.0, 12.0])
    monkeypatch.setattr(time, "time", lambda: 999.0)
    monkeypatch.setattr(time, "monotonic", lambda: next(ticks))
    found = probe.observe(SpeakingHost(sh=TEXT))
    assert (found.offset, found.error) == (0.5, 1.0)


def test_host_without_a_shell_is_named() -> None:
    """A forced command or a restricted shell gets its own last words."""
    with pytest.raises(StepError, match="cannot run sh there: not allowed"):
        probe.observe(SpeakingHost(sh=Output(1, "", "hello\nnot allowed\n")))
