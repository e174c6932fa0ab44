"""A container of backups."""

import os
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest

from swarmhub.inside.backup import places
from tests.unit.inside.backup.container import RESTIC, SCHEMA, Container


@pytest.fixture
def container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Container:
    """Return a container with the files of a hub with three users, and a repository."""
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "restic"
    program.write_text(RESTIC.format(python=sys.executable))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    folders = {
        "SECRETS": "secrets",
        "STAGE": "backup",
        "DATA": "data",
        "CERTIFICATES": "certificates",
    }
    for name, folder in (folders | {"CACHE": "cache", "HOMES": "homes", "EVIDENCE": "evidence"}).items():
        monkeypatch.setattr(places, name, tmp_path / folder)
    (places.DATA / "access").mkdir(parents=True)
    (places.DATA / "access" / "userlist").write_text("ada admin\n")
    (places.DATA / "jupyterhub_cookie_secret").write_text("cookies")
    places.STAGE.mkdir()
    (places.STAGE / "cluster.json").write_text("{}")
    (places.CERTIFICATES / "live").mkdir(parents=True)
    (places.CERTIFICATES / "live" / "chain.pem").write_text("chain")
    with closing(sqlite3.connect(places.DATA / "jupyterhub.sqlite")) as opened:
        opened.executescript(SCHEMA.read_text())
    made = Container(tmp_path)
    made.do("open", make=True)
    return made
