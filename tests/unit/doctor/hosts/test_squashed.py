"""Shared folders below homes in which root may write nothing."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from swarmhub.doctor.finding import Level
from swarmhub.doctor.hosts import squashed
from swarmhub.doctor.hosts.access import HostAnswers
from swarmhub.host import Output
from tests.unit.doctor.answers import SpeakingHost, probe
from tests.unit.support.fakes import MANAGER, settings

BELOW = {"type": "path", "path": "/mnt/course", "mount": "/home/jovyan/course"}
HOMES = {"type": "path", "path": "/mnt/homes"}


def found(said: str | Output | Exception, **given: Any) -> list[Any]:
    """Return what the doctor says of a host that answers so."""
    chosen = settings(**{"home": HOMES, "folders": [BELOW], **given})
    return squashed.examine(chosen, {MANAGER: SpeakingHost(sh=said)}, {MANAGER: HostAnswers(MANAGER, probe=probe())})


def test_a_place_that_root_may_not_make_is_a_failure() -> None:
    """With the two ways out."""
    (one,) = found("course\n")
    assert (one.level, one.host) == (Level.FAILURE, MANAGER)
    assert "root may not make course in homes in /mnt/homes" in one.text
    assert "such as at /srv/course" in one.remedy


@pytest.mark.parametrize(
    "given",
    [
        {"home": {"type": "volume"}},
        {"home": {**HOMES, "keep": False}},
        {"folders": []},
        {"folders": [{**BELOW, "mount": "/srv/course"}]},
    ],
    ids=["volumes", "no homes", "no folders", "folders elsewhere"],
)
def test_where_nothing_is_below_homes_on_a_path_nothing_is_asked(given: dict[str, Any]) -> None:
    """Volumes on the nodes are Docker's own."""
    assert found(AssertionError("asked"), **given) == []


def test_where_root_may_write_nothing_is_said() -> None:
    """Docker makes the place."""
    assert found("") == []


def test_a_host_that_does_not_say_is_a_finding() -> None:
    """The doctor goes on."""
    assert [one.level for one in found(OSError("broken"))] == [Level.FAILURE]


def asked(above: Path, *below: str) -> list[str]:
    """Return what the script prints on this machine."""
    command = ["sh", "-c", squashed.SCRIPT, "sh", str(above), *below]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=20).stdout.splitlines()


def test_what_is_there_already_needs_nobody_to_make_it(tmp_path: Path) -> None:
    """In a home that takes nothing; root may write in all others, and in those alone the place would be made."""
    for name in ("ada", "grace b", ".new"):
        (tmp_path / name).mkdir()
    (tmp_path / "ada" / "course").mkdir()
    assert asked(tmp_path, "course", "a/b") == []
    assert asked(tmp_path / "none", "course") == []
