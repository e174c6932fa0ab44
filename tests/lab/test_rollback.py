"""The way back: what ran before runs again, with its database if that is asked for."""

import json
import re
from typing import Any

from lab import topology
from tests.lab.support import HUB, Lab, Settings
from tests.lab.test_plan import edited

MANAGER = topology.MANAGER.name
DATA = "/var/lib/docker/volumes/jupyterhub-data/_data"
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


def give_another_schema(lab: Lab, release: Any) -> None:
    """Let a release say that its hub works with another schema of the database: its record is made anew."""
    name = f"{HUB}-release-{release['number']}"
    data = {key: value for key, value in release.items() if key != "id"} | {"schema": "older"}
    lab.docker("config", "rm", name)
    script = f'printf %s "$0" | docker config create --label swarmhub.release={HUB} {name} -'
    lab.on(MANAGER, "sh", "-c", script, json.dumps(data))


def test_what_ran_before_runs_again_with_its_database(deployed: Lab, settings: Settings, tmp_path: Any) -> None:
    """A deploy makes a release and copies the database; rollback refuses a schema that has moved on, then restores all."""
    assert deployed.fab("deploy", hosts=edited(settings, tmp_path)).code == 0
    # Before the copy, the hub that ran was told whom the new userlist adds.
    users = in_hub(deployed, USERS)
    *_, before, last = releases(deployed)
    assert last["hub_image"] != before["hub_image"]
    assert deployed.on(MANAGER, "stat", "-c", "%a", f"{DATA}/backups/{last['copy']}") == "600"
    in_hub(deployed, ADD_USER)
    give_another_schema(deployed, before)

    refused = deployed.fab("rollback")
    assert (refused.code, refused.err.count("\n")) == (1, 1)
    assert re.search(r"schema has moved on since release \d+ \(from older to \w+\)", refused.err)
    assert "--with-database" in refused.err

    done = deployed.fab("rollback", "--release", str(before["number"]), "--with-database")
    assert done.code == 0, done.text
    assert f"restore the hub's database from jupyterhub-data: backups/{last['copy']}" in done.out
    assert in_hub(deployed, USERS) == users
    assert before["hub_image"] in deployed.docker("service", "inspect", HUB, "--format", "{{json .Spec}}")
    assert releases(deployed)[-1]["number"] == last["number"] + 1
    assert deployed.fab("plan", "--exit-code").code == 0


def test_unknown_release_is_refused(deployed: Lab) -> None:
    """A number that no release has: one line with the numbers that there are."""
    done = deployed.fab("rollback", "--release", "9999")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert f"there is no release 9999; known: {releases(deployed)[0]['number']}" in done.err
