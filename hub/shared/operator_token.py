"""Let the operator's tools into the hub's API, as a service with a token that only the hub in this container can read."""

import os
import secrets
from pathlib import Path
from typing import Any

from hub.shared.database import Database

NAME = "swarmhub"
FILE = Path("/run/swarmhub/token")


def let_in(c: Any, *, database: Database, file: Path = FILE) -> None:
    """Add the service to `c` (a `traitlets.Config`), whatever else has added some.

    Every container makes its own token once. Commands that are run in it, such as
    `jupyterhub token`, load the configuration too: they must not change what the hub goes by.
    """
    try:
        token = file.read_text()
    except FileNotFoundError:
        token = _made(file)
        _forget(database)
    # No scope is enough to give and to take the admin bit, and the admin role cannot name a service without naming all users.
    c.JupyterHub.services.append({"name": NAME, "api_token": token, "admin": True})


def _made(file: Path) -> str:
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    token = secrets.token_hex(32)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as opened:
        opened.write(token)
    return token


def _forget(database: Database) -> None:
    """Take back the tokens of the containers before: JupyterHub honours every one that ever stood in its configuration."""
    with database.opened() as opened:
        if opened and {"api_tokens", "services"} <= opened.tables():
            opened.change("delete from api_tokens where service_id = (select id from services where name = ?)", [(NAME,)])
