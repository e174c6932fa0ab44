"""A home is saved whole, or not at all."""

import gzip
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from swarmhub.errors import StepError
from swarmhub.notebooks import files as home_files
from swarmhub.notebooks.files import Content
from tests.unit.support.fakes import NOTEBOOK, WORKER1, FakeHost, Request, once

MOUNT = {"Type": "volume", "Source": "jupyterhub-home-ada", "Target": "/srv/homes/ada"}
WHOLE = Content(2, 5)


def tar(*files: tuple[str, bytes]) -> bytes:
    """Return a tar of a home as an engine makes it."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as out:
        for name, content in (("ada", None), ("ada/work", None), *files):
            entry = tarfile.TarInfo(name)
            if content is None:
                entry.type = tarfile.DIRTYPE
            else:
                entry.size = len(content)
            out.addfile(entry, io.BytesIO(content or b""))
    return packed.getvalue()


TAR = tar(("ada/work/a.txt", b"hello"))


def node(parts: Any = None, counted: Content | None = WHOLE, code: int = 0) -> FakeHost:
    """Return a node whose container counts a home, and whose engine gives a tar of it in parts."""
    answer = {"/srv/homes/ada": counted and {"files": counted.files, "bytes": counted.bytes}}
    counting = once("PermissionError: no" if code else json.dumps(answer), code=code)
    return FakeHost(WORKER1, counting | {"GET /containers/once/archive": parts or [TAR[:700], TAR[700:]]})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return where to save."""
    return tmp_path / "ada.tar.gz"


def save(host: FakeHost, file: Path, said: list[tuple[int, int]] | None = None) -> Content:
    """Save Ada's home."""
    heard = [] if said is None else said
    return home_files.save(host, NOTEBOOK, MOUNT, "ada", file, lambda done, total: heard.append((done, total)))


def test_a_home_is_saved_as_a_tar_that_its_owner_alone_can_read(file: Path) -> None:
    """Everything is in it, below a folder of the home's name; it is said how far it is, never more than there is."""
    said: list[tuple[int, int]] = []
    assert (save(node(), file, said), said) == (WHOLE, [(5, 5), (5, 5)])
    with tarfile.open(file) as saved:
        content = saved.extractfile("ada/work/a.txt")
        assert (saved.getnames(), content and content.read()) == (["ada", "ada/work", "ada/work/a.txt"], b"hello")
    assert (file.stat().st_mode & 0o777, [one.name for one in file.parent.iterdir()]) == (0o600, [file.name])


def test_nobody_can_reach_or_change_it_meanwhile(file: Path) -> None:
    """The container that it is read through has no network, and the home is mounted read-only."""
    host = node()
    save(host, file)
    body = host.engine.sent("POST /containers/create").body
    assert body["HostConfig"] == {"Mounts": [{**MOUNT, "ReadOnly": True}], "NetworkMode": "none"}
    assert host.engine.asked("DELETE") == ["DELETE /containers/once"] * 2


def breaking(_: Request) -> Any:
    """Give a part, then lose the connection."""
    yield TAR[:700]
    raise StepError(WORKER1, "the connection broke", "Again")


def interrupted(_: Request) -> Any:
    """Give a part, then let the operator press Ctrl-C."""
    yield TAR[:700]
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("host", "error"),
    [
        (node([TAR[:1540]]), r"cannot save to .*ada\.tar\.gz: unexpected end"),
        (node([tar()]), "not whole: 1 files, 0 bytes of 2 files, 5 bytes"),
        (node([tar(("ada/work/a.txt", b"hell"))]), "not whole: 2 files, 4 bytes"),
        (node(breaking), "the connection broke"),
        (node(counted=None), "the home ada is not there any more"),
        (node(code=1), "cannot count ada: PermissionError: no"),
    ],
    ids=["cut off", "a file is missing", "a file is short", "broken", "gone", "unreadable"],
)
def test_what_is_not_whole_does_not_stay(host: FakeHost, error: str, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is taken for an archive that is none; containers go in any case."""
    # A fake's answers are copied, which generators cannot be.
    monkeypatch.setattr("tests.unit.support.fakes.copy.deepcopy", lambda value: value)
    with pytest.raises(StepError, match=error):
        save(host, file)
    assert list(file.parent.iterdir()) == []
    assert len(host.engine.asked("DELETE")) == host.engine.asked().count("POST /containers/create")


def test_after_a_ctrl_c_nothing_is_left(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a part of a file here nor a container there; a file that cannot be written is told."""
    monkeypatch.setattr("tests.unit.support.fakes.copy.deepcopy", lambda value: value)
    host = node(interrupted)
    with pytest.raises(KeyboardInterrupt):
        save(host, file)
    assert (list(file.parent.iterdir()), len(host.engine.asked("DELETE"))) == ([], 2)
    with pytest.raises(StepError, match=r"cannot save to .*: No such file or directory"):
        save(node(), file.parent / "nowhere" / "ada.tar.gz")


def test_a_damaged_archive_is_not_read(file: Path) -> None:
    """Whatever its last bytes were."""
    save(node(), file)
    file.write_bytes(gzip.compress(gzip.decompress(file.read_bytes())[:1540]))
    with pytest.raises((OSError, EOFError, tarfile.TarError)):
        home_files.read(file)


def test_a_folder_is_removed_through_a_mount_that_can_be_written() -> None:
    """Where homes are folders of a path or a file server."""
    host = node(counted=None)
    home_files.remove(host, NOTEBOOK, {"Type": "bind", "Source": "/srv", "Target": "/srv/homes"}, "ada")
    body = host.engine.sent("POST /containers/create").body
    assert (body["Cmd"], body["HostConfig"]["Mounts"][0]["ReadOnly"]) == (["remove", "/srv/homes/ada"], False)
