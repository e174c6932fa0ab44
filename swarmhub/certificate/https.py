"""Ask an HTTPS server, with a choice of whom to trust and of the way there."""

import contextlib
import http.client
import socket
import ssl
from collections.abc import Iterator, Mapping

from swarmhub.host import Host

TIMEOUT_SECONDS = 5
# Of a body: what answers may be no hub, or one that somebody has broken into.
MOST = 1 << 20
LOCAL = "127.0.0.1"


def get(
    host: str,
    port: int,
    path: str,
    trust: ssl.SSLContext,
    *,
    address: str | None = None,
    route: "Route | None" = None,
    timeout: float = TIMEOUT_SECONDS,
) -> tuple[int, str]:
    """Return status and body, as far as anybody would read it; `timeout` is how many seconds it may be silent.

    Raises:
        OSError: no connection, or (ssl.SSLError) a certificate that `trust` refuses.
        http.client.HTTPException: an answer that is not HTTP.

    """
    with asked("GET", host, port, path, trust, address=address, route=route, timeout=timeout) as answer:
        return answer.status, answer.read(MOST).decode(errors="replace")


@contextlib.contextmanager
def asked(
    method: str,
    host: str,
    port: int,
    path: str,
    trust: ssl.SSLContext,
    *,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    address: str | None = None,
    route: "Route | None" = None,
    timeout: float = TIMEOUT_SECONDS,
) -> Iterator[http.client.HTTPResponse]:
    """Give the answer to a request, to be read while it comes; `timeout` is how many seconds it may be silent.

    `address` is the name to connect to, if not the host's; `route` is the way there, if not from this machine alone.
    """
    with (
        (route or Route()).connect(address or host, port, timeout) as plain,
        trust.wrap_socket(plain, server_hostname=host) as tls,
    ):
        connection = http.client.HTTPConnection(host, port)
        connection.sock = tls
        with contextlib.closing(connection):
            connection.request(method, path, body, dict(headers or {}))
            yield connection.getresponse()


class Route:
    """Opens connections to the hub, by the manager's SSH connection where this machine cannot reach it.

    `port` is the one that is published on the manager.
    """

    def __init__(self, manager: Host | None = None, port: int = 0) -> None:
        self._manager, self._port = manager, port
        self.is_by_manager = False

    def connect(self, host: str, port: int, seconds: float) -> socket.socket:
        """Return a connection to a name, by the way that was open the last time.

        Raises:
            OSError: none is open; it says why this machine's own is not.

        """
        if self.is_by_manager and self._manager:
            return self._tunnel(self._manager, host, port, seconds)
        try:
            return direct(host, port, seconds)
        except OSError:
            if self._manager is None:
                raise
            with contextlib.suppress(OSError):
                tunnel = self._tunnel(self._manager, host, port, seconds)
                self.is_by_manager = True
                return tunnel
            raise

    def _tunnel(self, manager: Host, host: str, port: int, seconds: float) -> socket.socket:
        """Ask for the name there; a network that does not lead its own hosts back to it still has the port."""
        try:
            return manager.tunnel(host, port, seconds)
        except OSError:
            return manager.tunnel(LOCAL, self._port, seconds)


def direct(host: str, port: int, seconds: float) -> socket.socket:
    """Return a connection from this machine."""
    # RFC 6761, 6.3: names below "localhost" are this machine; not every resolver knows.
    return socket.create_connection((LOCAL if host.endswith(".localhost") else host, port), seconds)
