"""What an update of JupyterHub leaves of what people do, and the way back from it."""

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from swarmhub.people.api import HubApi
from tests.lab import empty
from tests.lab.counting import counting, server_of_ada
from tests.lab.going_back import in_hub, releases
from tests.lab.support import Lab, variant
from tests.report import Row
from tests.scorecard import older, servers
from tests.scorecard.counts import times
from tests.scorecard.moments import wipe

pytestmark = pytest.mark.timeout(7200)
# A notebook image goes with the hub's JupyterHub: it is built with the older one, too.
NOTEBOOK = ("[notebook]\n", f'[notebook]\npackages = ["jupyterhub=={older.VERSION}"]\n')
SCHEMA = """
import sqlite3
print(*sqlite3.connect("/data/jupyterhub.sqlite").execute("select version_num from alembic_version").fetchone())
"""


@dataclass(frozen=True)
class Hub:
    """What a hub says of itself: JupyterHub's version, the schema of its database, and whom it knows."""

    version: str
    schema: str
    users: frozenset[str]


@pytest.fixture
def before(lab: Lab, tmp_path: Path) -> Iterator[Lab]:
    """Deploy the older JupyterHub on a cluster that has had no other."""
    folder = tmp_path / "older"
    folder.mkdir()
    empty.keep_packages(lab)
    wipe(lab)
    done = older.checkout(lab, folder).fab("deploy", "--yes", hosts=variant(tmp_path, NOTEBOOK))
    assert done.code == 0, done.text
    yield lab
    lab.let_stand()


def test_updated_and_back(before: Lab, seen: Row) -> None:
    """17. JupyterHub is updated from an older release with servers that run, and goes back with the database."""
    lab, count, users = before, times(10), [f"card{number}" for number in range(times(20))]
    there, back = list[float](), list[float]()
    servers.start(lab, users)
    with server_of_ada(lab) as server:
        told = lab.in_server("ada", "jupyterhub-singleuser --version")
        tasks, old, release = servers.tasks(lab, [*users, "ada"]), _hub(lab), str(releases(lab)[-1]["number"])
        assert (old.version, told) == (older.VERSION, older.VERSION)
        for _ in range(count):
            there.append(_timed(lab, server, "deploy", "--yes"))
            now = _hub(lab)
            assert (now.version != old.version, now.schema != old.schema, now.users) == (True, True, old.users)
            assert _running(lab, users) == tasks
            lab.hub_api("POST", "users/later")
            refused = lab.fab("rollback", "--release", release)
            moved = f"schema has moved on since release {release} (from {old.schema} to {now.schema})"
            assert (refused.code, moved in refused.err, "--with-database" in refused.err) == (1, True, True), refused.text
            back.append(_timed(lab, server, "rollback", "--release", release, "--with-database", "--yes"))
            assert _hub(lab) == old
            assert _running(lab, users) == tasks
        servers.stop(lab, users)
    seen(f"{count} times from JupyterHub {old.version} to {now.version}, which changed the database's schema, and back")
    seen(f"{len(users) + 1} servers, with JupyterHub {told} in their image: none lost, a kernel's websocket kept")
    seen("the way back without the database is refused; with it, the copy from before the change is what the hub works with")
    seen(f"{min(there):.0f} to {max(there):.0f} s there, {min(back):.0f} to {max(back):.0f} s back")


def _hub(lab: Lab) -> Hub:
    version = json.loads(lab.hub_api("GET", ""))["version"]
    users = json.loads(lab.hub_api("GET", "users"))
    return Hub(version, in_hub(lab, SCHEMA), frozenset(one["name"] for one in users))


def _running(lab: Lab, users: Sequence[str]) -> str:
    """Return what tells the servers from any others; the hub knows all of them as ready."""
    known = {one["name"] for one in json.loads(lab.hub_api("GET", "users?state=ready"))}
    assert known == {*users, "ada"}
    return servers.tasks(lab, [*users, "ada"])


def _timed(lab: Lab, server: HubApi, *command: str) -> float:
    """Run `fab` while a kernel counts, and return how long it took until the hub answers."""
    with counting(lab, server):
        began = time.monotonic()
        done = lab.fab(*command)
        assert done.code == 0, done.text
        lab.wait(lab.hub_answers, 60, "the hub does not answer")
        return time.monotonic() - began
