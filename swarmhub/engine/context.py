"""Turn the files of an image into a build context whose name is its content, or into an image without a system."""

import hashlib
import io
import json
import tarfile
from collections.abc import Collection, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from types import MappingProxyType

from swarmhub.errors import Problem, SettingsError

Files = Mapping[str, bytes]


# What Macs, Windows, editors and Python leave in folders; an image made of it would be another one on each machine.
JUNK = ("*~", "#*#", "*.sw[a-p]", "*.orig", "*.rej", "Thumbs.db", "desktop.ini", "Icon\r", "__pycache__", "*.pyc")
LEFT = (".*", *JUNK)


def read(folder: Path) -> dict[str, bytes]:
    """Read every file below `folder`, keyed by its path there with forward slashes; the same on every machine.

    Raises:
        SettingsError: a link leads nowhere or to a folder, whose files would be missing in silence, or a file cannot be read.

    """
    relative = ((path.relative_to(folder), path) for path in sorted(folder.rglob("*")))
    paths = {part.as_posix(): path for part, path in relative if not any(map(_is_left, part.parts))}
    broken = [path for path in paths.values() if path.is_symlink() and not path.is_file()]
    if broken:
        wrong = "is a link that leads to no file; put the files themselves there, or remove it"
        raise SettingsError(*(Problem(str(path), 1, "", wrong) for path in broken))
    try:
        return {name: lines(path) for name, path in paths.items() if path.is_file()}
    except OSError as error:
        raise SettingsError(Problem(str(error.filename), 1, "", (error.strerror or str(error)).lower())) from None


def lines(file: Path) -> bytes:
    """Return a file's content; a text's lines end as containers need them, however a checkout on Windows has them."""
    content = file.read_bytes()
    return content if b"\0" in content else content.replace(b"\r\n", b"\n")


def copied(files: Files) -> dict[str, bytes]:
    """Return the files that a Dockerfile among them copies, and itself: a note beside them makes no other image."""
    rows = [line.split() for line in files["Dockerfile"].decode().splitlines()]
    sources = [source for row in rows if row[:1] == ["COPY"] for source in row[1:-1]]
    return {name: content for name, content in files.items() if name == "Dockerfile" or _is_of(name, sources)}


def _is_of(name: str, sources: Sequence[str]) -> bool:
    # A pattern's * stands for no slash there.
    return any(name.startswith(one) if one.endswith("/") else "/" not in name and fnmatchcase(name, one) for one in sources)


def _is_left(name: str) -> bool:
    return fits(name, LEFT)


def fits(name: str, patterns: Sequence[str]) -> bool:
    """Tell whether a name fits one of some shell patterns."""
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def digest(files: Files, *more: str) -> str:
    """Return 12 hexadecimal digits that change when a file, a name or one of `more` does."""
    total = hashlib.sha256()
    for part in more:
        total.update(_bytes(f"{len(part)}:{part}"))
    for name, content in sorted(files.items()):
        total.update(_bytes(f"{len(name)}:{name}{len(content)}:"))
        total.update(content)
    return total.hexdigest()[:12]


def _bytes(text: str) -> bytes:
    # A file's name need not be UTF-8.
    return text.encode(errors="surrogateescape")


def archive(
    files: Files, links: Mapping[str, str] = MappingProxyType({}), mode: int = 0o644, executable: Collection[str] = ()
) -> bytes:
    """Pack files, and links by where they lead, into a tar whose bytes depend on nothing else: no owner, no time."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, to in sorted(links.items()):
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = tarfile.SYMTYPE, to
            tar.addfile(entry)
        for name, content in sorted(files.items()):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), (0o755 if name in executable else mode)
            tar.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def image(name: str, architecture: str, layer: bytes | None = None) -> bytes:
    """Return an image without any system as `docker save` would: what runs from it is its host's, and nothing has to be pulled.

    The bytes, and so the id, are the same on every node.

    `name` is one with or without a tag; `layer` is a tar of its files.
    """
    layer = archive({}) if layer is None else layer
    digest = hashlib.sha256(layer).hexdigest()
    config = json.dumps(
        {
            "architecture": architecture,
            "os": "linux",
            "created": "1970-01-01T00:00:00Z",
            "config": {},
            "history": [{"created": "1970-01-01T00:00:00Z"}],
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
        }
    ).encode()
    config_file = f"{hashlib.sha256(config).hexdigest()}.json"
    tag = name if ":" in name else f"{name}:latest"
    manifest = [{"Config": config_file, "RepoTags": [tag], "Layers": ["layer.tar"]}]
    return archive({config_file: config, "layer.tar": layer, "manifest.json": json.dumps(manifest).encode()})
