"""A folder with what goes into an image: the files that Docker would see, and what is refused."""

import os
from pathlib import Path
from typing import Any

import pytest

from swarmhub.images.own import folder
from swarmhub.images.own.folder import Folder


def write(top: Path, **files: str) -> Path:
    """Write files below a folder; `__` in a name stands for a slash."""
    for name, text in files.items():
        path = top / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return top


def test_files_come_with_their_modes_and_links(tmp_path: Path) -> None:
    """Byte for byte, as Docker sends them."""
    write(tmp_path, run="#!/bin/sh\r\n", data__notes="x")
    (tmp_path / "run").chmod(0o750)
    (tmp_path / "link").symlink_to("data/notes")
    (tmp_path / "folder").symlink_to("data")
    assert folder.read(tmp_path) == Folder(
        {"run": b"#!/bin/sh\r\n", "data/notes": b"x"}, frozenset({"run"}), {"link": "data/notes", "folder": "data"}
    )


def test_what_machines_leave_and_secrets_are_no_part_of_it(tmp_path: Path) -> None:
    """A commit, an editor's copy or a Mac's window makes no other image; a file that begins with a dot may belong to it."""
    for name in (
        ".DS_Store",
        ".git/config",
        "a~",
        ".env",
        "x/__pycache__/a.pyc",
        ".ipynb_checkpoints/a",
        ".a.swp",
        ".idea/a",
        ".ruff_cache/a",
    ):
        write(tmp_path, **{name.replace("/", "__"): "x"})
    write(tmp_path, **{".condarc": "x"})
    assert [*folder.read(tmp_path).files] == [".condarc"]


def test_a_dockerignore_leaves_files_out(tmp_path: Path) -> None:
    """As Docker reads it, exceptions and Windows' line ends too; the Dockerfile itself is always sent."""
    write(tmp_path, Dockerfile="FROM x", data__a="1", data__b="2", notes="3")
    (tmp_path / ".dockerignore").write_bytes(b"\xef\xbb\xbf# all but one\r\n**\r\n!data/b\r\n")
    assert [*folder.read(tmp_path).files] == ["Dockerfile", "data/b"]


@pytest.mark.parametrize(
    ("patterns", "left"),
    [
        ("**/secrets", ["keep/a", "x/keep/secret"]),
        ("**/secrets\n!keep/secrets", ["keep/a", "keep/secrets/key", "x/keep/secret"]),
        ("x/**/secrets\n**/keep\n! keep/a", ["keep/a", "secrets/key"]),
        (".*", ["keep/a", "keep/secrets/key", "secrets/key", "x/keep/secret", "x/y/secrets/key"]),
        ("[^k]*", ["keep/a", "keep/secrets/key"]),
    ],
)
def test_a_pattern_leaves_out_what_is_below_it_wherever_it_is(tmp_path: Path, patterns: str, left: list[str]) -> None:
    """A folder of keys is left out at the top and far below; the last pattern that fits decides."""
    for name in ("secrets/key", "x/y/secrets/key", "x/keep/secret", "keep/secrets/key", "keep/a"):
        write(tmp_path, **{name.replace("/", "__"): "x"})
    write(tmp_path, **{".dockerignore": patterns})
    assert sorted(folder.read(tmp_path).files) == left


def test_a_pattern_that_is_none_is_told(tmp_path: Path) -> None:
    """As by Docker, before anything is left out or sent."""
    write(tmp_path, Dockerfile="FROM x", **{".dockerignore": "[z-a]*\n**\n"})
    with pytest.raises(ValueError, match=r"\.dockerignore has a pattern that cannot be read: bad character range z-a"):
        folder.read(tmp_path)


@pytest.mark.parametrize(("patterns", "is_read"), [("data", False), ("**/data\n!data/a", True)])
def test_a_folder_that_is_left_out_is_not_looked_into(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, patterns: str, is_read: bool
) -> None:
    """A database's only root may read, and one of data has a million files; an exception may be for one of them."""
    write(tmp_path, Dockerfile="FROM x", data__a="1", **{".dockerignore": patterns})
    scandir = os.scandir

    def refuse(path: str) -> Any:
        if str(path).endswith("data"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    if is_read:
        with pytest.raises(PermissionError):
            folder.read(tmp_path)
    else:
        assert [*folder.read(tmp_path).files] == ["Dockerfile"]


def test_a_folder_with_much_data_is_refused_with_the_names_of_the_largest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before they are read; what the .dockerignore names does not count."""
    with (tmp_path / "big.csv").open("wb") as file:
        os.truncate(file.fileno(), folder.MOST + 1)
    write(tmp_path, Dockerfile="FROM x")
    with pytest.raises(ValueError, match=r"has 268 MB of files, above all big\.csv \(268 MB\); .*\.dockerignore"):
        folder.read(tmp_path)
    write(tmp_path, **{".dockerignore": "*.csv"})
    assert [*folder.read(tmp_path).files] == ["Dockerfile"]


@pytest.mark.parametrize(("name", "said"), [("none", "no such folder"), (".", "the folder is empty")])
def test_a_folder_that_is_missing_or_empty_is_refused(tmp_path: Path, name: str, said: str) -> None:
    """It names what belongs there."""
    with pytest.raises(ValueError, match=said):
        folder.read(tmp_path / name)


def test_a_text_of_windows_reads_as_one_of_linux() -> None:
    """Its mark and its line ends go; what is no UTF-8 is refused."""
    assert folder.text(b"\xef\xbb\xbfa\r\nb") == "a\nb"
    with pytest.raises(ValueError, match="is not UTF-8"):
        folder.text(b"\xff\xfea\0")
