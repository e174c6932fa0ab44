"""Small file systems over folders of the nodes: what is written there meets a full disk, and the machine's own has room."""

from collections.abc import Iterator
from contextlib import contextmanager

from tests.lab.support import Lab

SAID = "no space left on device"
VOLUMES = "/var/lib/docker/volumes"


@contextmanager
def small(lab: Lab, node: str, folder: str, size: str) -> Iterator[None]:
    """Put an empty file system of a size over a folder of a node, for a while."""
    lab.on(node, "mount", "-t", "tmpfs", "-o", f"size={size},mode=711", "scorecard", folder)
    try:
        yield
    finally:
        lab.on(node, "umount", "--lazy", folder)


@contextmanager
def on_small(lab: Lab, node: str, folder: str, size: str) -> Iterator[None]:
    """Let what is in a folder of a node be on a file system of a size, for a while; what is written there meanwhile stays.

    A container that has the folder mounted sees the one or the other when it starts.
    """
    aside = f"{folder}.aside"
    lab.on(node, "sh", "-ec", f"rm -rf {aside}; cp -a {folder} {aside}")
    with small(lab, node, folder, size):
        lab.on(node, "cp", "-a", f"{aside}/.", folder)
        try:
            yield
        finally:
            lab.on(node, "sh", "-ec", f"rm -rf {aside}; cp -a {folder} {aside}")
    lab.on(node, "sh", "-ec", f"find {folder} -mindepth 1 -delete; cp -a {aside}/. {folder}; rm -rf {aside}")


@contextmanager
def filled(lab: Lab, node: str, folder: str) -> Iterator[None]:
    """Fill the file system of a folder to its last byte, for a while."""
    lab.on(node, "sh", "-c", 'cat /dev/zero > "$0/filling" 2>/dev/null || true', folder)
    try:
        yield
    finally:
        lab.on(node, "rm", "-f", f"{folder}/filling")
