"""The channels on which an engine is asked: how many, and who waits for one."""

import threading
from types import SimpleNamespace
from typing import Any

import pytest
from docker.transport.sshconn import SSHHTTPAdapter

from swarmhub.parallel import at_once
from swarmhub.ssh.docker import channels


class FakeSessions:
    """Opens sessions, as many as there are, and counts those that were given a program."""

    def __init__(self, free: int = channels.FAR) -> None:
        self.programs: list[str] = []
        self._free = threading.Semaphore(free)

    def open(self) -> "FakeSessions":
        self._free.acquire()
        return self

    def open_if_free(self) -> "FakeSessions | None":
        return self if self._free.acquire(blocking=False) else None

    def settimeout(self, _: float) -> None:
        """Take any."""

    def exec_command(self, program: str) -> None:
        self.programs.append(program)

    def close(self) -> None:
        """Close nothing."""


def opening_ends() -> None:
    """Return when no channel is being opened any more."""
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and thread.name.endswith("(_open)"):
            thread.join(10)


@pytest.mark.parametrize(("near", "opened"), [(60, 1), (0, channels.FAR)])
def test_a_far_host_is_asked_on_more_channels(monkeypatch: pytest.MonkeyPatch, near: float, opened: int) -> None:
    """They are opened while the first one is asked for the version; on a near host they would cost more than they give."""
    monkeypatch.setattr(channels, "NEAR_SECONDS", near)
    sessions: Any = FakeSessions()
    pool = channels.Pool(sessions, "dial")
    first = pool._new_conn()
    first.connect()
    opening_ends()
    assert sessions.programs == ["dial"] * opened


def test_a_far_host_that_permits_few_sessions_is_connected_to_no_further(monkeypatch: pytest.MonkeyPatch) -> None:
    """A channel that was refused is not counted: no question is sent to it."""
    monkeypatch.setattr(channels, "NEAR_SECONDS", 0)
    sessions: Any = FakeSessions(free=2)
    pool = channels.Pool(sessions, "dial")
    pool._new_conn().connect()
    opening_ends()
    free = iter(lambda: pool.at_most.acquire(blocking=False), False)
    assert (len(sessions.programs), len([*free])) == (2, 2)


def test_no_more_is_asked_at_once_than_there_are_channels_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sshd refuses what is above its MaxSessions; a question that takes long is not waited for."""
    adapter: Any = channels.Adapter(None, "dial")  # type: ignore[arg-type]
    most, now, go_on = [0], [0], threading.Event()

    def send(*_: Any, **__: Any) -> Any:
        now[0] += 1
        most[0] = max(most[0], now[0])
        go_on.wait(0.05)
        now[0] -= 1
        return SimpleNamespace(content=b"")

    monkeypatch.setattr(SSHHTTPAdapter, "send", send)
    at_once([lambda: adapter.send(None)] * 6)
    assert most == [channels.NEAR]
    monkeypatch.setattr(channels, "PATIENCE_SECONDS", 0.01)
    at_once([lambda: adapter.send(None)] * 6)
    assert most[0] > channels.NEAR


def test_what_is_read_as_it_comes_takes_no_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """A log that is followed never ends."""
    adapter: Any = channels.Adapter(None, "dial")  # type: ignore[arg-type]
    monkeypatch.setattr(SSHHTTPAdapter, "send", lambda *_, **__: SimpleNamespace(content=b""))
    for _ in range(channels.NEAR):
        assert adapter._pool.at_most.acquire(blocking=False)
    monkeypatch.setattr(channels, "PATIENCE_SECONDS", 60)
    assert adapter.send(None, stream=True).content == b""


class ClosedChannel:
    """Breaks when something is sent, as Paramiko's channel does; its other end has closed, or not."""

    def __init__(self, closed: bool) -> None:
        self.closed = closed

    def sendall(self, _: bytes) -> None:
        raise OSError("Socket is closed" if self.closed else "No route to host")


@pytest.mark.parametrize(("closed", "raised"), [(True, BrokenPipeError), (False, OSError)])
def test_an_engine_that_closes_before_it_has_read_all_is_heard(closed: bool, raised: type[OSError]) -> None:
    """The HTTP client reads the answer where a pipe is broken; all else is a connection that broke."""
    sessions: Any = FakeSessions()
    channel = channels.Channel(sessions, "dial", lambda _: None)
    channel.sock = ClosedChannel(closed)  # type: ignore[assignment]
    with pytest.raises(OSError, match=r"Socket is closed|No route") as error:
        channel.send(b"more")
    assert type(error.value) is raised
