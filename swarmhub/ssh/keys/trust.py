"""See which key a host shows, before anything is logged in to, and keep it in the project's own known_hosts."""

import socket
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass

from fabric import Connection
from paramiko import PKey, Transport
from paramiko.ssh_exception import SSHException

from swarmhub.ssh.connection import Connections
from swarmhub.ssh.failures import CONNECT_SECONDS, explain, revoked
from swarmhub.ssh.keys.known_hosts import fingerprint, known_keys, known_name, project_known_hosts


@dataclass(frozen=True)
class Shown:
    """The key that a host shows; `known` is the one that is trusted so far, `name` what known_hosts calls the host."""

    where: str
    name: str
    key: PKey
    known: PKey | None

    @property
    def is_trusted(self) -> bool:
        """Tell whether there is nothing to do."""
        return bool(self.key == self.known)

    @property
    def kind(self) -> str:
        """Return the key's type, as in the name of its file: ed25519, ecdsa, rsa."""
        return str(self.key.get_name()).removeprefix("ssh-").partition("-")[0]

    def __str__(self) -> str:
        return f"{self.key.get_name()} {fingerprint(self.key)}"

    @property
    def before(self) -> str:
        """Return the key that was known before, or nothing."""
        return f"{self.known.get_name()} {fingerprint(self.known)}" if self.known else ""


def keys(connections: Connections, host: str) -> Iterator[Shown]:
    """Yield the key that each jump host on the way to `host` shows, and then its own.

    To reach the next one, the one before has to be trusted: record it before going on.

    Raises:
        StepError: one cannot be reached, or shows a revoked key, or a jump host cannot be logged in to.

    """
    for index in range(len(_way(connections.made(host)))):
        # Made anew, because a connection reads the known_hosts files only once.
        connection = connections.made(host)
        hop = _way(connection)[index]
        where = host if hop is connection else f"{host}'s jump host {hop.host}"
        known = known_keys(hop)
        try:
            key = _ask(hop, known.trusted)
            if key in known.revoked:
                raise revoked(host, f"{where}: the" if hop is not connection else "the", key)
            yield Shown(where, known_name(hop), key, _same_kind(known.trusted, key))
        except (OSError, SSHException, EOFError) as error:
            raise explain(host, connection, error) from error


def record(shown: Shown) -> str:
    """Keep a key in the project's known_hosts, in the place of an older one, and return the file's name."""
    file = project_known_hosts()
    # Whole or not at all: a run that is ended here would forget every other host.
    kept = file.resolve()
    new = kept.with_name(f".{kept.name}.new")
    new.write_text(recorded(kept.read_text() if kept.exists() else "", shown.name, shown.key))
    new.replace(kept)
    return str(file)


def recorded(text: str, name: str, key: PKey) -> str:
    """Return a known_hosts file's text with this key as the only one of a host; what else it says stays."""
    lines = [line for old in text.splitlines() if (line := _without(old, name)) is not None]
    return "".join(f"{line}\n" for line in [*lines, f"{name} {key.get_name()} {key.get_base64()}"])


def _without(line: str, name: str) -> str | None:
    names, blank, rest = line.partition(" ")
    left = [one for one in names.split(",") if one != name]
    return f"{','.join(left)}{blank}{rest}" if left else None


def _way(connection: Connection) -> list[Connection]:
    """Return the connections on the way, the first to pass first, the connection itself last."""
    found = [connection]
    while isinstance(found[0].gateway, Connection):
        found.insert(0, found[0].gateway)
    return found


def _same_kind(known: Mapping[str, PKey], key: PKey) -> PKey | None:
    return known.get(key.get_name()) or next(iter(known.values()), None)


def _ask(connection: Connection, known: Mapping[str, PKey]) -> PKey:
    """Exchange keys with a host and hang up: nobody logs in."""
    address = (connection.host, connection.port)
    sock = connection.open_gateway() if connection.gateway else socket.create_connection(address, CONNECT_SECONDS)
    with closing(Transport(sock)) as transport:
        options = transport.get_security_options()
        first = [kind for kind in options.key_types if kind in known or (kind.startswith("rsa-") and "ssh-rsa" in known)]
        options.key_types = (*first, *(kind for kind in options.key_types if kind not in first))
        transport.start_client(timeout=CONNECT_SECONDS)
        key: PKey = transport.get_remote_server_key()
    if isinstance(connection.gateway, Connection):
        connection.gateway.close()
    return key
