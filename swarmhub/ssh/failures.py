"""What an operator reads when a host cannot be connected to: what happened, and what helps."""

import socket

from fabric import Connection
from paramiko import PKey
from paramiko.ssh_exception import (
    AuthenticationException,
    BadHostKeyException,
    NoValidConnectionsError,
    PasswordRequiredException,
    SSHException,
)

from swarmhub.errors import StepError
from swarmhub.ssh import options
from swarmhub.ssh.keys.known_hosts import fingerprint, known_keys, shown_name

CONNECT_SECONDS = 10
# sshd's MaxAuthTries, as shipped.
MOST_TRIES = 6
HUNG_UP = "No existing session"
# What Paramiko says of a host that accepts a connection and then is silent, as a paused one is.
SILENCE = (HUNG_UP, "Error reading SSH protocol banner")
SILENT = f"it accepts the connection, and says nothing within {CONNECT_SECONDS} s"


class UnknownHostKey(SSHException):
    """A host shows a key that no known_hosts file names."""

    def __init__(self, hostname: str, key: PKey) -> None:
        super().__init__(hostname)
        self.hostname, self.key = hostname, key


def explain(host: str, connection: Connection, error: Exception) -> StepError:
    """Return what an operator reads when a connection ends with this error."""
    explained = _explain(host, connection, error)
    if left := options.not_honoured(connection.ssh_config, connection.config._runtime_ssh_path):
        explained.remedy += f". swarmhub does not follow {', '.join(left)} of your ssh_config"
    return explained


def _explain(host: str, connection: Connection, error: Exception) -> StepError:
    where = f"{connection.user}@{connection.host}:{connection.port}"
    login = f"ssh {host}"
    if isinstance(error, UnknownHostKey | BadHostKeyException):
        return _explain_key(host, connection, error)
    # It hangs up, and Paramiko goes on to offer keys.
    if str(error) == HUNG_UP and len(connection.agent.offered) >= MOST_TRIES:
        remedy = f"Name the key for {host} in your ssh_config: IdentityFile, and IdentitiesOnly yes"
        return StepError(host, f"{where} refuses the first of your agent's keys, and listens to no more", remedy)
    if isinstance(error, PasswordRequiredException):
        files = " ".join(connection.connect_kwargs.get("key_filename") or ())
        return StepError(host, f"your key for {where} has a passphrase", f"Let an agent have the key: ssh-add {files}".rstrip())
    if isinstance(error, AuthenticationException):
        return StepError(host, f"{where} refuses your key", f"Make this work first: {login}")
    if isinstance(error, socket.gaierror):
        return StepError(host, f"the name {connection.host} has no address", "Add it to DNS, /etc/hosts or your ssh_config")
    if isinstance(error, OSError):
        reason = "no answer" if isinstance(error, TimeoutError) else _reason(error)
        return StepError(host, f"cannot reach {where}: {reason}", f"Is it up, and is its address right? Try: {login}")
    said = SILENT if any(words in str(error) for words in SILENCE) else str(error) or "it ended without a word"
    return StepError(host, f"SSH to {where} failed: {said}", f"Make this work first: {login}")


def _explain_key(host: str, connection: Connection, error: UnknownHostKey | BadHostKeyException) -> StepError:
    hop = connection
    while error.hostname not in (shown_name(hop), hop.host) and isinstance(hop.gateway, Connection):
        hop = hop.gateway
    whose = f"jump host {hop.host}: " if hop is not connection else ""
    trust, known = f"fab trust {host}", known_keys(hop)
    if error.key in known.revoked:
        return revoked(host, f"{whose}the", error.key)
    if isinstance(error, UnknownHostKey):
        cause = f"{whose}unknown host key {error.key.get_name()} {fingerprint(error.key)}"
        if known.authority:
            cause += f"; {known.authority} names an authority for it, whose certificates swarmhub does not check"
        return StepError(host, cause, f"If that is the host's own key, trust it: {trust}")
    cause = f"{whose}the host key has CHANGED: it shows {fingerprint(error.key)}, known is {fingerprint(error.expected_key)}"
    return StepError(host, cause, f"Somebody may be listening. If the host was reinstalled: {trust}")


def revoked(host: str, whose: str, key: PKey) -> StepError:
    """Return what an operator reads when a host shows a key that is marked as revoked."""
    cause = f"{whose} host key {key.get_name()} {fingerprint(key)} is REVOKED in known_hosts"
    return StepError(host, cause, "Give the host a new key; if the mark is wrong, remove the line with @revoked")


def _reason(error: OSError) -> str:
    if isinstance(error, NoValidConnectionsError):
        error = next(cause for cause in error.errors.values() if isinstance(cause, OSError))
    return (error.strerror or str(error)).lower()
