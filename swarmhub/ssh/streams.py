"""Commands whose streams are passed on while they run: lines as they come, or this process's own terminal."""

import os
import signal
import termios
import threading
import tty
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager, nullcontext, suppress
from typing import Any

from fabric.runners import Remote
from paramiko import Channel

from swarmhub.host import Output
from swarmhub.ssh.capacity import Sessions

SIZE = 65536
# No command that swarmhub runs prints as much; a container that somebody has broken into may.
MOST = 8 << 20
# Nobody sees that terminal: programs that break lines at its width must not.
WIDE = 4096


class TooMuch(Exception):  # noqa: N818 - what is wrong with an output
    """A command prints more than anybody would read."""


class Bounded(Remote):  # type: ignore[misc]  # Fabric has no types
    """A command whose output is kept in memory, so far as it is not too much."""

    def read_proc_output(self, reader: Any) -> Iterator[str]:
        """Yield the parts of an output.

        Raises:
            TooMuch: there is more than `MOST`.

        """
        left = MOST
        for part in super().read_proc_output(reader):
            left -= len(part)
            if left < 0:
                raise TooMuch
            yield part


def lines(sessions: Sessions, command: str) -> Generator[str, None, int]:
    """Yield the lines of a command as they come, and return its exit code.

    It gets a terminal, though nobody types on it: when nobody reads on, sshd hangs
    it up, and that ends the command. One that writes to a pipe would stay behind.
    """
    with closing(sessions.open()) as channel:
        channel.get_pty(width=WIDE)
        channel.exec_command(command)
        # As bytes: Paramiko itself reads UTF-8 only, and a log has whatever a program has written.
        with channel.makefile("rb") as output:
            for line in output:
                yield line.decode(errors="replace").rstrip("\r\n")
        return channel.recv_exit_status()


def send(sessions: Sessions, command: str, content: bytes) -> Output:
    """Run a command with `content` as its standard input, and return what it says in the end (code -1: the connection broke).

    It says little: what it prints is read when it has taken everything. Fabric's own input goes byte by byte.
    """
    with closing(sessions.open()) as channel:
        channel.exec_command(command)
        with suppress(OSError):  # it has ended already, and says why
            channel.sendall(content)
            channel.shutdown_write()
        with channel.makefile("rb") as out, channel.makefile_stderr("rb") as err:
            said = [stream.read().decode(errors="replace") for stream in (out, err)]
        return Output(channel.recv_exit_status(), *said)


def feed(sessions: Sessions, command: str, content: bytes) -> Generator[str, None, int]:
    """Yield the lines of a command that reads `content` meanwhile, and return its exit code.

    A terminal would change what it reads, so nothing hangs it up when nobody reads on: its input ends then, and not before.
    """
    with closing(sessions.open()) as channel:
        channel.set_combine_stderr(True)
        channel.exec_command(command)
        threading.Thread(target=_give, args=(channel, content), daemon=True).start()
        with channel.makefile("rb") as output:
            for line in output:
                yield line.decode(errors="replace").rstrip("\r\n")
        return channel.recv_exit_status()


def _give(channel: Channel, content: bytes) -> None:
    with suppress(OSError):  # it has ended already, and says why
        channel.sendall(content)


def attach(sessions: Sessions, command: str, *, terminal: bool) -> int:
    """Run a command with this process's standard streams, and return its exit code (-1: the connection broke)."""
    with closing(sessions.open()) as channel:
        if terminal:
            columns, rows = os.get_terminal_size(0)
            channel.get_pty(os.environ.get("TERM", "vt100"), columns, rows)
        channel.exec_command(command)
        with _raw_terminal(channel) if terminal else nullcontext():
            readers = [_passing(channel.recv, 1), _passing(channel.recv_stderr, 2)]
            # A daemon: it waits for somebody to type when all is over.
            threading.Thread(target=_send_input, args=(channel,), daemon=True).start()
            for reader in readers:
                reader.join()
        return channel.recv_exit_status()


def _passing(receive: Callable[[int], bytes], to: int) -> threading.Thread:
    def pass_on() -> None:
        while data := receive(SIZE):
            while data:
                data = data[os.write(to, data) :]

    thread = threading.Thread(target=pass_on, daemon=True)
    thread.start()
    return thread


def _send_input(channel: Channel) -> None:
    with suppress(OSError):  # the command has ended meanwhile
        while data := os.read(0, SIZE):
            channel.sendall(data)
        channel.shutdown_write()


@contextmanager
def _raw_terminal(channel: Channel) -> Iterator[None]:
    """Pass every key on, Ctrl-C too, and the terminal's size when it changes."""
    before = termios.tcgetattr(0)

    def resize(*_: Any) -> None:
        with suppress(OSError):
            channel.resize_pty(*os.get_terminal_size(0))

    handler = signal.signal(signal.SIGWINCH, resize)
    try:
        tty.setraw(0)
        yield
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, before)
        signal.signal(signal.SIGWINCH, handler)
