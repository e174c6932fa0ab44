"""Take blobs from the node before, and give them to the next one, while they still come."""

import hmac
import json
import socket
import socketserver
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from swarmhub.inside.relay.blobs import CHUNK, Blob, Check, MismatchError, TransferError

PORT = 8732
# On the wire: a length and so many bytes; or one of these.
END, ALIVE = 0, -1
ALIVE_SECONDS = 2.0
# A node that says nothing for so long is taken for dead.
SILENT_SECONDS, CONNECT_SECONDS = 30.0, 10.0
# As long as the nearest node may come back, no other is asked: the source is to send each layer once.
# Then one more is asked, then all, and then this node gives up.
ONE_MORE_SECONDS, ALL_SECONDS, GIVE_UP_SECONDS = 4.0, 8.0, 20.0


@dataclass(frozen=True)
class Peer:
    """A node before this one: how it is found, and how people call it."""

    alias: str
    host: str


def fetch(blob: Blob, before: list[Peer], token: str, count: Callable[[int], None]) -> None:
    """Take a blob from the nearest node before that gives it, from where it was left.

    What was left may be of another source, which packs otherwise: what does not fit is taken once more from its beginning.
    """
    for _ in range(2):
        check = Check()
        try:
            if blob.length:
                with blob.path.open("rb") as file:
                    while data := file.read(CHUNK):
                        check.add(data)
                        blob.life.beat()
            _follow(blob, check, before, token, count)
        except MismatchError:
            pass
        else:
            if check.fits(blob.name):
                blob.complete(check.size)
                return
        blob.begin_again()
    raise TransferError(f"what came is not layer {blob.name[:12]}")


def _follow(blob: Blob, check: Check, before: list[Peer], token: str, count: Callable[[int], None]) -> None:
    """Take the rest of a blob, from one node or another."""
    last, until = "nothing answers", max(time.monotonic(), blob.life.heard) + GIVE_UP_SECONDS
    while time.monotonic() < until:
        for peer in _asked(before, blob.life.silence):
            heard = blob.life.heard
            try:
                for data in ask(peer, blob, token):
                    blob.append(data)
                    check.add(data)
                    count(len(data))
                return
            except ConnectionError as error:
                last = f"{peer.host} does not go on: {error}"
                if blob.life.heard > heard:
                    until = time.monotonic() + GIVE_UP_SECONDS
        time.sleep(0.3)
    raise TransferError(f"layer {blob.name[:12]} came no further than {blob.length / 1e6:.0f} MB: {last}")


def _asked(before: list[Peer], silence: float) -> list[Peer]:
    """Return which nodes are asked: the more of them, the longer nothing was heard."""
    return before if silence > ALL_SECONDS else before[: 2 if silence > ONE_MORE_SECONDS else 1]


def ask(peer: Peer, blob: Blob, token: str) -> Iterator[bytes]:
    """Ask a node for a blob from where it was left, and yield its bytes.

    Raises:
        ConnectionError: it cannot be reached, does not have it, or does not go on.

    """
    request = json.dumps({"token": token, "name": blob.name, "offset": blob.length})
    try:
        connection = socket.create_connection((peer.alias, PORT), timeout=CONNECT_SECONDS)
    except OSError as error:
        raise ConnectionError(str(error)) from error
    connection.settimeout(SILENT_SECONDS)
    with connection, connection.makefile("rb") as stream:
        connection.sendall(f"{request}\n".encode())
        while (length := struct.unpack("!i", _exactly(stream, 4))[0]) != END:
            if length > 0:
                yield _exactly(stream, length)
            else:
                blob.life.beat()


def _exactly(stream: BinaryIO, length: int) -> bytes:
    try:
        data = stream.read(length)
    except OSError as error:
        raise ConnectionError(str(error)) from error
    if len(data) < length:
        raise ConnectionError("it was cut off")
    return data


class Giver(socketserver.StreamRequestHandler):
    """Gives blobs to those who know the run's token, while they still come."""

    timeout = SILENT_SECONDS
    server: "Server"

    def handle(self) -> None:
        """Answer one request."""
        try:
            asked = json.loads(self.rfile.readline(4096))
            blob, offset = self.server.blobs.get(asked["name"]), int(asked["offset"])
            is_known = hmac.compare_digest(str(asked["token"]).encode(), self.server.token.encode())
        except (ValueError, KeyError, TypeError, OSError):
            return
        if not is_known or blob is None:
            return
        with self.server.at_work():
            try:
                self._give(blob, offset)
            except OSError:
                return  # it asks again, or another

    def _give(self, blob: Blob, offset: int) -> None:
        while True:
            blob.more(offset, ALIVE_SECONDS)
            whole = blob.is_whole
            if blob.length > offset:
                with blob.path.open("rb") as file:
                    file.seek(offset)
                    while data := file.read(CHUNK):
                        self.wfile.write(struct.pack("!i", len(data)) + data)
                        offset += len(data)
            elif whole:
                self.wfile.write(struct.pack("!i", END))
                return
            elif blob.is_lost or blob.life.silence > SILENT_SECONDS:
                return
            else:
                self.wfile.write(struct.pack("!i", ALIVE))


class Server(socketserver.ThreadingTCPServer):
    """Listens for the nodes behind."""

    allow_reuse_address = daemon_threads = True

    def __init__(self, blobs: dict[str, Blob], token: str, address: str = "") -> None:
        super().__init__((address, PORT), Giver)
        self.blobs, self.token = blobs, token
        self.busy, self.last, self._lock = 0, time.monotonic(), threading.Lock()

    def at_work(self) -> "Server":
        """Return what is entered while a request is answered."""
        return self

    def __enter__(self) -> "Server":
        with self._lock:
            self.busy += 1
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self.busy, self.last = self.busy - 1, time.monotonic()
