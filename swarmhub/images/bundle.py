"""One file with the images that a deploy needs, for a cluster that reaches no registry."""

import gzip
import hashlib
import json
import os
import tarfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

from swarmhub.errors import StepError, UsageError
from swarmhub.images.pull import BUNDLE, Held, local, same_names, split

STEP = BUNDLE
FILE = "swarmhub-bundle.tar"
# The archive comes first, as it is written while its size is not known; the list of what is in it comes last.
IMAGES, LIST = "images.tar.gz", "swarmhub-bundle.json"
FORMAT = 1
BLOCK, CHUNK = tarfile.BLOCKSIZE, 1 << 20
# Engines since 20.10 read gzip; a higher level takes three times as long for a tenth less.
LEVEL = 1
AGAIN = "Make it again on a machine with internet: fab bundle"

Say = Callable[[int], object]


@dataclass(frozen=True)
class Item:
    """An image in a bundle: its name, its content's fingerprint, its bytes, and whether its tag says already what is in it."""

    name: str
    content: str
    size: int
    is_built: bool

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
        first = tarfile.TarInfo.frombuf(file.read(BLOCK), "utf-8", "strict")
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
        images = tuple(Item(**one) for one in found["images"])
        return Bundle(path, found["architecture"], found["made"], first.size, found["sha256"], images)
    except (tarfile.TarError, KeyError, TypeError, ValueError):
        raise UsageError(f"{path} is cut off. Copy it again, or: fab bundle") from None


def write(path: Path, host: str, architecture: str, made: str, images: Sequence[Item], saved: Iterable[bytes], say: Say) -> str:
    """Write a bundle of what an engine saves of some images, and return its SHA-256; what fails leaves no file.

    Only the user who makes it may read it: it may hold images from a registry that asks for a password.

    Raises:
        StepError: it cannot be written, or the engine's archive is not whole.

    """
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
            cause = f"cannot write {path}: {(error.strerror or str(error)).lower()}"
            raise StepError("this machine", cause, "Name a file elsewhere: fab bundle --out FILE", STEP) from error
        raise
    return sha256


def _written(
    file: BinaryIO, host: str, architecture: str, made: str, images: Sequence[Item], saved: Iterable[bytes], say: Say
) -> str:
    file.seek(BLOCK)
    packed = _Hashed(file)
    with gzip.GzipFile(filename="", mode="wb", compresslevel=LEVEL, fileobj=packed, mtime=0) as zipped:
        tags = _tags(host, _Copied(saved, zipped, say))
    if lost := [one.name for one in images if not _spellings(one.name) & tags]:
        raise StepError(host, f"its engine has not saved {', '.join(lost)}", "Run this again", STEP)
    sha256 = packed.total.hexdigest()
    about = {"format": FORMAT, "made": made, "architecture": architecture, "sha256": sha256}
    content = json.dumps({**about, "images": [asdict(one) for one in images]}, indent=2).encode()
    _pad(file)
    file.write(_head(LIST, len(content)) + content)
    _pad(file)
    file.write(bytes(2 * BLOCK))
    file.seek(0)
    file.write(_head(IMAGES, packed.size))
    return sha256


def _tags(host: str, copied: "_Copied") -> set[str]:
    """Read an engine's archive to its end, and return the tags of the images in it."""
    tags: set[str] = set()
    try:
        with tarfile.open(fileobj=copied, mode="r|", bufsize=CHUNK) as tar:  # type: ignore[call-overload]
            for one in tar:
                if one.name == "manifest.json" and (packed := tar.extractfile(one)):
                    tags = {tag for image in json.load(packed) for tag in image.get("RepoTags") or []}
    except (tarfile.TarError, ValueError) as error:
        raise StepError(
            host, f"its engine has stopped saving the images: {error}", "Is its disk full? docker system df", STEP
        ) from error
    copied.finish()
    return tags


def _spellings(name: str) -> set[str]:
    repository, tag = split(local(name))
    return {f"{spelling}:{tag}" for spelling in same_names(repository)}


def _head(name: str, size: int) -> bytes:
    head = tarfile.TarInfo(name)
    head.size, head.mode = size, 0o600
    return head.tobuf(tarfile.GNU_FORMAT)


def _pad(file: BinaryIO) -> None:
    file.write(bytes(-file.tell() % BLOCK))


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
