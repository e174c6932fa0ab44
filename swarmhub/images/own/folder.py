"""A folder of the operator's with what goes into an image, as Docker sees it."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from swarmhub.engine import context
from swarmhub.engine.context import Files

if TYPE_CHECKING:
    from swarmhub.ssh.docker.ignored import Ignored

DOCKERFILE, IGNORED = "Dockerfile", ".dockerignore"
# Besides what machines leave: what versions and notebooks are kept in, what tools remember, and where secrets are.
KEPT = (".git", ".svn", ".hg", ".ipynb_checkpoints", ".idea", ".mypy_cache", ".pytest_cache", ".ruff_cache")
LEFT = (*context.JUNK, ".DS_Store", "._*", ".#*", ".*.sw[a-p]", *KEPT, ".env")
# A build is read into memory, and sent to the node; data of this size belong into a shared folder.
MOST = 256 << 20
SHOWN = 3


@dataclass(frozen=True)
class Folder:
    """Its files, those of them that may be run, and its links by where they lead."""

    files: Files
    executable: frozenset[str] = frozenset()
    links: dict[str, str] = field(default_factory=dict)


def read(folder: Path) -> Folder:
    """Read it, without what its .dockerignore leaves out.

    Raises:
        OSError: a file cannot be read.
        ValueError: there is no such folder, it is empty, or too large.

    """
    if not folder.is_dir():
        raise ValueError("there is no such folder")
    paths = dict(_paths(folder, _ignored(folder / IGNORED)))
    if not paths:
        raise ValueError("the folder is empty; it holds a Dockerfile, or requirements.txt, apt.txt, environment.yml")
    links = {name: os.readlink(path) for name, path in paths.items() if path.is_symlink()}
    regular = {name: path for name, path in paths.items() if name not in links and path.is_file()}
    _refuse_too_large({name: path.stat().st_size for name, path in regular.items()})
    executable = frozenset(name for name, path in regular.items() if path.stat().st_mode & 0o111)
    return Folder({name: path.read_bytes() for name, path in regular.items()}, executable, links)


def text(content: bytes) -> str:
    """Return the text of a file that people edit, as Linux has it: Windows editors begin with a mark, and end lines with two.

    Raises:
        ValueError: it is not UTF-8.

    """
    try:
        return content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError:
        raise ValueError("is not UTF-8; save it as UTF-8") from None


def _ignored(file: Path) -> "Ignored | None":
    if not file.is_file():
        return None
    from swarmhub.ssh.docker.ignored import Ignored  # imports docker-py, and few folders have such a file

    return Ignored(text(file.read_bytes()))


def _paths(folder: Path, ignored: "Ignored | None") -> Iterator[tuple[str, Path]]:
    """Yield the files and links below a folder, by their names there; what Docker itself reads is never left out."""

    def refuse(error: OSError) -> None:
        raise error

    for parent, folders, names in os.walk(folder, onerror=refuse):
        here = Path(parent).relative_to(folder)
        # A folder of data, or one that only root may read, is not looked into.
        left = {name for name in folders if ignored and ignored.has_all_below((here / name).as_posix())}
        folders[:] = sorted(name for name in folders if name not in left and not context.fits(name, LEFT))
        linked = [name for name in folders if (Path(parent) / name).is_symlink()]
        for name in sorted([*names, *linked]):
            relative = (here / name).as_posix()
            is_left = context.fits(name, LEFT) or relative == IGNORED or (ignored is not None and ignored.has(relative))
            if relative == DOCKERFILE or not is_left:
                yield relative, Path(parent) / name


def _refuse_too_large(sizes: dict[str, int]) -> None:
    total = sum(sizes.values())
    if total > MOST:
        largest = sorted((name for name in sizes if sizes[name] > MOST // 100), key=lambda name: -sizes[name])[:SHOWN]
        told = ", ".join(f"{name} ({sizes[name] / 1e6:.0f} MB)" for name in largest)
        raise ValueError(
            f"has {total / 1e6:.0f} MB of files, above all {told}; at most {MOST >> 20} MB go into a build: name what it does "
            "not need in its .dockerignore, and mount data as a shared folder ([[folders]])"
        )
