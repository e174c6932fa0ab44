"""What the hub keeps on its volume: open to root's group, for a hub before or after this one may run as another user.

A hub with thousands of people in its database starts about as fast as one with a few.
"""

import inspect
import os
import secrets
import sys
from collections.abc import Iterable, Mapping
from functools import wraps
from pathlib import Path
from typing import Any

from jupyterhub import orm
from jupyterhub.app import JupyterHub
from sqlalchemy import insert, select

UMASK = 0o007
# What JupyterHub makes where there is no such file.
COOKIE_SECRET_BYTES = 32


def share() -> None:
    """Let what is made from now on be its group's too, and nobody else's."""
    os.umask(UMASK)


def make(database: Path, cookies: Path) -> None:
    """Make what is missing of the files that SQLite and JupyterHub themselves would let nobody but their user write.

    An empty database is a new one to JupyterHub; the other file is the secret of the cookies.

    Raises:
        SystemExit: one is not the hub's to write, as after a copy that somebody put back by hand.

    """
    for file in (database, cookies):
        if file.exists() and not os.access(file, os.R_OK | os.W_OK):
            sys.exit(
                f"{file} is not the hub's to write. On the manager, in its volume: chgrp 0 {file.name}; chmod 660 {file.name}"
            )
    database.touch()
    if not cookies.exists():
        new = cookies.with_name(f"{cookies.name}.new")
        new.write_text(f"{secrets.token_hex(COOKIE_SECRET_BYTES)}\n")
        new.replace(cookies)


def hasten() -> None:
    """Let JupyterHub add users and members of groups at once: its own way asks and commits for each, and takes minutes."""
    own_users, own_groups = (inspect.unwrap(one) for one in (JupyterHub.init_users, JupyterHub.init_groups))

    @wraps(own_users)
    async def init_users(app: Any) -> None:
        _add_users(app)
        authenticator = app.authenticator
        allowed, _ = (
            {*_normal(app, authenticator.allowed_users)},
            authenticator.allow_existing_users,
        )  # its default goes by them
        authenticator.allowed_users = set()  # they are there: JupyterHub would ask for each
        await own_users(app)
        authenticator.allowed_users |= allowed | (authenticator.admin_users if allowed else set())

    @wraps(own_groups)
    async def init_groups(app: Any) -> None:
        members = _members(app)
        app.load_groups = {
            name: (given if isinstance(given, dict) else {}) | {"users": []} for name, given in app.load_groups.items()
        }
        await own_groups(app)
        _join(app.db, members)

    JupyterHub.init_users, JupyterHub.init_groups = init_users, init_groups


def _add_users(app: Any) -> None:
    """Add whom the configuration names and the database does not know.

    Raises:
        ValueError: a name is none.

    """
    admins = _normal(app, app.authenticator.admin_users)
    members = (one for users in _members(app).values() for one in users)
    named = _normal(app, [*admins, *app.authenticator.allowed_users, *members])
    if wrong := [one for one in named if not app.authenticator.validate_username(one)]:
        raise ValueError(f"username {wrong[0]!r} is not valid")
    known, roles = {*app.db.scalars(select(orm.User.name))}, [orm.Role.find(app.db, name) for name in ("user", "admin")]
    new = [one for one in named if one not in known]
    app.db.add_all([orm.User(name=one, admin=one in admins, roles=roles if one in admins else roles[:1]) for one in new])
    app.db.commit()


def _members(app: Any) -> dict[str, list[str]]:
    """Return who is to be in which group."""
    given = {name: one.get("users", ()) if isinstance(one, dict) else one for name, one in app.load_groups.items()}
    return {name: _normal(app, users) for name, users in given.items()}


def _normal(app: Any, names: Iterable[str]) -> list[str]:
    """Return names as JupyterHub spells them, each once."""
    return [*dict.fromkeys(map(app.authenticator.normalize_username, names))]


def _join(db: Any, members: Mapping[str, Iterable[str]]) -> None:
    """Add users to groups; both are there."""
    ids, table = dict(db.execute(select(orm.User.name, orm.User.id)).all()), orm.user_group_map
    for name, users in members.items():
        group = orm.Group.find(db, name)
        there = set(db.scalars(select(table.c.user_id).where(table.c.group_id == group.id)))
        if rows := [{"user_id": ids[one], "group_id": group.id} for one in users if ids[one] not in there]:
            db.execute(insert(table), rows)
    db.commit()
    # What was read before says nothing of who has joined.
    db.expire_all()
