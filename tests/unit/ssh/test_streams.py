"""Commands whose streams are passed on while they run."""

import io
import os
import pty
import signal
import termios
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from swarmhub.errors import StepError
from swarmhub.host import Output
from swarmhub.ssh import streams
from swarmhub.ssh.host import SshHost


class FakeChannel:
    """A channel whose command says what is given, and then what it was sent."""

    def __init__(self, out: bytes = b"", err: bytes = b"", code: int = 0, waits: bool = False) -> None:
        self.out, self.err, self.code = [out], [err], code
        self.asked: list[Any] = []
        self.sent = b""
        self.is_over = threading.Event()
        if not waits:
            self.is_over.set()

    def get_pty(self, *words: Any, **more: Any) -> None:
        self.asked.append(("pty", *words, *more.items()))

    def set_combine_stderr(self, combine: bool) -> None:
        self.asked.append("combined")

    def exec_command(self, command: str) -> None:
        self.asked.append(command)

    def makefile(self, mode: str) -> Any:
        return io.BytesIO(self.out[0]) if "b" in mode else io.StringIO(self.out[0].decode("utf-8"), newline="")

    def makefile_stderr(self, _: str) -> io.BytesIO:
        return io.BytesIO(self.err[0])

    def recv(self, _: int) -> bytes:
        self.is_over.wait(5)
        return self.out.pop(0) if self.out else b""

    def recv_stderr(self, _: int) -> bytes:
        return self.err.pop(0) if self.err else b""

    def sendall(self, data: bytes) -> None:
        self.sent += data

    def shutdown_write(self) -> None:
        self.is_over.set()

    def resize_pty(self, *size: int) -> None:
        self.asked.append(("resize", *size))
        self.is_over.set()

    def recv_exit_status(self) -> int:
        return self.code

    def close(self) -> None:
        self.asked.append("close")


class FakeSessions:
    """A host with one session to open."""

    def __init__(self, channel: FakeChannel) -> None:
        self.channel = channel

    def open(self) -> FakeChannel:
        return self.channel


def sessions(channel: FakeChannel) -> Any:
    """Return a host's sessions, the next of which is this."""
    return FakeSessions(channel)


def test_lines_come_without_their_ends_and_the_code_is_returned() -> None:
    """A terminal ends its lines with two characters, and sshd hangs it up when the channel is closed and nobody reads on."""
    channel = FakeChannel(b"a\r\nb c\r\n", code=3)
    lines = streams.lines(sessions(channel), "tail")
    said = [next(lines), next(lines)]
    with pytest.raises(StopIteration) as ended:
        next(lines)
    assert (said, ended.value.value, channel.asked[-1]) == (["a", "b c"], 3, "close")
    channel = FakeChannel(b"a\r\nb\r\n")
    lines = streams.lines(sessions(channel), "tail -f")
    next(lines)
    lines.close()
    assert channel.asked == [("pty", ("width", streams.WIDE)), "tail -f", "close"]


def test_a_line_may_have_any_bytes() -> None:
    """A log of an engine has what programs have written, in whatever code."""
    assert next(streams.lines(sessions(FakeChannel(b"gr\xfc\xdfe\r\n")), "tail")) == "gr\ufffd\ufffde"


def test_what_is_sent_is_a_commands_input_and_its_end() -> None:
    """It waits for the end of it; what it says and its code come back."""
    channel = FakeChannel(b"out", b"err", code=5, waits=True)
    done = streams.send(sessions(channel), "dd", b"hush")
    assert (done, channel.sent, channel.is_over.is_set()) == (Output(5, "out", "err"), b"hush", True)
    assert channel.asked == ["dd", "close"]


def test_a_command_that_ends_before_it_has_read_all_says_why() -> None:
    """Such as a sudo that wants a password: the closed channel is not the news."""

    class Ended(FakeChannel):
        def sendall(self, data: bytes) -> None:
            raise OSError("Socket is closed")

    assert (
        streams.send(sessions(Ended(b"", b"a password is required", code=1)), "sudo", b"hush").err == "a password is required"
    )


def test_a_connection_that_breaks_while_something_is_sent_is_an_error() -> None:
    """Nobody knows what has arrived."""
    with pytest.raises(StepError, match="the connection broke"):
        host(FakeChannel(b"", b"", code=-1)).send(b"hush", "dd")


@pytest.fixture
def piped() -> Iterator[int]:
    """Make this process's standard input a pipe, and give the end to write into."""
    reader, writer = os.pipe()
    before = os.dup(0)
    os.dup2(reader, 0)
    yield writer
    os.dup2(before, 0)
    for one in (reader, before):
        os.close(one)


def test_what_is_piped_in_arrives_whole_and_both_outputs_come_out(piped: int, capfd: pytest.CaptureFixture[str]) -> None:
    """Without a terminal the end of the input is passed on, and the outputs are kept apart."""
    channel = FakeChannel(b"out\n", b"err\n", code=5, waits=True)
    os.write(piped, b"id\nexit 5\n")
    os.close(piped)
    code = streams.attach(sessions(channel), "docker exec", terminal=False)
    assert (code, channel.sent, channel.asked) == (5, b"id\nexit 5\n", ["docker exec", "close"])
    assert capfd.readouterr() == ("out\n", "err\n")


@pytest.fixture
def terminal() -> Iterator[int]:
    """Make this process's standard streams a terminal, and give the end that people sit at."""
    people, program = pty.openpty()
    before = [os.dup(stream) for stream in (0, 1)]
    for stream in (0, 1):
        os.dup2(program, stream)
    yield people
    for stream, old in zip((0, 1), before, strict=True):
        os.dup2(old, stream)
        os.close(old)
    os.close(people)
    os.close(program)


def test_a_terminal_is_raw_while_the_command_runs_and_as_before_in_the_end(
    terminal: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every key reaches the shell, Ctrl-C too; a change of the window's size does as well."""
    monkeypatch.setenv("TERM", "xterm")
    before = termios.tcgetattr(0)
    channel = FakeChannel(waits=True)
    threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGWINCH)).start()
    code = streams.attach(sessions(channel), "docker exec -it", terminal=True)
    assert (code, termios.tcgetattr(0)) == (0, before)
    assert [one[:2] for one in channel.asked if isinstance(one, tuple)] == [("pty", "xterm"), ("resize", 0)]


class FakeConnections:
    """Connections to a host with one session."""

    def __init__(self, channel: FakeChannel) -> None:
        self.sessions = sessions(channel)

    def opened(self, _: str) -> Any:
        return self

    def command(self, *argv: str) -> str:
        return " ".join(("sudo", "-n", *argv))


def host(channel: FakeChannel) -> SshHost:
    """Return a host that is reached through a channel."""
    connections: Any = FakeConnections(channel)
    return SshHost("swarm-worker1", connections)


def test_a_hosts_commands_run_as_the_settings_say() -> None:
    """With ssh.sudo, what is followed runs by it too."""
    channel = FakeChannel(b"")
    list(host(channel).lines("tail", "-f", "x"))
    assert "sudo -n tail -f x" in channel.asked


def test_a_shell_whose_connection_breaks_is_an_error(piped: int) -> None:
    """Its exit code is not known."""
    os.close(piped)
    with pytest.raises(StepError, match="the connection broke"):
        host(FakeChannel(code=-1)).attach("docker", "exec", terminal=False)


def test_a_command_that_was_cut_off_is_an_error() -> None:
    """Half of what it says is no answer: rules without half of the nodes, a folder that is called empty."""
    connections = SimpleNamespace(run=lambda *_: Output(-1, "address 10.0.", ""))
    with pytest.raises(StepError, match=r"^swarm-manager1: the connection broke"):
        SshHost("swarm-manager1", connections).run("ip", "address")  # type: ignore[arg-type]


def test_an_output_is_kept_so_far_as_it_is_not_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    """A container that somebody has broken into may print for ever; the memory is the operator's."""
    monkeypatch.setattr(streams, "MOST", 10)
    runner = streams.Bounded.__new__(streams.Bounded)
    runner.encoding = "utf-8"
    enough, endless = iter([b"12345", b"67890", b""]), iter(lambda: b"12345", None)
    assert "".join(runner.read_proc_output(lambda _: next(enough))) == "1234567890"
    with pytest.raises(streams.TooMuch):
        list(runner.read_proc_output(lambda _: next(endless)))


def test_a_command_is_fed_while_its_lines_come_and_its_input_stays_open() -> None:
    """It would take the end of it for the end of whoever waits for it."""
    channel = FakeChannel(b"a\nb\n", code=2, waits=True)
    lines = streams.feed(sessions(channel), "build", b"hush")
    said = [next(lines), next(lines)]
    with pytest.raises(StopIteration) as ended:
        next(lines)
    assert (said, ended.value.value, channel.sent, channel.is_over.is_set()) == (["a", "b"], 2, b"hush", False)
    assert channel.asked == ["combined", "build", "close"]
