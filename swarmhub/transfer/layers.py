"""What each node lacks of an image, and in which order the nodes pass it on."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from swarmhub.host import Host, Json
from swarmhub.images.pull import fingerprint, in_containerd, inspect, spellings
from swarmhub.parallel import together


@dataclass(frozen=True)
class Image:
    """An image that a node holds, with its id there; the layers are named by what they unpack to, the lowest first.

    `content` tells it from another one of the same layers, such as one with other variables.
    """

    id: str
    layers: tuple[str, ...]
    size: int = 0
    tags: frozenset[str] = frozenset()
    architecture: str = "amd64"
    content: str = field(default="", compare=False)


@dataclass(frozen=True)
class Store:
    """What a node's engine keeps: for which architecture, whether containerd keeps it, and each image."""

    architecture: str
    in_containerd: bool
    images: tuple[Image, ...]


@dataclass(frozen=True)
class Part:
    """What a node gets of an image: the layers that it lacks; the others it has in the image `base`, if it has one."""

    missing: tuple[str, ...]
    base: Image | None = None
    in_containerd: bool = False

    @property
    def held(self) -> tuple[str, ...]:
        """Return the layers that the node has."""
        return self.base.layers if self.base else ()


def read(found: Json) -> Image:
    """Read an image as an engine answers it."""
    names = tuple(one.removeprefix("sha256:") for one in found["RootFS"].get("Layers") or [])
    tags = frozenset(found.get("RepoTags") or [])
    made_for = str(found.get("Architecture", "amd64"))
    return Image(found["Id"], names, found.get("Size") or 0, tags, made_for, fingerprint(found))


def find(host: Host, image: str) -> Image | None:
    """Ask a node for an image."""
    found = inspect(host, image)
    return read(found) if found else None


def observe(host: Host) -> Store:
    """Ask a node for all that it keeps."""
    ids = {one["Id"] for one in host.engine.get("/images/json")}
    found = together([partial(find, host, id_) for id_ in sorted(ids)])
    info, version = host.engine.get("/info"), host.engine.get("/version")
    return Store(str(version.get("Arch", "")), in_containerd(info), tuple(one for one in found if one))


def holds(store: Store, name: str, image: Image) -> bool:
    """Tell whether a node has an image, by its tag if it has one."""
    tags = spellings(name) if name else set()
    there = [one for one in store.images if (tags & one.tags if name else one.id == image.id)]
    return any((one.layers, one.content) == (image.layers, image.content) for one in there)


def part(image: Image, store: Store) -> Part:
    """Return what a node lacks of an image. An engine knows a layer by those below it: the longest same beginning counts."""
    shared = {one: _common(image.layers, one.layers) for one in store.images}
    base = max(shared, key=lambda one: (shared[one], one.id), default=None)
    if base is None or not shared[base]:
        return Part(image.layers, None, store.in_containerd)
    return Part(image.layers[shared[base] :], base, store.in_containerd)


def _common(layers: Sequence[str], others: Sequence[str]) -> int:
    """Return how many layers are the same, from the lowest on."""
    same = 0
    for one, other in zip(layers, others, strict=False):
        if one != other:
            break
        same += 1
    return same


def in_order(parts: Mapping[str, Part]) -> list[str]:
    """Return the nodes in the order in which they pass on: each lacks all that those after it lack.

    What nodes lack are the upper layers, more or fewer of them.
    """
    return sorted(parts, key=lambda host: (-len(parts[host].missing), host))


def most(parts: Iterable[Part]) -> tuple[str, ...]:
    """Return all that the source has to send."""
    return max((one.missing for one in parts), key=len, default=())
