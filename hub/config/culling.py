"""Stop servers that nobody uses: jupyterhub-idle-culler as a service that the hub runs."""

import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hub import FOLDER
from hub.config import groups
from hub.shared import settings

NAME = "idle-culler"
FILE = FOLDER / "idle_culler_config.py"
SCOPES = ("list:users", "read:users:activity", "read:servers", "delete:servers")
DATABASE = "HUB_DATABASE"
HUB = f"http://127.0.0.1:{settings.API_PORT}"

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


def configure_culler(c: Any, environ: Mapping[str, str], file: Path = settings.FILE) -> None:
    """Set on `c` what the culler is to do: in its own process, with what `configure` hands to it, and the hub's `file`."""
    culling = settings.load(file)["culling"]
    # The hub is in the same container; its name has no address before Swarm takes it for healthy.
    c.IdleCuller.url = f"{HUB}{environ.get('JUPYTERHUB_BASE_URL', '/')}hub/api"
    c.IdleCuller.timeout = culling["idle"]
    c.IdleCuller.cull_every = culling["every"]
    c.IdleCuller.remove_named_servers = culling["remove_named"]
    c.IdleCuller.cull_arbiter_hook = arbiter(culling, Path(environ[DATABASE]))


def arbiter(culling: Mapping[str, Any], database: Path, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Arbiter:
    """Return what says of a server whether it is to stop.

    The culler's own `max_age` knows no exceptions: it is not set, the age is looked at here.
    """
    users, in_groups = set(culling["except_users"]), culling["except_groups"]

    def is_due(*, inactive: Any, inactive_limit: float, server: Mapping[str, Any], **_: Any) -> bool:
        age = (now() - datetime.fromisoformat(server["started"])).total_seconds()
        if inactive.total_seconds() < inactive_limit and age < culling.get("max_age", float("inf")):
            return False
        user = server["full_name"].removesuffix(f"/{server['name']}")
        return user not in users and not (in_groups and user in groups.members(database, in_groups))

    return is_due
