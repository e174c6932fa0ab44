"""Files of a few homes, by which a drill tells that homes are in a snapshot as they were: their sums are saved with them."""

import hashlib
import json
import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from swarmhub.inside.backup import places
from swarmhub.inside.backup.places import MANIFEST, Found

# Few are enough: one that nobody changes while homes are saved is to be among them.
MOST, SEEN, LARGEST = 20, 1000, 10 << 20


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


def sum_of(file: Path) -> str:
    """Return the SHA-256 of a file."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
