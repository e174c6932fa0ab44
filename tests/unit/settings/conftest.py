"""Where the units of the settings write their files."""

from pathlib import Path

import pytest


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a hosts.toml in this folder, to be written."""
    monkeypatch.chdir(tmp_path)
    return Path("hosts.toml")
