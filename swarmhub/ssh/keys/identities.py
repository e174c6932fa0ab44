"""Which keys a host is offered, and in which order: as ssh does by IdentityFile, IdentitiesOnly and IdentityAgent."""

import base64
import os
import socket
import struct
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from paramiko import Agent, SSHException
from paramiko.agent import AgentSSH

USUAL = tuple(f"~/.ssh/id_{kind}" for kind in ("rsa", "ecdsa", "ecdsa_sk", "ed25519", "ed25519_sk"))
MAGIC = b"openssh-key-v1\0"
PUBLIC = ("ssh-", "ecdsa-", "sk-")
PEM = "-----BEGIN OPENSSH PRIVATE KEY-----", "-----END OPENSSH PRIVATE KEY-----"


class ChosenAgent:
    """The agent's keys for one host: those of its identity files first, since sshd listens to six tries; or these alone."""

    def __init__(self, options: Mapping[str, Any], identities: Sequence[str]) -> None:
        self._options, self._identities = options, identities
        self._agent: AgentSSH | None = None
        self.offered: tuple[Any, ...] = ()

    def get_keys(self) -> tuple[Any, ...]:
        """Return the keys, in their order. Paramiko asks for them when no file has let it in."""
        self._agent = agent(self._options.get("identityagent"))
        keys = self._agent.get_keys() if self._agent else ()
        files = self._identities or USUAL
        named = {public: place for place, file in enumerate(files) if (public := public_key(Path(file)))}
        first = sorted((key for key in keys if key.asbytes() in named), key=lambda key: named[key.asbytes()])
        others = () if is_only(self._options) else (key for key in keys if key.asbytes() not in named)
        self.offered = (*first, *others)
        return self.offered

    def close(self) -> None:
        """Hang up."""
        if self._agent:
            self._agent._close()  # type: ignore[attr-defined]  # there is no other


class _Agent(AgentSSH):
    def __init__(self, path: str) -> None:
        super().__init__()
        conn = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        conn.connect(path)
        self._connect(conn)  # type: ignore[attr-defined]  # as Paramiko's own subclasses do


def agent(named: str | None) -> AgentSSH | None:
    """Return the agent that IdentityAgent names, the usual one where it does not, or None where there is none."""
    if named is None or named == "SSH_AUTH_SOCK":
        return Agent()
    path = os.environ.get(named[1:], "") if named.startswith("$") else os.path.expanduser(named.replace("%d", str(Path.home())))
    if not path or named.lower() == "none":
        return None
    with suppress(OSError, SSHException):  # it has gone, as its usual place may have
        return _Agent(path)
    return None


def is_only(options: Mapping[str, Any]) -> bool:
    """Tell whether no key but those of the identity files is offered."""
    return str(options.get("identitiesonly", "no")).lower() in ("yes", "true")


def is_private(file: str) -> bool:
    """Tell whether a file is there and holds a private key; one with a public key stands for a key of the agent's."""
    text = _text(Path(file))
    return bool(text) and not text.startswith(PUBLIC)


def public_key(file: Path) -> bytes | None:
    """Return the public key of an identity file: of itself, of the one beside it, or from within a private key of OpenSSH."""
    for text in (_text(file), _text(file.with_name(f"{file.name}.pub"))):
        if text.startswith(PUBLIC):
            with suppress(ValueError, IndexError):
                return base64.b64decode(text.split()[1])
    return _within(_text(file))


def _within(text: str) -> bytes | None:
    """Read the public part of a private key of OpenSSH, which no passphrase hides: PROTOCOL.key."""
    begin, end = PEM
    if begin not in text:
        return None
    with suppress(ValueError, struct.error):
        rest = base64.b64decode(text.partition(begin)[2].partition(end)[0]).removeprefix(MAGIC)
        for _ in range(3):  # cipher, derivation of its key, and what that takes
            (size,) = struct.unpack_from(">I", rest)
            rest = rest[4 + size :]
        (size,) = struct.unpack_from(">I", rest, 4)
        return rest[8 : 8 + size]
    return None


def _text(file: Path) -> str:
    with suppress(OSError):
        return file.expanduser().read_text(errors="replace")
    return ""
