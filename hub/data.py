"""What the hub keeps on its volume: open to root's group, for a hub before or after this one may run as another user."""

import os
import secrets
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
    """
    database.touch()
    if not cookies.exists():
        new = cookies.with_name(f"{cookies.name}.new")
        new.write_text(f"{secrets.token_hex(COOKIE_SECRET_BYTES)}\n")
        new.replace(cookies)
