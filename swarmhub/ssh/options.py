"""A host's options, as ssh reads them from its configuration files; what Paramiko cannot read is asked of `ssh -G`."""

import getpass
import glob
import logging
import os
import re
import shlex
import shutil
import socket
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from io import StringIO
from pathlib import Path
from typing import Any

from fabric import Config
from paramiko import SSHConfig
from paramiko.ssh_exception import ConfigParseError

from swarmhub.errors import StepError

SECONDS = 10
SYSTEM = Path("/etc/ssh/ssh_config")
# What Paramiko reads as ssh does: words, or one in quotes, without tokens and comments behind them. It passes over Include and
# Tag, takes every Match that it does not know for one that fits, canonicalizes half, and prefers a jump host to a command.
AS_SSH = re.compile(
    r"""\s*(?:\#.*|(?:port|connecttimeout)(?:\s*=\s*|\s+)\d+
    |(?!(?:match|tag|canonical\w+|include|proxycommand|port|connecttimeout)\b)\w+(?:\s*=\s*|\s+)
     (?:[^\s"'\\\#%$\[][^"'\\\#%$\[]*|"[^"'\\\#%$\[]*"))?\s*""",
    re.IGNORECASE | re.VERBOSE,
)
INCLUDE = re.compile(r"""\s*include[\s=]+([^"'\\#%$]+)""", re.IGNORECASE)
# What may decide whether a host is reached, and is not honoured.
NOT_HONOURED = (
    "addressfamily",
    "bindaddress",
    "bindinterface",
    "certificatefile",
    "globalknownhostsfile",
    "knownhostscommand",
    "pkcs11provider",
    "proxyusefdpass",
    "revokedhostkeys",
    "securitykeyprovider",
)
SEVERAL = "identityfile"
# What `ssh -G` prints as it is written, in every version or in older ones. The shell of a ProxyCommand reads its variables.
EXPANDED = (SEVERAL, "identityagent", "userknownhostsfile")
COMMAND = "proxycommand"


class SshOptions(SSHConfig):
    """What ssh would do: by Paramiko's reading of the files, or else by what `ssh -G` prints."""

    def __init__(self, read: SSHConfig, file: str | None) -> None:
        super().__init__()
        self._config, self._file = read._config, file  # type: ignore[attr-defined]  # no other way in

    def lookup(self, hostname: str) -> Any:
        """Return the options of a host."""
        options = dict(_by_ssh(hostname, self._file)) if _is_for_ssh(self._file) else super().lookup(hostname)
        # Fabric knows two answers; a path of another agent is not one of them.
        if options.get("forwardagent", "no") != "yes":
            options.pop("forwardagent", None)
        return options


class SshConfig(Config):  # type: ignore[misc]  # Fabric has no types
    """Fabric's configuration with such options, which its clones have too."""

    def _clone_init_kwargs(self, *args: Any, **kwargs: Any) -> Any:
        # Fabric would make plain ones of them.
        return {**super()._clone_init_kwargs(*args, **kwargs), "ssh_config": self.base_ssh_config}


def with_ssh(config: Config, file: str | None) -> SshConfig:
    """Return a configuration with what a file says, or the usual ones do."""
    made: SshConfig = config.clone(into=SshConfig)
    made._set(base_ssh_config=SshOptions(_by_paramiko(file), file), _runtime_ssh_path=file)
    return made


def _by_paramiko(file: str | None) -> SSHConfig:
    """Return what Paramiko reads of the files; where it refuses one, ssh is asked."""
    found = SSHConfig()
    for one in files(file):
        with suppress(ConfigParseError):
            found.parse(StringIO(_text(one)))
    return found


def files(file: str | None) -> Sequence[Path]:
    """Return the files that ssh reads: with a file of one's own, no other."""
    return [Path(file).expanduser()] if file else [Path("~/.ssh/config").expanduser(), SYSTEM]


def not_honoured(options: Mapping[str, Any], file: str | None) -> list[str]:
    """Return the options of a host that are set and that this program does not follow."""
    usual = _by_ssh("none", "/dev/null") if _is_for_ssh(file) else {}
    return [name for name in NOT_HONOURED if name in options and options[name] != usual.get(name)]


@cache
def _is_for_ssh(file: str | None) -> bool:
    beyond = [str(one) for one in files(file) if one.is_file() and _is_beyond_paramiko(one)]
    if beyond and not shutil.which("ssh"):
        note = (
            f"note: Include, Match, tokens and the like in {', '.join(beyond)} are not followed as ssh does: "
            "there is no ssh on this machine"
        )
        logging.getLogger(__name__).warning(note)
        return False
    return bool(beyond)


def _is_beyond_paramiko(file: Path) -> bool:
    return not all(_is_plain(line, file) for line in _text(file).splitlines())


def _is_plain(line: str, file: Path) -> bool:
    if found := INCLUDE.fullmatch(line):
        # Distributions ship an Include of a folder that is empty.
        return not any(_is_some(pattern, file) for pattern in found[1].split())
    return bool(AS_SSH.fullmatch(line))


def _is_some(pattern: str, file: Path) -> bool:
    """Tell whether an Include names a file that is there, relative to ~/.ssh or, in the system's file, to its folder."""
    folder = file.parent if file == SYSTEM else Path("~/.ssh").expanduser()
    return bool(glob.glob(str(folder / Path(pattern).expanduser())))


def _text(file: Path) -> str:
    with suppress(OSError):  # ssh says what is wrong with it
        return file.read_text(errors="replace")
    return ""


@cache
def _by_ssh(hostname: str, file: str | None) -> Mapping[str, Any]:
    """Ask ssh for a host's options.

    Raises:
        StepError: ssh cannot read its files.

    """
    command = ["ssh", "-G", *(["-F", file] if file else []), "--", hostname]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", check=True, timeout=SECONDS, stdin=subprocess.DEVNULL
        )
        return read(done.stdout, hostname)
    except subprocess.CalledProcessError as error:
        said = (error.stderr.strip() or "it says nothing").splitlines()[0]
    except subprocess.TimeoutExpired:
        said = f"it takes more than {SECONDS} s; does a command of Match exec wait for something?"
    remedy = f"Make this work first: {shlex.join(command)}"
    raise StepError(hostname, f"ssh cannot use its configuration: {said}", remedy)


def read(printed: str, named: str) -> dict[str, Any]:
    """Read what `ssh -G` printed of a host, which was asked for by the name `named`."""
    rows = [line.partition(" ")[::2] for line in printed.splitlines()]
    rows = [(name, value) for name, value in rows if value.lower() != "none" or name == "identityagent"]
    options: dict[str, Any] = dict(reversed(rows))
    tokens = _tokens(options, named)
    rows = [(name, _path(value, tokens) if name in EXPANDED else value) for name, value in rows]
    options |= {name: value for name, value in reversed(rows) if name in EXPANDED}
    options[SEVERAL] = [str(Path(value).expanduser()) for name, value in rows if name == SEVERAL]
    if COMMAND in options:
        options[COMMAND] = _filled(options[COMMAND], tokens)
    return options


def _tokens(options: Mapping[str, str], named: str) -> dict[str, str]:
    host, here = options.get("hostname", named), socket.gethostname()
    tokens = {"%%": "%", "%d": str(Path.home()), "%u": getpass.getuser(), "%i": str(os.getuid()), "%h": host, "%n": named}
    tokens |= {"%p": options.get("port", "22"), "%r": options.get("user", ""), "%k": options.get("hostkeyalias", named)}
    return tokens | {"%l": here, "%L": here.partition(".")[0]}


def _filled(text: str, tokens: Mapping[str, str]) -> str:
    return re.sub("%.", lambda found: tokens.get(found[0], found[0]), text)


def _path(value: str, tokens: Mapping[str, str]) -> str:
    """Return the value of an option that names files, with its tokens and variables filled in."""
    filled = _filled(value, tokens)
    return re.sub(r"\$\{(\w+)\}", lambda found: os.environ.get(found[1], found[0]), filled)
