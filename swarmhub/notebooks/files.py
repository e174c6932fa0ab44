"""What is in a home: counted and removed by a container on its node, saved as the tar that the engine makes of it."""

import gzip
import json
import os
import tarfile
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from hub.shared.servers.mounts import HOMES
from swarmhub.engine import containers
from swarmhub.errors import StepError
from swarmhub.host import Host, Json
from swarmhub.inside import SCRIPTS

SCRIPT = SCRIPTS / "home.py"
IN_CONTAINER = "swarmhub-home.py"
# The line is the bottleneck: what gzip takes at its best would not be waited for.
LEVEL = 1
# What a tar has for each file besides its content, a long name included; and what it may have grown meanwhile.
OF_FILE, GROWN = 4096, 1.1


@dataclass(frozen=True)
class Content:
    """What is in a home: files, folders and links, the bytes of the files, and when it was changed last, if that is known."""

    files: int
    bytes: int
    changed: float = field(default=0, compare=False)


def count(host: Host, image: str, mounts: Sequence[Json], names: Sequence[str]) -> dict[str, Content | None]:
    """Ask what is in homes, by name; None where there is no such folder. The mounts are those of an engine's API."""
    answer = _do(host, image, mounts, "count", *names)
    return {name: Content(**found) if (found := answer[_path(name)]) else None for name in names}


def remove(host: Host, image: str, mount: Json, name: str) -> None:
    """Remove a home's folder below the folder above all homes."""
    _do(host, image, [mount], "remove", name)


def make(host: Host, image: str, mount: Json, name: str) -> bool:
    """Make a home's folder below the folder above all homes, and tell whether it was missing."""
    if count(host, image, [mount], [name])[name] is not None:
        return False
    _do(host, image, [mount], "make", name)
    return True


def save(host: Host, image: str, mount: Json, name: str, file: Path, say: Callable[[int, int], object]) -> Content:
    """Save a home as a gzipped tar that only its owner can read, and make sure that it is whole.

    `say` is told the bytes that have come and those to come. What is not whole does not stay.

    Raises:
        StepError: it cannot be saved, or is not whole.

    """
    wanted = count(host, image, [mount], [name])[name]
    if wanted is None:
        raise StepError(host.name, f"the home {name} is not there any more", "Run this again")
    part = file.with_name(f".{file.name}.part")
    try:
        with _local(host, file):
            with closing(_tar(host, image, mount, name)) as parts, _opened(part) as out:
                _write(_bounded(parts, wanted, host, name), out, lambda done: say(min(done, wanted.bytes), wanted.bytes))
            found = read(part)
            if found != wanted:
                cause = f"the copy of {name} is not whole: {_told(found)} of {_told(wanted)}"
                raise StepError(host.name, cause, "Does something still write there? Then run this again")
            part.rename(file)
    finally:
        part.unlink(missing_ok=True)
    return wanted


def read(file: Path) -> Content:
    """Count what is in a gzipped tar, below its first folder, to its last byte.

    Raises:
        OSError, EOFError, tarfile.TarError: it is damaged.

    """
    files = size = 0
    with tarfile.open(file, "r|gz") as tar:
        for member in tar:
            files += 1
            size += member.size if member.isreg() else 0
    return Content(files - 1, size)


def _write(parts: Iterator[bytes], out: BinaryIO, say: Callable[[int], object]) -> None:
    done = 0
    with gzip.GzipFile(fileobj=out, mode="wb", compresslevel=LEVEL) as packed:
        for part in parts:
            packed.write(part)
            done += len(part)
            say(done)
    out.flush()
    os.fsync(out.fileno())  # what was saved is removed elsewhere


def _bounded(parts: Iterator[bytes], wanted: Content, host: Host, name: str) -> Iterator[bytes]:
    """Yield the parts of a tar, while they are not far more than was counted: what writes on would fill this machine's disk."""
    left = int(GROWN * (wanted.bytes + OF_FILE * (wanted.files + 1))) + (1 << 20)
    for part in parts:
        left -= len(part)
        if left < 0:
            cause = f"the home {name} grows while it is saved: it had {_told(wanted)}"
            raise StepError(host.name, cause, "Stop what writes there, then run this again")
        yield part


def _tar(host: Host, image: str, mount: Json, name: str) -> Generator[bytes, None, None]:
    with containers.made(host, _body(image, [mount], "count", name)) as container:
        with closing(host.engine.download(f"/containers/{container}/archive", path=_path(name))) as parts:
            yield from parts


@contextmanager
def _opened(part: Path) -> Iterator[BinaryIO]:
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
        yield out


@contextmanager
def _local(host: Host, file: Path) -> Iterator[None]:
    """Say what went wrong on this machine."""
    try:
        yield
    except (OSError, EOFError, tarfile.TarError) as error:
        cause = f"cannot save to {file}: {getattr(error, 'strerror', None) or error}"
        raise StepError(host.name, cause, "Is there space left here? Then run this again") from error


def _do(host: Host, image: str, mounts: Sequence[Json], action: str, *names: str) -> Json:
    body = _body(image, mounts, action, *names)
    done = containers.once(host, body, files={IN_CONTAINER: SCRIPT.read_bytes()})
    if done.code:
        raise StepError(host.name, f"cannot {action} {', '.join(names)}: {done.last}", "Run this again; with --debug for more")
    return json.loads(next(line for line in done.out.splitlines() if line.startswith("{")))


def _body(image: str, mounts: Sequence[Json], action: str, *names: str) -> Mapping[str, object]:
    read_only = action == "count"
    return {
        "Image": image,
        "User": "0",
        "Entrypoint": ["python3", f"/{IN_CONTAINER}"],
        "Cmd": [action, *map(_path, names)],
        "Labels": {"swarmhub": "homes"},
        "HostConfig": {"Mounts": [{**mount, "ReadOnly": read_only} for mount in mounts], "NetworkMode": "none"},
    }


def _path(name: str) -> str:
    return f"{HOMES}/{name}"


def _told(content: Content) -> str:
    return f"{content.files} files, {content.bytes} bytes"
