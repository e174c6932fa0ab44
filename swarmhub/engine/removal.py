"""Remove something from an engine, which what is ending just now may still use."""

from dataclasses import dataclass

from swarmhub.engine.swarm.replicated import RENAME
from swarmhub.errors import StepError
from swarmhub.host import EngineError, Host
from swarmhub.plan.plans import remedy
from swarmhub.wait import until

SECONDS = 60


@dataclass(frozen=True)
class Thing:
    """Something to remove: what it is to people, the path of the Engine API that removes it, and its size if it has one."""

    name: str
    path: str
    size: int = 0

    @property
    def shown(self) -> str:
        """Return what it is to people, with its size if it has one."""
        return f"{self.name} ({self.size / 1e6:.0f} MB)" if self.size else self.name


def remove_ours(host: Host, thing: Thing, label: str, owner: str) -> None:
    """Remove a network or a volume whose label tells that it is its owner's.

    Raises:
        StepError: somebody else has made it.

    """
    found = host.engine.find(thing.path)
    if found and (found.get("Labels") or {}).get(label) != owner:
        cause = f"somebody else has made the {thing.name}, whose name is needed here"
        raise StepError(host.name, cause, RENAME)
    remove_soon(host, thing)


def remove_soon(host: Host, thing: Thing) -> None:
    """Remove something, which what is ending just now may still use."""
    last: EngineError | None = None

    def gone() -> bool:
        nonlocal last
        try:
            host.engine.delete(thing.path)
        except EngineError as error:
            last = error
            return False
        return True

    def stuck() -> StepError:
        said = last.message if last else "it stays"
        return StepError(host.name, f"cannot remove {thing.name}: {said}", remedy(last) if last else "Run this again")

    until(gone, SECONDS, stuck, pause=0.5)
