"""Files of an image: read, named by their content, and packed the same way every time."""

import errno
import hashlib
import io
import json
import os
import tarfile
from pathlib import Path

import pytest

from swarmhub.engine import context
from swarmhub.errors import SettingsError

FILES = {"Dockerfile": b"FROM scratch\n", "ca/.keep": b""}


def test_files_are_keyed_by_their_path_below_the_folder(tmp_path: Path) -> None:
    """Every file at any depth is read, under its path with forward slashes; caches are left out."""
    for name in ("Dockerfile", "ca/deep/one.crt", "__pycache__/x.pyc", "ca/__pycache__/y.pyc"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    assert context.read(tmp_path) == {"Dockerfile": b"Dockerfile", "ca/deep/one.crt": b"ca/deep/one.crt"}


@pytest.mark.parametrize(
    "left",
    [
        ".DS_Store",
        "._app.py",
        ".app.py.swp",
        "app.py~",
        "#app.py#",
        "app.swo",
        "app.py.orig",
        "Thumbs.db",
        "desktop.ini",
        ".idea/x.xml",
    ],
)
def test_what_machines_and_editors_leave_is_left_out(tmp_path: Path, left: str) -> None:
    """At any depth: an image made of it would be built again on the next machine, and the proxy would restart."""
    for name in ("app.py", left, f"deep/{left}"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    assert context.read(tmp_path) == {"app.py": b"app.py"}


@pytest.mark.parametrize("to", ["/nowhere/10-site.py", "10-site.py", "/proc", "deep"])
def test_a_link_that_leads_to_no_file_is_told(tmp_path: Path, to: str) -> None:
    """What it stands for, such as how people log in, would be missing in silence."""
    (tmp_path / "deep").mkdir()
    (tmp_path / "10-site.py").symlink_to(to)
    with pytest.raises(SettingsError, match=r"10-site\.py:1: is a link that leads to no file; put the files themselves there"):
        context.read(tmp_path)


def test_links_to_files_and_locks_of_editors_are_no_problem(tmp_path: Path) -> None:
    """Emacs keeps whose file it is in a link that leads nowhere."""
    (tmp_path / "elsewhere").write_text("c = 1")
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf/10-site.py").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "conf/.#10-site.py").symlink_to("ada@host.123")
    assert context.read(tmp_path / "conf") == {"10-site.py": b"c = 1"}


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a line with its name."""
    (tmp_path / "10-site.py").write_text("c = 1")

    def denied(file: Path) -> bytes:
        raise PermissionError(errno.EACCES, "Permission denied", str(file))

    monkeypatch.setattr(Path, "read_bytes", denied)  # the tests may run as root
    with pytest.raises(SettingsError, match=r"10-site\.py:1: permission denied"):
        context.read(tmp_path)


def test_lines_end_alike_on_every_machine(tmp_path: Path) -> None:
    """A checkout on Windows may have carriage returns, with which no script runs; other files are left as they are."""
    (tmp_path / "run.sh").write_bytes(b"#!/bin/sh\r\ntrue\r\n")
    (tmp_path / "logo.png").write_bytes(b"\0\r\n")
    assert context.read(tmp_path) == {"run.sh": b"#!/bin/sh\ntrue\n", "logo.png": b"\0\r\n"}


def test_what_no_dockerfile_copies_makes_no_other_image() -> None:
    """Its patterns are for the folder itself, those with a slash at the end for all below."""
    dockerfile = b"FROM scratch\n  COPY a.lock ./\nCOPY *.py hub/\nCOPY ca/ /ca/\nRUN COPY notes /\n"
    there = dict.fromkeys(("a.lock", "app.py", "ca/one", "ca/two/three", "notes", "a.in", "old/app.py"), b"")
    assert set(context.copied({"Dockerfile": dockerfile, **there})) == {
        "Dockerfile",
        "a.lock",
        "app.py",
        "ca/one",
        "ca/two/three",
    }


def test_the_digest_is_twelve_hexadecimal_digits() -> None:
    """It can stand in an image's tag, and is the same in whatever order a file system lists the files."""
    digest = context.digest(FILES)
    assert (len(digest), set(digest) <= set("0123456789abcdef")) == (12, True)
    assert context.digest(dict(reversed(FILES.items()))) == digest


def test_links_are_packed_with_the_files() -> None:
    """By where they lead, the same way every time; names and contents of the files are those given."""
    packed = context.archive(FILES, {"usr": "/host/usr", "bin": "usr/bin"})
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        assert {one.name: one.linkname for one in tar if one.issym()} == {"bin": "usr/bin", "usr": "/host/usr"}
        assert {one.name: part.read() for one in tar if one.isfile() and (part := tar.extractfile(one))} == FILES
    assert packed == context.archive(FILES, {"bin": "usr/bin", "usr": "/host/usr"})


@pytest.mark.parametrize(
    ("files", "more"),
    [
        (FILES | {"Dockerfile": b"FROM scratch\n\n"}, ("debian",)),
        ({"dockerfile": FILES["Dockerfile"], "ca/.keep": b""}, ("debian",)),
        ({"Dockerfile": FILES["Dockerfile"]}, ("debian",)),
        (FILES | {"another": b""}, ("debian",)),
        (FILES, ("ubuntu",)),
        (FILES, ()),
        (FILES, ("deb", "ian")),
        ({"Dockerfile": b"FROM scratch\nca/.keep"}, ("debian",)),
    ],
    ids=["content", "name", "one less", "one more", "what it is built on", "nothing more", "split", "glued"],
)
def test_the_digest_changes_with_whatever_goes_in(files: context.Files, more: tuple[str, ...]) -> None:
    """Another content, name, number of files or addition gives another digest."""
    assert context.digest(files, *more) != context.digest(FILES, "debian")


def test_names_that_are_not_utf_8_go_in_as_they_are(tmp_path: Path) -> None:
    """An old archive unpacks to such ones."""
    name = os.fsdecode(b"\xdcbung")
    assert context.digest({name: b""}, name) != context.digest({"bung": b""}, "bung")
    with tarfile.open(fileobj=io.BytesIO(context.archive({name: b""}, {f"{name}2": name}))) as tar:
        assert sorted(tar.getnames()) == [name, f"{name}2"]


def test_the_archive_depends_on_nothing_but_the_files(tmp_path: Path) -> None:
    """Files that were touched or read in another order pack into the same bytes."""
    for name in ("a", "b"):
        (tmp_path / name).write_text(name)
    first = context.archive(context.read(tmp_path))
    os.utime(tmp_path / "a", (1, 1))
    (tmp_path / "b").chmod(0o755)
    assert context.archive(dict(reversed(context.read(tmp_path).items()))) == first


def members(content: bytes) -> dict[str, bytes]:
    """Return the files of a tar."""
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        return {one.name: tar.extractfile(one).read() for one in tar}  # type: ignore[union-attr]


def test_every_node_gets_the_same_one() -> None:
    """The same bytes each time: the id, by which a service names it, is the same everywhere."""
    assert context.image("a", "amd64") == context.image("a", "amd64")


def test_names_and_digests_fit() -> None:
    """The configuration's name is its digest, and the layer's digest stands in it; an engine checks both."""
    files = members(context.image("trial", "arm64"))
    (manifest,) = json.loads(files["manifest.json"])
    config = files[manifest["Config"]]
    assert manifest["RepoTags"] == ["trial:latest"]
    assert manifest["Config"] == f"{hashlib.sha256(config).hexdigest()}.json"
    layer = hashlib.sha256(files["layer.tar"]).hexdigest()
    assert (json.loads(config)["rootfs"]["diff_ids"], json.loads(config)["architecture"]) == ([f"sha256:{layer}"], "arm64")
