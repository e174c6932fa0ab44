"""Stop servers that nobody uses: jupyterhub-idle-culler as a service that the hub runs."""

import json
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from traitlets.log import get_logger

from hub import FOLDER
from hub.config.people import groups
from hub.shared import database as room
from hub.shared import settings
from hub.shared.database import Database
from hub.shared.servers import idleness
from hub.shared.servers.idleness import Use

NAME = "idle-culler"
FILE = FOLDER / "idle_culler_config.py"
SCOPES = ("list:users", "read:users:activity", "read:servers", "delete:servers")
DATABASE = "HUB_DATABASE"
HUB = f"http://127.0.0.1:{settings.API_PORT}"

STATE = "select spawners.state from spawners join users on users.id = user_id where users.name = ? and spawners.name = ?"

Arbiter = Callable[..., bool]


def configure(c: Any, culling: Mapping[str, Any], database: Path) -> None:
    """Add the service and its role to JupyterHub's configuration, unless culling is off."""
    if not culling["enabled"]:
        return
    handed = {
        DATABASE: str(database),
        # Without it the culler goes on with its own defaults where its configuration cannot be read.
        "TRAITLETS_APPLICATION_RAISE_CONFIG_FILE_ERROR": "1",
    }
    command = [sys.executable, "-m", "jupyterhub_idle_culler", f"--config={FILE}"]
    c.JupyterHub.services.append({"name": NAME, "command": command, "environment": handed})
    c.JupyterHub.load_roles.append({"name": NAME, "scopes": list(SCOPES), "services": [NAME]})


def configure_culler(c: Any, environ: Mapping[str, str], file: Path = settings.FILE, secrets: Path = settings.SECRETS) -> None:
    """Set on `c` what the culler is to do: in its own process, with what `configure` hands to it, and the hub's `file`."""
    tables = settings.load(file)
    culling = tables["culling"]
    # The hub is in the same container; its name has no address before Swarm takes it for healthy.
    c.IdleCuller.url = f"{HUB}{environ.get('JUPYTERHUB_BASE_URL', '/')}hub/api"
    c.IdleCuller.timeout = culling["idle"]
    c.IdleCuller.cull_every = culling["every"]
    c.IdleCuller.remove_named_servers = culling["remove_named"]
    c.IdleCuller.cull_arbiter_hook = arbiter(culling, room.of(tables, Path(environ[DATABASE]).parent, secrets))


def arbiter(culling: Mapping[str, Any], database: Database, now: Callable[[], float] = time.time) -> Arbiter:
    """Return what says of a server whether it is to stop.

    The culler's own `max_age` knows no exceptions: it is not set, the age is looked at here.
    """

    def is_due(*, inactive: Any, server: Mapping[str, Any], **_: Any) -> bool:
        user, at = server["full_name"].removesuffix(f"/{server['name']}"), now()
        use = Use(datetime.fromisoformat(server["started"]).timestamp(), at - inactive.total_seconds())
        # What the server itself has said does no more than to stop it sooner, or later.
        found = idleness.stop(culling, replace(use, **_said(database, user, server["name"])))
        if found.at > at or idleness.is_excepted(culling, user, groups.of(database, user)):
            return False
        # The culler's own line does not know of either.
        why = "it has run for max_age" if found.is_aged else "nobody uses it"
        get_logger().info("%s stops: %s", server["full_name"].removesuffix("/"), why)
        return True

    return is_due


def _said(database: Database, user: str, server: str) -> dict[str, Any]:
    """Return what the hub keeps of how a server is used: nothing, where it does not say so."""
    with database.opened() as db:
        found = db.rows(STATE, (user, server)) if db else []
    state = json.loads(found[0][0] or "{}") if found else {}
    return {name: value for name, value in (state.get("use") or {}).items() if value is not None}
