"""A host's options, as ssh reads them from its configuration files; what Paramiko cannot read is asked of `ssh -G`."""

import getpass
import glob
import logging
import re
import shlex
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from fabric import Config
from paramiko import SSHConfig

from swarmhub.errors import StepError

SECONDS = 10
SYSTEM = Path("/etc/ssh/ssh_config")
# Paramiko passes over Include and Tag, takes every Match that it does not know for one that fits, and canonicalizes half.
BEYOND_PARAMIKO = re.compile(r"^\s*(?:match|tag|canonical\w+)\b", re.IGNORECASE | re.MULTILINE)
INCLUDE = re.compile(r"^\s*include[\s=]+(.*)$", re.IGNORECASE | re.MULTILINE)
# What may decide whether a host is reached, and is not honoured.
NOT_HONOURED = (
    "addressfamily",
    "bindaddress",
    "bindinterface",
    "certificatefile",
    "globalknownhostsfile",
    "hostkeyalias",
    "knownhostscommand",
    "pkcs11provider",
    "revokedhostkeys",
    "securitykeyprovider",
)
SEVERAL = "identityfile"


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


def with_ssh(config: Config, read: SSHConfig, file: str | None) -> SshConfig:
    """Return a configuration with what was read of a file, or of the usual ones."""
    made: SshConfig = config.clone(into=SshConfig)
    made._set(base_ssh_config=SshOptions(read, file), _runtime_ssh_path=file)
    return made


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
            f"note: Include, Match and Tag in {', '.join(beyond)} are not followed as ssh does: there is no ssh on this machine"
        )
        logging.getLogger(__name__).warning(note)
        return False
    return bool(beyond)


def _is_beyond_paramiko(file: Path) -> bool:
    text = file.read_text(errors="replace")
    # Distributions ship an Include of a folder that is empty.
    included = (pattern.strip('"') for found in INCLUDE.findall(text) for pattern in found.split())
    return bool(BEYOND_PARAMIKO.search(text)) or any(_is_some(pattern, file) for pattern in included)


def _is_some(pattern: str, file: Path) -> bool:
    """Tell whether an Include names a file that is there, relative to ~/.ssh or, in the system's file, to its folder."""
    folder = file.parent if file == SYSTEM else Path("~/.ssh").expanduser()
    return bool(glob.glob(str(folder / Path(pattern).expanduser())))


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
        return read(done.stdout)
    except subprocess.CalledProcessError as error:
        said = (error.stderr.strip() or "it says nothing").splitlines()[0]
    except subprocess.TimeoutExpired:
        said = f"it takes more than {SECONDS} s; does a command of Match exec wait for something?"
    remedy = f"Make this work first: {shlex.join(command)}"
    raise StepError(hostname, f"ssh cannot use its configuration: {said}", remedy)


def read(printed: str) -> dict[str, Any]:
    """Read what `ssh -G` printed."""
    rows = [line.partition(" ")[::2] for line in printed.splitlines()]
    rows = [(name, value) for name, value in rows if value.lower() != "none" or name == "identityagent"]
    options: dict[str, Any] = dict(reversed(rows))
    options[SEVERAL] = [_path(value, options) for name, value in rows if name == SEVERAL]
    return options


def _path(value: str, options: Mapping[str, Any]) -> str:
    """Return the path of an identity file: `ssh -G` prints it as it is written."""
    tokens = {"%%": "%", "%d": str(Path.home()), "%u": getpass.getuser()}
    tokens |= {"%h": options.get("hostname", ""), "%r": options.get("user", "")}
    return str(Path(re.sub("%[%duhr]", lambda found: tokens[found[0]], value)).expanduser())
