"""What is done to disks and to the registry: they are full, it is gone, or it has not what is asked for."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lab import containers, topology
from swarmhub import settings as settings_file
from tests.lab.counting import counting, server_of_ada
from tests.lab.killing import restart_hub
from tests.lab.support import HUB, ROOT, Done, Lab, Settings
from tests.lab.test_backup import FOLDER, STORE, World, world
from tests.lab.test_transfer import BUILD
from tests.report import Row
from tests.scorecard import full
from tests.scorecard.counts import times

__all__ = ["world"]
pytestmark = pytest.mark.timeout(3600)
MANAGER = topology.MANAGER.name
WORKER, LAST = (worker.name for worker in topology.WORKERS)
IMAGES = settings_file.load(ROOT / "lab" / "hosts.toml").images
# What an engine has not unpacked yet, and the context of a build.
ENGINES = "/var/lib/docker/tmp"
DATA, COPIES = (f"{full.VOLUMES}/{name}/_data" for name in ("jupyterhub-data", "jupyterhub_backups"))
LARGE, BYTES = "registry.lab:5000/scorecard:1", 4_000_000
CHECK = """
import sqlite3
db = sqlite3.connect("/data/jupyterhub.sqlite", timeout=20)
print(db.execute("pragma integrity_check").fetchone()[0], *db.execute("pragma foreign_key_check").fetchall())
"""
FULL = f"{full.SAID}|database or disk is full"
ANOTHER = ("[github]", '[page]\nname = "Scorecard"\n\n[github]')


@pytest.fixture
def large(deployed: Lab, settings: Settings) -> Iterator[Path]:
    """Put an image with a layer of its own into the registry; return a hosts.toml with it."""
    deployed.on(MANAGER, "sh", "-c", BUILD, "sh", LARGE, str(BYTES))
    deployed.docker("push", "--quiet", LARGE)
    # A node that holds it would give it to others where the registry does not.
    deployed.docker("image", "rm", "--force", LARGE)
    yield settings((f'image = "{IMAGES[-1]}"', f'image = "{LARGE}"'))
    for node in topology.NODES:
        deployed.on(node.name, "sh", "-c", f"docker image rm --force {LARGE} 2>&1")


def test_disk_full_in_a_pull(large: Path, deployed: Lab, seen: Row) -> None:
    """13. A worker's disk is full in a pull."""
    count = times(10)
    with _goes_on(deployed):
        with full.small(deployed, LAST, ENGINES, "1m"):
            for _ in range(count):
                done = deployed.fab("-H", LAST, "prepull", hosts=large)
                _is_told(done, rf"{LAST}: prepull: cannot pull {re.escape(LARGE)}: .*{full.SAID}")
        again = deployed.fab("-H", LAST, "prepull", hosts=large)
    assert again.code == 0, again.text
    seen(f"{count} times: one line with node, image and “{full.SAID}”; with room again, the pull ends well")


def test_disk_full_in_a_build(deployed: Lab, settings: Settings, tmp_path: Path, seen: Row) -> None:
    """13. The manager's disk is full in a build."""
    (tmp_path / "users").write_text("ada admin\ngrace\nscorecard\n")
    hosts, count = settings(('"userlist"', f'"{tmp_path / "users"}"')), times(10)
    images = _images(deployed)
    with _goes_on(deployed):
        with full.small(deployed, MANAGER, ENGINES, "64k"):
            for _ in range(count):
                _is_told(
                    deployed.fab("build-hub", hosts=hosts), rf"{MANAGER}: build-hub: cannot build {HUB}:\w+: .*{full.SAID}"
                )
        assert _images(deployed) == images
    seen(f"{count} times: one line with node, image and “{full.SAID}”; no image is made")


def test_disk_full_where_the_database_is_copied(deployed: Lab, settings: Settings, seen: Row) -> None:
    """13. A deploy has no room for its copy of the database."""
    hosts, count = settings(ANOTHER), times(5)
    assert deployed.fab("deploy", "--yes", hosts=hosts).code == 0
    version = deployed.service_version()
    with _goes_on(deployed):
        with full.on_small(deployed, MANAGER, COPIES, "16m"), full.filled(deployed, MANAGER, COPIES):
            for _ in range(count):
                _is_told(deployed.fab("deploy", "--yes"), rf"{MANAGER}: service: .*({FULL})")
        assert deployed.service_version() == version
    done = deployed.fab("deploy", "--yes")
    assert done.code == 0, done.text
    seen(f"{count} times: one line with “{full.SAID}”, the hub is not touched; with room again, the deploy ends well")


def test_disk_full_in_a_backup(world: World, seen: Row) -> None:
    """13. The repository's disk is full in a backup."""
    lab, count = world.lab, times(10)
    assert world.fab("backup").code == 0
    before = len(_backups(world))
    with _goes_on(lab):
        with full.on_small(lab, STORE, FOLDER, "40m"), full.filled(lab, STORE, FOLDER):
            for _ in range(count):
                _is_told(world.fab("backup"), f"{re.escape('sftp:')}.*{full.SAID}")
        assert world.fab("backup").code == 0
    assert len(_backups(world)) == before + 1
    verified = world.fab("backup-verify")
    assert verified.code == 0, verified.text
    seen(f"{count} times: one line with “{full.SAID}”; with room again, a backup is made, and a drill with it passes")


def test_disk_full_under_the_hub(deployed: Lab, seen: Row) -> None:
    """13. The disk with the hub's volume is full while people work."""
    count = times(5)
    with full.on_small(deployed, MANAGER, DATA, "24m"):
        restart_hub(deployed)
        with _goes_on(deployed):
            for number in range(count):
                _without_room(deployed, f"card{number}")
                assert deployed.execute(HUB, "python3", "-c", CHECK) == "ok"
        restart_hub(deployed)
    restart_hub(deployed)
    assert deployed.execute(HUB, "python3", "-c", CHECK) == "ok"
    deployed.forget_homes()
    seen(f"{count} times: the database is whole, and with room again servers start, without a restart of the hub")


def _without_room(lab: Lab, user: str) -> None:
    """Fill the disk, let the hub be asked for something that it has to keep, and make sure that it can again later."""
    with full.filled(lab, MANAGER, DATA):
        refused = lab.hub_api("POST", f"users/{user}")
        assert '"name"' not in refused, refused
        assert '"version"' in lab.hub_api("GET", "")
    lab.start_server(user)
    lab.stop_server(user)


def test_registry_gone(deployed: Lab, large: Path, seen: Row) -> None:
    """13. The registry is gone, for good or silent."""
    registry, count = containers.container_name("registry"), times(10)
    kinds = ((deployed.client.stop, deployed.client.start), (deployed.client.pause, deployed.client.unpause))
    with _goes_on(deployed):
        for number in range(count):
            away, back = kinds[number % 2]
            away(registry)
            try:
                done = deployed.fab("-H", WORKER, "prepull", hosts=large)
                _is_told(
                    done, rf": prepull: no node holds {re.escape(LARGE)}, and its registry does not give it: .*registry\.lab"
                )
                if number < len(kinds):
                    _does_without(deployed)
            finally:
                back(registry)
    done = deployed.fab("-H", WORKER, "prepull", hosts=large)
    assert done.code == 0, done.text
    seen(f"{count} times: one line with node, image and registry; servers start, a deploy has nothing to do")


def _does_without(lab: Lab) -> None:
    done = lab.fab("deploy", "--yes")
    assert (done.code, "nothing to change" in done.out) == (0, True), done.text
    lab.start_server("grace")
    lab.stop_server("grace")


def test_wrong_tag(deployed: Lab, settings: Settings, seen: Row) -> None:
    """13. A tag that the registry does not have, and a repository that it does not have."""
    name = IMAGES[0].rpartition(":")[0]
    wrong = [(f"{name}:none", "manifest unknown|not found"), ("registry.lab:5000/none:lab", "not found|unknown|denied")]
    version, count = deployed.service_version(), times(10)
    with _goes_on(deployed):
        for number in range(count):
            image, cause = wrong[number % len(wrong)]
            done = deployed.fab("deploy", "--yes", hosts=settings((f'image = "{IMAGES[0]}"', f'image = "{image}"')))
            _is_told(done, rf"{MANAGER}: [\w-]+: no node holds {re.escape(image)}, and its registry .*({cause})")
    assert deployed.service_version() == version
    seen(f"{count} times: one line with image and cause; the hub is not touched")


@contextmanager
def _goes_on(lab: Lab) -> Iterator[None]:
    """Make sure that a kernel goes on counting over its websocket, and that the hub answers afterwards."""
    with server_of_ada(lab) as server, counting(lab, server):
        yield
        assert lab.hub_answers()


def _is_told(done: Done, pattern: str) -> None:
    """Make sure that a run has failed, and that it says so in each of its lines of error: one for each step."""
    assert (done.code, "Traceback" in done.text) == (1, False), done.text
    lines = done.err.strip().splitlines()
    assert lines, done.text
    assert [line for line in lines if not re.search(pattern, line, re.IGNORECASE)] == [], done.text


def _images(lab: Lab) -> set[str]:
    return {*lab.docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}} {{.ID}}").splitlines()}


def _backups(world: World) -> list[str]:
    return re.findall(r"^\d{8}-\d{6}", world.fab("backups").out, re.MULTILINE)
