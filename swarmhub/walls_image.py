"""The image of the walls: its host's programs, and the script that keeps the rules. Nothing has to be pulled."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from swarmhub import context, empty_image
from swarmhub.host import Host
from swarmhub.plan import Change, Progress

SCRIPT = Path(__file__).parent / "inside" / "walls.sh"
IN_CONTAINER = "/walls.sh"
# Where the host's folders are mounted. Its own iptables is used, with what the host has chosen behind it.
HOST = "/host"
FOLDERS = ("bin", "sbin", "usr", "lib", "lib64", "run", "etc/alternatives")


def tag(hub: str) -> str:
    """Return the image's name, which is its content's."""
    return f"{hub}_walls:{_digest()}"


def observe(host: Host, hub: str) -> str | None:
    """Ask a host for the image's id; None where it has none."""
    found = host.engine.find(f"/images/{tag(hub)}/json")
    return str(found["Id"]) if found else None


def load(host: str, hub: str) -> Change:
    """Return what gives a host the image."""
    return Change("load", f"image {tag(hub)}", host, _Loader(tag(hub)))


def layer() -> bytes:
    """Return the image's files."""
    links = {folder: f"{HOST}/{folder}" for folder in FOLDERS}
    return context.archive({IN_CONTAINER.lstrip("/"): SCRIPT.read_bytes()}, links)


@cache
def _digest() -> str:
    return context.digest({"layer.tar": layer()})


@dataclass(frozen=True)
class _Loader:
    tag: str

    def __call__(self, host: Host, progress: Progress) -> None:
        architecture = str(host.engine.get("/version").get("Arch", "amd64"))
        for _ in host.engine.stream("/images/load", content=empty_image.tar(self.tag, architecture, layer())):
            pass
