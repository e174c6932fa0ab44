"""Connections: whose host keys are trusted, how commands are quoted, and what is said when one cannot be made."""

import logging
import random
import shlex
import socket
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import paramiko
import pytest
from fabric import Config, Connection
from invoke.config import Config as InvokeConfig
from paramiko import ECDSAKey, SSHClient, SSHConfig
from paramiko.ssh_exception import (
    AuthenticationException,
    BadHostKeyException,
    NoValidConnectionsError,
    PasswordRequiredException,
    SSHException,
)

from swarmhub import wait
from swarmhub.errors import SettingsError, StepError
from swarmhub.host import Output
from swarmhub.parallel import at_once
from swarmhub.ssh import connection as module
from swarmhub.ssh.connection import Connections, VerifiedConnection, make_config
from swarmhub.ssh.failures import UnknownHostKey
from swarmhub.ssh.keys.identities import ChosenAgent
from tests.unit.support.fakes import Clock

HOST = "swarm-worker1"
KEY, OTHER_KEY = ECDSAKey.generate(), ECDSAKey.generate()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the home folder, with an empty .ssh."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("swarmhub.ssh.options.SYSTEM", tmp_path / "none")
    (tmp_path / ".ssh").mkdir()
    return tmp_path


def config(ssh_config: str = "", **overrides: Any) -> Config:
    """Return Fabric's configuration with this ssh_config and no other."""
    return Config(ssh_config=SSHConfig.from_text(ssh_config), overrides=overrides)


def entry(name: str, key: paramiko.PKey) -> str:
    """Return a line of a known_hosts file."""
    return f"{name} {key.get_name()} {key.get_base64()}\n"


def shake_hands(client: SSHClient, name: str, key: paramiko.PKey, port: int = 22) -> None:
    """Let a client meet a server that shows this key and lets nobody in; there is no network between them."""
    ours, theirs = socket.socketpair()
    server = paramiko.Transport(theirs)
    server.add_server_key(key)
    server.start_server(event=threading.Event(), server=paramiko.ServerInterface())
    try:
        client.connect(name, port, username="root", password="x", sock=ours, allow_agent=False, look_for_keys=False)
    finally:
        client.close()
        server.close()


def test_an_unknown_host_key_is_refused() -> None:
    """A host whose key no known_hosts file names is not logged in to; the key it showed is told."""
    with pytest.raises(UnknownHostKey) as refused:
        shake_hands(VerifiedConnection(HOST, config=config()).client, HOST, KEY)
    assert (refused.value.hostname, refused.value.key) == (HOST, KEY)


@pytest.mark.parametrize(
    ("ssh_config", "files", "name", "port"),
    [
        ("", {".ssh/known_hosts": HOST}, HOST, 22),
        ("", {".ssh/known_hosts": f"[{HOST}]:2222"}, HOST, 2222),
        ("Host *\n  UserKnownHostsFile ~/trusted", {"trusted": HOST}, HOST, 22),
        ("Host *\n  UserKnownHostsFile ~/nothere ~/trusted", {"trusted": HOST}, HOST, 22),
        ('Host *\n  UserKnownHostsFile "~/with blank"', {"with blank": HOST}, HOST, 22),
    ],
    ids=["known_hosts", "another port", "named file", "two files", "a blank in the name"],
)
def test_a_known_host_key_is_trusted(home: Path, ssh_config: str, files: dict[str, str], name: str, port: int) -> None:
    """A key in ~/.ssh/known_hosts, or in the files that the ssh_config names, is trusted: the login comes next."""
    for file, host in files.items():
        (home / file).write_text(entry(host, KEY))
    with pytest.raises(AuthenticationException):
        shake_hands(VerifiedConnection(HOST, port=port, config=config(ssh_config)).client, name, KEY, port)


def test_a_changed_host_key_is_refused(home: Path) -> None:
    """A host that shows another key than the known one is not logged in to."""
    (home / ".ssh/known_hosts").write_text(entry(HOST, KEY))
    with pytest.raises(BadHostKeyException):
        shake_hands(VerifiedConnection(HOST, config=config()).client, HOST, OTHER_KEY)


def test_the_file_that_the_ssh_config_names_is_the_one_that_counts(home: Path) -> None:
    """Like ssh itself, a UserKnownHostsFile takes the place of ~/.ssh/known_hosts, whatever that says of the host."""
    (home / ".ssh/known_hosts").write_text(entry(HOST, OTHER_KEY))
    (home / "trusted").write_text(entry(HOST, KEY))
    verified = VerifiedConnection(HOST, config=config("Host *\n  UserKnownHostsFile ~/trusted"))
    with pytest.raises(AuthenticationException):
        shake_hands(verified.client, HOST, KEY)


def test_a_key_beside_hosts_toml_is_trusted_before_all_others(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The project's own known_hosts counts always, and a key in it takes the place of an older one in the user's file."""
    monkeypatch.setenv("SWARMHUB_HOSTS", str(home / "hosts.toml"))
    (home / ".ssh/known_hosts").write_text(entry(HOST, OTHER_KEY))
    (home / "known_hosts").write_text(entry(HOST, KEY))
    with pytest.raises(AuthenticationException):
        shake_hands(VerifiedConnection(HOST, config=config()).client, HOST, KEY)


def hops(connection: Any) -> list[Connection]:
    """Return the connection's jump hosts, the nearest to it first."""
    found = []
    while isinstance(connection.gateway, Connection):
        connection = connection.gateway
        found.append(connection)
    return found


def test_a_jump_hosts_key_is_verified_too(home: Path) -> None:
    """Each host on the way, the first one named being the first, refuses an unknown key like the host itself."""
    (home / "trusted").write_text(entry("outer", KEY))
    ssh_config = f"Host *\n  UserKnownHostsFile ~/trusted\nHost {HOST}\n  ProxyJump outer,inner"
    inner, outer = hops(VerifiedConnection(HOST, config=config(ssh_config)))
    with pytest.raises(UnknownHostKey):
        shake_hands(inner.client, "inner", KEY)
    with pytest.raises(AuthenticationException):
        shake_hands(outer.client, "outer", KEY)


@pytest.mark.parametrize(
    ("ssh_config", "host", "passed"),
    [
        ("Host *\n  ProxyJump none", HOST, []),
        ("Host bastion\n  ProxyJump none\nHost *\n  ProxyJump bastion", HOST, ["bastion"]),
        ("Host bastion\n  ProxyJump none\nHost *\n  ProxyJump bastion", "bastion", []),
        ("Host *\n  ProxyJump bastion", HOST, ["bastion"]),
        ("Host *\n  ProxyJump bastion", "bastion", []),
        ("Host bastion\n  HostName 203.0.113.5\nHost *\n  ProxyJump bastion", HOST, ["203.0.113.5"]),
        ("Host bastion\n  HostName 203.0.113.5\nHost *\n  ProxyJump bastion", "bastion", []),
        (f"Host {HOST}\n  ProxyJump inner\nHost inner\n  ProxyJump outer", HOST, ["inner", "outer"]),
    ],
    ids=[
        "none",
        "none for itself",
        "itself",
        "everybody's",
        "its own",
        "by address",
        "its own, by address",
        "a jump host's own",
    ],
)
def test_a_jump_host_for_everybody_is_not_its_own(ssh_config: str, host: str, passed: list[str]) -> None:
    """One jump host for all hosts is reached directly, whether the ssh_config says "none" for it or not, or has its address."""
    assert [hop.host for hop in hops(VerifiedConnection(host, config=config(ssh_config)))] == passed


def test_a_proxy_command_is_left_to_ssh() -> None:
    """A ProxyCommand is no connection of ours: the host behind it is verified all the same."""
    verified = VerifiedConnection(HOST, config=config(f"Host {HOST}\n  ProxyCommand nc %h %p"))
    with pytest.raises(UnknownHostKey):
        shake_hands(verified.client, HOST, KEY)


class FakeSocket:
    """A socket that remembers its options."""

    def __init__(self) -> None:
        self.options: list[tuple[int, int, int]] = []

    def setsockopt(self, *option: int) -> None:
        self.options.append((option[0], option[1], option[2]))


@pytest.mark.parametrize(
    ("sock", "options"), [(FakeSocket(), [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]), (SimpleNamespace(options=[]), [])]
)
def test_an_open_connection_is_kept_alive_and_does_not_wait(
    monkeypatch: pytest.MonkeyPatch, sock: Any, options: list[tuple[int, int, int]]
) -> None:
    """Keepalives are sent, and small packets at once; a channel through a jump host has no such option."""
    kept: list[int] = []
    transport = SimpleNamespace(sock=sock, set_keepalive=kept.append)
    monkeypatch.setattr(Connection, "open", lambda _: None)
    monkeypatch.setattr(SSHClient, "get_transport", lambda _: transport)
    VerifiedConnection(HOST, config=config()).open()
    assert (kept, sock.options) == ([module.KEEPALIVE_SECONDS], options)


ARGV = [
    ("cat", "/etc/letsencrypt/live/hub.example.org/fullchain.pem"),
    ("echo", "a b", "$(id)", "`id`", "; id", "x' y", 'x" y', "*", "", "a\nb", "\\", "-n", "~", "$HOME", "a|b&c>d<e"),
    ("docker", "version", "--format", "{{.Server.Version}}"),
]


@pytest.mark.parametrize("argv", ARGV)
def test_a_commands_words_arrive_as_they_are(argv: tuple[str, ...]) -> None:
    """A shell on the host makes the same words of the line again; sudo, if it is set, never asks back.

    What is said is matched by its English words.
    """
    assert tuple(shlex.split(Connections(config()).command(*argv))) == ("env", "LC_ALL=C", *argv)
    assert tuple(shlex.split(Connections(config(), sudo=True).command(*argv))) == ("env", "LC_ALL=C", "sudo", "-n", *argv)


def opening(monkeypatch: pytest.MonkeyPatch, *turns: Exception | None) -> tuple[Clock, list[str]]:
    """Let connections open, or not, in turn, and the last way from then on; return the clock and what was opened."""
    left, opened, clock = list(turns), [], Clock()

    def open_(connection: VerifiedConnection) -> None:
        opened.append(connection.host)
        turn = left.pop(0) if len(left) > 1 else left[0]
        if turn is not None:
            raise turn

    monkeypatch.setattr(VerifiedConnection, "open", open_)
    monkeypatch.setattr(module, "time", clock)
    return clock, opened


def slowly(monkeypatch: pytest.MonkeyPatch, error: Exception | None) -> tuple[threading.Event, threading.Event, list[str]]:
    """Let a connection open, or not, when told; return what tells that it has begun, what lets it go on, and what was begun."""
    began, may, opened = threading.Event(), threading.Event(), list[str]()

    def open_(connection: VerifiedConnection) -> None:
        opened.append(connection.host)
        began.set()
        may.wait(10)
        if error is not None:
            raise error

    monkeypatch.setattr(VerifiedConnection, "open", open_)
    return began, may, opened


def go_on_when_waited_for(connections: Connections, waiting: int, may: threading.Event) -> None:
    """Let the attempt to connect go on as soon as so many wait for it."""
    attempt, waits = connections._attempts[HOST], list[None]()
    result = attempt.result

    def counted() -> VerifiedConnection:
        waits.append(None)
        if len(waits) == waiting:
            may.set()
        return result(10)

    attempt.result = counted  # type: ignore[method-assign, assignment]


def test_a_connection_that_was_begun_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever needs it meanwhile shakes no hands a second time."""
    began, may, opened = slowly(monkeypatch, None)
    connections = Connections(config())
    connections.begin([HOST])
    assert began.wait(10)
    go_on_when_waited_for(connections, 1, may)
    assert (connections.opened(HOST), opened) == (connections.to(HOST), [HOST])


def test_all_who_wait_for_a_host_that_is_away_hear_of_the_one_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each would wait ten seconds of its own; who asks soon after hears of it too."""
    began, may, opened = slowly(monkeypatch, TimeoutError("timed out"))
    connections = Connections(config())
    connections.begin([HOST])
    assert began.wait(10)
    go_on_when_waited_for(connections, 3, may)
    answers = at_once([lambda: connections.opened(HOST)] * 3)
    assert ({str(answer) for answer in answers}, opened) == ({str(answers[0])}, [HOST])
    with pytest.raises(StepError, match="no answer"):
        connections.opened(HOST)
    assert opened == [HOST]


def test_a_host_that_is_away_is_tried_again_while_nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who asks hears at once that it is away, until it answers again."""
    connections, clock = Connections(config()), Clock()
    monkeypatch.setattr(module, "time", clock)
    answers = {"now": TimeoutError("timed out")}
    is_tried = threading.Event()

    def open_(connection: VerifiedConnection) -> None:
        is_tried.set()
        if error := answers.get("now"):
            raise error
        connection.transport = SimpleNamespace(active=True)

    monkeypatch.setattr(VerifiedConnection, "open", open_)
    for seconds, is_due in ((0, True), (module.AGAIN_SECONDS - 1, False), (2, True)):
        clock.now += seconds
        is_tried.clear()
        with pytest.raises(StepError, match="no answer"):
            connections.opened(HOST)
        assert is_tried.wait(10 if is_due else 0) == is_due
    _wait_for(lambda: not connections._attempts)
    answers.clear()
    clock.now += module.AGAIN_SECONDS + 1
    with pytest.raises(StepError, match="no answer"):
        connections.opened(HOST)
    _wait_for(lambda: not connections._attempts)
    assert connections.opened(HOST) is connections.to(HOST)


def _wait_for(holds: Callable[[], bool]) -> None:
    """Wait until another thread has done its work."""
    wait.until(holds, 10, lambda: AssertionError("the other thread does not end"), pause=0.01)


def test_connections_do_not_share_what_fabric_changes() -> None:
    """One a host, not opened by asking for it; Fabric writes into its configuration; it waits for ten seconds at most."""
    connections = Connections(config())
    one, other = connections.to(HOST), connections.to("swarm-worker2")
    assert (connections.to(HOST) is one, one.is_connected, one.connect_timeout) == (True, False, 10)
    one.config.run.shell = "/bin/sh"
    assert other.config.run.shell != "/bin/sh"


@pytest.mark.parametrize("busy", [SSHException("Error reading SSH protocol banner"), EOFError(), ConnectionResetError()])
def test_a_busy_sshd_is_asked_again(monkeypatch: pytest.MonkeyPatch, busy: Exception) -> None:
    """Sshd turns away at random when many come at once: a moment later it takes them."""
    clock, opened = opening(monkeypatch, busy, busy, None)
    Connections(config()).opened(HOST)
    assert (len(opened), len(clock.slept)) == (3, 2)


def test_each_pause_is_longer_than_the_last_one_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses grow, so that many who were turned away together do not come back together."""
    clock, _ = opening(monkeypatch, EOFError())
    monkeypatch.setattr(random, "uniform", lambda low, high: high)
    with pytest.raises(StepError) as failed:
        Connections(config()).opened(HOST)
    assert clock.slept == [0.5, 1.0, 2.0]
    # Sshd may just hang up, and Paramiko then says nothing: there is a cause all the same.
    assert ": ." not in str(failed.value)


def test_a_host_that_accepts_and_says_nothing_is_given_up_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """As one that is paused does: it is waited for once, and told in a sentence."""
    monkeypatch.setattr("swarmhub.ssh.connection.CONNECT_SECONDS", 0.3)
    monkeypatch.setattr("swarmhub.ssh.connection.QUICK_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(5)
        ssh_config = f"Host {HOST}\n  HostName 127.0.0.1\n  Port {silent.getsockname()[1]}\n  User root\n"
        with pytest.raises(StepError, match="it accepts the connection, and says nothing"):
            Connections(config(ssh_config)).opened(HOST)
        silent.accept()
        silent.settimeout(0.2)
        with pytest.raises(TimeoutError):
            silent.accept()


UNKNOWN = UnknownHostKey(HOST, KEY)
CHANGED = BadHostKeyException(HOST, OTHER_KEY, KEY)
REFUSED = NoValidConnectionsError({("10.0.0.21", 22): ConnectionRefusedError(111, "Connection refused")})


@pytest.mark.parametrize(
    "final",
    [
        UNKNOWN,
        CHANGED,
        AuthenticationException("Authentication failed."),
        REFUSED,
        TimeoutError("timed out"),
        socket.gaierror(-2, "x"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_will_not_change_is_not_tried_again(monkeypatch: pytest.MonkeyPatch, final: Exception) -> None:
    """A key that is refused, a port that is closed, a name that is not known: the error comes at once."""
    clock, opened = opening(monkeypatch, final)
    with pytest.raises(StepError):
        Connections(config()).opened(HOST)
    assert (len(opened), clock.slept) == (1, [])


WHERE = "root@10.0.0.21:22"
TO_HOST = f"Host {HOST}\n  HostName 10.0.0.21\n  User root\n"


def explained(monkeypatch: pytest.MonkeyPatch, error: Exception, ssh_config: str = TO_HOST) -> str:
    """Return the line that an operator reads when a connection ends with this error."""
    opening(monkeypatch, error)
    with pytest.raises(StepError) as failed:
        Connections(config(ssh_config)).opened(HOST)
    assert failed.value.host == HOST
    return str(failed.value).removeprefix(f"{HOST}: ")


KEY_PRINT, OTHER_PRINT = KEY.fingerprint, OTHER_KEY.fingerprint


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (
            UNKNOWN,
            f"unknown host key {KEY.get_name()} {KEY_PRINT}. If that is the host's own key, trust it: fab trust {HOST}",
        ),
        (
            CHANGED,
            f"the host key has CHANGED: it shows {OTHER_PRINT}, known is {KEY_PRINT}. Somebody may be listening. "
            f"If the host was reinstalled: fab trust {HOST}",
        ),
        (AuthenticationException("Authentication failed."), f"{WHERE} refuses your key. Make this work first: ssh {HOST}"),
        (
            socket.gaierror(-2, "Name or service not known"),
            "the name 10.0.0.21 has no address. Add it to DNS, /etc/hosts or your ssh_config",
        ),
        (REFUSED, f"cannot reach {WHERE}: connection refused. Is it up, and is its address right? Try: ssh {HOST}"),
        (TimeoutError("timed out"), f"cannot reach {WHERE}: no answer. Is it up, and is its address right? Try: ssh {HOST}"),
        (
            OSError(113, "No route to host"),
            f"cannot reach {WHERE}: no route to host. Is it up, and is its address right? Try: ssh {HOST}",
        ),
        (
            ConnectionResetError(104, "Connection reset by peer"),
            f"cannot reach {WHERE}: connection reset by peer. Is it up, and is its address right? Try: ssh {HOST}",
        ),
        (
            SSHException("Error reading SSH protocol banner"),
            f"SSH to {WHERE} failed: it accepts the connection, and says nothing within 10 s. Make this work first: ssh {HOST}",
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_each_kind_of_failure_says_why_and_what_helps(monkeypatch: pytest.MonkeyPatch, error: Exception, line: str) -> None:
    """The line names the host, what happened, the fingerprint if it is about a key, and the command to try."""
    assert explained(monkeypatch, error) == line


@pytest.mark.parametrize(("offered", "is_told"), [(5, False), (6, True), (8, True)])
def test_more_keys_than_sshd_listens_to_are_told(monkeypatch: pytest.MonkeyPatch, offered: int, is_told: bool) -> None:
    """It hangs up after six; the line has what names the right one."""
    monkeypatch.setattr(ChosenAgent, "offered", (KEY,) * offered, raising=False)
    monkeypatch.setattr(ChosenAgent, "__init__", lambda *_: None)
    line = explained(monkeypatch, SSHException("No existing session"))
    assert ("IdentityFile, and IdentitiesOnly yes" in line) is is_told


def test_what_of_the_ssh_config_is_not_followed_is_told_with_the_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be why."""
    line = explained(
        monkeypatch, REFUSED, f"{TO_HOST}  BindAddress 10.0.0.1\n  RevokedHostKeys /etc/ssh/revoked\n  Compression yes\n"
    )
    assert line.endswith(f"Try: ssh {HOST}. swarmhub does not follow bindaddress, revokedhostkeys of your ssh_config")


@pytest.mark.parametrize(
    "error", [UnknownHostKey("bastion", KEY), BadHostKeyException("bastion", OTHER_KEY, KEY)], ids=["unknown", "changed"]
)
def test_a_jump_hosts_key_is_not_told_as_the_hosts_own(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """Where the key of a host on the way is refused, the line names that host."""
    assert "bastion" in explained(monkeypatch, error, f"{TO_HOST}  ProxyJump bastion\n")


def test_a_commands_output_and_code_are_returned(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that fails is no error here: its caller knows what its code means."""
    opening(monkeypatch, None)
    ran: list[tuple[str, dict[str, Any]]] = []

    def run(_: VerifiedConnection, command: str, **options: Any) -> Any:
        ran.append((command, options))
        return SimpleNamespace(exited=3, stdout="out", stderr="err")

    monkeypatch.setattr(VerifiedConnection, "run", run)
    assert Connections(config()).run(HOST, "cat", "a b") == Output(3, "out", "err")
    # Neither shown, nor raised, nor waiting for what the operator types.
    assert ran == [("env LC_ALL=C cat 'a b'", {"hide": True, "warn": True, "in_stream": False})]


def test_closing_closes_every_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a Ctrl-C nothing waits for a host any more."""
    closed: list[str] = []
    monkeypatch.setattr(VerifiedConnection, "close", lambda connection: closed.append(connection.host))
    connections = Connections(config())
    for host in (HOST, "swarm-worker2"):
        connections.to(host)
    connections.close()
    assert closed == [HOST, "swarm-worker2"]


def test_paramikos_own_tracebacks_are_not_shown() -> None:
    """Paramiko's threads log what is reported in a line already."""
    Connections(config())
    assert not logging.getLogger("paramiko.transport").isEnabledFor(logging.ERROR)


def test_under_invoke_there_is_a_configuration_too(home: Path) -> None:
    """`invoke` knows nothing of SSH: Fabric's own is made, with one's own ssh_config; what fab was given is kept."""
    (home / ".ssh/config").write_text("Host a\n  User ada")
    assert make_config(InvokeConfig(), None).base_ssh_config.lookup("a")["user"] == "ada"
    made = make_config(config(connect_kwargs={"key_filename": ["mine"]}), None)
    assert (made.connect_kwargs.key_filename, made.clone().base_ssh_config.lookup("a")["user"]) == (["mine"], "ada")


def test_a_key_with_a_passphrase_is_told_as_such(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`ssh` would ask for it, so that it works is no help; an agent is."""
    line = explained(monkeypatch, PasswordRequiredException("Private key file is encrypted"))
    assert line == "your key for root@10.0.0.21:22 has a passphrase. Let an agent have the key: ssh-add"


def test_a_jump_host_may_be_an_ipv6_address_with_a_port() -> None:
    """As ssh writes it: in brackets."""
    ssh_config = f"Host {HOST}\n  ProxyJump ada@[fe80::1]:2201,grace@outer:2202,[fe80::2],fe80::3"
    passed = [(one.user, one.host, one.port) for one in hops(VerifiedConnection(HOST, config=config(ssh_config, user="root")))]
    assert passed == [("root", "fe80::3", 22), ("root", "fe80::2", 22), ("grace", "outer", 2202), ("ada", "fe80::1", 2201)]


def test_a_proxy_command_is_for_a_shell(tmp_path: Path) -> None:
    """As with ssh: it may redirect what it says, and use variables."""
    made = VerifiedConnection(HOST, config=config(f"Host *\n  ProxyCommand echo $0 2>{tmp_path}/said | cat"))
    with closing(made.open_gateway()) as way:
        assert way.recv(3) == b"sh\n"


def test_a_key_is_known_by_its_alias(home: Path) -> None:
    """HostKeyAlias is the name in known_hosts, whatever the address and the port."""
    (home / ".ssh/known_hosts").write_text(entry("real", KEY))
    made = VerifiedConnection(HOST, config=config("Host *\n  HostKeyAlias real\n  Port 2222"))
    with pytest.raises(AuthenticationException):
        shake_hands(made.client, HOST, KEY, 2222)


def test_the_settings_ssh_config_is_used(tmp_path: Path) -> None:
    """The ssh_config that hosts.toml names says where a host is, and what the command line gave stays."""
    (tmp_path / "ssh_config").write_text(TO_HOST)
    made = make_config(Config(overrides={"connect_kwargs": {"key_filename": ["mine"]}}), tmp_path / "ssh_config")
    connection = Connections(made).to(HOST)
    assert (connection.host, connection.user, list(connection.connect_kwargs["key_filename"])) == (
        "10.0.0.21",
        "root",
        ["mine"],
    )


def test_an_ssh_config_on_the_command_line_wins(tmp_path: Path) -> None:
    """`fab -S` outweighs hosts.toml, as every flag does."""
    (tmp_path / "settings").write_text(TO_HOST)
    (tmp_path / "flag").write_text(TO_HOST.replace("10.0.0.21", "10.9.9.9"))
    given = Config(runtime_ssh_path=str(tmp_path / "flag"))
    given.load_ssh_config()
    assert Connections(make_config(given, tmp_path / "settings")).to(HOST).host == "10.9.9.9"


def test_an_ssh_config_that_is_not_there_is_a_mistake_of_the_settings(tmp_path: Path) -> None:
    """The problem names the file, and the key that names it."""
    with pytest.raises(SettingsError, match=r"no/ssh_config:1: no such file or directory; ssh\.config names it"):
        make_config(Config(), tmp_path / "no" / "ssh_config")
