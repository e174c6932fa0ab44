"""Take an image's layers from this node's engine, and give it an image."""

import gzip
import hashlib
import http.client
import json
import socket
import tarfile
import time
import zlib
from collections.abc import Iterator
from contextlib import closing, suppress
from http import HTTPStatus
from typing import Any

from swarmhub.inside.relay.blobs import CHUNK, CONFIG, Blob, Check, Life, TransferError, in_order
from swarmhub.inside.unix import Unix, message

GZIP, ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
MOST_CONFIG = 8 << 20
LEAVE_TRIES = 30
SECONDS = 1800


def answer(engine: Unix, method: str, path: str, body: Iterator[bytes] | None = None) -> http.client.HTTPResponse:
    """Ask the engine; a refusal raises."""
    with suppress(BrokenPipeError, ConnectionResetError):  # it has not read to the end, and says why
        engine.request(method, path, body=body, headers={"Content-Type": "application/x-tar"}, encode_chunked=body is not None)
    response = engine.getresponse()
    if response.status >= 400:
        raise TransferError(message(response.read()))
    return response


def leave(engine: Unix, network: str) -> None:
    """Leave the network, and remove it where this node is a manager: nobody else is left to do it."""
    there = {"Container": socket.gethostname(), "Force": True}
    engine.request("POST", f"/networks/{network}/disconnect", json.dumps(there), {"Content-Type": "application/json"})
    engine.getresponse().read()
    for _ in range(LEAVE_TRIES):
        # A worker refuses, and a manager as long as another node is on it.
        engine.request("DELETE", f"/networks/{network}")
        response = engine.getresponse()
        response.read()
        if response.status in (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_FOUND):
            return
        time.sleep(2)


def collect(engine: Unix, image: str, layers: list[str], wanted: dict[str, Blob]) -> None:
    """Take layers, and the configuration if it is wanted, from an image that this node's engine holds.

    Engines name the files of a saved image differently, and some have them compressed: a layer is known by its content.
    """
    if all(blob.is_whole for blob in wanted.values()):
        return
    is_unread = False
    with tarfile.open(fileobj=answer(engine, "GET", f"/images/{image}/get"), mode="r|", bufsize=CHUNK) as tar:
        for entry in tar:
            name = entry.name.rpartition("/")[2]
            is_other = name in layers and (name not in wanted or wanted[name].is_whole)
            if entry.isfile() and not is_other and (file := tar.extractfile(entry)):
                first = file.read(CHUNK)
                if first[:4] == ZSTD:  # perhaps a layer that nobody wants
                    is_unread = True
                else:
                    _take(name, first, file, entry.size, layers, wanted)
    if lacking := [blob.name for blob in wanted.values() if not blob.is_whole]:
        if is_unread:
            raise TransferError("a layer is compressed with zstd, which cannot be read here")
        raise TransferError(f"its engine does not give {len(lacking)} layers of {image}, such as {lacking[0][:12]}")


def _take(name: str, first: bytes, file: Any, size: int, layers: list[str], wanted: dict[str, Blob]) -> None:
    """Keep a file of a saved image if it is a layer that is wanted, or the configuration; its `first` bytes have been read."""
    config = next((blob for blob in wanted.values() if blob.name.startswith(CONFIG) and not blob.is_whole), None)
    if config and first[:1] == b"{" and size <= MOST_CONFIG:
        first += file.read()
        if is_config(first, layers):
            config.begin_again()
            config.append(gzip.compress(first, 1, mtime=0))
            config.complete(len(first))
            return
    _keep(wanted.get(name), _packed(first, file), wanted)


def is_config(content: bytes, layers: list[str]) -> bool:
    """Tell whether a file is the configuration of the image with these layers."""
    try:
        found = json.loads(content)
        return [one.removeprefix("sha256:") for one in found["rootfs"]["diff_ids"]] == layers
    except (ValueError, KeyError, TypeError, AttributeError):
        return False


def _packed(first: bytes, file: Any) -> Iterator[bytes]:
    """Yield a file compressed, as it is if it is so already."""
    pack = None if first[:2] == GZIP else zlib.compressobj(1, wbits=31)
    data = first
    while data:
        yield pack.compress(data) if pack else data
        data = file.read(CHUNK)
    if pack:
        yield pack.flush()


def _keep(named: Blob | None, packed: Iterator[bytes], wanted: dict[str, Blob]) -> None:
    """Keep what turns out to be a layer that is wanted; one whose file is named so is given to others meanwhile."""
    folder = next(iter(wanted.values())).folder
    blob, check = named or Blob(folder, "new", Life()), Check()
    blob.begin_again()
    for data in packed:
        if data:
            blob.append(data)
            check.add(data)
    found = wanted.get(check.digest)
    if found is None or found.is_whole or named not in (None, found):
        blob.begin_again()
        return
    blob.hand_over(found, check.size)


def archive(image: str, layers: list[str], config: Blob, blobs: dict[str, Blob]) -> Iterator[bytes]:
    """Yield a tar of the image as `docker save` would write it, with those layers that there are, each as soon as it is whole.

    An engine that keeps layers itself does not read those that it has already. One that has containerd keep them wants them
    all, and goes by the index. Either reads the tar to its end before it looks for what names the layers.
    """
    for blob in in_order(blobs.values()):
        blob.wait()
        yield _header(_at(blob.name), blob.size)
        yield from blob.unpacked()
        yield bytes(-blob.size % tarfile.BLOCKSIZE)
    config.wait()
    content = b"".join(config.unpacked())
    if not is_config(content, layers):
        raise TransferError("what came is not the configuration of this image")
    yield from _named(image, layers, content, blobs)


def _named(image: str, layers: list[str], config: bytes, blobs: dict[str, Blob]) -> Iterator[bytes]:
    """Yield what names the layers, and the end of the tar."""
    at = hashlib.sha256(config).hexdigest()
    entries = [_entry("application/vnd.oci.image.layer.v1.tar", name, blobs[name].size) for name in layers if name in blobs]
    manifest = _json(
        schemaVersion=2,
        mediaType="application/vnd.oci.image.manifest.v1+json",
        config=_entry("application/vnd.oci.image.config.v1+json", at, len(config)),
        layers=entries,
    )
    named = hashlib.sha256(manifest).hexdigest()
    index = _entry("application/vnd.oci.image.manifest.v1+json", named, len(manifest))
    index["annotations"] = {"io.containerd.image.name": _full(image)} if image else {}
    saved = [{"Config": _at(at), "RepoTags": [image] if image else [], "Layers": [_at(name) for name in layers]}]
    yield from _file(_at(at), config)
    if len(entries) == len(layers):
        yield from _file(_at(named), manifest)
        yield from _file("index.json", _json(schemaVersion=2, manifests=[index]))
        yield from _file("oci-layout", _json(imageLayoutVersion="1.0.0"))
    yield from _file("manifest.json", json.dumps(saved).encode())
    yield bytes(2 * tarfile.BLOCKSIZE)


def _json(**fields: object) -> bytes:
    return json.dumps(fields).encode()


def _at(digest: str) -> str:
    return f"blobs/sha256/{digest}"


def _entry(kind: str, digest: str, size: int) -> dict[str, Any]:
    return {"mediaType": kind, "digest": f"sha256:{digest}", "size": size}


def _full(image: str) -> str:
    """Return a name as containerd spells it."""
    image = image.removeprefix("docker.io/")
    first, _, rest = image.partition("/")
    if rest and ("." in first or ":" in first or first == "localhost"):
        return image
    return f"docker.io/{image}" if rest else f"docker.io/library/{image}"


def _header(name: str, size: int) -> bytes:
    entry = tarfile.TarInfo(name)
    entry.size = size
    return entry.tobuf()


def _file(name: str, content: bytes) -> Iterator[bytes]:
    yield _header(name, len(content))
    yield content + bytes(-len(content) % tarfile.BLOCKSIZE)


def load(engine: Unix, content: Iterator[bytes]) -> None:
    """Give this node's engine the image."""
    with closing(engine):  # where the content ends too early, the engine waits for the rest
        for line in answer(engine, "POST", "/images/load?quiet=1", content):
            if (said := json.loads(line)) and said.get("error"):
                raise TransferError(str(said["error"]))
