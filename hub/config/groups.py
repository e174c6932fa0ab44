"""The groups of `hosts.toml` in the hub's database, beside those of the admin console."""

import inspect
import json
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from functools import wraps
from pathlib import Path
from typing import Any

RECORD = "groups.json"
LEAVE = """
delete from user_group_map
where group_id = (select id from groups where name = ?) and user_id = (select id from users where name = ?)
"""
MEMBERS = """
select users.name from users
join user_group_map on users.id = user_id join groups on groups.id = group_id
where groups.name in ({})
"""

Groups = Mapping[str, Iterable[str]]


def configure(c: Any, groups: Groups) -> None:
    """Let JupyterHub make the groups, and add their members at once: for each, its own way asks and commits several times."""
    from jupyterhub.app import JupyterHub  # not for the culler, which only asks for members

    own = inspect.unwrap(JupyterHub.init_groups)

    @wraps(own)
    async def init_groups(app: Any) -> None:
        named = _members(app)
        app.load_groups = {
            name: (given if isinstance(given, dict) else {}) | {"users": []} for name, given in app.load_groups.items()
        }
        await own(app)
        await _join(app, named)

    JupyterHub.init_groups = init_groups
    c.JupyterHub.load_groups = {name: {"users": list(users)} for name, users in groups.items()}


def _members(app: Any) -> dict[str, list[str]]:
    """Return who is to be in which group, as JupyterHub spells their names.

    Raises:
        ValueError: a name is none.

    """
    given = {name: one.get("users", ()) if isinstance(one, dict) else one for name, one in app.load_groups.items()}
    named = {name: [*dict.fromkeys(map(app.authenticator.normalize_username, users))] for name, users in given.items()}
    wrong = next((one for users in named.values() for one in users if not app.authenticator.validate_username(one)), None)
    if wrong is not None:
        raise ValueError(f"Username {wrong!r} is not valid")
    return named


async def _join(app: Any, named: Mapping[str, Iterable[str]]) -> None:
    """Add members to groups that are there; make the users who are not."""
    from jupyterhub import orm
    from jupyterhub.utils import maybe_future
    from sqlalchemy import insert, select

    db, table = app.db, orm.user_group_map
    ids: dict[str, int] = dict(db.execute(select(orm.User.name, orm.User.id)).all())
    lacking = dict.fromkeys(one for users in named.values() for one in users if one not in ids)
    role = orm.Role.find(db, "user")
    made = [orm.User(name=one, roles=[role]) for one in lacking]
    db.add_all(made)
    db.commit()
    ids |= {user.name: user.id for user in made}
    for name, users in named.items():
        group = orm.Group.find(db, name)
        there = set(db.scalars(select(table.c.user_id).where(table.c.group_id == group.id)))
        if rows := [{"user_id": ids[one], "group_id": group.id} for one in users if ids[one] not in there]:
            db.execute(insert(table), rows)
    db.commit()
    for user in made:
        await maybe_future(app.authenticator.add_user(user))
    # What was read before says nothing of who has joined.
    db.expire_all()


def drop_members(data: Path, database: Path, groups: Groups) -> None:
    """Take out of the groups who was named in `hosts.toml` at the hub's last start, and is no more.

    JupyterHub only ever adds. A record in `data` tells apart who was added in the
    admin console: they stay.
    """
    record = data / RECORD
    before: Groups = json.loads(record.read_text()) if record.exists() else {}
    now = {(name, user) for name, users in groups.items() for user in users}
    gone = [one for one in ((name, user) for name, users in before.items() for user in users) if one not in now]
    if gone and database.exists() and database.stat().st_size:
        with closing(sqlite3.connect(database)) as db, db:
            db.executemany(LEAVE, gone)
    written = record.with_suffix(".new")
    written.write_text(json.dumps(groups))
    written.replace(record)


def members(database: Path, names: Iterable[str]) -> set[str]:
    """Return who is in one of the groups, however they got there."""
    wanted = list(names)
    query = MEMBERS.format(", ".join("?" * len(wanted)))
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as db:
        return {name for (name,) in db.execute(query, wanted)}
