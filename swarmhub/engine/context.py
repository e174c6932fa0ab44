"""Turn the files of an image into a build context whose name is its content."""

import hashlib
import io
import tarfile
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

Files = Mapping[str, bytes]


def read(folder: Path, skip: tuple[str, ...] = ("__pycache__",)) -> dict[str, bytes]:
    """Read every file below `folder`, keyed by its path there with forward slashes."""
    paths = (path for path in sorted(folder.rglob("*")) if path.is_file())
    relative = ((path.relative_to(folder), path) for path in paths)
    return {part.as_posix(): path.read_bytes() for part, path in relative if not set(part.parts) & set(skip)}


def digest(files: Files, *more: str) -> str:
    """Return 12 hexadecimal digits that change when a file, a name or one of `more` does."""
    total = hashlib.sha256()
    for part in more:
        total.update(f"{len(part)}:{part}".encode())
    for name, content in sorted(files.items()):
        total.update(f"{len(name)}:{name}{len(content)}:".encode())
        total.update(content)
    return total.hexdigest()[:12]


def archive(files: Files, links: Mapping[str, str] = MappingProxyType({}), mode: int = 0o644) -> bytes:
    """Pack files, and links by where they lead, into a tar whose bytes depend on nothing else: no owner, no time."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, to in sorted(links.items()):
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = tarfile.SYMTYPE, to
            tar.addfile(entry)
        for name, content in sorted(files.items()):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), mode
            tar.addfile(entry, io.BytesIO(content))
    return packed.getvalue()
