"""Bundles: what is written, and what is refused when it is read."""

import gzip
import io
import json
import random
import stat
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from swarmhub.errors import StepError, UsageError
from swarmhub.images import bundle
from swarmhub.images.bundle import Item
from swarmhub.images.pull import Held
from tests.unit.support.fakes import MANAGER, NOTEBOOK

HUB = "jupyterhub:0123456789ab"
ITEMS = (Item(NOTEBOOK, "c" * 12, 5_000_000, is_built=False), Item(HUB, "d" * 12, 3_000_000, is_built=True))
LAYER = random.Random(1).randbytes(300_000)


def saved(*tags: str, layer: bytes = LAYER) -> bytes:
    """Return an archive as an engine saves images: they share the layer, and each has one of its own."""
    packed = io.BytesIO()
    own = {f"blobs/{at}": tag.encode() * 1000 for at, tag in enumerate(tags)}
    layers = [["layer", name, "link/layer"] for name in own]
    listed = [{"Config": f"{at}.json", "RepoTags": [tag], "Layers": layers[at]} for at, tag in enumerate(tags)]
    configs = {f"{at}.json": b"{}" for at, _ in enumerate(tags)}
    files = {"layer": layer, **own, **configs, "manifest.json": json.dumps(listed).encode()}
    with tarfile.open(fileobj=packed, mode="w") as tar:
        link = tarfile.TarInfo("link/layer")
        link.type, link.linkname = tarfile.SYMTYPE, "../shared/layer"
        tar.addfile(link)
        for name, content in {**files, "shared/layer": b"shared", "index.json": b"{}"}.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def files(at: int) -> tuple[str, ...]:
    """Return the files of the archive that its image at a place needs."""
    return (f"{at}.json", "layer", f"blobs/{at}", "link/layer", "shared/layer")


def in_parts(content: bytes) -> Iterator[bytes]:
    """Yield it as a connection gives it."""
    for at in range(0, len(content), 70_000):
        yield content[at : at + 70_000]


def write(path: Path, content: bytes = b"", said: list[int] | None = None) -> None:
    """Write a bundle of what an engine gives."""
    content = content or saved(NOTEBOOK, HUB)
    say = (said if said is not None else []).append
    bundle.write(path, MANAGER, "amd64", "2026-11-29T12:00:00+00:00", ITEMS, in_parts(content), say)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the path of a bundle that has been written."""
    write(tmp_path / "b.tar")
    return tmp_path / "b.tar"


def test_a_bundle_gives_back_what_the_engine_has_saved(path: Path) -> None:
    """It is a tar with the images and their list, in which all fits; only its owner reads it."""
    found = bundle.read(path)
    whole = tuple(replace(one, files=files(at)) for at, one in enumerate(ITEMS))
    assert (found.images, found.architecture, found.made[:10]) == (whole, "amd64", "2026-11-29")
    said: list[int] = []
    with found.opened(said.append) as archive:
        assert gzip.decompress(b"".join(archive)) == saved(NOTEBOOK, HUB)
    assert (said[-1], len(archive)) == (found.size, found.size)
    assert (stat.S_IMODE(path.stat().st_mode), [*path.parent.iterdir()]) == (0o600, [path])
    with tarfile.open(path) as tar:
        assert tar.getnames() == [bundle.IMAGES, bundle.LIST]


def test_of_an_image_alone_only_what_it_needs_is_loaded(path: Path) -> None:
    """What the others need does not travel; the list of the archive's contents names that image alone."""
    found = bundle.read(path)
    with found.only(found.images[1:]) as parts:
        content = gzip.decompress(b"".join(parts))
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        assert {*tar.getnames()} == {*files(1), "manifest.json"}
        listed, layer, own = (tar.extractfile(name) for name in ("manifest.json", "layer", "blobs/1"))
        assert listed is not None
        assert [one["RepoTags"] for one in json.load(listed)] == [[HUB]]
        assert layer is not None
        assert own is not None
        assert (layer.read(), own.read()) == (LAYER, HUB.encode() * 1000)
        assert tar.getmember("link/layer").linkname == "../shared/layer"
    with found.only(found.images) as parts:
        assert gzip.decompress(b"".join(parts)) == saved(NOTEBOOK, HUB)


def test_it_says_how_far_it_is(tmp_path: Path) -> None:
    """By the bytes that the engine has sent; the last word has all of them."""
    said: list[int] = []
    write(tmp_path / "b.tar", said=said)
    assert (said == sorted(said), said[-1], len(said) > 3) == (True, len(saved(NOTEBOOK, HUB)), True)


def test_what_docker_hub_calls_shorter_is_the_same_image(tmp_path: Path) -> None:
    """Engines save docker.io/library/debian:12 as debian:12."""
    item = Item("docker.io/library/debian:12", "", 1, is_built=False)
    bundle.write(tmp_path / "b.tar", MANAGER, "amd64", "", (item,), in_parts(saved("debian:12")), id)
    assert bundle.read(tmp_path / "b.tar").find("docker.io/library/debian:12") == replace(item, files=files(0))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            saved(NOTEBOOK, HUB)[:200_000],
            "its engine has stopped saving the images: unexpected end of data. Is its disk full?",
        ),
        (saved(NOTEBOOK), f"its engine has not saved {HUB}. Run this again"),
    ],
    ids=["cut off", "one is missing"],
)
def test_an_archive_that_is_not_whole_leaves_no_file(tmp_path: Path, content: bytes, said: str) -> None:
    """Nor takes away the bundle of before."""
    write(tmp_path / "b.tar")
    before = (tmp_path / "b.tar").read_bytes()
    with pytest.raises(StepError, match=said):
        write(tmp_path / "b.tar", content)
    assert ([one.name for one in tmp_path.iterdir()], (tmp_path / "b.tar").read_bytes()) == (["b.tar"], before)


def test_ctrl_c_leaves_no_file(tmp_path: Path) -> None:
    """Half a bundle is none."""

    def stop(done: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bundle.write(tmp_path / "b.tar", MANAGER, "amd64", "", ITEMS, in_parts(saved(NOTEBOOK, HUB)), stop)
    assert [*tmp_path.iterdir()] == []


def test_a_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """With the option that names another place."""
    with pytest.raises(StepError, match=r"cannot write .*: no such file or directory\. Name a file elsewhere: .* --out FILE"):
        write(tmp_path / "none" / "b.tar")
    for folder in (tmp_path, Path(".")):
        with pytest.raises(StepError, match=rf"cannot write {folder}: is a directory\. Name a file elsewhere"):
            write(folder)


@pytest.mark.parametrize("left", [0, 400, 513, 700, 200_000, -2000, -1500])
def test_a_bundle_that_is_cut_off_is_told(path: Path, left: int) -> None:
    """Wherever it ends: before anything is connected to."""
    path.write_bytes(path.read_bytes()[:left])
    with pytest.raises(UsageError, match=r"is cut off\. Copy it again, or: fab bundle|is no bundle, which fab bundle writes"):
        bundle.read(path)


def test_a_bundle_that_has_changed_is_told(path: Path) -> None:
    """A byte is enough."""
    content = bytearray(path.read_bytes())
    content[5000] ^= 1
    path.write_bytes(content)
    with pytest.raises(UsageError, match=r"is not as it was written: its SHA-256 differs\. Copy it again"):
        bundle.read(path)


LATIN = tarfile.TarInfo("\xdcbung").tobuf(tarfile.GNU_FORMAT, "latin-1")


@pytest.mark.parametrize(
    "content",
    [b"", b"text" * 400, saved(NOTEBOOK), LATIN + bytes(1024)],
    ids=["empty", "no tar", "docker save", "a tar with a name in Latin-1"],
)
def test_another_file_is_no_bundle(path: Path, content: bytes) -> None:
    """Whatever it is."""
    path.write_bytes(content)
    with pytest.raises(UsageError, match="is no bundle, which fab bundle writes"):
        bundle.read(path)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    """In the system's words."""
    with pytest.raises(UsageError, match="none: no such file or directory"):
        bundle.read(tmp_path / "none")


def test_a_bundle_of_another_release_is_told(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With how to make one."""
    monkeypatch.setattr(bundle, "FORMAT", 2)
    with pytest.raises(UsageError, match=r"was made by another release of swarmhub\. Make it again"):
        bundle.read(path)


@pytest.mark.parametrize(
    ("item", "held", "same"),
    [
        (ITEMS[0], Held("1", content="c" * 12), True),
        (ITEMS[0], Held("1", content="e" * 12), False),
        (ITEMS[1], Held("1", content="e" * 12), True),
        (ITEMS[0], None, False),
    ],
    ids=["the same", "another by that name", "built from the same", "none"],
)
def test_a_node_holds_the_same_image_or_another(item: Item, held: Held | None, same: bool) -> None:
    """A tag that says what went in is enough; of others, what is in it counts, and not by which id an engine knows it."""
    assert item.is_held(held) is same
