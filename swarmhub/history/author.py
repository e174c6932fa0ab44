"""Who runs swarmhub, and from which commit: the lock and the history show it."""

import getpass
import socket
import subprocess
from pathlib import Path


def name() -> str:
    """Return the user and the machine."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # a user id without a name, as in a container
        user = "unknown"
    return f"{user}@{socket.gethostname()}"


def commit(folder: Path) -> str:
    """Return the commit that a folder is at, with "-dirty" if files differ from it; nothing without git."""
    command = ["git", "-C", str(folder), "describe", "--always", "--dirty", "--abbrev=8", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=5).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""
