"""What the hub's API has besides JupyterHub's own: for servers, and for the operator's tools."""

from collections.abc import Callable
from typing import Any

from hub.api.announcement import AnnouncementHandler
from hub.api.use import UseHandler

# By path below the hub's own.
HANDLERS: list[tuple[str, Callable[..., Any]]] = [
    (r"/api/swarmhub/announcement", AnnouncementHandler),
    (r"/api/swarmhub/users/([^/]+)/servers/([^/]*)", UseHandler),
]
