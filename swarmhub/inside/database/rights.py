"""Take from a copy of the hub's database, before it is put back, what has been taken from people since it was made."""

import re
import sqlite3
import unicodedata
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

# What the hub keeps of who is in (hub/shared/people/listed.py).
DELETED, LET_IN, CURRENT = "deleted", "userlist.let-in", "userlist"
# A word of the userlist, as the hub reads it (hub/shared/people/userlist.py), or a comment.
WORD = re.compile(r'"((?:[^"]|"")*)"|([^\s"#][^\s#]*)|#.*')
# Each right's row, the person whom it is about, and what tells it from others, in whatever database.
RIGHTS = {
    "api_tokens": "select t.rowid, u.name, t.hashed from api_tokens t join users u on u.id = t.user_id",
    "user_role_map": "select m.rowid, u.name, r.name from user_role_map m join users u on u.id = m.user_id"
    " join roles r on r.id = m.role_id where r.name != 'user'",
    "user_group_map": "select m.rowid, u.name, g.name from user_group_map m join users u on u.id = m.user_id"
    " join groups g on g.id = m.group_id",
    "shares": "select s.rowid, o.name, p.name, u.name, g.name from shares s"
    " join users o on o.id = s.owner_id left join spawners p on p.id = s.spawner_id"
    " left join users u on u.id = s.user_id left join groups g on g.id = s.group_id",
    "share_codes": "select c.rowid, o.name, c.hashed from share_codes c join users o on o.id = c.owner_id",
}
# Of a database that cannot be read nobody knows what was taken: then all log in again, and only the userlist's admins are some.
UNKNOWN = ("api_tokens", "user_role_map")
OF_USERS = """
select tables.name, keys."from" from sqlite_master as tables, pragma_foreign_key_list(tables.name) as keys
where tables.type = 'table' and keys."table" = 'users'
"""


@dataclass(frozen=True)
class Now:
    """Who has an account now, with their session and the admin bit, and their rights by table."""

    users: dict[str, tuple[str, bool]]
    rights: dict[str, set[tuple[object, ...]]]


def without_taken(database: Path, access: Path) -> Callable[[sqlite3.Connection], None]:
    """Return what takes from a copy the accounts that were deleted since, and all that people no longer have in `database`."""
    listed, now = _userlist(access / CURRENT), _now(database)
    out = {*_userlist(access / LET_IN), *_lines(access / DELETED)} - listed.keys()
    admins = {name for name, is_admin in listed.items() if is_admin}

    def change(copy: sqlite3.Connection) -> None:
        if "api_tokens" not in tables(copy):
            return
        copy.execute("pragma foreign_keys = on")
        _delete(copy, out)
        _withdraw(copy, now or _unknown(copy, admins), RIGHTS if now else UNKNOWN)

    return change


def tables(opened: sqlite3.Connection) -> set[str]:
    """Return the names of a database's tables."""
    return {name for (name,) in opened.execute("select name from sqlite_master where type = 'table'")}


def _now(database: Path) -> Now | None:
    """Read the database that is replaced, if that can be."""
    try:
        with closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=rw", uri=True)) as opened:
            users = _users(opened)
            there = RIGHTS.keys() & tables(opened)
            return Now(users, {table: {row[1:] for row in opened.execute(RIGHTS[table])} for table in there}) if users else None
    except sqlite3.DatabaseError:
        return None


def _unknown(copy: sqlite3.Connection, admins: set[str]) -> Now:
    return Now({name: (cookie, name in admins) for name, (cookie, _) in _users(copy).items()}, {})


def _users(opened: sqlite3.Connection) -> dict[str, tuple[str, bool]]:
    return {name: (cookie, bool(admin)) for name, cookie, admin in opened.execute("select name, cookie_id, admin from users")}


def _delete(copy: sqlite3.Connection, names: set[str]) -> None:
    gone = [(name,) for name in _users(copy).keys() & names]
    for table, column in copy.execute(OF_USERS).fetchall():
        of_one = f"delete from {table} where {column} = (select id from users where name = ?)"  # noqa: S608 - the schema's own
        copy.executemany(of_one, gone)
    copy.executemany("delete from users where name = ?", gone)


def _withdraw(copy: sqlite3.Connection, now: Now, compared: Iterable[str]) -> None:
    """Take what people have no more; who has no account now and was not deleted keeps all, as where the database was lost."""
    values = [(cookie, admin, name) for name, (cookie, admin) in now.users.items()]
    copy.executemany("update users set cookie_id = ?, admin = (admin and ?) where name = ?", values)
    for table in tables(copy).intersection(compared):
        had = copy.execute(RIGHTS[table]).fetchall()
        gone = [(row,) for row, *right in had if right[0] in now.users and tuple(right) not in now.rights.get(table, ())]
        copy.executemany(f"delete from {table} where rowid = ?", gone)  # noqa: S608 - one of RIGHTS


def _userlist(file: Path) -> dict[str, bool]:
    """Return whom a userlist names, and whether as an admin."""
    words = map(_words, _lines(file))
    return {first: more == ["admin"] for first, *more in filter(None, words)}


def _words(line: str) -> list[str]:
    words = (quoted.replace('""', '"') or plain for quoted, plain in WORD.findall(line))
    return [unicodedata.normalize("NFC", word).lower() for word in words if word]


def _lines(file: Path) -> list[str]:
    """Return the lines of a file; the hub may have put a link there, or anything."""
    is_plain = file.is_file() and not file.is_symlink()
    return file.read_text(errors="replace").splitlines() if is_plain else []
