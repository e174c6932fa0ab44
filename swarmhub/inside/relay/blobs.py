"""What is kept of an image on a node while it comes: compressed layers, and its configuration."""

import gzip
import hashlib
import os
import threading
import time
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

CHUNK = 1 << 20
# The other nodes may still be starting.
START_SECONDS = 20.0
# Behind it is the image's id: images of the same layers may have different ones.
CONFIG = "config-"


class TransferError(Exception):
    """What the operator reads."""


class MismatchError(Exception):
    """What has come is not what was wanted."""


class Life:
    """When this node last heard of the image: by bytes, or by word that more is to come."""

    def __init__(self) -> None:
        self.heard = time.monotonic() + START_SECONDS

    def beat(self) -> None:
        """Take note that more is to come."""
        self.heard = max(self.heard, time.monotonic())

    @property
    def silence(self) -> float:
        """Return for how many seconds nothing was heard."""
        return time.monotonic() - self.heard


class Blob:
    """A compressed layer, or the image's configuration: a file that grows, is read meanwhile, and is whole in the end."""

    def __init__(self, folder: Path, name: str, life: Life) -> None:
        self.name, self.folder, self.life = name, folder, life
        self._changed = threading.Condition()
        self._part = folder / f"{name}.part"
        whole = next(iter(folder.glob(f"{name}-*.whole")), None)
        self.path = whole or self._part
        self.is_whole, self.is_lost = whole is not None, False
        # Bytes when unpacked: known when it is whole, and part of the file's name.
        self.size = int(whole.stem.rpartition("-")[2]) if whole else 0

    @property
    def length(self) -> int:
        """Return how many bytes of the file there are."""
        try:
            return self.path.stat().st_size
        except FileNotFoundError:  # nothing has come; or another thread is just giving it its other name
            return 0

    def append(self, data: bytes) -> None:
        """Add what has come, and wake those that read it."""
        # Without the lock: a disk that is slow to write does not keep those that wait from hearing that more is to come.
        with self._part.open("ab") as file:
            file.write(data)
        with self._changed:
            self.life.beat()
            self._changed.notify_all()

    def begin_again(self) -> None:
        """Throw away what has come: it is not what was wanted."""
        with self._changed:
            self._part.unlink(missing_ok=True)

    def complete(self, size: int) -> None:
        """Make it whole: all of it is on the disk and has been checked."""
        with self._part.open("rb+") as file:
            os.fsync(file.fileno())
        with self._changed:
            whole = self.folder / f"{self.name}-{size}.whole"
            self._part.rename(whole)
            self.size, self.path = size, whole
            self.is_whole = True
            self._changed.notify_all()

    def hand_over(self, other: "Blob", size: int) -> None:
        """Make another one whole with what has come; it may be this one."""
        self._part.replace(other.folder / f"{other.name}.part")
        other.complete(size)

    def lose(self) -> None:
        """Tell those that read it that no more comes."""
        with self._changed:
            self.is_lost = not self.is_whole
            self._changed.notify_all()

    def wait(self) -> None:
        """Return when it is whole.

        Raises:
            TransferError: no more of it comes.

        """
        with self._changed:
            self._changed.wait_for(lambda: self.is_whole or self.is_lost)
        if not self.is_whole:
            raise TransferError(f"layer {self.name[:12]} does not come")

    def more(self, offset: int, seconds: float) -> None:
        """Wait until there is more than `offset`, or it has ended."""
        with self._changed:
            self._changed.wait_for(lambda: self.length > offset or self.is_whole or self.is_lost, seconds)

    def unpacked(self) -> Iterator[bytes]:
        """Yield what it holds."""
        with gzip.open(self.path) as file:
            while data := file.read(CHUNK):
                yield data


def in_order(blobs: Iterable[Blob]) -> list[Blob]:
    """Return blobs in the order in which the source has them: an engine saves the files of an image by their digests."""
    return sorted(blobs, key=lambda blob: blob.name.removeprefix(CONFIG))


class Unpacked:
    """Unpack gzip as it comes: of one stream, or of several behind one another, as some builders write it."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(31)

    def add(self, data: bytes) -> bytes:
        """Return what the next bytes unpack to."""
        content = b""
        while data:
            if self._stream.eof:
                self._stream = zlib.decompressobj(31)
            content += self._stream.decompress(data)
            data = self._stream.unused_data
        return content

    @property
    def is_whole(self) -> bool:
        """Tell whether nothing is missing at the end."""
        return self._stream.eof


class Check:
    """Unpack what comes and hash it: a layer's name is the SHA-256 of what it unpacks to."""

    def __init__(self) -> None:
        self._unpacked, self._hash, self.size = Unpacked(), hashlib.sha256(), 0

    def add(self, data: bytes) -> None:
        """Take the next bytes."""
        try:
            content = self._unpacked.add(data)
        except zlib.error as error:
            raise MismatchError(str(error)) from error
        self._hash.update(content)
        self.size += len(content)

    @property
    def digest(self) -> str:
        """Return the hash of what has come."""
        return self._hash.hexdigest()

    def fits(self, name: str) -> bool:
        """Tell whether it was all, and what was wanted."""
        return self._unpacked.is_whole and (name == self.digest or name.startswith(CONFIG))
