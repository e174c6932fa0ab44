"""The image of the firewall: its host's programs, and the script that keeps the rules. Nothing has to be pulled."""

from dataclasses import dataclass
from functools import cache

from swarmhub.engine import context
from swarmhub.host import Host
from swarmhub.inside import SCRIPTS
from swarmhub.plan.plans import Change, Progress

SCRIPT = SCRIPTS / "firewall.sh"
IN_CONTAINER = "/firewall.sh"
# Where the host's folders are mounted, which every host has. Its own iptables is used, with what the host has chosen behind it.
HOST = "/host"
FOLDERS = ("bin", "sbin", "usr", "lib", "etc", "run")
LINKS = {
    **{name: f"{HOST}/{name}" for name in ("bin", "sbin", "usr", "lib", "run", "etc/alternatives")},
    # Not every host has it as a folder; the loader of programs is there.
    "lib64": f"{HOST}/usr/lib64",
}


def tag(hub: str) -> str:
    """Return the image's name, which is its content's."""
    return f"{hub}_firewall:{_digest()}"


def observe(host: Host, hub: str) -> str | None:
    """Ask a host for the image's id; None where it has none."""
    found = host.engine.find(f"/images/{tag(hub)}/json")
    return str(found["Id"]) if found else None


def load(host: str, hub: str) -> Change:
    """Return what gives a host the image."""
    return Change("load", f"image {tag(hub)}", host, _Loader(tag(hub)))


def layer() -> bytes:
    """Return the image's files."""
    return context.archive({IN_CONTAINER.lstrip("/"): context.lines(SCRIPT)}, LINKS)


@cache
def _digest() -> str:
    return context.digest({"layer.tar": layer()})


@dataclass(frozen=True)
class _Loader:
    tag: str

    def __call__(self, host: Host, progress: Progress) -> None:
        architecture = str(host.engine.get("/version").get("Arch", "amd64"))
        host.engine.load(context.image(self.tag, architecture, layer()))
