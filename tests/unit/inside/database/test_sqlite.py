"""What runs beside the hub on its volume: copies of its SQLite database, on real files."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from swarmhub.history import database as database_room
from swarmhub.inside.database import sqlite as inside
from swarmhub.inside.database.sqlite import main

Do = Callable[..., dict[str, Any]]
ROWS = 200


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the volume's folder, empty."""
    (made := tmp_path / "data").mkdir()
    return made


@pytest.fixture(autouse=True)
def _root(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let whoever runs the tests have the copies."""
    monkeypatch.setattr(inside, "ROOT", os.getuid())


@pytest.fixture
def live(folder: Path) -> Path:
    """Return the hub's database: two users, and a schema."""
    file = folder / "jupyterhub.sqlite"
    with closing(sqlite3.connect(file)) as made:
        made.executescript(
            "create table users (name); insert into users values ('ada'), ('grace');"
            "create table alembic_version (version_num); insert into alembic_version values ('4621fec11365');"
        )
    return file


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Return where a copy goes: to a volume of its own, which a new engine's is open to be read."""
    (made := tmp_path / "copies").mkdir(0o755)
    return made / "before-2.sqlite"


@pytest.fixture
def do(capsys: pytest.CaptureFixture[str]) -> Do:
    """Return what does as told and reads the line it prints."""

    def act(action: str, *files: Path) -> dict[str, Any]:
        main(action, *(str(file) for file in files))
        (line,) = capsys.readouterr().out.splitlines()
        found: dict[str, Any] = json.loads(line)
        return found

    return act


def users(file: Path) -> list[str]:
    """Return the users in a database that is whole."""
    with closing(sqlite3.connect(file)) as opened:
        assert opened.execute("pragma integrity_check").fetchone() == ("ok",)
        return [name for (name,) in opened.execute("select name from users order by rowid")]


def add(file: Path, *names: str) -> None:
    """Add users."""
    with closing(sqlite3.connect(file)) as opened, opened:
        opened.executemany("insert into users values (?)", [(name,) for name in names])


def killed(file: Path, to: Path) -> Path:
    """Leave a database as a hub leaves it that is killed while it writes: half written, its journal beside it."""
    with closing(sqlite3.connect(file)) as opened:
        opened.executemany("insert into users values (?)", [("x" * 500,)] * 2000)
        opened.commit()
        opened.execute("pragma cache_size = 2")
        opened.execute("update users set name = 'torn'")
        to.parent.mkdir(exist_ok=True)
        shutil.copy(file, to)
        shutil.copy(f"{file}-journal", f"{to}-journal")
    return to


def test_a_database_is_looked_at(do: Do, live: Path) -> None:
    """Its size, the revision of its schema, and how many users it has."""
    assert do("look", live) == {"bytes": live.stat().st_size, "schema": "4621fec11365", "users": 2}


def test_no_database_is_nothing(do: Do, folder: Path) -> None:
    """Before the first hub there is none, and looking makes none."""
    assert (do("look", folder / "jupyterhub.sqlite"), list(folder.iterdir())) == ({"bytes": 0, "schema": "", "users": 0}, [])


@pytest.mark.parametrize("script", ["", "create table other (x)", "create table alembic_version (version_num)"])
def test_a_database_without_a_hubs_tables_has_neither_schema_nor_users(do: Do, folder: Path, script: str) -> None:
    """An empty file, and one that a hub has not filled yet, are no errors."""
    file = folder / "jupyterhub.sqlite"
    with closing(sqlite3.connect(file)) as made:
        made.executescript(script)
    found = do("look", file)
    assert (found["schema"], found["users"]) == ("", 0)


def test_a_copy_is_the_database(do: Do, live: Path, copy: Path) -> None:
    """Read by its owner only, since it holds the hashes of tokens; a deploy that failed after the copy makes it again."""
    before = live.read_bytes()
    do("copy", live, copy)
    assert (users(copy), live.read_bytes()) == (["ada", "grace"], before)
    assert (copy.stat().st_mode & 0o777, copy.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    add(live, "joan")
    do("copy", live, copy)
    assert users(copy) == ["ada", "grace", "joan"]


def test_nothing_but_the_copy_is_left(do: Do, live: Path, copy: Path) -> None:
    """What it was written to first, and what an earlier one left that was cut off, is gone."""
    (copy.parent / "before-2.sqlite.part").write_text("cut off")
    do("copy", live, copy)
    assert [file.name for file in copy.parent.iterdir()] == ["before-2.sqlite"]


def test_without_a_database_there_is_nothing_to_copy(do: Do, folder: Path, copy: Path) -> None:
    """A hub that never ran has none: that is no error, and leaves no file."""
    do("copy", folder / "jupyterhub.sqlite", copy)
    assert list(folder.iterdir()) == []


def test_what_is_not_committed_is_not_in_the_copy(do: Do, live: Path, copy: Path) -> None:
    """A hub in the middle of a transaction goes on, and the copy is from before it."""
    with closing(sqlite3.connect(live)) as hub:
        hub.execute("insert into users values ('half')")
        do("copy", live, copy)
        hub.commit()
    assert (users(copy), users(live)) == (["ada", "grace"], ["ada", "grace", "half"])


@pytest.fixture
def writing(live: Path) -> Iterator[None]:
    """Let a hub write all the while: each transaction changes every row to the same value."""
    over, begun = threading.Event(), threading.Event()
    add(live, *["0"] * ROWS)

    def write() -> None:
        with closing(sqlite3.connect(live, timeout=10)) as hub:
            number = 0
            # A hub is not at it without a pause: nobody else would ever have the file.
            while not over.wait(0.02):
                number += 1
                with hub:
                    hub.execute("update users set name = ?", (str(number),))
                begun.set()

    thread = threading.Thread(target=write)
    thread.start()
    assert begun.wait(10)
    yield
    over.set()
    thread.join()


@pytest.mark.usefixtures("writing")
def test_a_copy_of_a_database_in_use_is_whole(do: Do, live: Path, copy: Path) -> None:
    """While another connection writes, a copy is of one moment: every row of one and the same transaction."""
    do("copy", live, copy)
    assert (len(users(copy)), len(set(users(copy)))) == (ROWS + 2, 1)


def test_a_copy_has_what_is_in_the_write_ahead_log_only(do: Do, live: Path, copy: Path) -> None:
    """In WAL mode, what was committed last is in a file beside the database."""
    with closing(sqlite3.connect(live)) as hub:
        hub.execute("pragma journal_mode = wal")
        with hub:
            hub.execute("insert into users values ('joan')")
        do("copy", live, copy)
        assert users(copy) == ["ada", "grace", "joan"]


def test_the_database_of_a_hub_that_was_killed_is_copied(do: Do, live: Path, folder: Path, copy: Path) -> None:
    """What was half written is rolled back, as the hub itself would; it does not stop the deploy that mends the hub."""
    assert do("look", killed(live, folder / "seen" / "jupyterhub.sqlite"))["users"] == 2002
    do("copy", killed(live, folder / "left" / "jupyterhub.sqlite"), copy)
    assert "torn" not in users(copy)


def test_a_copy_is_put_back(do: Do, live: Path, copy: Path) -> None:
    """The database is as it was when it was copied, the hub's whatever its user; also where it is gone, and once more."""
    do("copy", live, copy)
    add(live, "joan")
    found = do("restore", live, copy)
    assert (users(live), users(copy), found["users"], live.stat().st_mode & 0o777) == (*[["ada", "grace"]] * 2, 2, 0o660)
    live.unlink()
    do("restore", live, copy)
    assert users(live) == ["ada", "grace"]


def test_what_was_left_beside_the_database_does_not_come_into_the_copy(do: Do, live: Path, folder: Path, copy: Path) -> None:
    """A journal of the database that is replaced would be rolled back into the one that replaces it."""
    do("copy", live, copy)
    left = killed(live, folder / "left" / "jupyterhub.sqlite")
    do("restore", left, copy)
    assert users(left) == ["ada", "grace"]


def test_a_copy_that_is_missing_leaves_the_database_alone(do: Do, live: Path, folder: Path, copy: Path) -> None:
    """The database and what belongs to it stay as they are, its journal too, and no half of a file stays on the volume."""
    left = killed(live, folder / "left" / "jupyterhub.sqlite")
    for database, beside in ((left, {"jupyterhub.sqlite", "jupyterhub.sqlite-journal"}), (live, {"jupyterhub.sqlite", "left"})):
        with pytest.raises(FileNotFoundError):
            do("restore", database, copy)
        assert {file.name for file in database.parent.iterdir()} == beside
    assert "torn" not in users(left)


def test_a_copy_that_is_damaged_is_not_put_back(do: Do, live: Path, copy: Path) -> None:
    """What is no database replaces none."""
    copy.touch(0o600)
    copy.write_bytes(b"no database at all" * 100)
    with pytest.raises(sqlite3.DatabaseError):
        do("restore", live, copy)
    assert users(live) == ["ada", "grace"]


def test_a_database_that_cannot_be_read_is_kept_as_it_is(do: Do, live: Path, copy: Path) -> None:
    """It must not bar the way to a better one: its copy is the file, byte by byte, for its owner only."""
    live.write_bytes(b"nothing that SQLite reads" * 100)
    state = do("copy", live, copy)
    assert (state["schema"], copy.read_bytes(), copy.stat().st_mode & 0o777) == ("damaged", live.read_bytes(), 0o600)


def test_a_copy_is_removed(do: Do, live: Path, copy: Path) -> None:
    """One that no release needs any more goes; that it is gone already is no error."""
    do("copy", live, copy)
    do("remove", live, copy)
    assert (copy.exists(), do("remove", live, copy)["users"]) == (False, 2)


def linked(copy: Path) -> None:
    """Put a link in place of a copy."""
    copy.rename(copy.with_name("other"))
    copy.symlink_to("other")


def piped(copy: Path) -> None:
    """Put a pipe in place of a copy."""
    copy.unlink()
    os.mkfifo(copy, 0o600)


@pytest.mark.parametrize(
    "replace",
    [
        linked,
        lambda copy: copy.chmod(0o640),
        lambda copy: os.link(copy, copy.with_name("twice")),
        piped,
    ],
    ids=["a link", "open to others", "with a second name", "no file"],
)
def test_a_copy_that_root_has_not_made_is_not_put_back(
    do: Do, live: Path, copy: Path, replace: Callable[[Path], object]
) -> None:
    """Whoever broke into the hub would bring in users and tokens of their own."""
    do("copy", live, copy)
    add(live, "joan")
    replace(copy)
    with pytest.raises(SystemExit, match="is not root's alone"):
        do("restore", live, copy)
    assert users(live) == ["ada", "grace", "joan"]


def test_a_copy_of_another_owner_is_not_put_back(do: Do, live: Path, copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor is one in a folder that is somebody else's."""
    do("copy", live, copy)
    monkeypatch.setattr(inside, "ROOT", os.getuid() + 1)
    with pytest.raises(SystemExit, match="is not root's alone"):
        do("restore", live, copy)


def test_a_database_that_is_a_link_is_not_touched(do: Do, live: Path, copy: Path) -> None:
    """The hub's user may put one there, and root would follow it."""
    live.rename(live.with_name("elsewhere"))
    live.symlink_to("elsewhere")
    for action in ("look", "copy", "open"):
        with pytest.raises(SystemExit, match="is no plain file"):
            do(action, live, *([copy] if action == "copy" else []))


@pytest.fixture
def before(folder: Path) -> Path:
    """Return the copies of an earlier release, on the hub's volume."""
    (made := folder / "backups").mkdir(0o700)
    for name in ("before-1.sqlite", "before-0.sqlite"):
        (made / name).touch(0o600)
        (made / name).write_text(name)
    return made


def test_copies_of_an_earlier_release_are_moved_out_of_the_hubs_reach(do: Do, live: Path, copy: Path, before: Path) -> None:
    """Before the first copy is made, or put back; what is no copy of root's stays where it is."""
    (before / "before-0.sqlite").chmod(0o644)
    do("copy", live, copy)
    assert sorted(one.name for one in copy.parent.iterdir()) == ["before-1.sqlite", "before-2.sqlite"]
    assert (copy.with_name("before-1.sqlite").read_text(), [one.name for one in before.iterdir()]) == (
        "before-1.sqlite",
        ["before-0.sqlite"],
    )


def test_copies_that_appear_later_are_not_taken(do: Do, live: Path, copy: Path, before: Path) -> None:
    """Once there are copies in their place, what is in the hub's folder is the hub's."""
    before.rename(before.with_name("hidden"))
    do("copy", live, copy)
    before.with_name("hidden").rename(before)
    do("copy", live, copy)
    assert [one.name for one in copy.parent.iterdir()] == ["before-2.sqlite"]


@pytest.mark.parametrize("mode", [0o755, 0o770])
def test_copies_in_a_folder_that_is_open_are_not_taken(do: Do, live: Path, copy: Path, before: Path, mode: int) -> None:
    """The hub may have made it."""
    before.chmod(mode)
    do("copy", live, copy)
    assert [one.name for one in copy.parent.iterdir()] == ["before-2.sqlite"]


@pytest.fixture
def alone(tmp_path: Path) -> list[str]:
    """Return the command that runs the script as in a container: with what is sent with it, and no package."""
    for name, file in database_room.SENT.items():
        (sent := tmp_path / "sent" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, sent)
    return [sys.executable, "-S", "-E", str(tmp_path / "sent" / database_room.IN_CONTAINER)]


def test_the_script_needs_nothing_but_python(alone: list[str], live: Path, copy: Path) -> None:
    """It runs alone in a container: a file, its arguments, and a line of JSON at the end."""
    command = [*alone, "copy", str(live), str(copy)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (json.loads(done.stdout)["users"], users(copy)) == (2, ["ada", "grace"])


def test_the_last_line_of_an_error_says_what_is_wrong(alone: list[str], live: Path, copy: Path) -> None:
    """The operator reads it; the lines above it are Python's."""
    copy.touch(0o600)
    copy.write_bytes(b"nothing that SQLite reads" * 100)
    command = [*alone, "restore", str(live), str(copy)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.splitlines()[-1]) == (1, "sqlite3.DatabaseError: file is not a database")


@pytest.fixture
def _group(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the hub's group be the one of whoever runs the tests."""
    monkeypatch.setattr(inside, "GROUP", os.getgid())


def modes(folder: Path) -> dict[str, int]:
    """Return the modes of all below a folder, and its own."""
    return {str(path.relative_to(folder)): path.lstat().st_mode & 0o777 for path in (folder, *folder.rglob("*"))}


@pytest.fixture
def roots(live: Path, folder: Path) -> Path:
    """Return the volume's folder as a hub has left it that ran as root."""
    folder.chmod(0o755)
    live.chmod(0o644)
    (folder / "jupyterhub_cookie_secret").touch(0o600)
    (folder / "access").mkdir(0o700)
    (folder / "access" / "userlist").touch(0o644)
    (folder / "backups").mkdir(0o700)
    (folder / "backups" / "before-1.sqlite").touch(0o600)
    return folder


@pytest.mark.usefixtures("_group")
def test_what_the_hub_keeps_is_opened_to_its_group_alone(do: Do, live: Path, roots: Path) -> None:
    """To the folders, too, for SQLite's journal; the copies stay root's; before the first hub the volume is empty."""
    (empty := roots / "empty").mkdir(0o755)
    do("open", empty / "jupyterhub.sqlite")
    assert modes(empty) == {".": 0o770}
    empty.rmdir()
    assert do("open", live)["users"] == 2
    assert modes(roots) == {
        ".": 0o770,
        "jupyterhub.sqlite": 0o660,
        "jupyterhub_cookie_secret": 0o660,
        "access": 0o770,
        "access/userlist": 0o660,
        "backups": 0o700,
        "backups/before-1.sqlite": 0o600,
    }


@pytest.mark.usefixtures("_group")
def test_what_is_open_already_stays_so(do: Do, live: Path, roots: Path) -> None:
    """Nothing is touched twice."""
    do("open", live)
    before = {path: path.stat().st_ctime_ns for path in roots.rglob("*")}
    do("open", live)
    assert {path: path.stat().st_ctime_ns for path in roots.rglob("*")} == before


@pytest.mark.usefixtures("_group")
def test_nothing_outside_the_volume_is_opened(
    do: Do, live: Path, roots: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Wherever a link may lead."""
    outside = tmp_path_factory.mktemp("outside") / "file"
    outside.touch(0o600)
    (roots / "link").symlink_to(outside)
    (roots / "folder").symlink_to(outside.parent)
    before = modes(outside.parent)
    do("open", live)
    assert modes(outside.parent) == before
