"""What the hub keeps on its volume: open to root's group, for a hub before or after this one may run as another user."""

import os
import secrets
import sys
from pathlib import Path

from hub.shared.database import Database, SQLite

UMASK = 0o007
# What JupyterHub makes where there is no such file.
COOKIE_SECRET_BYTES = 32


def share() -> None:
    """Let what is made from now on be its group's too, and nobody else's."""
    os.umask(UMASK)


def make(database: Database, cookies: Path) -> None:
    """Make what is missing of the files that SQLite and JupyterHub themselves would let nobody but their user write.

    An empty file is a new database to JupyterHub; what is on a server it makes itself. The other is the secret of the cookies.

    Raises:
        SystemExit: one is not the hub's to write, as after a copy that somebody put back by hand.

    """
    files = [database.file] if isinstance(database, SQLite) else []
    for file in (*files, cookies):
        if file.exists() and not os.access(file, os.R_OK | os.W_OK):
            sys.exit(
                f"{file} is not the hub's to write. On the manager, in its volume: chgrp 0 {file.name}; chmod 660 {file.name}"
            )
    for file in files:
        file.touch()
    if not cookies.exists():
        new = cookies.with_name(f"{cookies.name}.new")
        new.write_text(f"{secrets.token_hex(COOKIE_SECRET_BYTES)}\n")
        new.replace(cookies)
