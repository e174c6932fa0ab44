"""JupyterHub, for thousands of people, and with somebody who looks after servers that it does not know.

Run it: `python3 -m hub.app -f jupyterhub_config.py`.
"""

import asyncio
import os
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from jupyterhub import app, orm
from sqlalchemy import insert, select

from hub import engine, logs, server
from hub.api import HANDLERS
from hub.api.start import leading_on
from hub.config import configure, data
from hub.spawner.spawner import SwarmSpawner
from hub.spawner.sweep import Sweep


class JupyterHub(app.JupyterHub):  # type: ignore[misc]  # jupyterhub has no types
    """JupyterHub: the name is that of its options and of its log."""

    _log_formatter_cls = logs.Formatter
    load_groups: Any
    _sweeping: asyncio.Future[None] | None = None

    async def init_users(self) -> None:
        """Add users at once: JupyterHub's own way asks and commits for each of them, and takes minutes for thousands."""
        _add_users(self)
        authenticator = self.authenticator
        # JupyterHub would ask for each. Its default for existing users goes by the list, so it is asked for before.
        allowed, _ = {*_normal(self, authenticator.allowed_users)}, authenticator.allow_existing_users
        authenticator.allowed_users = set()
        await super().init_users()
        authenticator.allowed_users |= allowed | (authenticator.admin_users if allowed else set())

    async def init_groups(self) -> None:
        """Add the members of groups at once."""
        members = _members(self)
        self.load_groups = {
            name: (given if isinstance(given, dict) else {}) | {"users": []} for name, given in self.load_groups.items()
        }
        await super().init_groups()
        _join(self.db, members)

    def init_handlers(self) -> None:
        """Put our own before JupyterHub's, whose last one takes every path of the API."""
        super().init_handlers()
        self.handlers: list[Any] = [*self.add_url_prefix(self.hub_prefix, HANDLERS), *leading_on(self.handlers)]

    async def start(self) -> None:
        """Start, and look after the servers from then on."""
        server.bound()
        await super().start()
        if configure.DATA.is_dir():
            data.has_started(configure.DATA)
        if issubclass(self.spawner_class, SwarmSpawner):
            users = self.users.values
            sweep = Sweep(_ask(), os.environ["DOCKER_SERVICE_NAME"], users, SwarmSpawner.nodes, self.log)
            self._sweeping = asyncio.ensure_future(sweep.forever())


def _ask() -> Any:
    client = engine.connect()

    async def ask(method: str, *args: Any, **kwargs: Any) -> Any:
        return await asyncio.to_thread(partial(getattr(client, method), *args, **kwargs))

    return ask


def _add_users(app: Any) -> None:
    """Add the users that the configuration names and the database does not know.

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


if __name__ == "__main__":
    JupyterHub.launch_instance()
