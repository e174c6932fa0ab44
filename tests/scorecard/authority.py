"""An ACME server that has bad days: one before the lab's own, which passes on, refuses nonces, limits, or is silent.

It runs in a container of the lab, on its Python. Arguments: the certificate, its key, the server behind it, the file that says
what it does: pass, nonces (half of them are refused), limit, or silent.
"""

import http.client
import json
import random
import ssl
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

PORT = 14000
ERROR = "urn:ietf:params:acme:error:"
NONCE = (400, {"type": f"{ERROR}badNonce", "detail": "JWS has an invalid anti-replay nonce"})
LIMIT = (
    429,
    {
        "type": f"{ERROR}rateLimited",
        "detail": "too many certificates (5) already issued for this exact set of identifiers in the last 168h0m0s",
    },
)
# Those that the connection is about, and not the request.
HOPS = {"connection", "transfer-encoding", "content-length", "date", "server"}


class Front(BaseHTTPRequestHandler):
    """Answers one request."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Pass it on, or refuse it."""
        mode = Path(sys.argv[4]).read_text().strip()
        if mode == "silent":
            self.close_connection = True
        elif mode == "limit" and self.command == "POST":
            self._refuse(*LIMIT)
        elif mode == "nonces" and self.command == "POST" and random.random() < 0.5:  # half of them
            self._refuse(*NONCE)
        else:
            self._pass_on()

    do_HEAD = do_POST = do_GET  # noqa: N815 - http.server's names

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _refuse(self, status: int, problem: dict[str, str]) -> None:
        self._body()
        self._answer(status, [("Content-Type", "application/problem+json")], json.dumps(problem).encode())

    def _pass_on(self) -> None:
        behind = http.client.HTTPSConnection(sys.argv[3], PORT, timeout=30, context=ssl._create_unverified_context())  # noqa: S323 - the lab's own
        behind.request(self.command, self.path, self._body(), dict(self.headers.items()))
        answer = behind.getresponse()
        self._answer(answer.status, answer.getheaders(), answer.read())
        behind.close()

    def _answer(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers:
            if name.lower() not in HOPS:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


if __name__ == "__main__":
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[1], sys.argv[2])
    front = ThreadingHTTPServer(("", PORT), Front)
    front.socket = context.wrap_socket(front.socket, server_side=True)
    front.serve_forever()
