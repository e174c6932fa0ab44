"""The page that starts a server: a start that fails at once leads to the same page as one that fails later."""

from typing import Any

from jupyterhub.handlers.pages import SpawnHandler
from tornado.web import HTTPError


class StartHandler(SpawnHandler):  # type: ignore[misc]  # jupyterhub has no types
    """JupyterHub's own shows the form again where a server fails within a second, and there is no way on from it."""

    async def _wrap_spawn_single_user(
        self, user: Any, server_name: str, display_name: str, spawner: Any, pending_url: str, options: Any = None
    ) -> None:
        try:
            await super()._wrap_spawn_single_user(user, server_name, display_name, spawner, pending_url, options)
        except HTTPError:
            if not spawner._failed:  # it was refused, and has not begun
                raise
            self.redirect(pending_url)


def leading_on(handlers: list[Any]) -> list[Any]:
    """Return JupyterHub's handlers with this page in the place of its own."""
    return [(path, StartHandler if kind is SpawnHandler else kind, *rest) for path, kind, *rest in handlers]
