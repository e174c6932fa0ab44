"""A proxy before the nodes' SSH ports that can drop all connections, as a network does that goes away."""

import re
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from lab import topology

HERE = "127.0.0.1"
SIZE = 65536


@dataclass
class Proxy:
    """Listens for each port at one of its own, and passes on what comes until it is cut."""

    ports: dict[int, socket.socket]
    known: Path
    open: bool = True
    asked: int = 0
    _joined: set[socket.socket] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def config(self, text: str) -> str:
        """Return an ssh_config that leads through the proxy, with the hosts' keys for its ports."""
        keys = (topology.STATE / "known_hosts").read_text()
        for port, listening in self.ports.items():
            own = listening.getsockname()[1]
            text, keys = re.sub(rf"Port {port}\b", f"Port {own}", text), keys.replace(f"]:{port} ", f"]:{own} ")
        self.known.write_text(keys)
        return text.replace(str(topology.STATE / "known_hosts"), str(self.known))

    def cut(self) -> None:
        """Drop all connections, and refuse new ones."""
        with self._lock:
            self.open = False
            for one in self._joined:
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
            self._joined.clear()

    def join(self) -> None:
        """Pass on again."""
        with self._lock:
            self.open = True

    def serve(self, port: int, listening: socket.socket) -> None:
        """Pass on until the socket is closed."""
        while True:
            try:
                near, _ = listening.accept()
            except OSError:
                return
            with self._lock:
                self.asked += 1
                if not self.open:
                    near.close()
                    continue
                far = socket.create_connection((HERE, port), 10)
                self._joined |= {near, far}
            for source, to in ((near, far), (far, near)):
                threading.Thread(target=_pass_on, args=(source, to), daemon=True).start()


@contextmanager
def proxied(ports: Sequence[int], folder: Path) -> Iterator[Proxy]:
    """Put a proxy before some ports of this machine; its file of known hosts is made in a folder."""
    proxy = Proxy({port: socket.create_server((HERE, 0)) for port in ports}, folder / "known_hosts")
    threads = [threading.Thread(target=proxy.serve, args=one, daemon=True) for one in proxy.ports.items()]
    for thread in threads:
        thread.start()
    try:
        yield proxy
    finally:
        proxy.cut()
        for listening in proxy.ports.values():
            listening.shutdown(socket.SHUT_RDWR)
            listening.close()
        for thread in threads:
            thread.join(10)


def _pass_on(source: socket.socket, to: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(SIZE):
            to.sendall(data)
    for one in (source, to):
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
            one.close()
