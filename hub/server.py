"""The hub's own server, with limits: people's notebooks reach it without the proxy, which has limits too."""

import resource
from collections import Counter
from typing import Any

from tornado.httpserver import HTTPServer

# So many connections at once, and half of them from one address: the proxy's, or that of a server.
CONNECTIONS = 4096
# The longest body that JupyterHub's API is given has some ten thousand names of users.
LARGEST_BODY = 2**20
# For a request to begin after the one before it, and for its body to come.
IDLE_SECONDS = BODY_SECONDS = 60


def bound() -> None:
    """Give JupyterHub a server with limits, and the process as many open files as it may have."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    times = {"idle_connection_timeout": IDLE_SECONDS, "body_timeout": BODY_SECONDS}
    # The other half of the files is for what the hub itself asks. What a server was made with counts, so it is told here.
    connections = min(CONNECTIONS, most // 2) if most > 0 else CONNECTIONS
    HTTPServer.configure(BoundedServer, connections=connections, max_body_size=LARGEST_BODY, **times)


class BoundedServer(HTTPServer):
    """A server that closes a connection too many at once; without files left it would log that, without end."""

    def initialize(self, *args: Any, connections: int = CONNECTIONS, **kwargs: Any) -> None:
        """Take the most connections, besides what tornado's server takes."""
        super().initialize(*args, **kwargs)
        self._most = connections
        self._held: Counter[str] = Counter()

    def handle_stream(self, stream: Any, address: Any) -> None:
        """Serve a connection, if there is room."""
        client = str(address[0])
        if self._held.total() >= self._most or self._held[client] >= self._most // 2:
            stream.close()
            return
        self._held[client] += 1
        super().handle_stream(stream, address)

    def on_close(self, server_conn: Any) -> None:
        """Make room."""
        super().on_close(server_conn)
        self._held -= Counter([str(server_conn.context.address[0])])
