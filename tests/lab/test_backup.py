"""Backups by SFTP to a node's own sshd, and the way back: of a file, and of a hub that is lost with a home.

It takes a deploy with another userlist, the build of one image, and a deploy after the loss: some four minutes on a busy
machine. Then the cluster makes backups itself: two deploys that leave the hub alone, and twice a minute of waiting for it.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, expect

from lab import topology
from lab.machine import LabError
from tests.lab.browsing import log_in
from tests.lab.support import HUB, Done, Lab, variant

WORKER, STORE = (worker.name for worker in topology.WORKERS)
FOLDER = "/srv/backup"
REPOSITORY = f"sftp:root@{STORE}:{FOLDER}"
PASSWORD = "of-the-lab's-backups"
USERS = "ada admin\ngrace\n"


@dataclass(frozen=True)
class World:
    """The lab with a repository, its hosts.toml, and what asks for another one."""

    lab: Lab
    hosts: Path
    userlist: Path
    made: Callable[..., Path]

    def fab(self, *arguments: str, hosts: Path | None = None, password: str = PASSWORD) -> Done:
        """Run `fab` with the password of the backups."""
        return self.lab.fab(*arguments, hosts=hosts or self.hosts, BACKUP_PASSWORD=password)

    def away(self, hosts: Path | None = None) -> list[dict[str, Any]]:
        """Return the homes of those who were not seen for a second, once there are some."""
        found: list[dict[str, Any]] = []

        def look() -> bool:
            found[:] = json.loads(self.fab("users", "--away", "1s", "--json", hosts=hosts).out)
            return bool(found)

        self.lab.wait(look, 60, "nobody is away")
        return found


@pytest.fixture(scope="module")
def world(used: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Deploy a hub that barbara may use, too, and let grace have a file on a worker."""
    folder = tmp_path_factory.mktemp("backup")
    users = folder / "users"
    users.write_text(f"{USERS}barbara\n")
    key = (topology.STATE / f"{STORE}.ssh_host_key.pub").read_text().split()
    (folder / "known_hosts").write_text(f"{STORE} {key[0]} {key[1]}\n")

    def make(repository: str, more: str = "") -> Path:
        place = tmp_path_factory.mktemp("hosts")
        files = 'ssh_key = "state/ssh_key"\nssh_known_hosts = "KNOWN"\n' if repository.startswith("sftp:") else ""
        table = f'[backup]\nrepository = "{repository}"\n{files}{more}'.replace("KNOWN", str(folder / "known_hosts"))
        return variant(place, ("[hub]", f"{table}\n[hub]"), ('userlist = "userlist"', f'userlist = "{users}"'))

    used.on(STORE, "rm", "-rf", FOLDER)
    hosts = make(REPOSITORY)
    used.let_stand(hosts)
    used.hub_api("POST", "users/barbara")
    used.start_server("grace", on=WORKER)
    used.in_server("grace", "echo of the term > notes.txt && head -c 20000000 /dev/urandom > data.bin")
    yield World(used, hosts, users, make)
    used.stop_server("grace")
    used.forget_homes()
    used.on(STORE, "rm", "-rf", FOLDER)


def test_a_backup_is_made_while_people_work(world: World) -> None:
    """Of the hub and of each node's homes; a second one sends next to nothing, and no secret is told anywhere."""
    done = world.fab("backup")
    assert done.code == 0, done.text
    assert "the hub and the homes of 1 node" in done.out
    again = world.fab("backup")
    assert again.code == 0, again.text
    first, second = json.loads(world.fab("backups", "--json").out)
    assert [*first["homes"]] == [*second["homes"]] == [WORKER]
    assert first["bytes"] > 20_000_000
    assert second["added"] < 200_000, second
    assert PASSWORD not in done.text + again.text + world.fab("history").text
    assert world.lab.docker("ps", "--all", "--quiet", "--filter", "label=swarmhub=backup") == ""


def test_what_goes_wrong_is_told_with_what_helps(world: World) -> None:
    """A wrong password, a repository that does not answer, another host's key, one that is damaged: each in one line."""
    wrong = world.fab("backups", password="another")
    assert wrong.code == 1, wrong.text
    assert "wrong password or no key found. Set BACKUP_PASSWORD to the password" in wrong.err
    silent = world.fab("backup", hosts=world.made(f"sftp://root@{STORE}:9/{FOLDER}"))
    assert (silent.code, f"{STORE}:9 does not answer: " in silent.err) == (1, True), silent.text
    other = world.fab("backup", hosts=world.made(f"sftp:root@{WORKER}:{FOLDER}"))
    assert (other.code, "Put the host key of the repository's host into backup.ssh_known_hosts" in other.err) == (1, True)
    missing = world.fab("backups", hosts=world.made(f"sftp:root@{STORE}:/srv/none"))
    assert (missing.code, "repository does not exist" in missing.err) == (1, True), missing.text
    world.lab.on(
        STORE, "sh", "-c", f"cp -r {FOLDER} {FOLDER}-damaged && find {FOLDER}-damaged/data -type f -exec truncate -s 99 {{}} +"
    )
    try:
        hosts = world.made(f"sftp:root@{STORE}:{FOLDER}-damaged")
        damaged = world.fab("restore", "--home", "grace", "--path", "notes.txt", "--yes", hosts=hosts)
        assert (damaged.code, "The repository is damaged" in damaged.err) == (1, True), damaged.text
        assert {len(one.err.strip().splitlines()) for one in (wrong, silent, other, missing, damaged)} == {1}
    finally:
        world.lab.on(STORE, "rm", "-rf", f"{FOLDER}-damaged")
    assert world.lab.in_server("grace", "ls") == "data.bin\nnotes.txt"


def test_a_repository_of_another_hub_is_told_with_what_it_has(world: World) -> None:
    """With the right password it opens, and no command leads to another one that shows nothing."""
    place = f"{FOLDER}-of-another"
    image = world.lab.docker("image", "ls", "--quiet", f"{HUB}_restic", node=STORE).split()[0]
    run = (
        f'docker run --rm --user 0 --env RESTIC_PASSWORD="{PASSWORD}" --volume {place}:/repository --entrypoint restic {image}'
    )
    restic = f"{run} --quiet --repo /repository"
    world.lab.on(STORE, "sh", "-ec", f"{restic} init; {restic} backup --tag swarmhub:another /etc/hostname")
    try:
        hosts = world.made(f"sftp:root@{STORE}:{place}")
        told = (
            f"sftp:root@{STORE}:{place} has no backup of the hub {HUB}, but of another. Set backup.repository in hosts.toml to"
        )
        refused, listed = world.fab("restore", "--yes", hosts=hosts), world.fab("backups", hosts=hosts)
        assert (refused.code, refused.err.count("\n"), told in refused.err) == (2, 1, True), refused.text
        assert (listed.code, told in listed.out.replace("\n", " ")) == (0, True), listed.text
    finally:
        world.lab.on(STORE, "rm", "-rf", place)


def test_a_file_comes_back_into_a_home_in_use(world: World) -> None:
    """In its place, with what was there beside it; or in a folder, which is the user's own."""
    world.lab.in_server("grace", "echo overwritten > notes.txt")
    done = world.fab("restore", "--home", "grace", "--path", "notes.txt", "--yes")
    assert done.code == 0, done.text
    assert world.lab.in_server("grace", "cat notes.txt") == "of the term"
    assert world.lab.in_server("grace", "cat notes.txt.before-restore-*") == "overwritten"
    done = world.fab("restore", "--home", "grace", "--path", "notes.txt", "--to", "found", "--yes")
    assert done.code == 0, done.text
    assert (
        world.lab.in_server("grace", "cat found/notes.txt && echo mine > found/new && rm -r found notes.txt.*") == "of the term"
    )
    refused = world.fab("restore", "--home", "grace", "--yes")
    assert (refused.code, "grace has a server that runs" in refused.err) == (1, True), refused.text


def of_homes(lab: Lab) -> tuple[str, str]:
    """Return the volumes of homes on the worker, and their records."""
    volumes = lab.docker("volume", "ls", "--quiet", "--filter", "label=swarmhub.home", node=WORKER)
    return volumes, lab.docker("config", "ls", "--format", "{{.Name}}", "--filter", "label=swarmhub.home")


def test_a_home_is_freed_only_if_all_of_it_can_be_read_back(world: World) -> None:
    """Whose server runs is left out. A repository that is damaged takes a home for saved, as it has its parts; it stays."""
    lab = world.lab
    running = world.fab("users", "--away", "1s", "--free", "--yes")
    assert (running.code, "left out, as their servers run: grace" in running.out) == (0, True), running.text
    assert "nobody who was not seen for 1s has a home" in running.out
    lab.stop_server("grace")
    before = of_homes(lab)
    (found,) = world.away()
    assert (found["name"], found["node"], found["bytes"] > 20_000_000, found["archived"]) == ("grace", WORKER, True, None)
    assert found["saved"], found
    damage = f"cp -r {FOLDER} {FOLDER}-damaged && find {FOLDER}-damaged/data -size +1M -exec truncate -s 99 {{}} +"
    lab.on(STORE, "sh", "-ec", damage)
    try:
        hosts = world.made(f"sftp:root@{STORE}:{FOLDER}-damaged")
        damaged = world.fab("users", "--away", "1s", "--free", "--yes", hosts=hosts)
        assert (damaged.code, "save and free the home of grace" in damaged.out) == (1, True), damaged.text
        assert len(damaged.err.strip().splitlines()) == 1, damaged.err
    finally:
        lab.on(STORE, "rm", "-rf", f"{FOLDER}-damaged")
    assert of_homes(lab) == before


def test_a_home_that_was_freed_comes_back(world: World) -> None:
    """Asked first; thinning out leaves the archive, and its user finds the home where it was, with a new record."""
    lab = world.lab
    before = of_homes(lab)
    asked = world.fab("users", "--away", "1s", "--free")
    assert (asked.code, "Then 1 home will be in the archive only" in asked.err) == (2, True), asked.text
    assert of_homes(lab) == before
    done = world.fab("users", "--away", "1s", "--free", "--yes")
    assert (done.code, "read back whole" in done.out) == (0, True), done.text
    assert of_homes(lab) == ("", "")
    thinned = world.fab("backup", hosts=world.made(REPOSITORY, 'keep = "1d"\n'))
    assert (thinned.code, "removed; kept: 1d" in thinned.out) == (0, True), thinned.text
    listed = json.loads(world.fab("backups", "--json").out)
    assert [[*one["archived"].values()] for one in listed if one["archived"]] == [["grace"]], listed
    back = world.fab("restore", "--home", "grace", "--yes")
    assert back.code == 0, back.text
    assert of_homes(lab) == before
    lab.start_server("grace")
    assert (lab.node_of("grace"), lab.in_server("grace", "cat notes.txt && touch new")) == (WORKER, "of the term")


def test_a_class_is_archived_where_backups_are(world: World, tmp_path: Path) -> None:
    """By the same way, and its user starts with an empty home; what was archived takes its place."""
    lab, roster = world.lab, tmp_path / "class.csv"
    roster.write_text("name,group\ngrace,\n")
    done = world.fab("class-archive", str(roster), "--yes")
    assert (done.code, "to the repository" in done.out, "read back whole" in done.out) == (0, True, True), done.text
    assert of_homes(lab) == ("", "")
    lab.start_server("grace", on=WORKER)
    assert lab.in_server("grace", "ls") == ""
    lab.stop_server("grace")
    back = world.fab("restore", "--home", "grace", "--yes")
    assert (back.code, "of the archive" in back.out) == (0, True), back.text
    lab.start_server("grace")
    assert lab.in_server("grace", "cat notes.txt && stat -c %s data.bin").split("\n") == ["of the term", "20000000"]


def test_a_hub_that_is_lost_comes_back(world: World, context: BrowserContext) -> None:
    """Its volume, its service, its certificate and a home are gone: they come back, and a cookie from before logs in.

    Who is no longer in the userlist stays out.
    """
    lab = world.lab
    page = log_in(context, "grace")
    assert world.fab("backup").code == 0
    lab.stop_server("grace")
    lab.docker("service", "rm", HUB)
    lab.wait(lambda: not lab.container(), 60, "the hub's container does not end")
    # Swarm keeps the containers of earlier tasks for a while.
    gone = "docker ps -aq --filter volume=jupyterhub-data | xargs -r docker rm --force && docker volume rm jupyterhub-data"
    lab.on(topology.MANAGER.name, "sh", "-ec", gone)
    lab.forget_homes()
    lab.forget_certificate()
    world.userlist.write_text(USERS)
    asked = world.fab("restore")
    assert (asked.code, "the home of grace" in asked.out, "There is no terminal to ask on" in asked.err) == (2, True, True), (
        asked.text
    )
    done = world.fab("restore", "--yes")
    assert done.code == 0, done.text
    deployed = world.fab("deploy", "--yes")
    assert deployed.code == 0, deployed.text
    page.goto(f"{topology.HUB_URL}/hub/home")
    expect(page.locator("#start, #stop").first).to_be_visible()
    lab.start_server("grace")
    assert (lab.node_of("grace"), lab.in_server("grace", "cat notes.txt && touch new")) == (WORKER, "of the term")
    assert '"barbara"' not in lab.hub_api("GET", "users")


SCHEDULE = 'every = "1d"\nat = "03:00"\nverify = "7d"\nkeep = "7d"\n'
SERVICE, FAILED = f"{HUB}_backup", "the hub's data failed"


@dataclass(frozen=True)
class Scheduled:
    """The world with a cluster that makes backups itself."""

    world: World
    hosts: Path

    def fab(self, *arguments: str) -> Done:
        """Run `fab` with the settings that have the schedule."""
        return self.world.fab(*arguments, hosts=self.hosts)

    @property
    def standing(self) -> dict[str, Any]:
        """Return what the status says of the backups."""
        found: dict[str, Any] = json.loads(self.fab("status", "--json").out)["backups"]
        return found

    def wait(self, is_so: Callable[[dict[str, Any]], object], seconds: float, otherwise: str) -> None:
        """Wait until the backups stand as they should."""
        last: dict[str, Any] = {}

        def look() -> bool:
            last.update(self.standing)
            return bool(is_so(last))

        try:
            self.world.lab.wait(look, seconds, otherwise)
        except LabError as error:
            raise LabError(f"{error}: {last}\n{self.world.lab.log_of(SERVICE, tail='30')}") from None


@pytest.fixture(scope="module")
def scheduled(world: World) -> Scheduled:
    """Let the cluster make backups itself."""
    made = Scheduled(world, world.made(REPOSITORY, SCHEDULE))
    done = made.fab("deploy", "--yes")
    assert done.code == 0, done.text
    assert f"create service {SERVICE}" in done.out
    assert PASSWORD not in done.text
    return made


def test_the_cluster_makes_and_tries_backups_itself(scheduled: Scheduled) -> None:
    """Of the hub and of the homes on their nodes, under one name, with the same in it as by hand; nobody's machine asks."""
    lab = scheduled.world.lab
    scheduled.wait(lambda one: one["last"] and one["drilled"], 240, "no backup is made and tried")
    found = scheduled.standing
    assert (found["troubles"], found["late"], found["bytes"] > 20_000_000) == ([], False, True), found
    assert found["next"].endswith("T03:00:00+00:00"), found
    newest = json.loads(scheduled.fab("backups", "--json").out)[-1]
    assert (newest["run"].endswith("-030000"), [*newest["homes"]]) == (True, [WORKER]), newest
    assert [(one["outcome"], one["home"]["host"]) for one in newest["drills"]] == [("passed", WORKER)], newest
    assert PASSWORD not in lab.docker("service", "inspect", SERVICE) + lab.log_of(SERVICE)
    assert lab.docker("ps", "--all", "--quiet", "--filter", "label=swarmhub.schedule") == ""
    by_hand = scheduled.fab("restore", "--home", "grace", "--path", "notes.txt", "--to", "scheduled", "--yes")
    assert (by_hand.code, lab.in_server("grace", "cat scheduled/notes.txt")) == (0, "of the term"), by_hand.text


def test_an_operator_tries_a_backup(scheduled: Scheduled) -> None:
    """It boots, somebody logs in, a file is as it was; nothing of it is left, and the hub that runs has noticed nothing."""
    lab = scheduled.world.lab
    before = lab.container()
    done = scheduled.fab("backup-verify")
    assert (done.code, "logs in by a cookie" in done.out, "is as it was saved" in done.out) == (0, True, True), done.text
    assert lab.docker("volume", "ls", "--quiet", "--filter", "name=_drill") == ""
    assert lab.container() == before
    assert "passed" in scheduled.fab("backups").out


def test_a_scheduled_backup_that_fails_is_told(scheduled: Scheduled) -> None:
    """In status and doctor, with its host and cause; it is tried again by itself."""
    lab = scheduled.world.lab
    lab.on(STORE, "sh", "-ec", f"mv {FOLDER} {FOLDER}-away && touch {FOLDER}")
    try:
        lab.execute(SERVICE, "sh", "-c", "rm /cache/schedule.json && kill 1")
        # Until Swarm has started it again, that is what is wrong.
        scheduled.wait(lambda one: FAILED in str(one["troubles"]), 120, "no failure is told")
        assert [one["host"] for one in scheduled.standing["troubles"]] == [topology.MANAGER.name]
        doctor = scheduled.fab("doctor")
        assert (doctor.code, FAILED in doctor.out) == (1, True), doctor.text
    finally:
        lab.on(STORE, "sh", "-ec", f"rm {FOLDER} && mv {FOLDER}-away {FOLDER}")
    scheduled.wait(lambda one: one["last"] and not one["troubles"], 240, "it is not tried again")


def test_the_schedule_goes_with_its_setting(scheduled: Scheduled) -> None:
    """With its secret and what deploys have left; the backups stay."""
    lab = scheduled.world.lab
    done = scheduled.world.fab("deploy", "--yes")
    assert (done.code, f"remove service {SERVICE}" in done.out) == (0, True), done.text
    assert SERVICE not in lab.docker("service", "ls", "--format", "{{.Name}}")
    assert "backup-repository" not in lab.docker("secret", "ls", "--format", "{{.Name}}")
    assert f"{HUB}-deployed-" not in lab.docker("config", "ls", "--format", "{{.Name}}")
    assert json.loads(scheduled.world.fab("backups", "--json").out)


def test_a_home_in_a_folder_is_freed_and_comes_back(world: World) -> None:
    """Of a file server's folder only this one goes; it is made again, with its owner, when its user is wanted back."""
    lab, folder = world.lab, "/mnt/shared/archived"
    lab.on(WORKER, "mkdir", "-p", folder)
    hosts = world.made(REPOSITORY, f'\n[home]\ntype = "path"\npath = "{folder}"\n')
    lab.stop_server("grace")
    try:
        deployed = world.fab("deploy", "--yes", hosts=hosts)
        assert deployed.code == 0, deployed.text
        lab.start_server("grace")
        lab.in_server("grace", "mkdir work && echo of the folder > work/notes.txt && ln -s work/notes.txt link")
        lab.stop_server("grace")
        owner = lab.on(WORKER, "stat", "-c", "%u:%g %a", f"{folder}/grace")
        lab.on(WORKER, "mkdir", f"{folder}/somebody-else")
        assert [one["name"] for one in world.away(hosts)] == ["grace"]
        done = world.fab("users", "--away", "1s", "--free", "--yes", hosts=hosts)
        assert (done.code, "save and free the home of grace" in done.out) == (0, True), done.text
        assert lab.on(WORKER, "ls", folder) == "somebody-else"
        back = world.fab("restore", "--home", "grace", "--yes", hosts=hosts)
        assert back.code == 0, back.text
        assert lab.on(WORKER, "stat", "-c", "%u:%g %a", f"{folder}/grace") == owner
        lab.start_server("grace")
        assert lab.in_server("grace", "cat link && touch new") == "of the folder"
    finally:
        lab.stop_server("grace")
        lab.on(WORKER, "rm", "-rf", folder)
