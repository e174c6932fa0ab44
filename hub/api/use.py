"""A server says how it is used, and is told what the hub has to say to the people in it."""

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from jupyterhub.apihandlers.base import APIHandler
from jupyterhub.scopes import needs_scope
from tornado.web import HTTPError

from hub.shared import announcement, idleness
from hub.shared.idleness import Use

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
        spawner, said = user.spawners[server_name], self.get_json_body() or {}
        culling, now = spawner.tables["culling"], time.time()
        use = told(_use(spawner), said, now)
        if said.get("keep") is True:
            use = idleness.kept(culling, use, now)
            self.log.info("The server %s is kept until %s", spawner._log_name, _text(use.kept))
        self._keep(spawner, use)
        is_culled = culling["enabled"] and not idleness.is_excepted(culling, user.name, [one.name for one in user.groups])
        self.write(
            {
                "announcement": announcement.in_force(self.settings[announcement.SETTING]),
                "next": idleness.told_every(culling),
                "stop": notice(culling, use, now) if is_culled else None,
            }
        )

    def _keep(self, spawner: Any, use: Use) -> None:
        spawner.orm_spawner.last_activity = datetime.fromtimestamp(use.active, UTC).replace(tzinfo=None)
        spawner.use = use.state
        # A hub that starts anew, and the culler, find it in the database.
        spawner.orm_spawner.state = spawner.get_state()
        self.db.commit()


def told(use: Use, said: Mapping[str, Any], now: float) -> Use:
    """Return how a server is used by what it says: how long ago it was used, and a page asked."""
    used = max(use.used or 0, now - _seconds(said.get("unused")))
    return Use(use.started, max(use.active, used, now - _seconds(said.get("unseen"))), used, use.kept)


def notice(culling: Mapping[str, Any], use: Use, now: float) -> dict[str, Any] | None:
    """Return what the people in a server are told of its stop; nothing before it is soon."""
    found = idleness.stop(culling, use)
    if not idleness.is_soon(culling, found, now):
        return None
    return {"in": max(0.0, found.at - now), "why": "age" if found.is_aged else "idle", "keep": found.later > found.at}


def _use(spawner: Any) -> Use:
    started = _epoch(spawner.orm_spawner.started)
    active = _epoch(spawner.orm_spawner.last_activity) if spawner.orm_spawner.last_activity else started
    return Use(started, active, spawner.use.get("used"), spawner.use.get("kept", 0.0))


def _seconds(value: Any) -> float:
    """Return a length of time; what is none, or lies in the future, was long ago or is now."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return max(0.0, min(LONGEST, value)) if is_number else LONGEST


def _epoch(at: datetime) -> float:
    return at.replace(tzinfo=UTC).timestamp()


def _text(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")
