"""What known_hosts files say of a host's keys, as OpenSSH reads them: names with patterns, and marks before them."""

import base64
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from fabric import Connection
from paramiko import HostKeys, PKey
from paramiko.hostkeys import HostKeyEntry

from swarmhub import settings

SYSTEM_KNOWN_HOSTS = (Path("/etc/ssh/ssh_known_hosts"),)
AUTHORITY, REVOKED = "@cert-authority", "@revoked"
HASHED = "|1|"
# Several files of UserKnownHostsFile; a name with spaces is in quotation marks, and an apostrophe is a letter of a name.
SEVERAL = re.compile(r'"[^"]*"|[^\s"]+')


@dataclass(frozen=True)
class HostKeysKnown:
    """The keys of one host that are trusted, by type, those that are revoked, and where an authority for it is named.

    Of two trusted keys of a type the first counts; a revoked one is trusted nowhere.
    """

    trusted: Mapping[str, PKey] = field(default_factory=dict)
    revoked: tuple[PKey, ...] = ()
    authority: str = ""


def known_keys(connection: Connection) -> HostKeysKnown:
    """Return what the known_hosts files say of a host's keys."""
    return read(known_hosts_files(connection), known_name(connection))


def read(files: Iterable[Path], name: str) -> HostKeysKnown:
    """Read what the files say of the host that they call `name`; a file or line that cannot be read says nothing."""
    trusted, revoked, authority = list[PKey](), list[PKey](), ""
    for where, mark, key in _lines(files, name):
        if mark == AUTHORITY:
            authority = authority or where
        elif key is not None:
            (revoked if mark else trusted).append(key)
    kept = dict[str, PKey]()
    for key in trusted:
        if key not in revoked:
            kept.setdefault(key.get_name(), key)
    return HostKeysKnown(kept, tuple(revoked), authority)


def _lines(files: Iterable[Path], name: str) -> Iterator[tuple[str, str, PKey | None]]:
    """Yield where a line about the host is, its mark, and its key, if that is of a type that Paramiko knows."""
    for file in files:
        text = ""
        with suppress(OSError):
            text = file.read_text(errors="replace")
        for number, line in enumerate(text.splitlines(), 1):
            mark, rest = _marked(line.strip())
            if mark in ("", AUTHORITY, REVOKED) and _names(rest.partition(" ")[0], name):
                yield f"{file}:{number}", mark, _key(rest)


def _marked(line: str) -> tuple[str, str]:
    if line.startswith("#"):
        return "", ""
    words = line.split()
    return (words[0], " ".join(words[1:])) if line.startswith("@") else ("", " ".join(words))


def _key(rest: str) -> PKey | None:
    try:
        entry = HostKeyEntry.from_line(rest)
    except Exception:  # - Paramiko raises whatever its parsers do, and a line that is no key says nothing
        return None
    return entry.key if entry else None


def _names(patterns: str, name: str) -> bool:
    """Tell whether a line's names include a host: one that a pattern with `!` matches is excluded, whatever others say."""
    found = [(one.startswith("!"), _matches(one.removeprefix("!"), name)) for one in patterns.split(",") if one]
    return any(hit for _, hit in found) and not any(hit for is_not, hit in found if is_not)


def _matches(pattern: str, name: str) -> bool:
    if pattern.startswith(HASHED):
        try:
            return HostKeys.hash_host(name, pattern) == pattern
        except Exception:  # - a hash that is none matches nothing
            return False
    # Brackets are part of a name with a port, and no pattern's.
    return fnmatchcase(name.lower(), pattern.lower().replace("[", "[[]"))


def known_hosts_files(connection: Connection) -> list[Path]:
    """Return the files whose keys are trusted; of two keys for a host the first one counts."""
    return [project_known_hosts(), *_users_files(connection), *SYSTEM_KNOWN_HOSTS]


def project_known_hosts() -> Path:
    """Return the project's own file, beside hosts.toml: `fab trust` writes it."""
    return settings.path().resolve().parent / "known_hosts"


def _users_files(connection: Connection) -> list[Path]:
    """Return the user's files: those of the ssh_config if it names any, as ssh does."""
    named = connection.ssh_config.get("userknownhostsfile", "~/.ssh/known_hosts")
    whole = Path(named.strip('"')).expanduser()
    return [whole] if whole.exists() else [Path(name.strip('"')).expanduser() for name in SEVERAL.findall(named)]


def known_name(connection: Connection) -> str:
    """Return the name under which known_hosts has a host."""
    return connection.ssh_config.get("hostkeyalias") or shown_name(connection)


def shown_name(connection: Connection) -> str:
    """Return the name by which Paramiko asks for a host's keys."""
    return connection.host if connection.port == 22 else f"[{connection.host}]:{connection.port}"


def fingerprint(key: PKey) -> str:
    """Return a key's fingerprint as ssh-keygen -l shows it."""
    digest = hashlib.sha256(key.asbytes()).digest()
    return f"SHA256:{base64.b64encode(digest).decode().rstrip('=')}"
