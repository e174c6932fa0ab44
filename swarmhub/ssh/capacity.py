"""The sessions on one host: on further connections, where its sshd permits no more on the first one (MaxSessions)."""

import threading
import time
from collections.abc import Callable

from paramiko import Channel, SSHException, Transport

from swarmhub.errors import StepError

# With MaxSessions 1, as many things go on at once; what comes then waits for one of them to end.
MOST_CONNECTIONS = 8
WAIT_SECONDS = 60
PAUSE_SECONDS = 0.1
REMEDY = "Permit some there: MaxSessions 10 in /etc/ssh/sshd_config, then reload sshd"


class Sessions:
    """Opens sessions on a host; `another` makes one more connection to it."""

    def __init__(self, host: str, first: Callable[[], Transport], another: Callable[[], Transport]) -> None:
        self._host, self._first, self._another = host, first, another
        self._further: list[Transport] = []
        self._growing = threading.Lock()

    def open(self) -> Channel:
        """Open a session, on the first connection that has one left.

        Raises:
            StepError: none has, within a minute.
            SSHException: the connection broke.

        """
        give_up = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < give_up:
            further = tuple(self._further)
            channel = self.open_if_free() or self._on_another(further)
            if channel:
                return channel
            time.sleep(PAUSE_SECONDS)
        cause = f"its sshd permits no more sessions than {MOST_CONNECTIONS} connections have, and all are in use"
        raise StepError(self._host, cause, REMEDY)

    def open_if_free(self) -> Channel | None:
        """Open a session on a connection that is there, or return None where all of them are full."""
        for transport in (self._first(), *self._further):
            if channel := _opened(transport):
                return channel
        return None

    def _on_another(self, seen: tuple[Transport, ...]) -> Channel | None:
        """Connect once more; not where another thread has, or where there are enough."""
        with self._growing:
            self._further = [transport for transport in self._further if transport.is_active()]
            if set(self._further) - set(seen) or len(self._further) + 1 >= MOST_CONNECTIONS:
                return None
            transport = self._another()
            channel = _opened(transport)
            if channel is None:
                raise StepError(self._host, "its sshd permits no session at all", REMEDY)
            self._further.append(transport)
            return channel


def _opened(transport: Transport) -> Channel | None:
    """Open a session, or return None where sshd refuses it."""
    try:
        return transport.open_session()
    except SSHException:
        # Of two that are refused at once, Paramiko keeps one ChannelException; the other is none. A broken one is not active.
        if not transport.is_active():
            raise
        return None
