"""Ask an HTTPS server once, with a choice of whom to trust."""

import contextlib
import http.client
import socket
import ssl

TIMEOUT_SECONDS = 5


def get(host: str, port: int, path: str, trust: ssl.SSLContext, address: str | None = None) -> tuple[int, str]:
    """Return status and body; `address` is where to connect to, if not where DNS says.

    Raises:
        OSError: no connection, or (ssl.SSLError) a certificate that `trust` refuses.
        http.client.HTTPException: an answer that is not HTTP.

    """
    # RFC 6761, 6.3: names below "localhost" are this machine; not every resolver knows.
    local = "127.0.0.1" if host.endswith(".localhost") else host
    with socket.create_connection((address or local, port), TIMEOUT_SECONDS) as plain:
        with trust.wrap_socket(plain, server_hostname=host) as tls:
            connection = http.client.HTTPConnection(host, port)
            connection.sock = tls
            with contextlib.closing(connection):
                connection.request("GET", path)
                answer = connection.getresponse()
                return answer.status, answer.read().decode(errors="replace")
