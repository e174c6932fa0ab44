"""The plan that brings images from a node that holds them to those that lack them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from threading import Lock

from swarmhub.errors import StepError
from swarmhub.host import Host
from swarmhub.images.pull import BRING, Giver, local
from swarmhub.parallel import at_once, together
from swarmhub.plan.plans import Change, Plan, Progress
from swarmhub.transfer import layers, relays
from swarmhub.transfer.layers import Image, Part, Store
from swarmhub.transfer.relays import Cluster, Load

STEP = "transfer"


def observe(cluster: Cluster, hosts: Sequence[str]) -> dict[str, Store]:
    """Ask nodes, all at once, for the images that they keep."""
    return dict(zip(hosts, together([partial(layers.observe, cluster.hosts[host]) for host in hosts]), strict=True))


def find(cluster: Cluster, source: str, image: str) -> Image:
    """Ask the source for an image.

    Raises:
        StepError: it does not hold it.

    """
    found = layers.find(cluster.hosts[source], image)
    if found is None:
        raise StepError(source, f"holds no {image}, which it was to give to the other nodes", "Run this again")
    return found


def givers(cluster: Cluster, sources: Mapping[str, str], hosts: Sequence[str]) -> dict[str, Giver]:
    """Return what brings images from their `sources` to those of `hosts` that turn out to lack them."""
    return {image: Giver(source, _Bringer(cluster, source, image, tuple(hosts))) for image, source in sources.items()}


def plan(cluster: Cluster, source: str, images: Mapping[str, Image], stores: Mapping[str, Store]) -> Plan:
    """Return what brings images, by the tags that they get, from the source to those nodes of `stores` that lack them.

    A node of another architecture than the source gets none, and says so.
    """
    changes: list[Change] = []
    for name, image in images.items():
        misfits = _misfits(name, image, stores)
        changes += [Change(BRING, f"image {name}", host, _Refusal(error)) for host, error in misfits.items()]
        parts = {
            host: layers.part(image, store)
            for host, store in stores.items()
            if host != source and host not in misfits and not layers.holds(store, name, image)
        }
        transfer = _Transfer(cluster, Load(name, image, source, parts))
        changes += [
            Change(BRING, f"image {name}", host, transfer, gist=_gist(source, part, image)) for host, part in parts.items()
        ]
    return Plan(STEP, "every node holds the images", tuple(changes), at_once=True)


def _misfits(name: str, image: Image, stores: Mapping[str, Store]) -> dict[str, StepError]:
    """Return an error for each node that cannot run an image."""
    others = {host: store.architecture for host, store in stores.items() if store.architecture != image.architecture}
    remedy = "Name an image in hosts.toml that its registry has for both"
    return {host: StepError(host, f"is {its}, and {name} is for {image.architecture}", remedy) for host, its in others.items()}


def _gist(source: str, part: Part, image: Image) -> str:
    return f"{len(part.missing)} of {len(image.layers)} layers from {source}"


@dataclass
class _Transfer:
    """Brings an image to all of its nodes when the first of their changes is made; the others hear how theirs has ended."""

    cluster: Cluster
    load: Load
    failed: dict[str, StepError] | None = None

    def __call__(self, host: Host, progress: Progress) -> None:
        with self.cluster.lock:
            if self.failed is None:
                # Whatever becomes of it: no other change takes it for done.
                self.failed = {one: _without(one, self.load) for one in self.load.parts}
                self.failed = relays.carry(self.cluster, self.load, progress)
        if failed := self.failed.get(host.name):
            raise failed


@dataclass(frozen=True)
class _Refusal:
    error: BaseException

    def __call__(self, host: Host, progress: Progress) -> None:
        raise self.error


@dataclass
class _Bringer:
    """Looks what each node lacks when the first of them is to get an image: it may be built only just before."""

    cluster: Cluster
    source: str
    image: str
    hosts: tuple[str, ...]
    _lock: Lock = field(default_factory=Lock)
    _changes: Mapping[str, Change] | None = None

    def __call__(self, host: Host, progress: Progress) -> None:
        with self._lock:
            if self._changes is None:
                self._changes = {change.host: change for change in self._planned()}
        if change := self._changes.get(host.name):
            change.apply(host, progress)

    def _planned(self) -> list[Change]:
        found = find(self.cluster, self.source, self.image)
        # One without a tag is what "docker image prune" takes.
        name = next(iter(sorted(found.tags)), "") if self.image.startswith("sha256:") else local(self.image)
        asked = at_once([partial(layers.observe, self.cluster.hosts[host]) for host in self.hosts])
        answers = dict(zip(self.hosts, asked, strict=True))
        # One that has gone meanwhile does not keep the others from getting it.
        gone = {host: one for host, one in answers.items() if isinstance(one, BaseException)}
        stores = {host: one for host, one in answers.items() if isinstance(one, Store)}
        brought = plan(self.cluster, self.source, {name: found}, stores)
        return [*brought.changes, *(Change(BRING, f"image {name}", host, _Refusal(error)) for host, error in gone.items())]


def _without(host: str, load: Load) -> StepError:
    return StepError(host, f"has not got {load.name}, because of what failed before", "Run this again: what has arrived stays")
