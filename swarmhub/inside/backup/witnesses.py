"""Files of a few homes, by which a drill tells that homes are in a snapshot as they were: their sums are saved with them."""

import hashlib
import json
import os
import stat
import tarfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from swarmhub.inside.backup import places, restic
from swarmhub.inside.backup.places import MANIFEST, Failed, Found

# Few are enough: one that nobody changes while homes are saved is to be among them.
MOST, SEEN, LARGEST = 20, 1000, 10 << 20
OFTEN = 64 << 20


def write(homes: Path) -> None:
    """Write down the sums of a file in each of some homes, before these are saved."""
    places.STAGE.mkdir(mode=0o700, exist_ok=True)
    found = (one for home in sorted(homes.iterdir()) if home.is_dir() and not home.is_symlink() and (one := _of(home)))
    (places.STAGE / MANIFEST).write_text(json.dumps({"witnesses": list(islice(found, MOST))}, indent=1))


def _of(home: Path) -> Found | None:
    for file in islice(_files(home), SEEN):
        try:
            there = file.lstat()
            if 0 < there.st_size <= LARGEST:
                told = {"path": str(file), "size": there.st_size, "changed": there.st_mtime_ns, "sum": sum_of(file)}
                return {"home": home.name, **told}
        except OSError:  # it has gone meanwhile
            continue
    return None


def _files(home: Path) -> Iterator[Path]:
    for folder, _, names in os.walk(home):
        paths = (Path(folder, name) for name in sorted(names))
        yield from (file for file in paths if file.is_file() and not file.is_symlink())


def require_same(home: Path, snapshot: str, size: int) -> None:
    """Read all of a home back from a snapshot, and make sure that it is as it is here: folders, links, and every byte of files.

    Pipes, sockets and devices have no content that could be lost.

    Raises:
        Failed: it is not.

    """
    done = count = 0
    broken = ""
    with restic.reading("dump", "--no-lock", "--archive", "tar", f"{snapshot}:{home}", "/") as content:
        try:
            with tarfile.open(fileobj=content, mode="r|") as tar:
                for one in tar:
                    here = home / one.name.strip("/")
                    if not _has_content(here):  # restic gives what is directly in the home as an empty file
                        continue
                    if not _is_same(tar, one, here):
                        raise Failed("damaged", f"{one.name.strip('/')} is not in the archive as it is in the home")
                    count += 1
                    done = _tell(done, one.size, size)
        except (tarfile.TarError, EOFError) as error:  # restic says why, or nothing is wrong with it
            broken = f"what comes back of the home is no archive: {error}"
    if broken:
        raise Failed("damaged", broken)
    if count != (number := _number(home)):
        raise Failed("damaged", f"the archive has {count} files, folders and links of the home, and the home has {number}")


def _has_content(here: Path) -> bool:
    """Tell whether something is a folder, a link or a file, or has gone."""
    try:
        mode = here.lstat().st_mode
    except OSError:
        return True
    return stat.S_ISDIR(mode) or stat.S_ISLNK(mode) or stat.S_ISREG(mode)


def _is_same(tar: tarfile.TarFile, member: tarfile.TarInfo, here: Path) -> bool:
    try:
        there = here.lstat()
        if member.issym():
            return os.readlink(here) == member.linkname
        if not member.isreg():
            return member.isdir() and stat.S_ISDIR(there.st_mode)
        content = tar.extractfile(member)
        is_file = content is not None and stat.S_ISREG(there.st_mode) and there.st_size == member.size
        return is_file and hashlib.file_digest(content, "sha256").hexdigest() == sum_of(here)  # type: ignore[arg-type]
    except OSError:  # it has gone meanwhile
        return False


def _tell(done: int, more: int, total: int) -> int:
    """Say how much is read back, after each so many bytes; return how much that is."""
    if done // OFTEN != (done + more) // OFTEN:
        restic.tell(done + more, total)
    return done + more


def _number(home: Path) -> int:
    """Count what of a home has a content: folders, links and files."""
    number = 0
    for folder, folders, files in os.walk(home):
        number += sum(_has_content(Path(folder, name)) for name in (*folders, *files))
    return number


def sum_of(file: Path) -> str:
    """Return the SHA-256 of a file."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
