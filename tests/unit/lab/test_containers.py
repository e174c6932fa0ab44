"""What is executed in the lab's containers."""

import json
import socket
import struct
import threading
from collections.abc import Callable
from pathlib import Path

import docker

from lab import containers

SAID = b'{"ID": "engine"}\n'


def test_output_that_comes_with_the_answers_head_is_not_lost(tmp_path: Path) -> None:
    """An engine may send both at once."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.multiplexed-stream\r\n\r\n"
    answers = [_json({"Id": "1"}), head + struct.pack(">BxxxL", 1, len(SAID)) + SAID, _json({"ExitCode": 0})]
    with socket.socket(socket.AF_UNIX) as engine:
        engine.bind(str(tmp_path / "engine.sock"))
        engine.listen()
        thread = threading.Thread(target=_serve(engine, answers))
        thread.start()
        client = docker.APIClient(f"unix://{tmp_path}/engine.sock", version="1.44", timeout=5)
        said = containers.run(client, "node", "docker", "info")
        thread.join()
    assert said == SAID.decode().strip()


def _json(answer: object) -> bytes:
    body = json.dumps(answer).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


def _serve(engine: socket.socket, answers: list[bytes]) -> Callable[[], None]:
    """Return what gives one answer to each who connects, in one piece."""

    def serve() -> None:
        for answer in answers:
            asking, _ = engine.accept()
            with asking:
                asking.recv(65536)
                asking.sendall(answer)

    return serve
