"""The groups of `hosts.toml` in the hub's database, beside those of the admin console."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from hub.shared.database import Database

RECORD = "groups.json"
LEAVE = """
delete from user_group_map
where group_id = (select id from groups where name = ?) and user_id = (select id from users where name = ?)
"""
OF_USER = """
select groups.name from groups
join user_group_map on groups.id = group_id join users on users.id = user_id
where users.name = ?
"""

Groups = Mapping[str, Iterable[str]]


def configure(c: Any, groups: Groups) -> None:
    """Let JupyterHub make the groups and add their members."""
    c.JupyterHub.load_groups = {name: {"users": list(users)} for name, users in groups.items()}


def drop_members(data: Path, database: Database, groups: Groups) -> None:
    """Take out of the groups who was named in `hosts.toml` at the hub's last start, and is no more.

    JupyterHub only ever adds. A record in `data` tells apart who was added in the
    admin console: they stay.
    """
    record = data / RECORD
    before: Groups = json.loads(record.read_text()) if record.exists() else {}
    now = {(name, user) for name, users in groups.items() for user in users}
    gone = [one for one in ((name, user) for name, users in before.items() for user in users) if one not in now]
    if gone:
        with database.opened() as db:
            if db and "user_group_map" in db.tables():
                db.change(LEAVE, gone)
    written = record.with_suffix(".new")
    written.write_text(json.dumps(groups))
    written.replace(record)


def of(database: Database, user: str) -> set[str]:
    """Return the groups that somebody is in, however they got there."""
    with database.opened() as db:
        return {name for (name,) in db.rows(OF_USER, (user,))} if db else set()
