"""One file with the images that a deploy needs, for a cluster that reaches no registry."""

import gzip
import hashlib
import io
import json
import os
import posixpath
import tarfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

from swarmhub.errors import StepError, UsageError
from swarmhub.images.pull import BUNDLE, Held, spellings

STEP = BUNDLE
FILE = "swarmhub-bundle.tar"
# The archive comes first, as it is written while its size is not known; the list of what is in it comes last.
IMAGES, LIST = "images.tar.gz", "swarmhub-bundle.json"
FORMAT = 1
# In an engine's archive.
CONTENTS = "manifest.json"
BLOCK, CHUNK = tarfile.BLOCKSIZE, 1 << 20
# Engines since 20.10 read gzip; a higher level takes three times as long for a tenth less.
LEVEL = 1
AGAIN = "Make it again on a machine with internet: fab bundle"

Say = Callable[[int], object]


@dataclass(frozen=True)
class Item:
    """An image in a bundle: its name, its content's fingerprint, its bytes, and whether its tag says already what is in it.

    `files` are those of the archive that it needs; other images may need some of them, too.
    """

    name: str
    content: str
    size: int
    is_built: bool
    files: tuple[str, ...] = ()

    def is_held(self, held: Held | None) -> bool:
        """Tell whether a node that holds this by the name holds the same image."""
        return held is not None and (self.is_built or held.content == self.content)


@dataclass(frozen=True)
class Bundle:
    """A bundle that has been read: where it is, for which engines, and what is in it."""

    path: Path
    architecture: str
    made: str
    size: int
    sha256: str
    images: tuple[Item, ...]

    def find(self, name: str) -> Item | None:
        """Return an image of the bundle by its name."""
        return next((one for one in self.images if one.name == name), None)

    @contextmanager
    def opened(self, say: Say = id) -> "Iterator[Archive]":
        """Give the archive of the images, as an engine loads it; `say` hears how many bytes of it have been read."""
        with self.path.open("rb") as file:
            file.seek(BLOCK)
            yield Archive(file, self.size, say)

    @contextmanager
    def only(self, items: Sequence[Item], say: Say = id) -> Iterator[Iterable[bytes]]:
        """Give an archive of some of the images: what the others alone need does not travel."""
        with self.opened(say) as archive:
            yield archive if {*items} == {*self.images} else _parts(archive, items)


class Archive:
    """The archive inside a bundle as a file of its own, which is read once."""

    def __init__(self, file: BinaryIO, size: int, say: Say) -> None:
        self._file, self._size, self._say, self._done = file, size, say, 0

    def __len__(self) -> int:
        """Return its bytes: a request says them at its beginning."""
        return self._size

    def __iter__(self) -> Iterator[bytes]:
        """Yield its parts."""
        while part := self.read(CHUNK):
            yield part

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes."""
        left = self._size - self._done
        part = self._file.read(left if size < 0 else min(size, left))
        self._done += len(part)
        self._say(self._done)
        return part


def read(path: Path) -> Bundle:
    """Read and check a bundle whole.

    Raises:
        UsageError: there is none, or it is cut off or changed.

    """
    try:
        with path.open("rb") as file:
            bundle = _listed(path, file)
    except OSError as error:
        raise UsageError(f"{path}: {(error.strerror or str(error)).lower()}") from None
    with bundle.opened() as archive:
        total = hashlib.sha256()
        for part in archive:
            total.update(part)
    if total.hexdigest() != bundle.sha256:
        raise UsageError(f"{path} is not as it was written: its SHA-256 differs. Copy it again, or: fab bundle")
    return bundle


def _listed(path: Path, file: BinaryIO) -> Bundle:
    """Return what a bundle says of itself."""
    foreign = UsageError(f"{path} is no bundle, which fab bundle writes")
    try:
        first = tarfile.TarInfo.frombuf(file.read(BLOCK), "utf-8", "surrogateescape")
    except tarfile.TarError:
        raise foreign from None
    if first.name != IMAGES:
        raise foreign
    try:
        file.seek(0)
        with tarfile.open(fileobj=file, mode="r:") as tar:
            packed = tar.extractfile(LIST)
            found: dict[str, Any] = json.loads(packed.read() if packed else b"")
        if found["format"] != FORMAT:
            raise UsageError(f"{path} was made by another release of swarmhub. {AGAIN}")
        images = tuple(Item(**{**one, "files": tuple(one["files"])}) for one in found["images"])
        return Bundle(path, found["architecture"], found["made"], first.size, found["sha256"], images)
    except (tarfile.TarError, KeyError, TypeError, ValueError):
        raise UsageError(f"{path} is cut off. Copy it again, or: fab bundle") from None


def write(path: Path, host: str, architecture: str, made: str, images: Sequence[Item], saved: Iterable[bytes], say: Say) -> str:
    """Write a bundle of what an engine saves of some images, and return its SHA-256; what fails leaves no file.

    Only the user who makes it may read it: it may hold images from a registry that asks for a password.

    Raises:
        StepError: it cannot be written, or the engine's archive is not whole.

    """
    if path.is_dir():
        raise _unwritable(path, "is a directory")
    new = path.with_name(f"{path.name}.part")
    try:
        new.unlink(missing_ok=True)
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            sha256 = _written(file, host, architecture, made, images, saved, say)
        new.replace(path)
    except BaseException as error:
        with suppress(OSError):
            new.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise _unwritable(path, (error.strerror or str(error)).lower()) from error
        raise
    return sha256


def _unwritable(path: Path, why: str) -> StepError:
    return StepError("this machine", f"cannot write {path}: {why}", "Name a file elsewhere: fab bundle --out FILE", STEP)


def _written(
    file: BinaryIO, host: str, architecture: str, made: str, images: Sequence[Item], saved: Iterable[bytes], say: Say
) -> str:
    file.seek(BLOCK)
    packed = _Hashed(file)
    with gzip.GzipFile(filename="", mode="wb", compresslevel=LEVEL, fileobj=packed, mtime=0) as zipped:
        files = _files(host, _Copied(saved, zipped, say))
    whole = [replace(one, files=next((files[tag] for tag in spellings(one.name) if tag in files), ())) for one in images]
    if lost := [one.name for one in whole if not one.files]:
        raise StepError(host, f"its engine has not saved {', '.join(lost)}", "Run this again", STEP)
    sha256 = packed.total.hexdigest()
    about = {"format": FORMAT, "made": made, "architecture": architecture, "sha256": sha256}
    content = json.dumps({**about, "images": [asdict(one) for one in whole]}, indent=2).encode()
    _pad(file)
    file.write(_head(LIST, len(content)) + content)
    _pad(file)
    file.write(bytes(2 * BLOCK))
    file.seek(0)
    file.write(_head(IMAGES, packed.size))
    return sha256


def _files(host: str, copied: "_Copied") -> dict[str, tuple[str, ...]]:
    """Read an engine's archive to its end, and return by tag the files that an image needs."""
    listed: list[Any] = []
    links: dict[str, str] = {}
    try:
        with tarfile.open(fileobj=copied, mode="r|", bufsize=CHUNK) as tar:  # type: ignore[call-overload]
            for one in tar:
                if one.issym():  # so engines before 25 save what several images share
                    links[one.name] = posixpath.normpath(posixpath.join(posixpath.dirname(one.name), one.linkname))
                if one.name == CONTENTS and (packed := tar.extractfile(one)):
                    listed = json.load(packed)
    except (tarfile.TarError, ValueError) as error:
        cause = f"its engine has stopped saving the images: {error}"
        raise StepError(host, cause, "Is its disk full? docker system df", STEP) from error
    copied.finish()
    files = [([image["Config"], *image["Layers"]], image.get("RepoTags") or []) for image in listed]
    return {
        tag: tuple(dict.fromkeys([*its, *(links[one] for one in its if one in links)])) for its, tags in files for tag in tags
    }


def _parts(archive: Archive, items: Sequence[Item]) -> Iterator[bytes]:
    """Yield an archive of some images, packed again; engines with either store read the list of its contents."""
    wanted, tags = {name for one in items for name in one.files}, {tag for one in items for tag in spellings(one.name)}
    out = _Buffer()
    with (
        tarfile.open(fileobj=archive, mode="r|gz", bufsize=CHUNK) as tar,  # type: ignore[call-overload]
        gzip.GzipFile(filename="", mode="wb", compresslevel=LEVEL, fileobj=out, mtime=0) as packed,
    ):
        for one in tar:
            content = tar.extractfile(one) if one.isreg() else None
            if one.name == CONTENTS and content:
                left = json.dumps(_contents(json.load(content), tags)).encode()
                one.size, content = len(left), io.BytesIO(left)
            elif one.name not in wanted:
                continue
            packed.write(one.tobuf(tarfile.GNU_FORMAT))
            while content and (part := content.read(CHUNK)):
                packed.write(part)
                yield from out.taken()
            packed.write(bytes(-one.size % BLOCK))
        packed.write(bytes(2 * BLOCK))
    yield from out.taken()


def _contents(listed: Sequence[Any], tags: set[str]) -> list[Any]:
    """Return the list of an archive's contents for those images alone."""
    kept = [{**one, "RepoTags": sorted({*(one.get("RepoTags") or [])} & tags)} for one in listed]
    return [one for one in kept if one["RepoTags"]]


def _head(name: str, size: int) -> bytes:
    head = tarfile.TarInfo(name)
    head.size, head.mode = size, 0o600
    return head.tobuf(tarfile.GNU_FORMAT)


def _pad(file: BinaryIO) -> None:
    file.write(bytes(-file.tell() % BLOCK))


class _Buffer:
    """What has been written, until it is taken."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, part: bytes) -> int:
        self._parts.append(bytes(part))
        return len(part)

    def flush(self) -> None:
        pass

    def taken(self) -> list[bytes]:
        parts, self._parts = self._parts, []
        return [part for part in parts if part]


class _Hashed:
    """A file that is written to, with the hash and the number of the bytes so far."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self.total, self.size = file, hashlib.sha256(), 0

    def write(self, part: bytes) -> int:
        self.total.update(part)
        self.size += len(part)
        return self._file.write(part)

    def flush(self) -> None:
        self._file.flush()


class _Copied:
    """What an engine sends, as a file; what is read of it is written elsewhere, too."""

    def __init__(self, parts: Iterable[bytes], to: gzip.GzipFile, say: Say) -> None:
        self._parts, self._to, self._say = iter(parts), to, say
        self._left, self._done = b"", 0

    def read(self, size: int) -> bytes:
        while len(self._left) < size and (part := next(self._parts, b"")):
            self._to.write(part)
            self._left += part
            self._done += len(part)
            self._say(self._done)
        part, self._left = self._left[:size], self._left[size:]
        return part

    def finish(self) -> None:
        """Take what comes after the archive's end."""
        while self.read(CHUNK):
            pass
