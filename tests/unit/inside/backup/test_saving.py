"""What is saved, and what a backup says of it."""

import json
import os
import shutil
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from swarmhub.inside.backup import places, saving, witnesses
from swarmhub.inside.backup.places import Failed
from tests.unit.inside.backup.container import Container


def test_a_backup_says_what_it_saves(container: Container) -> None:
    """How far it is on the way, what was new, and what could not be read; the secrets are for nobody else."""
    done = container.do("save", is_hub=True, paths=[str(places.STAGE)], tags=["a:b"], node="m")
    answer = done["answer"]
    assert container.said == [{"done": 5, "total": 10}]
    assert (answer["bytes"], answer["added"], answer["unread"]) == (10, 4, ["/x: gone"])
    assert {stat.S_IMODE(one.stat().st_mode) for one in places.SECRETS.iterdir() if one.name != "said"} == {0o600}


def test_the_manifest_has_sums_and_numbers_of_rows(container: Container) -> None:
    """Of the copy that SQLite has made, which is whole."""
    snapshot = container.save_hub()
    found = json.loads(
        container.do("read", snapshot=snapshot, names=["../backup/manifest.json"])["answer"]["../backup/manifest.json"]
    )
    assert found["database"]["rows"]["users"] == 3
    assert (found["database"]["schema"], found["database"]["integrity"]) == ("4621fec11365", "ok")
    assert {"cluster.json", "jupyterhub.sqlite", "data/jupyterhub_cookie_secret"} <= found["files"].keys()
    assert found["restic"] == "restic 0.18.0"


def test_a_damaged_database_is_not_saved(container: Container) -> None:
    """A backup of it would be taken for a good one."""
    (places.DATA / "jupyterhub.sqlite").write_bytes(b"no database at all, and long enough to be read as one" * 50)
    done = container.do("save", is_hub=True, paths=[str(places.STAGE)], tags=["a:b"], node="m")
    assert (done["kind"], "the hub's database" in done["failed"]) == ("database", True)


def test_an_empty_database_is_not_saved(container: Container) -> None:
    """It could not be restored, and would be taken for the newest backup; so it is with another program's."""
    for content in (b"", b"create table notes (id int)"):
        file = places.DATA / "jupyterhub.sqlite"
        file.unlink()
        with closing(sqlite3.connect(file)) as opened:
            opened.executescript(content.decode())
        file.touch()
        done = container.do("save", is_hub=True, paths=[str(places.STAGE)], tags=["a:b"], node="m")
        assert (done["kind"], done["failed"].startswith("the hub's database: it is ")) == ("database", True), done


ELSEWHERE = {
    "the hub was moved to another manager": lambda: (places.DATA / ".swarmhub-moved").write_text("worker1\n"),
    "not all of the hub's data have come here": (lambda: (places.DATA / ".swarmhub-coming").touch()),
    "there are no data of a hub here": lambda: shutil.rmtree(places.DATA),
}


@pytest.mark.parametrize(("told", "change"), ELSEWHERE.items(), ids=ELSEWHERE)
def test_a_node_that_has_not_the_hub_saves_none(container: Container, told: str, change: Callable[[], object]) -> None:
    """As after a move, or on a manager that is to have the hub: a restore would take it for the newest."""
    change()
    places.DATA.mkdir(exist_ok=True)
    done = container.do("save", is_hub=True, paths=[str(places.STAGE)], tags=["a:b"], node="m")
    assert (done["kind"], done["failed"].startswith(told)) == ("absent", True), done


def test_a_file_that_goes_meanwhile_is_left_out(container: Container, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hub that runs replaces its own; the rest is saved."""
    (places.DATA / "access" / "userlist.new").touch()

    def sum_of(file: Path) -> str:
        file.unlink() if file.name == "userlist.new" else None
        return witnesses.sum_of(file)

    monkeypatch.setattr(saving, "sum_of", sum_of)
    assert "answer" in container.do("save", is_hub=True, paths=[str(places.STAGE)], tags=["a:b"], node="m")


@pytest.mark.parametrize("act", ["save", "forget"])
def test_the_lock_of_a_container_that_was_killed_bars_no_backup(container: Container, act: str) -> None:
    """As that of a thinning out, which comes after the next backup only; a lock that is alive stays."""
    jobs: dict[str, dict[str, Any]] = {
        "save": {"is_hub": True, "paths": [str(places.STAGE)], "tags": ["a:b"], "node": "m"},
        "forget": {"tag": "a:b", "keep": {"daily": 7}},
    }
    (container.repository / "lock").write_text("alive")
    assert container.do(act, **jobs[act])["kind"] == "locked"
    (container.repository / "lock").write_text("stale")
    assert "answer" in container.do(act, **jobs[act])


@pytest.fixture
def home(container: Container) -> Path:
    """Return a home with a folder, a link, a pipe and files, in a container that reads all of it."""
    (container.repository / "all-is-read").touch()
    made = places.HOMES / "ada"
    (made / "work").mkdir(parents=True)
    (made / "work" / "notes.txt").write_text("of the term")
    (made / "empty").touch()
    (made / "link").symlink_to("work/notes.txt")
    return made


def archive(container: Container, name: str = "ada") -> dict[str, Any]:
    """Archive a home, and return the answer."""
    return container.do("archive", home=name, tags=["a:b"], node="m")


def test_a_home_is_archived_and_read_back(container: Container, home: Path) -> None:
    """Alone, without the homes of others; a pipe has nothing that could be lost."""
    (places.HOMES / "grace").mkdir()
    os.mkfifo(home / "pipe")
    answer = archive(container)
    assert answer["answer"]["unread"] == []
    saved = container.repository / answer["answer"]["snapshot"] / str(places.HOMES)[1:]
    assert [one.name for one in saved.iterdir()] == ["ada"]


def replaced(file: Path, make: Callable[[Path], None]) -> None:
    """Put something else in the place of what has a name."""
    file.rename(file.with_name("x")) if file.is_dir() else file.unlink()
    make(file)


CHANGES: dict[str, Callable[[Path], object]] = {
    "other content of the same size": lambda home: (home / "work" / "notes.txt").write_text("of the tern"),
    "more content": lambda home: (home / "empty").write_text("more"),
    "a file that is gone": lambda home: (home / "empty").unlink(),
    "a file more": lambda home: (home / "work" / "new").touch(),
    "a link that leads elsewhere": lambda home: replaced(home / "link", lambda file: file.symlink_to("empty")),
    "a folder in the place of a file": lambda home: replaced(home / "empty", Path.mkdir),
    "a link in the place of a folder": lambda home: replaced(home / "work", lambda file: file.symlink_to("x")),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_what_is_not_in_the_archive_as_it_is_in_the_home_is_noticed(
    container: Container, home: Path, change: Callable[[Path], object]
) -> None:
    """Or it would be lost with the home."""
    answer = archive(container)["answer"]
    witnesses.require_same(home, answer["snapshot"], answer["bytes"])
    change(home)
    with pytest.raises(Failed, match="the archive"):
        witnesses.require_same(home, answer["snapshot"], answer["bytes"])


def test_a_home_that_is_not_read_whole_is_not_archived(container: Container, home: Path) -> None:
    """By restic's own words, here or on the way back; a link to another home is none."""
    (container.repository / "damaged").touch()
    assert archive(container) == {"failed": "pack is damaged", "kind": "restic"}
    (container.repository / "damaged").unlink()
    (container.repository / "all-is-read").unlink()
    assert archive(container) == {"failed": "not all of the home can be read: /x: gone", "kind": "disk"}
    (places.HOMES / "grace").symlink_to(home)
    assert archive(container, "grace") == {"failed": "the home grace is not there any more", "kind": "nothing"}
