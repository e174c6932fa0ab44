"""The way back: what ran before runs again, with its database if that is asked for."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from lab import topology
from tests.lab.support import HUB, ROOT, Done, Lab, variant
from tests.lab.test_images import labels

MANAGER, WORKER = topology.MANAGER.name, topology.WORKERS[0].name
BACKUPS = "/var/lib/docker/volumes/jupyterhub_backups/_data"
ADD_USER = """
import sqlite3
db = sqlite3.connect("/data/jupyterhub.sqlite", 20)
db.execute("insert into users (name, admin, created, cookie_id) values ('later', 0, '2026-11-23', 'x')")
db.commit()
"""
USERS = """
import sqlite3
print(*sorted(name for (name,) in sqlite3.connect("/data/jupyterhub.sqlite").execute("select name from users")))
"""


def in_hub(lab: Lab, script: str) -> str:
    """Run Python in the hub's container."""
    return lab.execute(HUB, "python3", "-c", script)


def releases(lab: Lab) -> Any:
    """Return the releases, the oldest first."""
    return json.loads(lab.fab("releases", "--json").out)


def give_schema(lab: Lab, release: Any, schema: str) -> None:
    """Let a release say that its hub works with a schema of the database: its record is made again."""
    name = f"{HUB}-release-{release['number']}"
    data = {key: value for key, value in release.items() if key != "id"} | {"schema": schema}
    lab.docker("config", "rm", name)
    script = f'printf %s "$0" | docker config create --label swarmhub.release={HUB} {name} -'
    lab.on(MANAGER, "sh", "-c", script, json.dumps(data))


@dataclass(frozen=True)
class Way:
    """A deploy, and the way back from it: what was said, and what was there before and in between."""

    labels: set[str]
    labels_there: set[str]
    users: str
    release: Any
    release_there: Any
    access: str
    there: Done
    refused: Done
    back: Done


@pytest.fixture(scope="module")
def way(settled: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Way]:
    """Deploy another userlist and no second image; let a user come, and the schema move on; then go back, with the database."""
    folder = tmp_path_factory.mktemp("way")
    (folder / "users").write_text((ROOT / "lab" / "userlist").read_text() + "lovelace\n")
    without = ('image = "registry.lab:5000/notebook-extra:lab"', 'memory_limit = "2G"')
    hosts = variant(folder, ('"userlist"', f'"{folder / "users"}"'), without)
    # The copy is made before the next hub adds whom the new userlist names.
    known, users = labels(settled, WORKER), in_hub(settled, USERS)
    there = settled.fab("deploy", "--yes", hosts=hosts)
    assert there.code == 0, there.text
    assert "lovelace" in in_hub(settled, USERS)
    *_, before, last = releases(settled)
    access = settled.on(MANAGER, "stat", "-c", "%a", f"{BACKUPS}/{last['copy']}")
    labels_there = labels(settled, WORKER)
    in_hub(settled, ADD_USER)
    give_schema(settled, before, "older")
    refused = settled.fab("rollback")
    back = settled.fab("rollback", "--release", str(before["number"]), "--with-database")
    assert back.code == 0, back.text
    # The way back has made a release that says so, too; other tests go back to that.
    for release in releases(settled):
        if release["schema"] == "older":
            give_schema(settled, release, before["schema"])
    yield Way(known, labels_there, users, before, last, access, there, refused, back)
    assert settled.fab("users-sync", "--yes").code == 0


def test_a_deploy_makes_a_release_and_copies_the_database(way: Way) -> None:
    """The copy is read by its owner only."""
    assert way.release_there["hub_image"] != way.release["hub_image"]
    assert way.access == "600"


def test_a_database_whose_schema_has_moved_on_is_not_left_behind(way: Way) -> None:
    """Rollback refuses it, and names the flag that takes the database back, too."""
    assert (way.refused.code, way.refused.err.count("\n")) == (1, 1)
    assert re.search(r"schema has moved on since release \d+ \(from older to \w+\)", way.refused.err)
    assert "--with-database" in way.refused.err


def test_what_ran_before_runs_again_with_its_database(settled: Lab, way: Way) -> None:
    """With the image that it had, and its users and whom the userlist in force names; that is a release of its own, and nothing
    is left to change.
    """
    assert f"restore the hub's database from jupyterhub_backups: {way.release_there['copy']}" in way.back.out
    assert {*in_hub(settled, USERS).split()} == {*way.users.split(), "lovelace"}
    assert way.release["hub_image"] in settled.docker("service", "inspect", HUB, "--format", "{{json .Spec}}")
    assert releases(settled)[-1]["number"] == way.release_there["number"] + 1
    assert settled.fab("plan", "--exit-code").code == 0


def test_labels_follow_the_hub_that_runs(settled: Lab, way: Way) -> None:
    """The label of a profile's image that is not wanted any more goes after the update; the way back brings it before."""
    gone = f"unlabel {WORKER} (not wanted any more)"
    assert way.there.out.rindex("update service") < way.there.out.rindex(gone)
    assert len(way.labels_there) == len(way.labels) - 1
    assert way.back.out.rindex(f"label {WORKER} (its images are there)") < way.back.out.rindex("update service")
    assert labels(settled, WORKER) == way.labels


def test_unknown_release_is_refused(deployed: Lab) -> None:
    """A number that no release has: one line with the numbers that there are."""
    done = deployed.fab("rollback", "--release", "9999")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert f"there is no release 9999; known: {releases(deployed)[0]['number']}" in done.err
