"""A class before nine o'clock and after the term: its room, its servers, its files."""

import signal
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import topology
from tests.lab.support import HUB, Lab, Settings, Started

NODES = tuple(node.name for node in topology.NODES)
NOTEBOOK = 'image = "registry.lab:5000/notebook:lab"'


@pytest.fixture
def roster(tmp_path: Path) -> Path:
    """Return a roster as Excel writes it."""
    file = tmp_path / "class.csv"
    file.write_bytes("\ufeffName;Group\r\nada;\r\nGrace;\r\n".encode())
    return file


def of_homes(lab: Lab) -> dict[str, str]:
    """Return the volumes and the records of homes, where there are some."""
    kinds = {
        f"volumes on {node}": lab.docker("volume", "ls", "-q", "--filter", "label=swarmhub.home", node=node) for node in NODES
    }
    kinds["records"] = lab.docker("config", "ls", "--format", "{{.Name}}", "--filter", "label=swarmhub.home")
    return {kind: names for kind, names in kinds.items() if names}


def empty(lab: Lab) -> None:
    """Stop their servers and remove all homes, past swarmhub."""
    for user in ("ada", "grace"):
        lab.stop_server(user)
    lab.forget_homes()


@pytest.fixture
def grace(deployed: Lab) -> Iterator[Lab]:
    """Let Grace work, with a file and much more in her home."""
    deployed.start_server("grace")
    deployed.in_server("grace", "echo term > notes.txt && head -c 60000000 /dev/urandom > data.bin")
    yield deployed
    empty(deployed)


def test_a_class_is_started_once(deployed: Lab, roster: Path) -> None:
    """The nodes have room, everybody's server starts, and a second run finds them running."""
    try:
        done = deployed.fab("class-prepare", str(roster), "--start", "--yes")
        assert done.code == 0, done.text
        assert "images     registry.lab:5000/notebook:lab" in done.out
        assert "class      enough: 2 servers fit" in done.out
        assert "server runs (2 of 2)" in done.out
        versions = [deployed.service_version(f"{HUB}-{user}") for user in ("ada", "grace")]
        again = deployed.fab("class-prepare", str(roster), "--start", "--yes")
        assert (again.code, "enough: everybody's server runs already" in again.out) == (0, True), again.text
        assert [deployed.service_version(f"{HUB}-{user}") for user in ("ada", "grace")] == versions
    finally:
        empty(deployed)


def test_a_class_that_does_not_fit_is_told_so(deployed: Lab, roster: Path, settings: Settings) -> None:
    """Which resource on which nodes, and what helps; who may not log in is named, and nothing is started."""
    roster.write_text("name,group\nada,\ngrace,\nhopper,\n")
    large = settings((NOTEBOOK, f'{NOTEBOOK}\nmemory_guarantee = "1T"'), ('memory_limit = "1G"', 'memory_limit = "1T"'))
    done = deployed.fab("class-prepare", str(roster), "--start", "--yes", hosts=large)
    assert done.code == 1, done.text
    assert f"not enough: 3 of 3 servers do not fit: memory on {' and '.join(NODES)} (ada, grace, hopper)" in done.out
    assert "lower memory_guarantee" in done.out
    assert "may not log in: hopper" in done.out
    assert deployed.docker("service", "ls", "--quiet", "--filter", "label=swarmhub.notebooks") == ""


def test_a_ctrl_c_while_a_home_is_saved_frees_nothing(grace: Lab, roster: Path, tmp_path: Path) -> None:
    """Neither is half an archive left, nor is a home gone."""
    grace.stop_server("grace")
    before = of_homes(grace)
    to = tmp_path / "archives"
    fab = Started.begin(
        "class-archive", str(roster), "--to", str(to), "--yes", until="save and free the home of grace", hosts=topology.HOSTS
    )
    grace.wait(lambda: any(part.stat().st_size for part in to.rglob(".*.part")), 30, "nothing is saved")
    stopped = fab.end(kill=signal.SIGINT)
    assert stopped.code == 130, stopped.text
    assert of_homes(grace) == before
    assert [file for file in to.rglob("*") if file.is_file()] == []


def test_a_home_is_saved_and_freed(grace: Lab, roster: Path, tmp_path: Path) -> None:
    """Asked first, and with her server stopped; her files are in the archive, her home is gone, and she starts anew."""
    before, to = of_homes(grace), tmp_path / "archives"
    asked = grace.fab("class-archive", str(roster), "--to", str(to))
    assert (asked.code, "Servers that stop: grace; what is not saved there is lost." in asked.err) == (2, True), asked.text
    assert (of_homes(grace), to.exists()) == (before, False)
    done = grace.fab("class-archive", str(roster), "--to", str(to), "--yes")
    assert (done.code, "no home: ada" in done.out) == (0, True), done.text
    (file,) = to.rglob("*.tar.gz")
    with tarfile.open(file) as saved:
        notes = saved.extractfile("grace/notes.txt")
        assert (notes and notes.read(), saved.getmember("grace/data.bin").size) == (b"term\n", 60_000_000)
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert of_homes(grace) == {}
    grace.start_server("grace")
    assert grace.in_server("grace", "ls") == ""
