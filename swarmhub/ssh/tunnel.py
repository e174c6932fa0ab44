"""A TCP connection that a host makes, as a socket here."""

import socket
import threading
from contextlib import suppress

from paramiko import Channel, SSHException, Transport

SIZE = 65536


def connect(transport: Transport, address: str, port: int, seconds: float) -> socket.socket:
    """Let a host connect to an address, and return a socket that leads there.

    Raises:
        OSError: it cannot, or its sshd does not permit it.

    """
    try:
        channel = transport.open_channel("direct-tcpip", (address, port), ("127.0.0.1", 0), timeout=seconds)
    except (SSHException, EOFError) as error:
        raise ConnectionError(f"not by SSH either: {error}") from error
    # TLS needs a socket with a number of the system's.
    ours, theirs = socket.socketpair()
    ours.settimeout(seconds)
    for pump in (_from_host, _to_host):
        threading.Thread(target=pump, args=(channel, theirs), daemon=True).start()
    return ours


def _from_host(channel: Channel, theirs: socket.socket) -> None:
    with suppress(OSError, EOFError):
        while data := channel.recv(SIZE):
            theirs.sendall(data)
    with suppress(OSError):
        theirs.shutdown(socket.SHUT_WR)


def _to_host(channel: Channel, theirs: socket.socket) -> None:
    with suppress(OSError, EOFError):
        while data := theirs.recv(SIZE):
            channel.sendall(data)
    # Who asked has closed: the answer that may still come is nobody's.
    channel.close()
    theirs.close()
