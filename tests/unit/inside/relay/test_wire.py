"""Blobs pass from node to node: while they come, from where they were left, and only to those who know the token."""

import gzip
import hashlib
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from swarmhub.inside.relay import wire
from swarmhub.inside.relay.blobs import Blob, Life, TransferError
from swarmhub.inside.relay.wire import Peer, Server, ask, fetch

TOKEN = "secret"
CONTENT = os.urandom(3 << 20)
NAME = hashlib.sha256(CONTENT).hexdigest()
PACKED = gzip.compress(CONTENT, 1, mtime=0)
SOURCE, FIRST, SECOND = "127.0.0.2", "127.0.0.3", "127.0.0.4"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a test have a port of its own, and give up soon."""
    with socket.socket() as free:
        free.bind(("", 0))
        monkeypatch.setattr(wire, "PORT", free.getsockname()[1])
    for name, seconds in (("ONE_MORE_SECONDS", 0.1), ("ALL_SECONDS", 0.2), ("GIVE_UP_SECONDS", 0.5), ("ALIVE_SECONDS", 0.1)):
        monkeypatch.setattr(wire, name, seconds)


def kept(folder: Path, packed: bytes = b"", *, whole: bool = False, started: bool = True) -> Blob:
    """Return a blob of which so much is in a folder."""
    folder.mkdir(exist_ok=True)
    life = Life()
    if started:
        life.heard -= 20
    blob = Blob(folder, NAME, life)
    if packed:
        blob.append(packed)
    if whole:
        blob.complete(len(CONTENT))
    return blob


@contextmanager
def giving(blob: Blob, address: str) -> Iterator[Server]:
    """Let a node give what it has."""
    server = Server({blob.name: blob}, TOKEN, address)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def peers(*addresses: str) -> list[Peer]:
    """Return nodes, the nearest first."""
    return [Peer(one, f"host-{one}") for one in addresses]


def test_a_blob_is_taken_whole_and_checked(tmp_path: Path) -> None:
    """Its size is that of what it unpacks to."""
    came: list[int] = []
    blob = kept(tmp_path / "b")
    with giving(kept(tmp_path / "a", PACKED, whole=True), SOURCE):
        fetch(blob, peers(SOURCE), TOKEN, came.append)
    assert (blob.is_whole, blob.size, b"".join(blob.unpacked()) == CONTENT) == (True, len(CONTENT), True)
    assert sum(came) == len(PACKED)


def test_a_rerun_goes_on_where_it_stopped(tmp_path: Path) -> None:
    """What has arrived does not come again."""
    half = len(PACKED) // 2
    came: list[int] = []
    blob = kept(tmp_path / "b", PACKED[:half])
    with giving(kept(tmp_path / "a", PACKED, whole=True), SOURCE):
        fetch(blob, peers(SOURCE), TOKEN, came.append)
    assert (blob.is_whole, sum(came)) == (True, len(PACKED) - half)


def test_what_another_source_has_packed_otherwise_is_taken_from_its_beginning(tmp_path: Path) -> None:
    """A part that does not fit is thrown away, once."""
    other = gzip.compress(CONTENT, 0, mtime=0)
    blob = kept(tmp_path / "b", other[: len(other) // 2])
    with giving(kept(tmp_path / "a", PACKED, whole=True), SOURCE):
        fetch(blob, peers(SOURCE), TOKEN, lambda _: None)
    assert blob.is_whole


def test_what_is_not_the_layer_is_refused(tmp_path: Path) -> None:
    """Nothing of it is kept."""
    blob, wrong = kept(tmp_path / "b"), kept(tmp_path / "a", gzip.compress(b"another", mtime=0))
    wrong.complete(7)
    with giving(wrong, SOURCE), pytest.raises(TransferError, match="not layer"):
        fetch(blob, peers(SOURCE), TOKEN, lambda _: None)
    assert (blob.is_whole, blob.length) == (False, 0)


def test_a_blob_passes_on_while_it_comes(tmp_path: Path) -> None:
    """A node in the middle gives what it has, and the rest as it arrives; the source sends each byte once."""
    source, middle, last = kept(tmp_path / "a", PACKED[:1000]), kept(tmp_path / "b"), kept(tmp_path / "c")
    sent: list[int] = []
    with giving(source, SOURCE), giving(middle, FIRST):
        taking = [
            threading.Thread(target=fetch, args=(middle, peers(SOURCE), TOKEN, sent.append)),
            threading.Thread(target=fetch, args=(last, peers(FIRST, SOURCE), TOKEN, lambda _: None)),
        ]
        for one in taking:
            one.start()
        while last.length < 1000:
            last.more(last.length, 1)
        assert not source.is_whole
        source.append(PACKED[1000:])
        source.complete(len(CONTENT))
        for one in taking:
            one.join()
    assert (middle.is_whole, last.is_whole, sum(sent)) == (True, True, len(PACKED))


def test_where_the_nearest_node_is_lost_the_one_before_it_gives_the_rest(tmp_path: Path) -> None:
    """From where it was left."""
    blob, middle = kept(tmp_path / "c"), kept(tmp_path / "b", PACKED[:1000])
    middle.lose()
    with giving(kept(tmp_path / "a", PACKED, whole=True), SOURCE), giving(middle, FIRST):
        fetch(blob, peers(FIRST, SOURCE), TOKEN, lambda _: None)
    assert blob.is_whole


def test_as_long_as_nodes_start_the_source_is_not_asked(tmp_path: Path) -> None:
    """Each node asks the one right before it: the source sends each layer once."""
    nodes = peers(SECOND, FIRST, SOURCE)
    assert wire._asked(nodes, -5) == nodes[:1]
    assert wire._asked(nodes, wire.ONE_MORE_SECONDS + 0.01) == nodes[:2]
    assert wire._asked(nodes, wire.ALL_SECONDS + 0.01) == nodes


def test_where_no_node_goes_on_the_error_says_how_far_it_came(tmp_path: Path) -> None:
    """And which host does not go on; what has come is kept."""
    blob = kept(tmp_path / "b", PACKED[:2_000_000])
    with pytest.raises(TransferError, match=rf"layer {NAME[:12]} came no further than 2 MB: host-{SOURCE} does not go on: "):
        fetch(blob, peers(SOURCE), TOKEN, lambda _: None)
    assert blob.length == 2_000_000


@pytest.mark.parametrize("said", [b"\n", b"{}\n", b"[]\n", b'{"token": "guess", "name": "x", "offset": 0}\n', b"\xff" * 5000])
def test_who_does_not_know_the_token_gets_nothing(tmp_path: Path, said: bytes) -> None:
    """Nor an answer."""
    with giving(kept(tmp_path / "a", PACKED, whole=True), SOURCE), socket.create_connection((SOURCE, wire.PORT)) as caller:
        caller.sendall(said.replace(b'"x"', f'"{NAME}"'.encode()))
        caller.shutdown(socket.SHUT_WR)
        try:
            answer = caller.recv(1)
        except ConnectionResetError:
            answer = b""
    assert answer == b""


def test_a_blob_that_a_node_does_not_have_is_not_given(tmp_path: Path) -> None:
    """The connection ends, and the next node is asked."""
    server = kept(tmp_path / "a", PACKED, whole=True)
    server.name = "other"
    with giving(server, SOURCE), pytest.raises(ConnectionError, match="cut off"):
        list(ask(peers(SOURCE)[0], kept(tmp_path / "b"), TOKEN))
