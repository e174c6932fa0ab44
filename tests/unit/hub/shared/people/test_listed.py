"""The userlist in force: the image's, or the one that was sent since."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from jupyterhub import orm

from hub.config.data import UMASK
from hub.shared.database import SQLite
from hub.shared.people import listed
from hub.shared.people.userlist import Users

ADA_AND_GRACE = "ada admin\ngrace\n"
TABLES = ("users", "user_role_map", "user_group_map", "spawners", "api_tokens")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return where the lists are kept; it is not there yet."""
    return tmp_path / "access"


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Return a hub's database in which Ada and Grace are admins."""
    path = tmp_path / "jupyterhub.sqlite"
    db = orm.new_session_factory(f"sqlite:///{path}")()
    role = orm.Role(name="admin", scopes=[])
    db.add_all([role, *(orm.User(name=name, admin=True, roles=[role]) for name in ("ada", "grace"))])
    db.commit()
    db.close()
    return path


def admins(database: Path) -> list[tuple[str, int, int]]:
    """Return who is there, with the admin bit and the number of roles."""
    query = "SELECT name, admin, (SELECT count(*) FROM user_role_map WHERE user_id = users.id) FROM users ORDER BY name"
    with closing(sqlite3.connect(database)) as connection:
        return list(connection.execute(query))


@pytest.fixture
def shared() -> Iterator[None]:
    """Let what is made be the group's, as in the hub."""
    before = os.umask(UMASK)
    yield
    os.umask(before)


def add(database: Path, name: str) -> None:
    """Add somebody to the database, as an older copy that is put back does."""
    with closing(sqlite3.connect(database)) as opened, opened:
        opened.execute("insert into users (name, admin, cookie_id) values (?, 1, ?)", (name, name))


def send(folder: Path, text: str) -> None:
    """Do what `fab users-sync` does with a list, when all of it is done."""
    for name in (listed.CURRENT, listed.LET_IN):
        (folder / name).write_text(text)


def test_the_images_userlist_counts_at_the_first_start(folder: Path, database: Path) -> None:
    """Nobody has been let in before, so nobody is removed."""
    listed.enforce(folder, ADA_AND_GRACE, SQLite(database))
    both = Users(frozenset({"ada", "grace"}), frozenset({"ada"}))
    assert (listed.load(folder).current, listed.load(folder).let_in) == (both, both)
    assert not listed.load(folder).removed


@pytest.mark.usefixtures("shared")
def test_the_lists_are_the_hubs_groups_alone(folder: Path, database: Path) -> None:
    """Another hub may have another user; nobody else has a look at them."""
    listed.enforce(folder, ADA_AND_GRACE, SQLite(database))
    assert [path.stat().st_mode & 0o777 for path in (folder, folder / listed.CURRENT)] == [0o770, 0o660]


def test_a_list_that_was_sent_outlives_a_restart(folder: Path, database: Path) -> None:
    """The image's is the same as at the last start: it is the older one."""
    listed.enforce(folder, ADA_AND_GRACE, SQLite(database))
    send(folder, "ada admin\nlinus\n")
    listed.enforce(folder, ADA_AND_GRACE, SQLite(database))
    assert listed.load(folder).current.allowed == {"ada", "linus"}


@pytest.mark.parametrize("image", [ADA_AND_GRACE, "ada admin\ngrace admin\nturing\n"], ids=["the same image", "another one"])
def test_who_was_removed_is_out_whatever_image_starts(folder: Path, database: Path, image: str) -> None:
    """A deploy sends its list first: that of an image is an older one, as after a rollback, and so may the database be."""
    listed.enforce(folder, "ada admin\ngrace admin\n", SQLite(database))
    (folder / listed.CURRENT).write_text("ada admin\n")
    for _ in range(2):
        listed.enforce(folder, image, SQLite(database))
        assert admins(database) == [("ada", 1, 1)]
        assert listed.load(folder).current.allowed == {"ada"}
        add(database, "grace")
    listed.enforce(folder, image, SQLite(database))
    assert listed.load(folder).out == {"grace"}


def test_all_of_who_is_out_goes(folder: Path, database: Path) -> None:
    """Tokens, sessions, servers, groups and shares; all of the others stays."""
    listed.enforce(folder, ADA_AND_GRACE, SQLite(database))
    db = orm.new_session_factory(f"sqlite:///{database}")()
    for user in db.query(orm.User):
        token = orm.APIToken(user=user, hashed=user.name, prefix="")
        db.add_all([token, orm.Spawner(user=user, name=""), orm.Group(name=f"of-{user.name}", users=[user])])
    db.commit()
    db.close()
    (folder / listed.CURRENT).write_text("ada admin\n")
    listed.enforce(folder, ADA_AND_GRACE, SQLite(database))
    with closing(sqlite3.connect(database)) as opened:
        counted = [opened.execute(f"select count(*) from {table}").fetchone()[0] for table in TABLES]  # noqa: S608
    assert counted == [1] * len(TABLES)


def test_who_is_listed_again_is_not_out(folder: Path, database: Path) -> None:
    """The list in force says so, whatever was before."""
    listed.enforce(folder, ADA_AND_GRACE, SQLite(database))
    listed.forget(folder, "grace")
    listed.enforce(folder, ADA_AND_GRACE, SQLite(database))
    assert not listed.load(folder).out
    assert admins(database) == [("ada", 1, 1), ("grace", 1, 1)]


def test_who_was_deleted_is_out_until_they_are_welcome(folder: Path, database: Path) -> None:
    """Somebody whom no list has ever named: an older database would bring them back."""
    listed.enforce(folder, "ada admin\n", SQLite(database))
    listed.forget(folder, "grace")
    listed.enforce(folder, "ada admin\n", SQLite(database))
    assert admins(database) == [("ada", 1, 1)]
    listed.welcome(folder, "grace", anybody=True)
    add(database, "grace")
    listed.enforce(folder, "ada admin\n", SQLite(database))
    assert [name for name, *_ in admins(database)] == ["ada", "grace"]


def test_a_newer_list_keeps_whom_it_removes() -> None:
    """Who was deleted before stays among them until the hub has added them again; who is to be removed may be in still."""
    files = {listed.CURRENT: ADA_AND_GRACE, listed.LET_IN: "ada admin\nhopper\n", listed.DELETED: "linus\nturing\n"}
    assert listed.newer(listed.read(files), "ada admin\nturing admin\n") == {
        listed.LET_IN: "ada admin\nhopper\nturing admin\n",
        listed.DELETED: "grace\nhopper\nlinus\nturing\n",
        listed.CURRENT: "ada admin\nturing admin\n",
    }


def test_what_an_earlier_release_kept_is_read(folder: Path) -> None:
    """A deploy asks which list the hub has started with."""
    folder.mkdir()
    (folder / listed.IMAGE_BEFORE).write_text(ADA_AND_GRACE)
    assert listed.load(folder).image == ADA_AND_GRACE
    (folder / listed.IMAGE).write_text("ada admin\n")
    assert listed.load(folder).image == "ada admin\n"


def test_who_is_no_admin_any_more_loses_bit_and_role(folder: Path, database: Path) -> None:
    """Grace was one by the list; JupyterHub by itself would leave it to her."""
    listed.enforce(folder, "ada admin\ngrace admin\n", SQLite(database))
    (folder / listed.CURRENT).write_text(ADA_AND_GRACE)
    listed.enforce(folder, ADA_AND_GRACE, SQLite(database))
    assert admins(database) == [("ada", 1, 1), ("grace", 0, 0)]


def test_who_was_made_an_admin_in_the_console_stays_one(folder: Path, database: Path) -> None:
    """No list has ever said that Grace is one."""
    listed.enforce(folder, ADA_AND_GRACE, SQLite(database))
    (folder / listed.CURRENT).write_text("ada admin\ngrace\nlinus\n")
    listed.enforce(folder, ADA_AND_GRACE, SQLite(database))
    assert admins(database) == [("ada", 1, 1), ("grace", 1, 1)]


def begun() -> bytes:
    """Return a database that a hub has not filled yet."""
    with closing(sqlite3.connect(":memory:")) as opened:
        opened.execute("create table alembic_version (version_num)")
        return opened.serialize()


@pytest.mark.parametrize("content", [None, b"", begun()], ids=["none", "empty", "begun"])
def test_a_list_is_taken_without_a_database(folder: Path, tmp_path: Path, content: bytes | None) -> None:
    """It may have been lost, or be yet to be filled: there is nobody to take the admin bit from, and none is made."""
    path = tmp_path / "none.sqlite"
    if content is not None:
        path.write_bytes(content)
    listed.enforce(folder, "ada admin\ngrace admin\n", SQLite(path))
    listed.enforce(folder, ADA_AND_GRACE, SQLite(path))
    assert (path.read_bytes() if path.exists() else None) == content


def test_who_was_deleted_is_not_counted_as_removed(folder: Path, database: Path) -> None:
    """An admin may let them in again, in the console."""
    listed.enforce(folder, "ada admin\ngrace\n", SQLite(database))
    (folder / listed.CURRENT).write_text("ada admin\n")
    listed.forget(folder, "grace")
    assert listed.load(folder).removed == set()


def test_who_is_listed_stays_so_when_deleted(folder: Path, database: Path) -> None:
    """A later list without them has to remove them."""
    listed.enforce(folder, ADA_AND_GRACE, SQLite(database))
    listed.forget(folder, "grace")
    assert listed.load(folder).let_in.allowed == {"ada", "grace"}


def test_who_got_in_by_the_provider_is_known_until_deleted(folder: Path, database: Path) -> None:
    """Whatever the provider calls them."""
    listed.enforce(folder, ADA_AND_GRACE, SQLite(database))
    for name in ("linus", "alan turing", "linus"):
        listed.remember(folder, name)
    assert listed.load(folder).by_provider == {"linus", "alan turing"}
    listed.forget(folder, "linus")
    assert listed.load(folder).by_provider == {"alan turing"}


def test_other_providers_names_are_read(folder: Path, database: Path) -> None:
    """Mail addresses, for one."""
    listed.enforce(folder, "ada@example.org admin\n", SQLite(database), "google")
    assert listed.load(folder, "google").current.admins == {"ada@example.org"}


def test_an_account_is_told_by_the_number_of_its_first_login(folder: Path, database: Path) -> None:
    """Each provider has its own numbers, and two people at one have two names."""
    listed.enforce(folder, ADA_AND_GRACE, SQLite(database))
    logins = [("github", "grace", "1"), ("github", "grace", "1"), ("github", "grace", "2"), ("google", "grace", "2")]
    assert [listed.is_same(folder, *one) for one in logins] == [True, True, False, True]
    assert listed.load(folder).others == {"grace"}


@pytest.mark.parametrize("anybody", [True, False])
def test_another_account_counts_only_once_the_name_is_given_anew(folder: Path, database: Path, anybody: bool) -> None:
    """Who was deleted may come back by a membership; the name stays theirs until the operator or an admin adds it."""
    listed.enforce(folder, "ada admin\n", SQLite(database))
    listed.is_same(folder, "github", "grace", "1")
    listed.is_same(folder, "github", "grace", "2")
    listed.forget(folder, "grace")
    listed.welcome(folder, "grace", anybody=anybody)
    assert bool(listed.load(folder).others) is not anybody
    assert listed.is_same(folder, "github", "grace", "2") is anybody


def test_who_is_listed_again_may_have_another_account(folder: Path, database: Path) -> None:
    """A deploy adds them by a restart."""
    listed.enforce(folder, ADA_AND_GRACE, SQLite(database))
    for name in ("ada", "grace"):
        listed.is_same(folder, "github", name, "1")
    listed.forget(folder, "grace")
    listed.enforce(folder, ADA_AND_GRACE, SQLite(database))
    assert [listed.is_same(folder, "github", name, "2") for name in ("ada", "grace")] == [False, True]
