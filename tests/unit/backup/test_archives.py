"""Homes in the archive: how one is saved, and which are there."""

import json
from dataclasses import replace
from typing import Any

import pytest

from swarmhub.backup import archives, snapshots
from swarmhub.backup.snapshots import Listing
from swarmhub.errors import StepError, UsageError
from swarmhub.notebooks.files import Content
from swarmhub.notebooks.leaving import LeavingHome
from tests.unit.backup.answers import answering, jobs, repository
from tests.unit.backup.test_snapshots import LISTED, WHOLE, listed
from tests.unit.support.fakes import MANAGER, WORKER1, FakeHost, FakeProgress, settings

NAME = "jupyterhub-home-o-27neil"
HOME = LeavingHome("o'neil, b", "o'neil, b", WORKER1, {"Type": "volume"}, Content(3, 2000), volume=NAME)
ANSWER = {"files": 3, "bytes": 2000, "added": 500, "seconds": 1.5}
FIRST, SECOND = "20261129-220000", "20261130-220000"


def archived(run: str, name: str, user: str, host: str = WORKER1) -> dict[str, Any]:
    """Return the snapshot of an archived home as restic lists it."""
    one = listed(run, "archive", host, f"{run}-{name}")
    return {**one, "tags": [*one["tags"], f"home:{name}", f"user:{user}"]}


def known(*more: dict[str, Any]) -> Listing:
    """Return what a repository has, with archived homes."""
    return Listing(repository().address, "jupyterhub", snapshots.read([*LISTED, *more]))


def test_a_home_is_a_snapshot_of_its_own() -> None:
    """Its tags name it and its user, whatever letters these have; it is read, and never written to."""
    host, progress = FakeHost(WORKER1, answering({"answer": ANSWER})), FakeProgress()
    archives.to(repository(), SECOND).save(HOME, host, progress)
    (job,) = jobs(host)
    assert (job["action"], job["home"], job["node"]) == ("archive", NAME, WORKER1)
    assert job["tags"] == [
        "swarmhub:jupyterhub",
        f"run:{SECOND}",
        "part:archive",
        f"home:{NAME}",
        "user:o%27neil%2C%20b",
    ]
    body = next(one.body for one in host.engine.requests if str(one) == "POST /containers/create")
    mount = body["HostConfig"]["Mounts"][-1]
    assert (mount["Source"], mount["Target"], mount["ReadOnly"]) == (NAME, f"/homes/{NAME}", True)
    assert "3 files, 2.0 kB, read back whole; 500 bytes sent" in progress.lines[-1][1]
    (found,) = snapshots.read([archived(SECOND, NAME, "o%27neil%2C%20b")])[0].archived
    assert (found.name, found.user) == (NAME, "o'neil, b")


def test_a_folder_is_read_below_the_folder_of_all_homes() -> None:
    """What cannot be read back raises, so that it stays."""
    host = FakeHost(MANAGER, answering({"failed": "notes.txt is not in the archive as it is in the home", "kind": "damaged"}))
    home = replace(HOME, name="ada", volume="", mount={"Type": "bind", "Source": "/mnt/homes", "Target": "/srv/homes"})
    with pytest.raises(StepError, match=r"notes\.txt is not in the archive"):
        archives.to(repository(), SECOND).save(home, host, FakeProgress())
    body = next(one.body for one in host.engine.requests if str(one) == "POST /containers/create")
    assert body["HostConfig"]["Mounts"][-1] == {"Type": "bind", "Source": "/mnt/homes", "Target": "/homes", "ReadOnly": True}
    assert jobs(host)[0]["home"] == "ada"


def test_an_archive_is_listed_and_is_no_backup_of_a_hub() -> None:
    """Neither the newest, nor one that was cut off."""
    found = known(archived(SECOND, "a", "ada"), archived(SECOND, "g", "grace"))
    row = snapshots.rows(found)[0]
    assert (row[0], row[2], row[3]) == (SECOND, "-", "archived: ada, grace")
    assert snapshots.values(found)[-1]["archived"] == {"a": "ada", "g": "grace"}
    assert snapshots.choose(found, "").run == WHOLE
    with pytest.raises(UsageError, match=f"{SECOND} has archived homes only: fab restore --backup {SECOND} --home NAME"):
        snapshots.choose(found, SECOND)


def test_an_archive_that_says_not_whose_it_is_bars_no_way_back() -> None:
    """Somebody has taken its tags by restic."""
    odd = {**archived(SECOND, "a", "ada"), "tags": ["swarmhub:jupyterhub", f"run:{SECOND}", "part:archive"]}
    assert snapshots.choose(known(odd), "").run == WHOLE


def test_the_newest_archive_of_a_home_is_meant() -> None:
    """Or that of the run that was typed; of several homes one has to be named."""
    found = known(archived(FIRST, "a", "ada"), archived(SECOND, "a", "ada"), archived(SECOND, "a-lab", "grace"))
    ids = [one.snapshot.id if (one := snapshots.archived(found, typed, "ada")) else "" for typed in ("", FIRST, WHOLE)]
    assert ids == [f"{SECOND}-a", f"{FIRST}-a", ""]
    assert {name: one.snapshot.id for name, one in snapshots.kept(found.backups).items()} == {
        "a": f"{SECOND}-a",
        "a-lab": f"{SECOND}-a-lab",
    }
    with pytest.raises(UsageError, match="ada has several homes in the archive: a, a-x; name one of them"):
        snapshots.archived(known(archived(FIRST, "a", "ada"), archived(SECOND, "a-x", "ada")), "", "ada")
    chosen = snapshots.archived(known(archived(FIRST, "ada", "ada"), archived(SECOND, "a-x", "ada")), "", "ada")
    assert chosen
    assert chosen.name == "ada"


def test_when_a_home_was_last_saved_is_told_by_whole_backups() -> None:
    """By what they say that they have; all in one folder have been saved with it."""
    told = [{"name": "a", "user": "ada", "host": WORKER1}, {"name": "g", "user": "grace", "host": "gone"}]
    facts = json.dumps({"homes": told})
    host = FakeHost(MANAGER, answering({"answer": {"cluster.json": facts}}))
    saved = archives.saved(host, repository(), settings(), known().backups)
    assert {key: f"{at:%Y-%m-%d}" for key, at in saved.items()} == {(WORKER1, "a"): "2026-11-28"}
    shared = settings(home={"type": "path", "path": "/mnt/homes"})
    assert [*archives.saved(host, repository(), shared, known().backups)] == [(WORKER1, "")]
