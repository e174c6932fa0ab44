"""A connection that a host makes, as a socket here."""

import socket
import threading
from types import SimpleNamespace
from typing import Any

import pytest
from paramiko import ChannelException

from swarmhub.ssh import tunnel


def transport(channel: Any = None, refusal: Exception | None = None) -> Any:
    """Return a transport that opens this channel, or refuses it."""

    def open_channel(*question: Any, **_: Any) -> Any:
        if refusal:
            raise refusal
        assert question[:2] == ("direct-tcpip", ("hub", 443))
        return channel

    return SimpleNamespace(open_channel=open_channel)


def test_what_is_sent_arrives_and_comes_back() -> None:
    """It is a socket of the system's, as TLS needs it; its end is passed on both ways."""
    channel, there = socket.socketpair()
    here = tunnel.connect(transport(channel), "hub", 443, 5)
    assert here.fileno() >= 0
    here.sendall(b"question")
    assert there.recv(100) == b"question"
    there.sendall(b"answer")
    assert here.recv(100) == b"answer"
    there.close()
    assert here.recv(100) == b""
    here.close()
    for thread in threading.enumerate():
        if thread.name.endswith("_host)"):
            thread.join(5)
    assert channel.fileno() == -1


def test_a_host_that_does_not_forward_is_an_error_as_of_a_socket() -> None:
    """AllowTcpForwarding may be off, or nobody may listen there."""
    with pytest.raises(OSError, match=r"not by SSH either: .*prohibited"):
        tunnel.connect(transport(refusal=ChannelException(1, "Administratively prohibited")), "hub", 443, 5)
