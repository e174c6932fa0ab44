"""What is in a home is counted as a tar of it holds it."""

import json
import os
import socket
from pathlib import Path

import pytest

from swarmhub.inside import home


@pytest.fixture
def ada(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a home with a file of 5 bytes, the same one by another name, a link, a folder and a socket."""
    folder = tmp_path / "ada"
    (folder / "work").mkdir(parents=True)
    (folder / "work" / "a.txt").write_bytes(b"hello")
    os.link(folder / "work" / "a.txt", folder / "b.txt")
    (folder / "link").symlink_to("/etc")
    with socket.socket(socket.AF_UNIX) as listening:
        monkeypatch.chdir(folder)  # a socket's path may not be long
        listening.bind("s")
    return folder


def test_files_folders_and_links_are_counted(ada: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file with two names has its bytes once, a link leads nowhere, a socket cannot be kept; what is not there is null."""
    home.main("count", str(ada), "/nowhere")
    changed = max(one.lstat().st_ctime for one in (ada, *ada.rglob("*")))
    assert json.loads(capsys.readouterr().out) == {str(ada): {"files": 4, "bytes": 5, "changed": changed}, "/nowhere": None}


def test_a_time_that_its_owner_has_given_a_file_tells_nothing(ada: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An old archive that was unpacked yesterday was unpacked yesterday."""
    before = (ada / "work" / "a.txt").lstat().st_ctime
    os.utime(ada / "work" / "a.txt", (0, 0))
    home.main("count", str(ada))
    assert json.loads(capsys.readouterr().out)[str(ada)]["changed"] >= before


def test_a_folder_is_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """For a home that comes back; it is nobody else's until that has come."""
    home.main("make", str(tmp_path / "ada"))
    assert json.loads(capsys.readouterr().out)[str(tmp_path / "ada")]["files"] == 0
    assert (tmp_path / "ada").stat().st_mode & 0o777 == 0o700


def test_a_home_is_removed(ada: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With all that is in it."""
    home.main("remove", str(ada))
    assert (json.loads(capsys.readouterr().out), ada.exists()) == ({str(ada): None}, False)


def test_what_cannot_be_read_is_no_small_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error, not a count without it."""

    def refuse(path: str) -> None:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(PermissionError):
        home.main("count", str(tmp_path))
