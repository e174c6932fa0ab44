"""A checkout of the project from before an update of JupyterHub: a copy, with an older release of it in its lock."""

import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from tests.lab.forks import execute
from tests.lab.support import ROOT, Lab

# The last one before 6, whose schema of the database is another one.
VERSION = "5.5.4"
HASH = "sha256:1d987cbe96390e1877ae37b33e0f2936cac72d3abff93496551c58c1df1f533d"
PARTS = ("fabfile.py", "fabric.yaml", "hub", "lab", "swarmhub", "tasks")
NOT_COPIED = shutil.ignore_patterns("__pycache__", "state*")
LOCK = "hub/requirements.lock"
LOCKED = re.compile(r"^jupyterhub==[^\n]*(?:\n +--hash=\S+(?: \\)?)+", re.MULTILINE)
# What the hub takes from JupyterHub 6 has to be its own there.
SPAWN_EXCEPTION = "from jupyterhub.spawner import SpawnException"
OWN_EXCEPTION = '''"""What a start fails with."""

from tornado.web import HTTPError


class SpawnException(HTTPError):
    def __init__(self, message, *, reason, log_message="", message_html="", status_code=400):
        super().__init__(status_code, log_message or message, reason=reason)
        self.message, self.message_html = message, message_html
'''
REPLACED = {
    "hub/spawner/spawner.py": (SPAWN_EXCEPTION, "from hub.spawner.ended import SpawnException"),
    "hub/spawner/profiles.py": (SPAWN_EXCEPTION, "from hub.spawner.ended import SpawnException"),
    "hub/config/configure.py": ('    c.JupyterHubHTTPClient.connector_options = {"use_dns_cache": False}\n', ""),
    "hub/config/people/login.py": ("    auth_refresh_strict: bool\n", "    auth_refresh_strict: bool = False\n"),
}


def checkout(lab: Lab, folder: Path) -> Lab:
    """Make it in a folder, and return the lab as who works there uses it: each `fab` is a program of its own."""
    for name in PARTS:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=NOT_COPIED)
        else:
            shutil.copy(ROOT / name, folder / name)
    _edit(folder / LOCK, LOCKED, f"jupyterhub=={VERSION} \\\n    --hash={HASH}")
    (folder / "hub" / "spawner" / "ended.py").write_text(OWN_EXCEPTION)
    for name, (old, new) in REPLACED.items():
        _edit(folder / name, re.compile(re.escape(old)), new)

    def run(command: Sequence[str], _: Path, environment: Mapping[str, str], seconds: float) -> tuple[int, str, str]:
        return execute(command, folder, environment, seconds)

    return replace(lab, run=run)


def _edit(file: Path, old: re.Pattern[str], new: str) -> None:
    text, times = old.subn(lambda _: new, file.read_text())
    assert times == 1, f"{file} has not what is to be replaced: {old.pattern}"
    file.write_text(text)
