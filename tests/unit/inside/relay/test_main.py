"""One node's part: its engine gets the image while it comes, and the nodes behind get it whatever this engine says."""

import gzip
import hashlib
import json
import socket
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from swarmhub.inside.relay import __main__ as part
from swarmhub.inside.relay import wire
from swarmhub.inside.relay.__main__ import Relay
from swarmhub.inside.relay.blobs import CONFIG, Blob, Life, MismatchError, TransferError
from swarmhub.inside.relay.wire import Server

TOKEN, SOURCE = "secret", "127.0.0.2"
LAYERS = [b"lowest" * 1000, b"upper" * 1000]
NAMES = [hashlib.sha256(one).hexdigest() for one in LAYERS]
SETTINGS = json.dumps({"rootfs": {"diff_ids": [f"sha256:{one}" for one in NAMES]}}).encode()
CONTENT = {**dict(zip(NAMES, LAYERS, strict=True)), f"{CONFIG}1": SETTINGS}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a test have a port of its own, and give up soon."""
    with socket.socket() as free:
        free.bind(("", 0))
        monkeypatch.setattr(wire, "PORT", free.getsockname()[1])
    monkeypatch.setattr(wire, "GIVE_UP_SECONDS", 0.5)


@pytest.fixture
def source(tmp_path: Path) -> Iterator[dict[str, Blob]]:
    """Give the image from another node, and return what it has of it."""
    folder = tmp_path / "source"
    folder.mkdir()
    blobs = {name: Blob(folder, name, Life()) for name in CONTENT}
    for name, blob in blobs.items():
        blob.append(gzip.compress(CONTENT[name]))
        blob.complete(len(CONTENT[name]))
    server = Server(blobs, TOKEN, SOURCE)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield blobs
    server.shutdown()
    server.server_close()
    thread.join()


def relay(folder: Path, **told: Any) -> Relay:
    """Return the part of a node behind the source."""
    folder.mkdir()
    job = {"token": TOKEN, "socket": "/none", "before": [[SOURCE, "host"]], "image": "sha256:1", "config": f"{CONFIG}1"}
    return Relay({**job, "name": "own:1", "layers": NAMES, "wanted": NAMES, "own": [], **told}, folder)


@pytest.mark.usefixtures("source")
def test_the_engine_gets_what_has_come(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """All layers and what names them."""
    given: list[bytes] = []
    monkeypatch.setattr(part, "load", lambda _, content: given.extend(content))
    relay(tmp_path / "node").work()
    assert all(layer in b"".join(given) for layer in (*LAYERS, SETTINGS))
    assert [json.loads(line)["state"] for line in capsys.readouterr().out.splitlines()] == ["loading", "ready"]


@pytest.mark.usefixtures("source")
def test_what_the_engine_refuses_still_comes_for_the_nodes_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk of one engine is no other node's matter; the error is the engine's."""

    def refuse(*_: object) -> None:
        raise TransferError("no space left on device")

    monkeypatch.setattr(part, "load", refuse)
    node = relay(tmp_path / "node")
    with pytest.raises(TransferError, match="no space left"):
        node.work()
    assert all(blob.is_whole for blob in node.blobs.values())


def test_where_a_layer_does_not_come_the_error_says_so_and_the_engine_gets_no_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: dict[str, Blob]
) -> None:
    """Nobody waits for it any more."""
    gone = max(NAMES)
    source[gone] = Blob(tmp_path, "other", Life())
    source[gone].lose()
    ended: list[bool] = []

    def load(_: object, content: Iterator[bytes]) -> None:
        for _ in content:
            pass
        ended.append(True)

    monkeypatch.setattr(part, "load", load)
    node = relay(tmp_path / "node")
    node.life.heard -= 60
    with pytest.raises(TransferError, match=f"layer {gone[:12]} came no further than 0 MB: host does not go on"):
        node.work()
    assert not ended


@pytest.mark.parametrize(
    "error", [zlib.error("invalid block"), ValueError("no JSON"), MismatchError("not gzip"), EOFError("cut")]
)
def test_whatever_fails_is_said_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception
) -> None:
    """Who follows this would else wait until nobody has asked for a minute; the nodes behind ask another one."""

    def fail() -> None:
        raise error

    node, failed = relay(tmp_path / "node"), list[str]()
    monkeypatch.setattr(node, "work", fail)
    node._report(failed)
    assert (failed, json.loads(capsys.readouterr().out)) == ([str(error)], {"error": str(error)})
    assert all(blob.is_lost for blob in node.blobs.values())


def test_a_line_is_written_in_one_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several threads say something, and the run that follows reads lines."""
    written: list[str] = []
    monkeypatch.setattr("sys.stdout.write", written.append)
    part.say(done=1)
    assert written == ['{"done": 1}\n']
