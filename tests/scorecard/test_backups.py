"""What backups are worth: those made under load, the way back onto an empty cluster, and what is damaged."""

import json
import re
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from playwright.sync_api import BrowserContext, expect

from lab import topology
from tests.lab import empty
from tests.lab.browsing import log_in
from tests.lab.support import HUB
from tests.lab.test_backup import FOLDER, PASSWORD, REPOSITORY, STORE, WORKER, World, world
from tests.report import Row
from tests.scorecard.counts import times
from tests.scorecard.full import VOLUMES

__all__ = ["world"]
pytestmark = pytest.mark.timeout(14400)
MANAGER = topology.MANAGER.name
AT_ONCE = 3
DATA = f"{VOLUMES}/jupyterhub-data/_data"
DATABASE = f"{DATA}/jupyterhub.sqlite"


def test_backups_under_load(world: World, seen: Row) -> None:
    """18. Backups are made while users, tokens and servers come and go; a drill is made with each of them."""
    count, seconds, names, passed = times(100), [], [], 0
    with _load(world) as changes:
        for _ in range(count):
            began = time.monotonic()
            done = world.fab("backup")
            seconds.append(time.monotonic() - began)
            assert done.code == 0, done.text
            names.append(_newest(world))
    assert len({*names}) == count
    for name in names:
        drill = world.fab("backup-verify", "--backup", name)
        assert (drill.code, "logs in by a cookie" in drill.out) == (0, True), f"{name}: {drill.text}"
        passed += 1
    seen(f"{count} backups, {min(seconds):.0f} to {max(seconds):.0f} s each, with {len(changes)} changes meanwhile")
    seen(f"drills that passed: {passed} of {count}; inconsistent: {count - passed}")
    assert len(changes) > count


@contextmanager
def _load(world: World) -> Iterator[list[str]]:
    """Let users, tokens and servers come and go for a while; give what has been done."""
    over, done = threading.Event(), list[str]()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        working = [pool.submit(_come_and_go, world, f"load{number}", over, done) for number in range(AT_ONCE)]
        try:
            yield done
        finally:
            over.set()
    for one in working:
        one.result()


def _come_and_go(world: World, user: str, over: threading.Event, done: list[str]) -> None:
    lab = world.lab
    while not over.is_set():
        lab.start_server(user)
        token = json.loads(lab.hub_api("POST", f"users/{user}/tokens", "{}"))
        lab.hub_api("DELETE", f"users/{user}/tokens/{token['id']}")
        lab.stop_server(user)
        lab.hub_api("DELETE", f"users/{user}")
        done += [user] * 5


def _newest(world: World) -> str:
    return str(json.loads(world.fab("backups", "--json").out)[-1]["run"])


def test_restores_onto_an_empty_cluster(world: World, context: BrowserContext, seen: Row) -> None:
    """18. All is taken away, and comes back from a backup."""
    count, seconds = times(20), []
    page = log_in(context, "grace")
    assert world.fab("backup").code == 0
    before = _people(world)
    for _ in range(count):
        empty.keep_packages(world.lab)
        gone = world.fab("teardown", "--with-data", "--name", topology.DOMAIN, "--yes")
        assert gone.code == 0, gone.text
        assert HUB not in world.lab.docker("volume", "ls", "--format", "{{.Name}}") + world.lab.docker("service", "ls")
        began = time.monotonic()
        for command in ("restore", "deploy"):
            done = world.fab(command, "--yes")
            assert done.code == 0, done.text
        page.goto(f"{topology.HUB_URL}/hub/home")
        seconds.append(time.monotonic() - began)
        expect(page.locator("#start, #stop").first).to_be_visible()
        assert _people(world) == before
        world.lab.start_server("grace")
        assert (world.lab.node_of("grace"), world.lab.in_server("grace", "cat notes.txt")) == (WORKER, "of the term")
        world.lab.stop_server("grace")
    seen(f"{count} times: the same users and admins, a home with its files, and a cookie from before logs in; inconsistent: 0")
    seen(f"from an empty cluster to a hub that knows the cookie: {min(seconds):.0f} to {max(seconds):.0f} s, with builds")


def _people(world: World) -> dict[str, bool]:
    return {one["name"]: one["admin"] for one in json.loads(world.lab.hub_api("GET", "users"))}


SPOIL = """
import pathlib, sys
for file in map(pathlib.Path, sys.argv[1:]):
    if file.is_file():
        data = bytearray(file.read_bytes())
        for place in range(50, len(data), 500):
            data[place] ^= 0xFF
        file.chmod(0o600)
        file.write_bytes(data)
"""
RESTIC = (
    'docker run --rm --user 0 --env RESTIC_PASSWORD="{password}" --volume {folder}:/repository --entrypoint restic {image} '
    "--quiet --repo /repository "
)
# What is done to a repository, in its folder.
DAMAGES = {
    "data changed": f"find data -type f -exec python3 -c '{SPOIL}' {{}} +",
    "data cut off": "find data -type f -exec truncate -s 99 {} +",
    "data gone": "find data -type f -delete",
    "snapshots changed": f"find snapshots -type f -exec python3 -c '{SPOIL}' {{}} +",
    "snapshots cut off": "find snapshots -type f -exec truncate -s 10 {} +",
    "an empty index": "find index -type f -exec truncate -s 0 {} +",
    "keys gone": "find keys -type f -delete",
    "an empty configuration": "chmod u+w config; truncate -s 0 config",
    "nothing in it": "find . -mindepth 1 -delete",
    "somebody else's": "find . -mindepth 1 -delete; {restic} init; {restic} backup /etc",
    "somebody else's, of another password": "find . -mindepth 1 -delete; {foreign} init; {foreign} backup /etc",
}


def test_damaged_backups(world: World, seen: Row) -> None:
    """19. A repository is corrupted, cut off, emptied, or somebody else's."""
    lab, place = world.lab, f"{FOLDER}-damaged"
    assert world.fab("backup").code == 0
    hosts, kinds = world.made(REPOSITORY.replace(FOLDER, place)), [*DAMAGES] * max(1, times(40) // len(DAMAGES))
    before, told = (lab.container(), lab.on(MANAGER, "ls", "-A", DATA)), {}
    try:
        for kind in kinds:
            _damage(world, place, kind)
            done = world.fab("restore", "--yes", hosts=hosts)
            told[kind] = done.err.strip()
            assert (done.code in (1, 2), "Traceback" in done.text, done.err.count("\n")) == (True, False, 1), (
                f"{kind}: {done.text}"
            )
            assert (lab.container(), lab.on(MANAGER, "ls", "-A", DATA)) == before, kind
            assert lab.hub_answers()
    finally:
        lab.on(STORE, "rm", "-rf", place)
    drill = world.fab("backup-verify")
    assert drill.code == 0, drill.text
    seen(f"{len(kinds)} times, {len(DAMAGES)} kinds: refused in one line, the hub and its data are not touched")
    assert {kind: text for kind, text in told.items() if not re.search(r"[.;] \w", text)} == {}


def _damage(world: World, place: str, kind: str) -> None:
    """Copy the repository and damage the copy; what is cached of it would stand in for what is damaged."""
    for node in topology.NODES:
        world.lab.on(node.name, "docker", "volume", "rm", "--force", f"{HUB}_restic")
    image = world.lab.docker("image", "ls", "--quiet", f"{HUB}_restic", node=STORE).split()[0]
    own, foreign = (RESTIC.format(password=one, folder=place, image=image) for one in (PASSWORD, "another"))
    command = DAMAGES[kind].replace("{restic}", own).replace("{foreign}", foreign)
    world.lab.on(STORE, "sh", "-ec", f"rm -rf {place}; cp -a {FOLDER} {place}; cd {place}; {command}")


# What is done to the hub's database.
SPOILED = {
    "of zero length": f": > {DATABASE}",
    "cut off": f"truncate -s 50000 {DATABASE}",
    "corrupt": f"python3 -c '{SPOIL}' {DATABASE}; chmod 660 {DATABASE}",
}


def test_damaged_databases(world: World, seen: Row) -> None:
    """19. The hub starts, and its database is empty, cut off, or corrupt."""
    lab, told = world.lab, {}
    assert world.fab("backup").code == 0
    before = _people(world)
    for kind, spoil in SPOILED.items():
        lab.on(MANAGER, "sh", "-ec", spoil)
        lab.docker("kill", lab.container())
        told[kind] = _refused(world, kind)
        for command in ("restore", "deploy"):
            done = world.fab(command, "--yes")
            assert done.code == 0, f"{kind}: {done.text}"
        assert (lab.hub_answers(), _people(world)) == (True, before)
    seen(
        f"{len(told)} kinds: no hub starts with it, a deploy refuses it in one line; after fab restore and deploy all are back"
    )


def _refused(world: World, kind: str) -> str:
    """Return what is said of a database by a deploy; no hub answers meanwhile."""
    done = world.fab("deploy", "--yes")
    assert (done.code, "Traceback" in done.err) == (1, False), f"{kind}: {done.text}"
    assert not world.lab.hub_answers(), kind
    return done.err
