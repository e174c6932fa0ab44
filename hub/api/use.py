"""A server says how it is used, and is told what the hub has to say to the people in it."""

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from jupyterhub.apihandlers.base import APIHandler
from jupyterhub.scopes import needs_scope
from tornado.web import HTTPError

from hub.api import body
from hub.shared import announcement
from hub.shared.servers import idleness
from hub.shared.servers.idleness import Use

LONGEST = 400 * 86400.0


class UseHandler(APIHandler):  # type: ignore[misc]  # jupyterhub has no types
    """How one server is used: for that server's own token, for its user, and for administrators."""

    @needs_scope("access:servers")  # type: ignore[untyped-decorator]  # a server's token is for that server only
    @needs_scope("users:activity")  # type: ignore[untyped-decorator]  # and of those who may enter it, only its user goes on
    def post(self, user_name: str, server_name: str) -> None:
        """Take how it is used, and whether to keep it; answer when it is to stop, if that is soon, and the announcement."""
        user = self.find_user(user_name)
        if user is None or server_name not in user.orm_spawners or not user.spawners[server_name].ready:
            raise HTTPError(HTTPStatus.NOT_FOUND, "No such server runs")
        spawner, said = user.spawners[server_name], body.table(self)
        culling, now = spawner.tables["culling"], time.time()
        use = told(of(spawner), said, now)
        if said.get("keep") is True:
            use = self._kept(spawner, use, now)
        self._keep(spawner, use)
        self.write(
            {
                "announcement": announcement.in_force(self.settings[announcement.SETTING]),
                "next": idleness.told_every(culling),
                "stop": notice(culling, use, now) if is_culled(culling, user) else None,
            }
        )

    def _kept(self, spawner: Any, use: Use, now: float) -> Use:
        found = idleness.kept(spawner.tables["culling"], use, now)
        if found != use:
            until = datetime.fromtimestamp(found.kept, UTC).isoformat(timespec="seconds")
            self.log.info("%s: its user keeps the server until %s", spawner._log_name, until)
        return found

    def _keep(self, spawner: Any, use: Use) -> None:
        spawner.orm_spawner.last_activity = datetime.fromtimestamp(use.active, UTC).replace(tzinfo=None)
        spawner.use = use.state
        # A hub that starts anew, and the culler, find it in the database.
        spawner.orm_spawner.state = spawner.get_state()
        self.db.commit()


def told(use: Use, said: Mapping[str, Any], now: float) -> Use:
    """Return how a server is used by what it says: how long ago it was used, and a page asked."""
    ago = {name: now - _seconds(said[name]) for name in ("unused", "unseen") if name in said}
    used = max(use.used or 0, ago["unused"]) if "unused" in ago else use.used
    return Use(use.started, max([use.active, *ago.values()]), used, use.kept)


def notice(culling: Mapping[str, Any], use: Use, now: float) -> dict[str, Any] | None:
    """Return what the people in a server are told of its stop; nothing before it is soon."""
    found = idleness.stop(culling, use)
    if not idleness.is_soon(culling, found, now):
        return None
    return {"in": max(0.0, found.at - now), "why": "age" if found.is_aged else "idle", "keep": found.later > found.at}


def stops(user: Any) -> list[dict[str, Any]]:
    """Return when each server of a user stops, if nobody uses it, for the hub's own page: not all servers show notices."""
    now, found = time.time(), list[dict[str, Any]]()
    for spawner in user.spawners.values() if user else ():
        culling = getattr(spawner, "tables", {}).get("culling")
        if spawner.ready and culling and is_culled(culling, user):
            stop = idleness.stop(culling, of(spawner))
            may_keep = idleness.is_soon(culling, stop, now) and stop.later > stop.at
            found.append({"name": spawner.name, "minutes": max(1, round((stop.at - now) / 60)), "keep": may_keep})
    return found


def is_culled(culling: Mapping[str, Any], user: Any) -> bool:
    """Tell whether a user's servers are stopped when nobody uses them."""
    return culling["enabled"] and not idleness.is_excepted(culling, user.name, [one.name for one in user.groups])


def of(spawner: Any) -> Use:
    """Return how a server is used, by what the hub knows of it."""
    started = _epoch(spawner.orm_spawner.started)
    active = _epoch(spawner.orm_spawner.last_activity) if spawner.orm_spawner.last_activity else started
    return Use(started, active, spawner.use.get("used"), spawner.use.get("kept", 0.0))


def _seconds(value: Any) -> float:
    """Return a length of time; what is none, or lies in the future, was long ago or is now."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return max(0.0, min(LONGEST, value)) if is_number else LONGEST


def _epoch(at: datetime) -> float:
    return at.replace(tzinfo=UTC).timestamp()
