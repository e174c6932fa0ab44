"""The userlist in force, kept beside the database: that of the first image, then the one that was sent last."""

import json
import os
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, replace
from pathlib import Path

from hub.shared.database import Database
from hub.shared.people.userlist import GITHUB, Users, parse, render

FOLDER = "access"
CURRENT = "userlist"
# The image's at the hub's last start: a deploy with another one brings a newer one.
IMAGE = "userlist.deployed"
# A hub of an earlier release puts its image's list into force, unless it finds the same here.
IMAGE_BEFORE = "userlist.image"
# Everybody whom a userlist has let in, and whom nobody has taken out again.
LET_IN = "userlist.let-in"
# Who got in by the provider's own rules, such as a membership; all others were added in the console.
BY_PROVIDER = "by-provider"
# Whose account was deleted, and who has not been let in again: no older database or configuration brings them back.
DELETED = "deleted"
# The numbers of people's accounts, by kind: a name can be given up at the provider, and taken by somebody else.
ACCOUNTS = "accounts"
# Who was refused, because their account has another number than that of their name.
OTHERS = "accounts.refused"
FILES = (CURRENT, LET_IN, BY_PROVIDER, IMAGE, IMAGE_BEFORE, DELETED, OTHERS)

NO_ADMINS = "update users set admin = false where name = ?"
NO_ROLE = """
delete from user_role_map
where user_id = (select id from users where name = ?) and role_id = (select id from roles where name = 'admin')
"""


@dataclass(frozen=True)
class Listed:
    """Who stands in the userlist in force, who was let in by one at all, and who by the provider's rules.

    `image` is the text of the image's list at the hub's last start; `others` are names that somebody else has tried to log in
    by, whose account at the provider is another one.
    """

    current: Users
    let_in: Users
    by_provider: frozenset[str] = frozenset()
    image: str = ""
    deleted: frozenset[str] = frozenset()
    others: frozenset[str] = frozenset()

    @property
    def removed(self) -> frozenset[str]:
        """Return whom a userlist has let in, and the one in force does not."""
        return self.let_in.allowed - self.current.allowed

    @property
    def out(self) -> frozenset[str]:
        """Return who may not be there any more: whom the userlist removes, and whose account was deleted."""
        return (self.let_in.allowed | self.deleted) - self.current.allowed


def read(files: Mapping[str, str], provider: str = GITHUB) -> Listed:
    """Read the files of the folder, by name; what is not there is empty."""
    current, let_in = (parse(files.get(name, ""), provider)[0] for name in (CURRENT, LET_IN))
    by_provider, deleted, others = (frozenset(files.get(name, "").splitlines()) for name in (BY_PROVIDER, DELETED, OTHERS))
    return Listed(current, let_in, by_provider, files.get(IMAGE) or files.get(IMAGE_BEFORE, ""), deleted, others)


def load(folder: Path, provider: str = GITHUB) -> Listed:
    """Read the folder."""
    files = (folder / name for name in FILES)
    return read({file.name: file.read_text() for file in files if file.exists()}, provider)


def newer(kept: Listed, userlist: str, provider: str = GITHUB) -> dict[str, str]:
    """Return the files that put a newer userlist into force, with whom it removes: earlier hubs do not keep this."""
    wanted, before = parse(userlist, provider)[0], kept.let_in
    both = Users(before.allowed | wanted.allowed, before.admins | wanted.admins)
    removed = (both.allowed | kept.current.allowed) - wanted.allowed
    return {LET_IN: render(both), DELETED: _lines(kept.deleted | removed), CURRENT: userlist}


def enforce(folder: Path, image: str, database: Database, provider: str = GITHUB) -> None:
    """Shut out, before the hub answers anybody, who is out by the userlist in force; the image's is, where there is none yet.

    A deploy sends its list before the hub starts. So the list of an image that starts without one, as after a rollback,
    is an older one. What JupyterHub has in its database may be older, too: it never takes anything away by itself.
    """
    folder.mkdir(mode=0o770, exist_ok=True)
    kept = load(folder, provider)
    if not kept.current.allowed:
        _write(folder / CURRENT, image)
        kept = replace(kept, current=parse(image, provider)[0])
    _forget_accounts(folder, kept.deleted & kept.current.allowed)
    _withdraw(database, kept.let_in.admins - kept.current.admins, kept.out)
    _write(folder / DELETED, _lines(kept.out))
    _write(folder / LET_IN, render(kept.current))
    _write(folder / IMAGE, image)


def deleted(folder: Path) -> frozenset[str]:
    """Return whose accounts were deleted."""
    return _names(folder / DELETED)


def by_provider(folder: Path) -> frozenset[str]:
    """Return who got in by the provider's rules: a hub that starts asks for each user, and to read the lists takes long."""
    return _names(folder / BY_PROVIDER)


def remember(folder: Path, name: str) -> None:
    """Keep that somebody got in by the provider's rules."""
    known = by_provider(folder)
    if name not in known:
        _write(folder / BY_PROVIDER, _lines(known | {name}))


def is_same(folder: Path, kind: str, name: str, number: str) -> bool:
    """Tell whether an account is that of the name's first login, by its number of this kind; that of a first login is kept."""
    file = folder / ACCOUNTS
    known = json.loads(file.read_text()) if file.exists() else {}
    kept = known.setdefault(kind, {}).setdefault(name, number)
    if kept != number:
        _write(folder / OTHERS, _lines(_names(folder / OTHERS) | {name}))
        return False
    _write(file, json.dumps(known))
    return True


def welcome(folder: Path, name: str, *, anybody: bool) -> None:
    """Keep that somebody is in again, whose account was deleted; `anybody` may have the name, whatever account had it."""
    _write(folder / DELETED, _lines(deleted(folder) - {name}))
    if anybody:
        _forget_accounts(folder, {name})


def forget(folder: Path, name: str, provider: str = GITHUB) -> None:
    """Keep that somebody's account was deleted, and nothing else of them, but for what the userlist in force says."""
    known = load(folder, provider)
    _write(folder / DELETED, _lines(known.deleted | {name}))
    if name in known.by_provider:
        _write(folder / BY_PROVIDER, _lines(known.by_provider - {name}))
    if name in known.removed:
        left = Users(known.let_in.allowed - {name}, known.let_in.admins - {name})
        _write(folder / LET_IN, render(left))


def _forget_accounts(folder: Path, names: Set[str]) -> None:
    file = folder / ACCOUNTS
    if names and file.exists():
        known = json.loads(file.read_text())
        left = {kind: {one: known[kind][one] for one in known[kind].keys() - names} for kind in known}
        _write(file, json.dumps(left))
        _write(folder / OTHERS, _lines(_names(folder / OTHERS) - names))


def _names(file: Path) -> frozenset[str]:
    return frozenset(file.read_text().splitlines()) if file.exists() else frozenset()


def _withdraw(database: Database, admins: Iterable[str], accounts: Iterable[str]) -> None:
    """Take the admin's rights from some, and the accounts of others, with all tokens and sessions."""
    with database.opened() as db:
        tables = db.tables() if db else set[str]()
        if db is None or "users" not in tables:
            return
        known = {name for (name,) in db.rows("select name from users")}
        for statement in (NO_ADMINS, NO_ROLE):
            db.change(statement, [(name,) for name in known.intersection(admins)])
        names = [(name,) for name in known.intersection(accounts)]
        for table, column in db.of_users():
            # The names are the schema's own.
            db.change(f"delete from {table} where {column} = (select id from users where name = ?)", names)  # noqa: S608
        db.change("delete from users where name = ?", names)
        if "users_info" in tables:  # nativeauthenticator's passwords
            db.change("delete from users_info where username = ?", names)


def _lines(names: Iterable[str]) -> str:
    return "".join(f"{name}\n" for name in sorted(names))


def _write(file: Path, text: str) -> None:
    """Write a file whole, or not at all."""
    new = file.with_name(f"{file.name}.new")
    new.write_text(text)
    os.replace(new, file)
