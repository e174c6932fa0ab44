"""The userlist in force, kept beside the database: the image's, or the one that `fab users-sync` has sent since."""

import os
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from hub.shared.userlist import GITHUB, Users, parse, render

FOLDER = "access"
CURRENT = "userlist"
# The image's at the hub's last start: another one since then is a newer one.
IMAGE = "userlist.image"
# Everybody whom a userlist has let in, and whom nobody has taken out again.
LET_IN = "userlist.let-in"
# Who got in by the provider's own rules, such as a membership; all others were added in the console.
BY_PROVIDER = "by-provider"

NO_ADMINS = "update users set admin = 0 where name = ?"
NO_ROLE = """
delete from user_role_map
where user_id = (select id from users where name = ?) and role_id = (select id from roles where name = 'admin')
"""


@dataclass(frozen=True)
class Listed:
    """Who stands in the userlist in force, who was let in by one at all, and who by the provider's rules.

    `image` is the text of the image's list at the hub's last start.
    """

    current: Users
    let_in: Users
    by_provider: frozenset[str] = frozenset()
    image: str = ""

    @property
    def removed(self) -> frozenset[str]:
        """Return whom a userlist has let in, and the one in force does not."""
        return self.let_in.allowed - self.current.allowed


def read(files: Mapping[str, str], provider: str = GITHUB) -> Listed:
    """Read the files of the folder, by name; what is not there is empty."""
    current, let_in = (parse(files.get(name, ""), provider)[0] for name in (CURRENT, LET_IN))
    return Listed(current, let_in, frozenset(files.get(BY_PROVIDER, "").splitlines()), files.get(IMAGE, ""))


def load(folder: Path, provider: str = GITHUB) -> Listed:
    """Read the folder."""
    files = (folder / name for name in (CURRENT, LET_IN, BY_PROVIDER, IMAGE))
    return read({file.name: file.read_text() for file in files if file.exists()}, provider)


def adopt(folder: Path, image: str, database: Path, provider: str = GITHUB) -> None:
    """Put the image's userlist into force, if it is another than at the last start.

    JupyterHub only ever gives the admin bit: who had it by the list before has it taken here.
    """
    kept, (users, _) = load(folder, provider), parse(image, provider)
    if kept.image == image:
        return
    folder.mkdir(mode=0o770, exist_ok=True)
    before = kept.let_in
    _write(folder / LET_IN, render(Users(before.allowed | users.allowed, users.admins)))
    _write(folder / CURRENT, image)
    _take_admin(database, before.admins - users.admins)
    _write(folder / IMAGE, image)


def by_provider(folder: Path) -> frozenset[str]:
    """Return who got in by the provider's rules: a hub that starts asks for each user, and to read the lists takes long."""
    file = folder / BY_PROVIDER
    return frozenset(file.read_text().splitlines()) if file.exists() else frozenset()


def remember(folder: Path, name: str) -> None:
    """Keep that somebody got in by the provider's rules."""
    known = by_provider(folder)
    if name not in known:
        _write(folder / BY_PROVIDER, _lines(known | {name}))


def forget(folder: Path, name: str, provider: str = GITHUB) -> None:
    """Keep nothing of somebody who was deleted, but for what the userlist in force says."""
    known = load(folder, provider)
    if name in known.by_provider:
        _write(folder / BY_PROVIDER, _lines(known.by_provider - {name}))
    if name in known.removed:
        left = Users(known.let_in.allowed - {name}, known.let_in.admins - {name})
        _write(folder / LET_IN, render(left))


def _take_admin(database: Path, names: Iterable[str]) -> None:
    if names and database.exists() and database.stat().st_size:
        with closing(sqlite3.connect(database)) as db, db:
            for statement in (NO_ADMINS, NO_ROLE):
                db.executemany(statement, [(name,) for name in names])


def _lines(names: Iterable[str]) -> str:
    return "".join(f"{name}\n" for name in sorted(names))


def _write(file: Path, text: str) -> None:
    """Write a file whole, or not at all."""
    new = file.with_name(f"{file.name}.new")
    new.write_text(text)
    os.replace(new, file)
