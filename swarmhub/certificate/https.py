"""Ask an HTTPS server, with a choice of whom to trust."""

import contextlib
import http.client
import socket
import ssl
from collections.abc import Iterator, Mapping

TIMEOUT_SECONDS = 5


def get(host: str, port: int, path: str, trust: ssl.SSLContext, address: str | None = None) -> tuple[int, str]:
    """Return status and body; `address` is where to connect to, if not to the host.

    Raises:
        OSError: no connection, or (ssl.SSLError) a certificate that `trust` refuses.
        http.client.HTTPException: an answer that is not HTTP.

    """
    with asked("GET", host, port, path, trust, address=address) as answer:
        return answer.status, answer.read().decode(errors="replace")


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
    timeout: float = TIMEOUT_SECONDS,
) -> Iterator[http.client.HTTPResponse]:
    """Give the answer to a request, to be read while it comes; `timeout` is how many seconds it may be silent."""
    with connect(host, port, address, timeout) as plain, trust.wrap_socket(plain, server_hostname=host) as tls:
        connection = http.client.HTTPConnection(host, port)
        connection.sock = tls
        with contextlib.closing(connection):
            connection.request(method, path, body, dict(headers or {}))
            yield connection.getresponse()


def connect(host: str, port: int, address: str | None = None, timeout: float = TIMEOUT_SECONDS) -> socket.socket:
    """Return a connection to a host, or to the address or name that is given for it."""
    to = address or host
    # RFC 6761, 6.3: names below "localhost" are this machine; not every resolver knows.
    local = "127.0.0.1" if to.endswith(".localhost") else to
    return socket.create_connection((local, port), timeout)
