"""A folder of the hub's on its way to another node: what is packed, what becomes of what was there, when a hub starts."""

import os
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from hub.config import data as of_hub
from swarmhub.inside import parcel

SCHEMA = Path(__file__).parent / "database" / "dumps" / "5.2.1.sql"
TIME = "20261130-010203"


class Node:
    """A node's container: its folder, and a place for what comes and goes."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.packed = folder / "data", folder / "parcel.tar.gz"
        self.folder.mkdir(parents=True)
        self._patch = monkeypatch

    def do(self, action: str, **job: Any) -> dict[str, Any]:
        self._patch.setattr(parcel, "FOLDER", self.folder)
        self._patch.setattr(parcel, "PARCEL", self.packed)
        return parcel.main({"action": action, **job})

    def names(self) -> list[str]:
        return sorted(one.name for one in self.folder.iterdir())


@pytest.fixture
def nodes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Node, Node]:
    """Return a node with a hub's data, and an empty one."""
    here, there = Node(tmp_path / "here", monkeypatch), Node(tmp_path / "there", monkeypatch)
    with closing(sqlite3.connect(here.folder / "jupyterhub.sqlite")) as made:
        made.executescript(SCHEMA.read_text())
        made.commit()
    (here.folder / "jupyterhub.sqlite").chmod(0o660)
    (here.folder / "cookie_secret").write_text("secret")
    (here.folder / "cookie_secret").chmod(0o640)
    (here.folder / "access").mkdir()
    (here.folder / "access").chmod(0o770)
    (here.folder / "access" / "current").write_text("ada admin\n")
    (here.folder / "link").symlink_to("access/current")
    (here.folder / "before-restore-1").mkdir()
    os.mkfifo(here.folder / "pipe")
    return here, there


def send(here: Node, there: Node, **job: Any) -> dict[str, Any]:
    """Pack on one node, and unpack on the other."""
    told = here.do("pack", only=job.pop("only", ()))
    there.packed.write_bytes(here.packed.read_bytes())
    return {**told, **there.do("unpack", **job)}


def users(node: Node) -> int:
    """Return how many users the node's database has."""
    with closing(sqlite3.connect(node.folder / "jupyterhub.sqlite")) as opened:
        return int(opened.execute("select count(*) from users").fetchone()[0])


def test_what_a_hub_keeps_arrives_as_it_is(nodes: tuple[Node, Node]) -> None:
    """With modes and links; not what was set aside before, nor what is no file."""
    here, there = nodes
    told = send(here, there, time=TIME, is_last=True)
    assert there.names() == ["access", "cookie_secret", "jupyterhub.sqlite", "link"]
    assert (there.folder / "cookie_secret").stat().st_mode & 0o777 == 0o640
    assert (there.folder / "jupyterhub.sqlite").stat().st_mode & 0o777 == 0o660
    assert (there.folder / "access").stat().st_mode & 0o777 == 0o770
    assert os.readlink(there.folder / "link") == "access/current"
    assert (told["files"], told["aside"], users(there)) == (3, "", users(here))


def test_a_folder_that_goes_while_it_is_packed_is_left_out(nodes: tuple[Node, Node], monkeypatch: pytest.MonkeyPatch) -> None:
    """The hub runs meanwhile."""
    here, there = nodes
    looked = Path.iterdir

    def gone(path: Path) -> Any:
        if path.name == "access":
            raise FileNotFoundError(2, "No such file or directory", str(path))
        return looked(path)

    monkeypatch.setattr(Path, "iterdir", gone)
    assert send(here, there, time=TIME, is_last=True)["files"] == 2


def test_a_database_in_use_is_copied_whole(nodes: tuple[Node, Node]) -> None:
    """What a hub has not committed yet is not in it, and SQLite's own files beside it stay where they are."""
    here, there = nodes
    with closing(sqlite3.connect(here.folder / "jupyterhub.sqlite")) as busy:
        busy.execute("pragma journal_mode = wal")
        busy.execute("insert into users (name, admin, cookie_id) values ('kept', 0, 'a')")
        busy.commit()
        busy.execute("insert into users (name, admin, cookie_id) values ('not yet', 0, 'b')")
        assert {"jupyterhub.sqlite-wal", "jupyterhub.sqlite-shm"} <= {*here.names()}
        send(here, there, time=TIME, is_last=True)
        busy.rollback()
    assert there.names() == ["access", "cookie_secret", "jupyterhub.sqlite", "link"]
    assert users(there) == users(here)


def test_no_hub_starts_before_the_last_of_it_has_come(nodes: tuple[Node, Node]) -> None:
    """It waits for it, and ends where it does not come; then Swarm goes back to the node that has all of it."""
    here, there = nodes
    send(here, there, time=TIME)
    assert there.do("look") == {"data": False}
    with pytest.raises(SystemExit, match="have not come within 0 s: fab move-hub or fab restore was interrupted"):
        of_hub.require_whole(there.folder, seconds=0, pause=0)
    send(here, there, time=TIME, is_last=True)
    of_hub.require_whole(there.folder, seconds=0)
    assert there.do("look") == {"data": True}


def test_a_second_try_takes_the_place_of_the_first(nodes: tuple[Node, Node]) -> None:
    """What was removed meanwhile does not come back, and nothing of it is set aside."""
    here, there = nodes
    send(here, there, time=TIME)
    (here.folder / "cookie_secret").unlink()
    assert send(here, there, time="20261130-999999", is_last=True)["aside"] == ""
    assert there.names() == ["access", "jupyterhub.sqlite", "link"]


def test_what_is_there_is_set_aside(nodes: tuple[Node, Node]) -> None:
    """It may be somebody's: nothing is deleted, and it does not travel on."""
    here, there = nodes
    (there.folder / "jupyterhub.sqlite").write_text("of another")
    assert send(here, there, time=TIME, is_last=True)["aside"] == f"before-move-{TIME}"
    assert (there.folder / f"before-move-{TIME}" / "jupyterhub.sqlite").read_text() == "of another"
    (here.folder / ".swarmhub-moved").write_text("there\n")
    assert send(there, here, time=TIME, is_last=True)["aside"] == f"before-move-{TIME}"
    assert not (here.folder / ".swarmhub-moved").exists()
    of_hub.require_whole(here.folder, seconds=0)


def test_what_a_hub_has_left_behind_starts_none(nodes: tuple[Node, Node]) -> None:
    """It is under a name that says where the hub is now; a second time there is nothing to do."""
    here, _ = nodes
    told = here.do("aside", to="swarm-manager2", time=TIME)
    assert told["aside"] == f"moved-to-swarm-manager2-{TIME}"
    assert (here.folder / told["aside"] / "cookie_secret").read_text() == "secret"
    assert here.do("look") == {"data": False}
    with pytest.raises(SystemExit, match="was moved to swarm-manager2, and its data here are of before"):
        of_hub.require_whole(here.folder)
    assert here.do("aside", to="root@a/b", time=TIME) == {"aside": ""}


def test_a_certificate_is_added_to_others(nodes: tuple[Node, Node]) -> None:
    """Those of other hubs on that node stay as they are: they may be newer."""
    here, there = nodes
    for node, content in ((here, "old"), (there, "new")):
        for name in ("other.example.org", *(["hub.example.org"] if node is here else [])):
            (node.folder / "archive" / name).mkdir(parents=True)
            (node.folder / "archive" / name / "privkey1.pem").write_text(content)
            (node.folder / "live" / name).mkdir(parents=True)
            (node.folder / "live" / name / "privkey.pem").symlink_to(f"../../archive/{name}/privkey1.pem")
    only = ("accounts", "archive/hub.example.org", "live/hub.example.org")
    send(here, there, only=only, time="")
    assert (there.folder / "live" / "hub.example.org" / "privkey.pem").read_text() == "old"
    assert (there.folder / "live" / "other.example.org" / "privkey.pem").read_text() == "new"
    assert there.names() == ["archive", "live"]


def test_what_is_no_hubs_database_is_not_started_with(nodes: tuple[Node, Node]) -> None:
    """The hub goes on where it is."""
    here, there = nodes
    (here.folder / "jupyterhub.sqlite").unlink()
    with closing(sqlite3.connect(here.folder / "jupyterhub.sqlite")) as made:
        made.execute("create table others (name)")
        made.commit()
    with pytest.raises(SystemExit, match="it is no JupyterHub's"):
        send(here, there, time=TIME, is_last=True)
    assert there.do("look") == {"data": False}


def test_a_link_that_takes_a_files_place_is_not_followed(nodes: tuple[Node, Node], monkeypatch: pytest.MonkeyPatch) -> None:
    """A hub that somebody has broken into would have the node's own files packed."""
    here, there = nodes
    outside = here.folder.parent / "outside"
    outside.write_text("of the node")
    asked = parcel._read

    def replaced(path: Path) -> bytes:
        if path.name == "cookie_secret":
            path.unlink()
            path.symlink_to(outside)
        return asked(path)

    monkeypatch.setattr(parcel, "_read", replaced)
    with pytest.raises(OSError, match="cookie_secret"):
        send(here, there, time=TIME, is_last=True)


def test_what_an_operator_has_written_there_stays(nodes: tuple[Node, Node]) -> None:
    """It is for all hubs of that node; where there is none yet, it comes."""
    here, there = nodes
    for node, text in ((here, "here"), (there, "there")):
        (node.folder / "hooks").mkdir()
        (node.folder / "cli.ini").write_text(text)
        (node.folder / "accounts").write_text(text)
    (here.folder / "hooks" / "new.sh").touch()
    send(here, there, only=("accounts", "cli.ini", "hooks"), spared=("cli.ini", "hooks"))
    assert [(there.folder / name).read_text() for name in ("cli.ini", "accounts")] == ["there", "here"]
    assert (there.folder / "hooks" / "new.sh").exists()


def test_a_certbot_at_work_is_waited_for(nodes: tuple[Node, Node]) -> None:
    """Half of a new certificate would go; the hub's data wait for no such file."""
    here, _ = nodes
    lock = here.folder / ".certbot.lock"
    held = (
        "import fcntl, sys; file = open(sys.argv[1], 'w'); fcntl.lockf(file, fcntl.LOCK_EX); print('held', flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", held, lock], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as certbot:
        assert certbot.stdout
        assert certbot.stdout.readline() == "held\n"
        here.do("pack")
        packing = threading.Thread(target=partial(here.do, "pack", only=("access",)))
        packing.start()
        packing.join(0.2)
        assert packing.is_alive()
        certbot.communicate("\n")
        packing.join(10)
    assert not packing.is_alive()
