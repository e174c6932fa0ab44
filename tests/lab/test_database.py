"""The hub's database moves to a PostgreSQL server and back while a server runs: copies, rollback and backups work with both.

Some five minutes: two moves, three deploys, a rollback, a restore, and the builds of two images.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, expect

from lab import database, topology
from tests.lab.browsing import log_in
from tests.lab.support import HUB, Done, Lab, variant

MANAGER, STORE = topology.MANAGER.name, topology.WORKERS[1].name
WORKER = topology.WORKERS[0].name
FOLDER = "/srv/backup-of-database"
DATA = "/var/lib/docker/volumes/jupyterhub-data/_data"
LEAKS = """
for process in /proc/[0-9]*; do
    tr '\\0' '\\n' < $process/environ 2>/dev/null; tr '\\0' '\\n' < $process/cmdline 2>/dev/null
done
"""


@dataclass(frozen=True)
class World:
    """The lab with a server, and hosts.toml with and without it."""

    lab: Lab
    hosts: Path
    plain: Path
    more: Path

    def fab(self, *arguments: str, hosts: Path | None = None, url: str = "") -> Done:
        """Run `fab`; the URL and the password of the backups are in the environment."""
        environ = {"DATABASE_URL": url or database.url(), "BACKUP_PASSWORD": "of-the-lab's-backups"}
        return self.lab.fab(*arguments, hosts=hosts or self.hosts, **environ)

    def ask(self, statement: str) -> str:
        """Ask the server past swarmhub."""
        return database.ask(self.lab.client, statement)

    def users(self) -> set[str]:
        """Return whom the hub knows."""
        return {one["name"] for one in json.loads(self.lab.hub_api("GET", "users"))}

    def task(self) -> str:
        """Return what tells the hub that runs from any other."""
        return self.lab.container() + self.lab.service_version()


@pytest.fixture(scope="module")
def world(settled: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Start the server next to a hub that works with SQLite, with a server of grace's on a worker."""
    lab = settled
    folders = [tmp_path_factory.mktemp(name) for name in ("hosts", "plain", "more")]
    key = (topology.STATE / f"{STORE}.ssh_host_key.pub").read_text().split()
    known = folders[0] / "known_hosts"
    known.write_text(f"{STORE} {key[0]} {key[1]}\n")
    backup = f"""
[backup]
repository = "sftp:root@{STORE}:{FOLDER}"
ssh_key = "state/ssh_key"
ssh_known_hosts = "{known}"
homes = false
"""
    named = ('file = "state/oauth.env"', 'file = "state/oauth.env"\nnames = ["DATABASE_URL"]')
    table = ("[hub]\n", f'[database]\nurl = {{secret = "DATABASE_URL"}}\n{backup}\n[hub]\n')
    hosts, plain = variant(folders[0], named, table), Path(topology.HOSTS)
    more = variant(folders[2], named, table, ('memory_limit = "1G"', 'memory_limit = "2G"'))
    lab.on(STORE, "rm", "-rf", FOLDER)
    lab.start_server("grace", on=WORKER)
    with database.serving(lab.client, print):
        yield World(lab, hosts, plain, more)
        # The server goes: so does all that names it.
        lab.stop_server("grace")
        lab.forget_homes()
        lab.on(STORE, "rm", "-rf", FOLDER)


def test_what_cannot_work_is_told_and_changes_nothing(world: World) -> None:
    """A deploy that would start a hub without its people; a wrong password, a missing database, a server that is away."""
    before = world.task()
    refused = world.fab("deploy", "--yes")
    assert (refused.code, "the hub's database is on SQLite, and hosts.toml says PostgreSQL" in refused.err) == (1, True)
    assert "Move it: fab move-database" in refused.err
    password = world.fab("move-database", "--yes", url=database.url(password="an0ther"))
    assert (password.code, 'password authentication failed for user "jupyterhub"' in password.err) == (1, True), password.text
    assert "Set the secret of database.url to the URL with the right password" in password.err
    missing = world.fab("move-database", "--yes", url=database.url(database="none"))
    assert (missing.code, 'database "none" does not exist' in missing.err) == (1, True), missing.text
    nobodys = topology.address(99)
    away = world.fab("move-database", "--yes", url=database.url().replace(database.ADDRESS, nobodys))
    assert (away.code, nobodys in away.err) == (1, True), away.text
    malformed = world.fab("move-database", "--yes", url="postgresql://jupyterhub:se/cret@db/hub")
    assert (malformed.code, "secrets.DATABASE_URL: needs user, host and database" in malformed.err) == (2, True), malformed.text
    assert {len(one.err.strip().splitlines()) for one in (password, missing, away, malformed)} == {1}
    assert not any(word in one.text for one in (password, away, malformed) for word in ("an0ther", "w%2Frd", "se/cret"))
    assert world.task() == before
    assert world.ask("select count(*) from pg_tables where schemaname = 'public'") == "0"


def test_a_hub_moves_to_a_server_while_people_work(world: World, context: BrowserContext) -> None:
    """Their servers go on, and so do their sessions; who was there is there, and the file is set aside."""
    page = log_in(context, "grace")
    server, users = world.lab.service_version(f"{HUB}-grace"), world.users()
    done = world.fab("move-database", "--yes")
    assert done.code == 0, done.text
    assert "the same in both" in done.out
    world.lab.wait(world.lab.hub_answers, 60, "the hub does not answer")
    assert world.lab.left_to_change(world.hosts, DATABASE_URL=database.url()) == ""
    assert (world.users(), world.lab.service_version(f"{HUB}-grace")) == (users, server)
    page.goto(f"{topology.HUB_URL}/hub/home")
    expect(page.locator("#stop")).to_be_visible()
    assert json.loads(world.lab.hub_api("GET", "users/grace"))["servers"][""]["ready"]
    assert {*world.ask("select name from users").split()} == users
    kept = world.lab.on(MANAGER, "ls", DATA).split()
    assert [one for one in kept if one.startswith("jupyterhub.sqlite")] == [
        next(one for one in kept if one.startswith("jupyterhub.sqlite-before-"))
    ]
    again = world.fab("move-database", "--yes")
    assert (again.code, "the hub's database is on PostgreSQL, as hosts.toml says" in again.out) == (0, True), again.text


def test_the_password_is_shown_nowhere(world: World) -> None:
    """Not in the service, its settings, logs, processes' arguments and environment, nor in the history."""
    lab = world.lab
    seen = lab.docker("service", "inspect", HUB) + lab.log_of() + lab.execute(HUB, "sh", "-c", LEAKS)
    seen += lab.execute(HUB, "cat", "/srv/jupyterhub/settings.json") + world.fab("history").text + world.fab("releases").text
    seen += lab.on(MANAGER, "sh", "-c", LEAKS)
    assert "DATABASE_URL" in seen
    assert [word for word in (database.PASSWORD, "p%40ss", "w%2Frd") if word in seen] == []


def test_a_server_that_restarts_is_found_again(world: World) -> None:
    """The hub answers as soon as it is back; nobody's server ends. Meanwhile the doctor names the server and what is wrong."""
    server = world.lab.service_version(f"{HUB}-grace")
    database.stop(world.lab.client)
    doctor = world.fab("doctor")
    database.start(world.lab.client)
    assert (doctor.code, f"the hub's database on the PostgreSQL server {database.HOST} cannot be used" in doctor.out) == (
        1,
        True,
    )
    assert "w%2Frd" not in doctor.text + world.lab.on(MANAGER, "docker", "ps", "--all", "--no-trunc"), doctor.text
    world.lab.wait(lambda: "grace" in world.users(), 60, "the hub does not find its database again")
    assert world.lab.service_version(f"{HUB}-grace") == server


def test_an_update_copies_the_database_and_a_rollback_puts_it_back(world: World) -> None:
    """Who came meanwhile is forgotten; what was on the server is set aside in a schema of its own."""
    before = json.loads(world.fab("releases", "--json").out)[-1]["number"]
    deployed = world.fab("deploy", "--yes", hosts=world.more)
    assert deployed.code == 0, deployed.text
    assert "copy the hub's database to jupyterhub_backups" in deployed.out
    world.lab.hub_api("POST", "users/later")
    assert "later" in world.users()
    back = world.fab("rollback", "--release", str(before), "--with-database", "--yes")
    assert back.code == 0, back.text
    world.lab.wait(world.lab.hub_answers, 60, "the hub does not answer")
    assert "later" not in world.users()
    aside = world.ask("select nspname from pg_namespace where nspname like 'before_%' order by 1").split()[-1]
    assert "later" in world.ask(f"select name from {aside}.users").split()  # noqa: S608
    assert json.loads(world.lab.hub_api("GET", "users/grace"))["servers"][""]["ready"]


def test_a_backup_brings_a_lost_database_back(world: World, context: BrowserContext) -> None:
    """The server is another one, with nothing in it: users come back, and a cookie from before logs in."""
    page = log_in(context, "grace")
    users = world.users()
    saved = world.fab("backup")
    assert saved.code == 0, saved.text
    database.lose(world.lab.client)
    assert world.ask("select count(*) from pg_tables where schemaname = 'public'") == "0"
    restored = world.fab("restore", "--yes")
    assert restored.code == 0, restored.text
    deployed = world.fab("deploy", "--yes")
    assert deployed.code == 0, deployed.text
    assert world.users() == users
    page.goto(f"{topology.HUB_URL}/hub/home")
    expect(page.locator("#stop")).to_be_visible()


def test_a_hub_moves_back_to_sqlite(world: World) -> None:
    """With all that has come on the server; its server goes on, and the secret with the URL is gone."""
    world.lab.hub_api("POST", "users/came-later")
    users, server = world.users(), world.lab.service_version(f"{HUB}-grace")
    done = world.fab("move-database", "--yes", hosts=world.plain)
    assert done.code == 0, done.text
    world.lab.wait(world.lab.hub_answers, 60, "the hub does not answer")
    assert (world.users(), world.lab.service_version(f"{HUB}-grace")) == (users, server)
    assert "database_url" not in world.lab.docker("secret", "ls", "--format", "{{.Name}}")
    assert world.lab.left_to_change() == ""
    world.lab.hub_api("DELETE", "users/came-later")
