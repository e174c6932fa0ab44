"""Packages of the operator's in the hub's image: resolved against the hub's own, and locked with hashes beside hosts.toml."""

import os
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from pydantic import SecretStr

from hub import FOLDER
from swarmhub import settings as settings_file
from swarmhub.engine import context
from swarmhub.errors import Problem, SettingsError, StepError
from swarmhub.host import EngineError, Host
from swarmhub.images.builder import COLOUR, authorities
from swarmhub.images.hub import build
from swarmhub.plan.plans import Progress
from swarmhub.settings import Settings, read_text

STEP = "lock-hub"
REMEDY = "Run: fab lock-hub"
# What decides, besides the packages, how they are resolved.
HUB = ("requirements.lock", "requirements-overrides.in")
# hub/lock/Dockerfile prints it before the lock.
MARK = "packages.lock:"
FIRST = "# Written by fab lock-hub for hub.packages. Keep it with hosts.toml, and do not edit it.\n"
# All that uv writes: no option, no address, and nothing without a hash.
LINES = re.compile(r"(?P<pin>[A-Za-z0-9._-]+==[A-Za-z0-9.!+]+)(?: ; [^\\]+)? \\|    --hash=sha256:[0-9a-f]{64}(?: \\)?")


def locked(settings: Settings, folder: Path = FOLDER) -> bytes:
    """Return the lock of the packages without its head.

    Raises:
        SettingsError: there is no lock, or it is of other packages or another hub, or somebody has edited it.

    """
    file = settings.hub.packages_lock
    if not file.exists():
        raise _wrong(f"there is no {file.name} yet. {REMEDY}")
    text = read_text(file, "")
    body = _body(text, file)
    wanted = _head(settings, folder)
    if not text.startswith(wanted[0]):
        raise _wrong(f"{file.name} is of other packages. {REMEDY}")
    if not text.startswith("".join(wanted)):
        raise _wrong(f"{file.name} is of another release of swarmhub, or of another hub.base_image. {REMEDY}")
    return body.encode()


def resolve(settings: Settings, host: Host, variables: Mapping[str, SecretStr], progress: Progress) -> str:
    """Return the lock of the packages, as it is resolved on a host: with the hub's base image, its Python and its authorities.

    `variables` are those of an HTTP proxy.

    Raises:
        StepError: there is no such package, one does not go with the hub's own, or no index answers.
        SettingsError: the lock of the base image is none.

    """
    given = {name: value.get_secret_value() for name, value in variables.items()}
    on = build.base(settings)
    arguments = {**given, **on.arguments, "BASE": on.reference, "ASKED": datetime.now(UTC).isoformat()}
    tag, said = f"{settings.hub.service}-lock:{os.getpid()}", ""
    try:
        for event in host.engine.build(context.archive(_files(settings)), tag, arguments):
            said += event.get("stream", "")
            for line in event.get("stream", "").splitlines():
                progress.output(f"{host.name} {STEP}", line.rstrip())
    except EngineError as error:
        cause = f"cannot resolve hub.packages: {_cause(said) or error.message}"
        remedy = "Nothing was changed. The hub's own packages keep their versions. Correct hub.packages, then: fab lock-hub"
        raise StepError(host.name, cause, remedy) from error
    host.engine.delete(f"/images/{tag}", noprune=True)  # the hub's image is built on the same layers
    lines = said.rpartition(f"{MARK}\n")[2].splitlines()
    body = "".join(f"{line}\n" for line in lines if LINES.fullmatch(line))
    return "".join(_head(settings, FOLDER)) + body


def pins(text: str) -> dict[str, str]:
    """Return the versions in a lock by package."""
    found = (match["pin"].partition("==") for match in map(LINES.fullmatch, text.splitlines()) if match and match["pin"])
    return {name: version for name, _, version in found}


def keep(settings: Settings, text: str) -> str:
    """Write the lock, and return what it changes in the one before."""
    file = settings.hub.packages_lock
    before, now = pins(file.read_text()) if file.exists() else {}, pins(text)
    new = file.with_name(f"{file.name}.new")
    new.write_text(text)
    new.replace(file)
    names = sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name))
    told = ", ".join(f"{name} {' → '.join(filter(None, (before.get(name), now.get(name, 'left out'))))}" for name in names)
    return told or f"the same {len(now)} packages as before"


def _files(settings: Settings) -> dict[str, bytes]:
    own = {name: context.lines(FOLDER / name) for name in (*HUB, "requirements-build.lock")}
    asked = "".join(f"{one}\n" for one in settings.hub.packages).encode()
    return {**context.read(FOLDER / "lock"), **own, "packages.in": asked, "ca/.keep": b"", **authorities(settings)}


def _head(settings: Settings, folder: Path) -> tuple[str, str]:
    hub = context.digest({name: context.lines(folder / name) for name in HUB}, settings.hub.base_image)
    return f"{FIRST}# packages: {', '.join(sorted(settings.hub.packages))}\n", f"# hub: {hub}\n"


def _body(text: str, file: Path) -> str:
    rows = [(number, line) for number, line in enumerate(text.splitlines(), 1) if not line.startswith("# ")]
    strange = [number for number, line in rows if not LINES.fullmatch(line)]
    if strange:
        raise SettingsError(Problem(str(file), strange[0], "", f"is no line that fab lock-hub writes. {REMEDY}"))
    return "".join(f"{line}\n" for _, line in rows)


def _cause(said: str) -> str:
    """Return the resolver's own words of what a build has said, or the last line of the step that failed before."""
    plain = (line.strip() for line in COLOUR.sub("", said).splitlines())
    lines = [line for line in plain if line and not re.match(r"(---> )?Remov(ed|ing) intermediate", line)]
    errors = [number for number, line in enumerate(lines) if line.startswith("error: ")]
    return " ".join(lines[errors[0] :] if errors else lines[-1:]).replace("error: ", "").replace(" cause: ", ": ")


def _wrong(wrong: str) -> SettingsError:
    from swarmhub.settings.lines import problem  # only a broken file pays for the parser

    return SettingsError(problem(settings_file.path(), ("hub", "packages"), wrong))
