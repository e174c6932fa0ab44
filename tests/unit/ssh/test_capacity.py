"""Sessions on a host whose sshd permits few of them on one connection."""

from typing import Any

import pytest
from paramiko import ChannelException, SSHException

from swarmhub.errors import StepError
from swarmhub.parallel import at_once
from swarmhub.ssh import capacity as module
from swarmhub.ssh.capacity import Sessions
from tests.unit.support.fakes import Clock

HOST = "swarm-worker1"


class FakeTransport:
    """A connection on which so many sessions may be open."""

    def __init__(self, most: int, refusal: Exception | None = None) -> None:
        self.most, self.open = most, 0
        self.refusal = refusal or ChannelException(2, "Connect failed")
        self.active = True

    def open_session(self) -> str:
        if self.open >= self.most or not self.active:
            raise self.refusal
        self.open += 1
        return "a session"

    def is_active(self) -> bool:
        return self.active


class Server:
    """An sshd with MaxSessions, and the connections to it."""

    def __init__(self, most: int, refusal: Exception | None = None) -> None:
        self.most, self.refusal = most, refusal
        self.connections = [FakeTransport(most, refusal)]
        first: Any = lambda: self.connections[0]  # noqa: E731
        self.sessions = Sessions(HOST, first, self.another)

    def another(self) -> Any:
        self.connections.append(FakeTransport(self.most, self.refusal))
        return self.connections[-1]


@pytest.fixture
def _quick(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "time", clock)


@pytest.mark.parametrize(("most", "connections"), [(10, 1), (4, 2), (2, 3), (1, 6)])
def test_what_one_connection_does_not_permit_goes_on_further_ones(most: int, connections: int) -> None:
    """Whatever MaxSessions is: six things at once, on no more connections than they need."""
    server = Server(most)
    at_once([server.sessions.open] * 6)
    assert (len(server.connections), sum(one.open for one in server.connections)) == (connections, 6)


def test_a_refusal_that_paramiko_has_lost_is_one_too() -> None:
    """Of two at once, the second raises an SSHException with no reason."""
    server = Server(1, SSHException("Unable to open channel."))
    for _ in range(2):
        server.sessions.open()
    assert [one.open for one in server.connections] == [1, 1]


@pytest.mark.usefixtures("_quick")
def test_there_is_an_end_to_connections_and_then_one_waits() -> None:
    """Until another session has ended, or for a minute; the line names the setting of sshd."""
    server = Server(1)
    for _ in range(module.MOST_CONNECTIONS):
        server.sessions.open()
    with pytest.raises(StepError, match=rf"{HOST}: its sshd permits no more sessions .*MaxSessions 10"):
        server.sessions.open()
    server.connections[3].open = 0
    server.sessions.open()
    assert (server.connections[3].open, len(server.connections)) == (1, module.MOST_CONNECTIONS)


def test_an_sshd_that_permits_no_session_is_told_at_once() -> None:
    """Such as one for forwarding only (MaxSessions 0)."""
    with pytest.raises(StepError, match="its sshd permits no session at all"):
        Server(0).sessions.open()


def test_a_broken_connection_is_no_full_one() -> None:
    """It is not made up for by another: what was going on is lost."""
    server = Server(1, SSHException("SSH session not active"))
    server.connections[0].active = False
    with pytest.raises(SSHException, match="not active"):
        server.sessions.open()
    assert len(server.connections) == 1
