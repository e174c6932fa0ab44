"""Open Fabric connections that verify host keys, at most one a host and a run."""

import logging
import random
import re
import shlex
import socket
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import Any

import paramiko
from fabric import Config, Connection
from invoke.exceptions import ThreadException
from paramiko import PKey, ProxyCommand, SSHClient
from paramiko.ssh_exception import AuthenticationException, BadHostKeyException, SSHException

from swarmhub.errors import Problem, SettingsError, StepError
from swarmhub.host import Output
from swarmhub.ssh import options
from swarmhub.ssh.capacity import Sessions
from swarmhub.ssh.failures import CONNECT_SECONDS, UnknownHostKey, explain
from swarmhub.ssh.keys.identities import ChosenAgent, is_private
from swarmhub.ssh.keys.known_hosts import known_keys, shown_name
from swarmhub.ssh.streams import MOST, Bounded, TooMuch

QUICK_SECONDS = 3
# A try may take all of the above: a host that could not be reached is tried again so much later, and nobody waits for that.
AGAIN_SECONDS = 5
KEEPALIVE_SECONDS = 20
# sshd turns connections away at random above MaxStartups (10:30:100); a moment later it takes them.
ATTEMPTS = 4
# sshd's MaxSessions is 10: a host's commands take so many channels at a time; its engine's take the others.
COMMANDS = 2


class _Refuse(paramiko.MissingHostKeyPolicy):
    def missing_host_key(self, client: SSHClient, hostname: str, key: PKey) -> None:
        raise UnknownHostKey(hostname, key)


class VerifiedConnection(Connection):  # type: ignore[misc]  # Fabric has no types
    """A Fabric connection that refuses unknown and changed host keys, on jump hosts too."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        limits = {"banner_timeout": CONNECT_SECONDS, "auth_timeout": CONNECT_SECONDS}
        identities = tuple(self.connect_kwargs.get("key_filename") or ())
        named = self.ssh_config.get("identityfile", [])
        # As with ssh, the usual files are not tried where others are named, and those that are not there are passed over.
        files = {
            "key_filename": [file for file in identities if file not in named or is_private(file)],
            "look_for_keys": "identityfile" not in self.ssh_config,
        }
        self._set(
            agent=ChosenAgent(self.ssh_config, identities),
            commands=threading.BoundedSemaphore(COMMANDS),
            connect_kwargs={**limits, **dict(self.connect_kwargs), **files},
            sessions=Sessions(self.original_host, lambda: self.transport, self._another),
            others=[],
        )
        _verify(self)

    def get_gateway(self) -> Any:
        """Return the last jump host, verified like the host itself, and in the order in which ssh passes them.

        Fabric makes jump hosts plain connections, and passes several of them the other way round.
        """
        hops = self.ssh_config.get("proxyjump")
        if not hops:
            return super().get_gateway()
        gateway = None  # the first hop asks for a jump host of its own
        for hop in hops.replace("ssh://", "").split(",") if hops.lower() != "none" else []:
            host, user, port = _hop(hop)
            if host in (self.host, self.original_host):
                return None  # a jump host that the same pattern of the ssh_config matches
            config = self.config.clone()
            gateway = VerifiedConnection(host, user, port, config=config, gateway=gateway, connect_timeout=CONNECT_SECONDS)
        return gateway

    def open_gateway(self) -> Any:
        """Return the way to the host; a command of the ssh_config is for a shell, as with ssh, and has its tokens filled in."""
        if isinstance(self.gateway, str):
            return ProxyCommand(shlex.join(("sh", "-c", f"exec {self.gateway}")))
        return super().open_gateway()

    def _remote_runner(self) -> Any:
        return Bounded(context=self, inline_env=self.inline_ssh_env)

    def open(self) -> Any:
        """Connect, without Nagle's delay: it costs a command 36 ms of 48."""
        # Paramiko asks the agent by itself where it has been given none.
        self.client._agent = self.agent
        result = super().open()
        transport = self.client.get_transport()
        if transport is not None:
            transport.set_keepalive(KEEPALIVE_SECONDS)
            with suppress(AttributeError, OSError):  # through a jump host the socket is a channel
                transport.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return result

    def create_session(self) -> Any:
        """Return a new session; Fabric runs commands on it."""
        return self.sessions.open()

    def close(self) -> None:
        """Close it, and what was opened where its sshd permits few sessions a connection."""
        for other in self.others:
            other.close()
        super().close()

    def _another(self) -> Any:
        other = VerifiedConnection(
            self.original_host, self.user, self.port, config=self.config.clone(), connect_timeout=CONNECT_SECONDS
        )
        _with_retries(other.open)
        self.others.append(other)
        return other.transport


class Connections:
    """The connections of one run, opened when they are first asked for."""

    def __init__(self, config: Config, sudo: bool = False) -> None:
        self._config, self._sudo = config, sudo
        self._open: dict[str, VerifiedConnection] = {}
        self._attempts: dict[str, Future[VerifiedConnection]] = {}
        self._away: dict[str, tuple[float, StepError]] = {}
        self._lock = threading.Lock()
        # Its threads print tracebacks of their own for what we report in a line.
        logging.getLogger("paramiko").setLevel(logging.CRITICAL)

    def to(self, host: str) -> VerifiedConnection:
        """Return the connection to `host`, which may not be open yet."""
        with self._lock:
            if host not in self._open:
                self._open[host] = self.made(host)
            return self._open[host]

    def made(self, host: str) -> VerifiedConnection:
        """Return a new connection to `host`, which is nobody else's."""
        return VerifiedConnection(host, config=self._config.clone(), connect_timeout=CONNECT_SECONDS)

    def begin(self, hosts: Sequence[str]) -> None:
        """Begin to connect to hosts, while something else is done; `opened` waits, and says what went wrong."""
        for host in hosts:
            threading.Thread(target=self._begin, args=(host,), daemon=True).start()

    def _begin(self, host: str) -> None:
        with suppress(StepError):
            # Where ssh is asked for a host's options, it is asked for all hosts at once: a connection is made by one at a time.
            self._config.base_ssh_config.lookup(host)
            self.opened(host)

    def opened(self, host: str) -> VerifiedConnection:
        """Return the open connection to `host`.

        Raises:
            StepError: it cannot be reached, trusted or logged in to.

        """
        connection = self.to(host)
        with self._lock:
            if connection.is_connected:
                return connection
            begun, away = self._attempts.get(host), self._away.get(host)
            if away:
                if not begun and time.monotonic() - away[0] > AGAIN_SECONDS:
                    attempt = self._attempts[host] = Future()
                    threading.Thread(target=self._again, args=(host, connection, attempt), daemon=True).start()
                raise away[1]
            attempt = begun or self._attempts.setdefault(host, Future())
        # Two threads that open one connection would shake hands twice, and for a host that is away each would wait.
        return attempt.result() if begun else self._attempt(host, connection, attempt)

    def _again(self, host: str, connection: VerifiedConnection, attempt: "Future[VerifiedConnection]") -> None:
        with suppress(StepError):
            self._attempt(host, connection, attempt)

    def _attempt(self, host: str, connection: VerifiedConnection, attempt: "Future[VerifiedConnection]") -> VerifiedConnection:
        try:
            _with_retries(connection.open)
            self._away.pop(host, None)
            attempt.set_result(connection)
        except (OSError, SSHException, EOFError) as error:
            explained = explain(host, connection, error)
            attempt.set_exception(explained)
            self._away[host] = (time.monotonic(), explained)
            raise explained from error
        except BaseException as error:
            attempt.set_exception(error)
            raise
        finally:
            with self._lock:
                del self._attempts[host]
        return connection

    def run(self, host: str, *argv: str) -> Output:
        """Run a command on `host`, with sudo if the settings say so; every word is quoted here, once."""
        connection = self.opened(host)
        try:
            with connection.commands:
                done = connection.run(self.command(*argv), hide=True, warn=True, in_stream=False)
        except ThreadException as error:
            if not any(isinstance(one.value, TooMuch) for one in error.exceptions):
                raise
            cause = f"{' '.join(argv[:4])} prints more than {MOST >> 20} MB"
            raise StepError(host, cause, "Look at what runs there: this command never prints that much") from None
        except (OSError, SSHException, EOFError) as error:
            raise StepError(host, f"the connection broke: {error}", "Run the same command again") from error
        return Output(done.exited, done.stdout, done.stderr)

    def command(self, *argv: str) -> str:
        """Return the shell line for a command; what it says, it says in English, whatever the host's language is."""
        return shlex.join(("env", "LC_ALL=C", *(("sudo", "-n") if self._sudo else ()), *argv))

    def close(self) -> None:
        """Close every connection."""
        for connection in self._open.values():
            connection.close()
        self._open.clear()


def make_config(base: object, ssh_config: Path | None) -> Config:
    """Return Fabric's configuration, with the ssh_config of the settings unless -S names another.

    Raises:
        SettingsError: there is no such ssh_config.

    """
    from_fab = base if isinstance(base, Config) else Config(overrides={"load_ssh_configs": False})
    file = from_fab._runtime_ssh_path
    if file is None and ssh_config is not None:
        file = str(ssh_config)
        try:
            ssh_config.read_bytes()
        except OSError as error:
            wrong = f"{(error.strerror or str(error)).lower()}; ssh.config names it"
            raise SettingsError(Problem(file, 1, "", wrong)) from None
    # That is a clone, which keeps what the command line gave: -i, a prompted password, -H.
    return options.with_ssh(from_fab, file)


def _hop(text: str) -> tuple[str, str | None, int | None]:
    """Return the host, user and port of a jump host: Fabric knows no port behind an IPv6 address."""
    user, _, place = text.strip().rpartition("@")
    found = re.fullmatch(r"(?:\[([^\]]+)\]|([^:]+))(?::(\d+))?/?", place)
    host, port = (found[1] or found[2], found[3]) if found else (place, None)
    return host, user or None, int(port) if port else None


def _verify(connection: Connection) -> None:
    client, name = connection.client, shown_name(connection)
    for kind, key in known_keys(connection).trusted.items():
        client.get_host_keys().add(name, kind, key)
    client.set_missing_host_key_policy(_Refuse())


def _with_retries(connect: Callable[[], object]) -> None:
    for attempt in range(ATTEMPTS):
        began = time.monotonic()
        try:
            connect()
            return
        except (SSHException, EOFError, ConnectionResetError) as error:
            final = isinstance(error, AuthenticationException | BadHostKeyException | UnknownHostKey)
            final = final or "No authentication methods" in str(error)
            # sshd turns away at once when many come together; who is silent for seconds is so again.
            if final or attempt == ATTEMPTS - 1 or time.monotonic() - began > QUICK_SECONDS:
                raise
            time.sleep(random.uniform(0.1, 0.5) * 2**attempt)
