"""What the hub keeps on its volume: open to root's group, for a hub before or after this one may run as another user."""

import os
import secrets
import sys
from pathlib import Path

UMASK = 0o007
# What JupyterHub makes where there is no such file.
COOKIE_SECRET_BYTES = 32


def share() -> None:
    """Let what is made from now on be its group's too, and nobody else's."""
    os.umask(UMASK)


def make(database: Path, cookies: Path) -> None:
    """Make what is missing of the files that SQLite and JupyterHub themselves would let nobody but their user write.

    An empty database is a new one to JupyterHub; the other file is the secret of the cookies.

    Raises:
        SystemExit: one is not the hub's to write, as after a copy that somebody put back by hand.

    """
    for file in (database, cookies):
        if file.exists() and not os.access(file, os.R_OK | os.W_OK):
            sys.exit(
                f"{file} is not the hub's to write. On the manager, in its volume: chgrp 0 {file.name}; chmod 660 {file.name}"
            )
    database.touch()
    if not cookies.exists():
        new = cookies.with_name(f"{cookies.name}.new")
        new.write_text(f"{secrets.token_hex(COOKIE_SECRET_BYTES)}\n")
        new.replace(cookies)
