"""The notebook image: the same one on every node."""

from collections.abc import Mapping

from swarmhub import images
from swarmhub.doctor.finding import Finding, failure, ok, warning
from swarmhub.host import Engine
from swarmhub.images import Held

CHECK = "image"


def size(engine: Engine, image: str) -> int:
    """Return the bytes that the image takes on a host, 0 if it is not there."""
    found = engine.find(f"/images/{image}/json")
    return int((found or {}).get("Size") or 0)


def judge(image: str, held: Mapping[str, Held | None], manager: str) -> list[Finding]:
    """Compare the id or digest on each node with the one that most have."""
    wanted = images.chosen(image, held)
    if wanted is None or not any(held.values()):
        return [warning(CHECK, manager, f"no node holds {image} yet", "Pull it: fab prepull-all")]
    return [_of(image, host, one, wanted) for host, one in held.items()]


def _of(image: str, host: str, held: Held | None, wanted: str) -> Finding:
    remedy = f"fab -H {host} prepull"
    if held is None:
        return failure(CHECK, host, f"holds no {image}", remedy)
    if not images.holds(held, wanted):
        text = f"holds another {image} than the other nodes: {images.short(held.id)}, not {images.short(wanted)}"
        return failure(CHECK, host, text, remedy)
    return ok(CHECK, host, f"{image}, {images.short(wanted)}")
