"""Layers from a saved image, whatever its engine calls the files, and an image for an engine."""

import gzip
import hashlib
import io
import itertools
import json
import tarfile
from collections.abc import Iterator
from http.client import HTTPResponse
from pathlib import Path
from typing import Any, cast

import pytest

from swarmhub.inside.relay import engine
from swarmhub.inside.relay.blobs import CONFIG, Blob, Life, TransferError
from swarmhub.inside.relay.engine import archive, collect, is_config, load
from swarmhub.inside.unix import Unix

LAYERS = [b"lowest" * 1000, b"{upper}" * 1000]
NAMES = [hashlib.sha256(one).hexdigest() for one in LAYERS]
SETTINGS = json.dumps({"rootfs": {"diff_ids": [f"sha256:{one}" for one in NAMES]}}).encode()
ENGINE = cast(Unix, None)


def saved(files: dict[str, bytes]) -> bytes:
    """Return a tar."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def collected(monkeypatch: pytest.MonkeyPatch, folder: Path, files: dict[str, bytes], *names: str) -> dict[str, Blob]:
    """Return what is taken of an image that an engine saves like this."""
    asked: list[str] = []

    def answer(_: Unix, method: str, path: str) -> Any:
        asked.append(f"{method} {path}")
        return io.BytesIO(saved(files))

    monkeypatch.setattr(engine, "answer", answer)
    wanted = {name: Blob(folder, name, Life()) for name in names}
    collect(ENGINE, "own:1", NAMES, wanted)
    assert asked == ["GET /images/own:1/get"]
    return wanted


@pytest.mark.parametrize(
    "files",
    [
        {f"blobs/sha256/{NAMES[0]}": LAYERS[0], f"blobs/sha256/{NAMES[1]}": LAYERS[1], "blobs/sha256/c": SETTINGS},
        {"a/layer.tar": LAYERS[0], "a/json": b"{}", "b/layer.tar": LAYERS[1], "c.json": SETTINGS, "manifest.json": b"[]"},
        {"blobs/sha256/a": gzip.compress(LAYERS[0]), "blobs/sha256/b": gzip.compress(LAYERS[1]), "blobs/sha256/c": SETTINGS},
        {"x": gzip.compress(LAYERS[0][:99]) + gzip.compress(LAYERS[0][99:]), "y": LAYERS[1], "c": SETTINGS},
    ],
    ids=["Docker 25 and later", "Docker 20", "containerd", "gzip of several streams"],
)
def test_layers_are_known_by_their_content(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, files: dict[str, bytes]) -> None:
    """However the engine calls and packs them."""
    blobs = collected(monkeypatch, tmp_path, files, *NAMES, f"{CONFIG}1")
    assert [b"".join(blob.unpacked()) for blob in blobs.values()] == [*LAYERS, SETTINGS]
    assert [blob.size for blob in blobs.values()] == [*map(len, LAYERS), len(SETTINGS)]


def test_only_what_is_wanted_is_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing else is left on the disk."""
    collected(monkeypatch, tmp_path, {"a/layer.tar": LAYERS[0], "b/layer.tar": LAYERS[1], "c": SETTINGS}, NAMES[1])
    assert [file.name for file in tmp_path.iterdir()] == [f"{NAMES[1]}-{len(LAYERS[1])}.whole"]


def test_an_image_without_the_layer_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It says which one."""
    with pytest.raises(TransferError, match=NAMES[1][:12]):
        collected(monkeypatch, tmp_path, {"a/layer.tar": LAYERS[0]}, *NAMES)


def test_a_layer_that_cannot_be_read_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Python has no zstd before 3.14; where nobody wants that layer, nothing is wrong."""
    files = {"a": b"\x28\xb5\x2f\xfd...", "b": LAYERS[1]}
    assert collected(monkeypatch, tmp_path, files, NAMES[1])[NAMES[1]].is_whole
    with pytest.raises(TransferError, match="zstd"):
        collected(monkeypatch, tmp_path, files, NAMES[0])


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b'{"rootfs": {}}', b'{"rootfs": {"diff_ids": [1]}}', b"\xff{"])
def test_what_is_no_configuration_is_none(content: bytes) -> None:
    """Whatever is in it."""
    assert not is_config(content, NAMES)


def blobs(folder: Path, *held: int) -> dict[str, Blob]:
    """Return the layers that are there."""
    made = {}
    for number in held:
        blob = Blob(folder, NAMES[number], Life())
        blob.append(gzip.compress(LAYERS[number]))
        blob.complete(len(LAYERS[number]))
        made[blob.name] = blob
    return made


def configuration(folder: Path, content: bytes = SETTINGS) -> Blob:
    """Return the image's configuration."""
    blob = Blob(folder, f"{CONFIG}1", Life())
    blob.append(gzip.compress(content))
    blob.complete(len(content))
    return blob


def unpacked(content: Iterator[bytes]) -> dict[str, bytes]:
    """Return the files of a tar."""
    with tarfile.open(fileobj=io.BytesIO(b"".join(content))) as tar:
        return {entry.name: cast(Any, tar.extractfile(entry)).read() for entry in tar}


def test_an_engine_that_keeps_layers_gets_those_that_it_lacks(tmp_path: Path) -> None:
    """All are named, and it does not read the files of those that it has."""
    files = unpacked(archive("own:1", NAMES, configuration(tmp_path), blobs(tmp_path, 1)))
    (manifest,) = json.loads(files["manifest.json"])
    assert manifest["RepoTags"] == ["own:1"]
    assert manifest["Layers"] == [f"blobs/sha256/{one}" for one in NAMES]
    assert files[manifest["Config"]] == SETTINGS
    assert (files[manifest["Layers"][1]], manifest["Layers"][0] in files) == (LAYERS[1], False)
    assert "index.json" not in files


@pytest.mark.parametrize(
    ("image", "full"),
    [
        ("own:1", "docker.io/library/own:1"),
        ("me/own:1", "docker.io/me/own:1"),
        ("registry.lab:5000/own:1", "registry.lab:5000/own:1"),
        ("localhost/own:1", "localhost/own:1"),
        ("docker.io/own:1", "docker.io/library/own:1"),
        ("docker.io/me/own:1", "docker.io/me/own:1"),
    ],
)
def test_containerd_goes_by_an_index_of_all_layers(tmp_path: Path, image: str, full: str) -> None:
    """Its digests are those of the files; the name is spelled in full."""
    files = unpacked(archive(image, NAMES, configuration(tmp_path), blobs(tmp_path, 0, 1)))
    (entry,) = json.loads(files["index.json"])["manifests"]
    assert entry["annotations"] == {"io.containerd.image.name": full}
    manifest = json.loads(files[f"blobs/sha256/{entry['digest'][7:]}"])
    for one in (entry, manifest["config"], *manifest["layers"]):
        content = files[f"blobs/sha256/{one['digest'][7:]}"]
        assert (one["digest"][7:], one["size"]) == (hashlib.sha256(content).hexdigest(), len(content))


def test_the_engine_gets_a_layer_while_the_next_one_still_comes(tmp_path: Path) -> None:
    """In the order in which the source saves them: by their digests."""
    first, second = sorted([0, 1], key=lambda number: NAMES[number])
    there = blobs(tmp_path, first)
    coming = Blob(tmp_path, NAMES[second], Life())
    content = archive("own:1", NAMES, configuration(tmp_path), {coming.name: coming, **there})
    begun = b"".join(itertools.islice(content, 3))
    assert LAYERS[first] in begun
    assert not coming.is_whole
    blobs(tmp_path, second)
    coming.path, coming.size, coming.is_whole = (
        tmp_path / f"{coming.name}-{len(LAYERS[second])}.whole",
        len(LAYERS[second]),
        True,
    )
    assert unpacked(itertools.chain([begun], content))[f"blobs/sha256/{coming.name}"] == LAYERS[second]


def test_where_a_layer_does_not_come_the_image_ends(tmp_path: Path) -> None:
    """The engine gets no image that is not whole."""
    lost = Blob(tmp_path, NAMES[1], Life())
    lost.lose()
    with pytest.raises(TransferError, match=f"layer {NAMES[1][:12]} does not come"):
        unpacked(archive("own:1", NAMES, configuration(tmp_path), {lost.name: lost}))


def test_another_images_configuration_is_refused(tmp_path: Path) -> None:
    """By the layers that it names."""
    with pytest.raises(TransferError, match="not the configuration"):
        unpacked(archive("own:1", NAMES, configuration(tmp_path, b'{"rootfs": {"diff_ids": []}}'), {}))


class Closable:
    """An engine of which nothing is asked."""

    is_closed = False

    def close(self) -> None:
        """Take note of it."""
        self.is_closed = True


def test_what_the_engine_says_of_a_load_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine answers 200 first, and says in the stream that its disk is full; nothing is left open."""
    said, asked = [b'{"stream": "Loaded"}\n', b'{"error": "no space left on device"}\n'], Closable()
    monkeypatch.setattr(engine, "answer", lambda *_: cast(HTTPResponse, said))
    with pytest.raises(TransferError, match="no space left on device"):
        load(cast(Unix, asked), iter([]))
    assert asked.is_closed
