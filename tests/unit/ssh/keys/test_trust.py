"""Host keys: what is asked for before a login, and what is kept beside hosts.toml."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import paramiko
import pytest
from fabric import Config
from paramiko import ECDSAKey, RSAKey, SSHConfig

from swarmhub.errors import StepError
from swarmhub.ssh.connection import Connections
from swarmhub.ssh.keys import trust
from swarmhub.ssh.keys.trust import Shown

HOST = "swarm-worker1"
ELLIPTIC, OTHER, RSA = ECDSAKey.generate(), ECDSAKey.generate(), RSAKey.generate(2048)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of hosts.toml, with an empty home beside it."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home" / ".ssh").mkdir(parents=True)
    monkeypatch.setenv("SWARMHUB_HOSTS", str(tmp_path / "hosts.toml"))
    return tmp_path


@pytest.fixture
def port() -> Iterator[int]:
    """Start an SSH server that has two keys and lets nobody in, and return its port."""
    listening = socket.create_server(("127.0.0.1", 0))
    over = threading.Event()

    def serve() -> None:
        while not over.is_set():
            try:
                client, _ = listening.accept()
            except OSError:
                return
            server = paramiko.Transport(client)
            for key in (ELLIPTIC, RSA):
                server.add_server_key(key)
            server.start_server(event=threading.Event(), server=paramiko.ServerInterface())

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield listening.getsockname()[1]
    over.set()
    listening.shutdown(socket.SHUT_RDWR)
    listening.close()
    thread.join()


def connections(port: int) -> Connections:
    """Return connections that know where the host is."""
    text = f"Host {HOST}\n  HostName 127.0.0.1\n  Port {port}\n  User root\n"
    return Connections(Config(ssh_config=SSHConfig.from_text(text)))


def entry(name: str, key: paramiko.PKey) -> str:
    """Return a line of a known_hosts file."""
    return f"{name} {key.get_name()} {key.get_base64()}\n"


def shown(port: int) -> Shown:
    """Return what the host shows."""
    (one,) = trust.keys(connections(port), HOST)
    return one


def test_the_key_of_a_host_is_seen_without_a_login(port: int) -> None:
    """A key exchange is enough; the name is the one that known_hosts has for another port."""
    one = shown(port)
    assert (one.where, one.name, one.key, one.known, one.is_trusted) == (HOST, f"[127.0.0.1]:{port}", ELLIPTIC, None, False)
    assert str(one) == f"{ELLIPTIC.get_name()} {ELLIPTIC.fingerprint}"


def test_a_key_that_is_recorded_is_trusted_from_then_on(port: int, folder: Path) -> None:
    """The file is the one beside hosts.toml."""
    assert trust.record(shown(port)) == str(folder / "known_hosts")
    assert shown(port).is_trusted


def test_a_known_hosts_that_cannot_be_written_stays_whole(port: int, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it, every host would be a stranger; a link to it elsewhere stays one."""
    (folder / "elsewhere").mkdir()
    kept = folder / "elsewhere" / "known"
    kept.write_text(entry("other", OTHER))
    (folder / "known_hosts").symlink_to(kept)
    one = shown(port)
    with monkeypatch.context() as full:
        full.setattr(Path, "write_text", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        with pytest.raises(OSError, match="No space"):
            trust.record(one)
    assert kept.read_text() == entry("other", OTHER)
    trust.record(one)
    assert ((folder / "known_hosts").is_symlink(), kept.read_text()) == (
        True,
        entry("other", OTHER) + entry(one.name, ELLIPTIC),
    )
    assert [one.name for one in kept.parent.iterdir()] == ["known"]


def test_a_key_in_the_users_own_file_is_trusted_already(port: int, folder: Path) -> None:
    """Nothing is recorded twice."""
    (folder / "home/.ssh/known_hosts").write_text(entry(f"[127.0.0.1]:{port}", ELLIPTIC))
    assert shown(port).is_trusted


def test_the_known_type_of_key_is_asked_for(port: int, folder: Path) -> None:
    """A host that has several keys shows the one that is known: it has not changed."""
    (folder / "home/.ssh/known_hosts").write_text(entry(f"[127.0.0.1]:{port}", RSA))
    assert shown(port).is_trusted


def test_a_changed_key_is_told_with_the_known_one_and_replaced(port: int, folder: Path) -> None:
    """What the project's file says counts before the user's own."""
    (folder / "home/.ssh/known_hosts").write_text(entry(f"[127.0.0.1]:{port}", OTHER))
    one = shown(port)
    assert (one.is_trusted, one.before) == (False, f"{OTHER.get_name()} {OTHER.fingerprint}")
    trust.record(one)
    assert shown(port).is_trusted


def test_a_host_behind_a_command_shows_its_key_too(port: int) -> None:
    """ProxyCommand is no jump host: there is no connection to close."""
    reach = f"bash -c 'exec 3<>/dev/tcp/127.0.0.1/{port}; cat <&3 & cat >&3'"
    text = f"Host {HOST}\n  HostName 192.0.2.1\n  ProxyCommand {reach}\n"
    (one,) = trust.keys(Connections(Config(ssh_config=SSHConfig.from_text(text))), HOST)
    assert (one.name, one.key.get_name()) == ("192.0.2.1", ELLIPTIC.get_name())


def test_a_host_that_does_not_answer_is_an_error() -> None:
    """It reads like every other connection that fails."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(StepError, match=f"{HOST}: cannot reach root@127.0.0.1:{port}: connection refused"):
        shown(port)


def test_jump_hosts_come_first_in_the_order_in_which_they_are_passed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is shown, and can be recorded, before the next one is reached through it."""
    asked: list[str] = []

    def ask(connection: Any, known: dict[str, paramiko.PKey]) -> paramiko.PKey:
        asked.append(f"{connection.host} knowing {len(known)}")
        return ELLIPTIC

    monkeypatch.setattr(trust, "_ask", ask)
    text = f"Host {HOST}\n  HostName 10.0.0.21\n  ProxyJump outer,inner:2222\n"
    seen = []
    for one in trust.keys(Connections(Config(ssh_config=SSHConfig.from_text(text))), HOST):
        seen.append((one.where, one.name))
        trust.record(one)
    assert seen == [
        (f"{HOST}'s jump host outer", "outer"),
        (f"{HOST}'s jump host inner", "[inner]:2222"),
        (HOST, "10.0.0.21"),
    ]
    assert asked == ["outer knowing 0", "inner knowing 0", "10.0.0.21 knowing 0"]
    assert all(one.is_trusted for one in trust.keys(Connections(Config(ssh_config=SSHConfig.from_text(text))), HOST))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", ""),
        ("# ours\n\n", "# ours\n\n"),
        (entry("other", OTHER), entry("other", OTHER)),
        (entry(HOST, OTHER), ""),
        (entry(HOST, RSA) + entry(HOST, OTHER), ""),
        (entry(f"{HOST},10.0.0.21", OTHER), entry("10.0.0.21", OTHER)),
        (entry(f"{HOST}.example.org", OTHER), entry(f"{HOST}.example.org", OTHER)),
        (entry(f"[{HOST}]:2222", OTHER), entry(f"[{HOST}]:2222", OTHER)),
    ],
)
def test_a_recorded_key_is_the_only_one_of_its_host(before: str, after: str) -> None:
    """All that the file says of others, comments too, stays."""
    assert trust.recorded(before, HOST, ELLIPTIC) == after + entry(HOST, ELLIPTIC)


@pytest.mark.parametrize(("key", "kind"), [(ELLIPTIC, "ecdsa"), (RSA, "rsa")])
def test_the_file_to_compare_with_is_that_of_the_keys_type(key: Any, kind: str) -> None:
    """It is what sshd calls its own keys."""
    assert Shown(HOST, HOST, key, None).kind == kind
