"""What a copy of the hub's database brings back: nothing that has been taken from people since."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from jupyterhub import orm
from sqlalchemy.orm import Session

from hub.shared.people import listed
from hub.shared.people.userlist import Users, parse
from swarmhub.inside.database import rights

PEOPLE = ("ada", "grace", "linus", "eve")
SECOND = "2026-11-29 10:00:00"


@pytest.fixture
def opened() -> Iterator[Callable[[Path], Session]]:
    """Return what opens a hub's database, for as long as a test lasts."""
    sessions = list[Session]()

    def open_(path: Path) -> Session:
        sessions.append(orm.new_session_factory(f"sqlite:///{path}")())
        return sessions[-1]

    yield open_
    for session in sessions:
        session.close()


@pytest.fixture
def copy(tmp_path: Path, opened: Callable[[Path], Session]) -> Path:
    """Return a copy in which all four are admins, have a token, a group, and a share with Ada."""
    path = tmp_path / "copy.sqlite"
    db = opened(path)
    admin, staff = orm.Role(name="admin", scopes=[]), orm.Group(name="staff")
    users = [orm.User(name=name, admin=True, cookie_id=name, roles=[admin], groups=[staff]) for name in PEOPLE]
    tokens = [orm.APIToken(user=user, hashed=user.name, prefix="") for user in users]
    db.add_all([admin, *users, *tokens])
    db.commit()
    for user in users:
        spawner = orm.Spawner(user=user, name="")
        db.add(orm.Share(owner=user, spawner=spawner, user=users[0], scopes=[], created_at=user.created))
    db.commit()
    return path


@pytest.fixture
def now(tmp_path: Path, copy: Path) -> Path:
    """Return the database that runs, which is as the copy, and beside it that the userlist names Ada and Grace."""
    path = tmp_path / "data" / "jupyterhub.sqlite"
    (path.parent / "access").mkdir(parents=True)
    for name in (listed.CURRENT, listed.LET_IN):
        (path.parent / "access" / name).write_text("Ada admin  # runs it\ngrace\n")
    path.write_bytes(copy.read_bytes())
    return path


def put_back(copy: Path, now: Path) -> None:
    """Do to the copy what is done before it is put back."""
    change = rights.without_taken(now, now.parent / "access")
    with closing(sqlite3.connect(copy)) as opened, opened:
        change(opened)


def rows(copy: Path, query: str) -> list[Any]:
    """Return the first column of what a copy says."""
    with closing(sqlite3.connect(copy)) as opened:
        return [one for one, *_ in opened.execute(query)]


def change(now: Path, *statements: str) -> None:
    """Let something happen to the database that runs."""
    with closing(sqlite3.connect(now)) as opened, opened:
        for one in statements:
            opened.execute(one)


NAMES = "select name from users order by id"
EACH = {
    "accounts": NAMES,
    "admins": "select name from users where admin order by id",
    "roles": "select name from user_role_map join users on users.id = user_id order by users.id",
    "groups": "select name from user_group_map join users on users.id = user_id order by users.id",
    "tokens": "select name from api_tokens join users on users.id = user_id order by users.id",
    "shares": "select name from shares join users on users.id = owner_id order by users.id",
}


def each(*names: str) -> dict[str, list[str]]:
    """Return that all of these, and nobody else, have everything."""
    return {what: [*names] for what in EACH}


def test_nothing_is_taken_that_is_still_there(copy: Path, now: Path) -> None:
    """A copy of what runs stays as it is."""
    put_back(copy, now)
    assert {what: rows(copy, query) for what, query in EACH.items()} == each(*PEOPLE)


@pytest.mark.parametrize("file", [listed.DELETED, listed.LET_IN])
def test_who_was_removed_is_not_brought_back(copy: Path, now: Path, file: str) -> None:
    """Linus's account was deleted, or the userlist names him no more: all of his goes, and nothing of the others."""
    (now.parent / "access" / file).write_text("ada admin\ngrace\nlinus\n")
    change(now, "delete from users where name = 'linus'")
    put_back(copy, now)
    assert {what: rows(copy, query) for what, query in EACH.items()} == each("ada", "grace", "eve")


def test_who_is_listed_again_keeps_the_account(copy: Path, now: Path) -> None:
    """Grace was deleted, and the userlist in force names her; the hub has not added her yet."""
    (now.parent / "access" / listed.DELETED).write_text("grace\n")
    change(now, "delete from users where name = 'grace'")
    put_back(copy, now)
    assert rows(copy, NAMES) == [*PEOPLE]


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ('"Linus Torvalds"', "linus torvalds"),
        ('"linus ""t"""', 'linus "t"'),
        ('"linus#1"', "linus#1"),
        ("jose\u0301", "jos\u00e9"),
    ],
)
def test_the_userlist_is_read_as_the_hub_reads_it(copy: Path, now: Path, written: str, name: str) -> None:
    """Whoever was deleted and is listed again keeps the account, and is an admin though the database is lost."""
    text = f"ada admin\n{written} admin  # since 1991\n"
    assert parse(text, "google") == (Users(frozenset({"ada", name}), frozenset({"ada", name})), ())
    (now.parent / "access" / listed.CURRENT).write_text(text)
    (now.parent / "access" / listed.DELETED).write_text(f"{name}\n")
    with closing(sqlite3.connect(copy)) as opened, opened:
        opened.execute("update users set name = ? where name = 'linus'", (name,))
    now.unlink()
    put_back(copy, now)
    assert rows(copy, EACH["admins"]) == ["ada", name]


TAKEN = {
    "admins": "update users set admin = 0 where name = 'linus'",
    "roles": "delete from user_role_map where user_id = 3",
    "groups": "delete from user_group_map where user_id = 3",
    "tokens": "delete from api_tokens where user_id = 3",
    "shares": "delete from shares where owner_id = 3",
}


@pytest.mark.parametrize("what", TAKEN)
def test_a_right_that_was_taken_is_not_brought_back(copy: Path, now: Path, what: str) -> None:
    """Linus has lost it since, and only that."""
    change(now, TAKEN[what])
    put_back(copy, now)
    left = {one: rows(copy, query) for one, query in EACH.items()}
    assert left == each(*PEOPLE) | {what: ["ada", "grace", "eve"]}


def test_sessions_are_those_of_now(copy: Path, now: Path) -> None:
    """A cookie from before a logout is good for nothing."""
    change(now, "update users set cookie_id = 'new' where name = 'linus'")
    put_back(copy, now)
    assert rows(copy, "select cookie_id from users order by id") == ["ada", "grace", "new", "eve"]


def test_what_was_lost_comes_back(copy: Path, now: Path) -> None:
    """Eve is not in the database that runs, and nobody has deleted her: it may have been lost."""
    change(now, "delete from users where name = 'eve'")
    put_back(copy, now)
    assert {what: rows(copy, query) for what, query in EACH.items()} == each(*PEOPLE)


@pytest.mark.parametrize("content", [None, b"", b"no database" * 100], ids=["gone", "empty", "damaged"])
def test_of_a_database_that_cannot_be_read_all_is_taken_that_may_have_been(
    copy: Path, now: Path, content: bytes | None
) -> None:
    """All log in again, and only the userlist's admins are some; who was deleted is deleted."""
    (now.parent / "access" / listed.DELETED).write_text("linus\n")
    now.unlink() if content is None else now.write_bytes(content)
    put_back(copy, now)
    left = ["ada", "grace", "eve"]
    assert {what: rows(copy, query) for what, query in EACH.items()} == {
        "accounts": left,
        "admins": ["ada"],
        "roles": [],
        "groups": left,
        "tokens": [],
        "shares": left,
    }


def test_a_link_in_place_of_a_list_is_not_followed(copy: Path, now: Path, tmp_path: Path) -> None:
    """The hub's user can put one there."""
    (tmp_path / "elsewhere").write_text("eve\n")
    (now.parent / "access" / listed.DELETED).symlink_to(tmp_path / "elsewhere")
    put_back(copy, now)
    assert rows(copy, NAMES) == [*PEOPLE]


def test_the_files_have_the_names_that_the_hub_gives_them() -> None:
    """The script is sent alone, so it repeats them."""
    assert (rights.CURRENT, rights.LET_IN, rights.DELETED) == (listed.CURRENT, listed.LET_IN, listed.DELETED)
