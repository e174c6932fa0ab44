"""Bring an image that no registry gives from a node that holds it to another."""

from collections.abc import Iterator
from dataclasses import dataclass

from swarmhub.host import Host
from swarmhub.plan.plans import Progress


@dataclass(frozen=True)
class Bringer:
    """Brings an image from its source through this machine, in pieces."""

    image: str
    source: Host

    def __call__(self, host: Host, progress: Progress) -> None:
        """Load it on a node."""
        found = self.source.engine.get(f"/images/{self.image}/json")
        host.engine.load(self._pieces(host.name, int(found.get("Size") or 0), progress))

    def _pieces(self, host: str, size: int, progress: Progress) -> Iterator[bytes]:
        done = 0
        for piece in self.source.engine.download(f"/images/{self.image}/get"):
            done += len(piece)
            progress.amount(host, done, max(size, done + 1))  # the archive is somewhat larger than the image
            yield piece
