"""Whether the tags of the notebook images have moved in their registries: nodes keep what they have until somebody asks."""

from collections.abc import Iterable, Iterator, Mapping

from swarmhub.doctor.finding import Finding, ok, warning
from swarmhub.images import pull
from swarmhub.images.pull import Holding

CHECK = "image"


def pulled(images: Iterable[str], held: Mapping[str, Holding]) -> dict[str, str]:
    """Return the digests that nodes hold of those images that have a tag, and came from a registry."""
    return dict(_pulled(images, held))


def _pulled(images: Iterable[str], held: Mapping[str, Holding]) -> Iterator[tuple[str, str]]:
    for image in images:
        there = pull.of(image, held)
        digest = pull.chosen(image, there)
        if "@" not in image and digest and any(one and digest in one.digests for one in there.values()):
            yield image, digest


def judge(image: str, held: str, now: str, manager: str) -> Finding:
    """Compare the digest that nodes hold with the one that the registry has by that tag now."""
    if held == now:
        return ok(CHECK, manager, f"{image} is what its registry has by that tag")
    text = f"{image} has moved in its registry: {pull.short(held)} → {pull.short(now)}; servers start with the first"
    return warning(CHECK, manager, text, "To take the newer one: fab prepull-all --newer")
