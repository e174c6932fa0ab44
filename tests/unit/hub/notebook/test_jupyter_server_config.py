"""What every server reads as it starts: a home that is full lets its owner in, one that is read-only ends the server."""

import asyncio
import errno
import os
import runpy
import tempfile
from pathlib import Path
from typing import Any

import aiohttp.connector
import pytest
from traitlets.config import Config

FILE = Path(__file__).resolve().parents[4] / "hub" / "notebook" / "jupyter_server_config.py"


@pytest.fixture(autouse=True)
def nothing_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take back what the file changes in its process."""
    monkeypatch.setattr(aiohttp.connector, "DefaultResolver", None)
    monkeypatch.setenv("IPYTHONDIR", "~/.ipython")


def read(monkeypatch: pytest.MonkeyPatch, home: Path, number: int = 0) -> Any:
    """Return the configuration of a server whose home gives an error to what is written there."""

    def written(*_: Any, **__: Any) -> Any:
        raise OSError(number, os.strerror(number))

    monkeypatch.setenv("SWARMHUB_HOME", str(home))
    if number:
        monkeypatch.setattr(tempfile, "TemporaryFile", written)
    c = Config()
    runpy.run_path(str(FILE), {"get_config": lambda: c})
    return c


def test_nothing_is_changed_for_a_home_that_takes_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """And nothing is left in it."""
    c = read(monkeypatch, tmp_path)
    assert ("LabApp" in c, "FileContentsManager" in c, os.environ["IPYTHONDIR"]) == (False, False, "~/.ipython")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_home_is_told_and_can_be_emptied(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, number: int) -> None:
    """JupyterLab shows it; what is deleted is not kept in the home, and kernels start without it."""
    c = read(monkeypatch, tmp_path, number)
    said = asyncio.run(c.LabApp.check_for_updates_class()())
    assert said.startswith(f"Your home, {tmp_path}, is full")
    assert c.FileContentsManager.delete_to_trash is False
    assert not os.environ["IPYTHONDIR"].startswith("~")


@pytest.mark.parametrize(
    ("number", "words"), [(errno.EROFS, "is mounted read-only"), (errno.ESTALE, "lost the connection to the file server")]
)
def test_a_home_that_keeps_nothing_ends_the_server(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, number: int, words: str
) -> None:
    """In words for the person who waits, which the hub finds among its last lines."""
    with pytest.raises(SystemExit) as ended:
        read(monkeypatch, tmp_path, number)
    assert str(ended.value).startswith("swarmhub: Your home ")
    assert words in str(ended.value)


def test_a_home_of_somebody_else_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Its files can be read."""
    c = read(monkeypatch, tmp_path, errno.EACCES)
    assert asyncio.run(c.LabApp.check_for_updates_class()()).startswith("You may not write to your home")
