"""The SSH channels on which a host's engine is asked: several at once where the host is far away."""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import requests
from docker.transport.sshconn import SSHConnection, SSHConnectionPool, SSHHTTPAdapter
from paramiko import Channel as SshChannel
from paramiko import SSHException
from urllib3.exceptions import HTTPError

from swarmhub.ssh.capacity import Sessions

TIMEOUT_SECONDS = 60
# So many questions go to an engine at once, each on a channel of its own: a process on the host, which is dearer than the
# answer where the host is near. With the commands of a connection, they stay below sshd's MaxSessions of 10.
NEAR, FAR = 2, 6
NEAR_SECONDS = 0.02
# One that is answered late, such as for a container's end, holds the others up no longer than that.
PATIENCE_SECONDS = 1
# requests passes on what urllib3 and Paramiko raise while a stream is read.
BROKEN = (requests.RequestException, HTTPError, SSHException, OSError, EOFError)


class Adapter(SSHHTTPAdapter):
    """docker-py's SSH adapter on a connection that is open already."""

    def __init__(self, sessions: Sessions, command: str) -> None:
        super().__init__("ssh://", timeout=TIMEOUT_SECONDS, shell_out=True)
        self._pool = Pool(sessions, command)

    def send(self, request: Any, stream: bool = False, *args: Any, **options: Any) -> requests.Response:
        """Send a request when a channel is free; what is read as it comes may take long, and is not counted."""
        at_most = self._pool.at_most
        if stream or not at_most.acquire(timeout=PATIENCE_SECONDS):
            return super().send(request, stream, *args, **options)
        try:
            response = super().send(request, stream, *args, **options)
            _ = response.content  # the channel is free when it has been read
            return response
        finally:
            at_most.release()

    def get_connection(self, url: Any, proxies: Any = None) -> Any:
        """Return the one pool."""
        # docker-py would open a pool, and so an SSH channel, for every address.
        return self._pool


class Pool(SSHConnectionPool):
    """The channels to one engine; it learns from the first one how far the host is."""

    def __init__(self, sessions: Sessions, command: str) -> None:
        super().__init__(timeout=TIMEOUT_SECONDS)
        self._sessions, self._command = sessions, command
        self.at_most = threading.Semaphore(NEAR)
        self._is_known = False

    def _new_conn(self) -> Any:
        return Channel(self._sessions, self._command, self._found)

    def _found(self, seconds: float) -> None:
        """Learn from the first channel, by the time it took to open, how far the host is; open more while it is asked."""
        is_first, self._is_known = not self._is_known, True
        if is_first and seconds >= NEAR_SECONDS:
            self.at_most = threading.Semaphore(1)  # and one more for each that is ready
            others: list[Any] = [self._get_conn(None) for _ in range(FAR - 1)]
            for channel in others:
                threading.Thread(target=self._open, args=(channel,), daemon=True).start()

    def _open(self, channel: Any) -> None:
        is_open = False
        with suppress(*BROKEN):  # whoever needs it finds out
            is_open = channel.sock is not None or channel.connect_if_free()
        self._put_conn(channel)
        if is_open:
            self.at_most.release()


class Channel(SSHConnection):
    """A channel in which `docker system dial-stdio` runs; `opened` is told how long it took to open."""

    def __init__(self, sessions: Sessions, command: str, opened: Callable[[float], None]) -> None:
        super().__init__(None, TIMEOUT_SECONDS)
        self._sessions, self._command, self._opened = sessions, command, opened

    def connect(self) -> None:
        """Open it, and start the command."""
        started = time.monotonic()
        channel = self._sessions.open()
        self._opened(time.monotonic() - started)
        self._start(channel)

    def connect_if_free(self) -> bool:
        """Do the same where no further connection is needed for it; tell whether it is open."""
        channel = self._sessions.open_if_free()
        if channel:
            self._start(channel)
        return channel is not None

    def send(self, data: Any) -> None:
        """Send; an engine that has answered and closed before it has read all, as on a full disk, is heard all the same.

        Paramiko says that the channel is closed; urllib3 reads the answer where a pipe is broken.
        """
        try:
            super().send(data)
        except OSError as error:
            if isinstance(error, TimeoutError) or not getattr(self.sock, "closed", False):
                raise
            raise BrokenPipeError(*error.args) from error

    def _start(self, channel: SshChannel) -> None:
        channel.settimeout(self.timeout)
        channel.exec_command(self._command)
        self.sock = channel  # type: ignore[assignment]  # the stubs know docker-py's own socket only
