"""The notebook images: the same ones on every node, and known to the swarm, which places servers by their labels."""

from collections.abc import Iterable, Mapping

from swarmhub.doctor.finding import Finding, failure, ok, warning
from swarmhub.images import declared, pull
from swarmhub.images.declared import Declared
from swarmhub.images.pull import Held, Holding
from swarmhub.settings import Settings

CHECK = "image"


def judge(image: str, held: Mapping[str, Held | None], labels: Mapping[str, frozenset[str]], manager: str) -> list[Finding]:
    """Compare the id or digest on each node with the one that most have; `labels` has what the swarm knows of the hosts."""
    wanted = pull.chosen(image, held)
    if wanted is None or not any(held.values()):
        return [warning(CHECK, manager, f"no node holds {image} yet", "Pull it: fab prepull-all")]
    return [_of(image, host, one, wanted, labels.get(host)) for host, one in held.items()]


def _of(image: str, host: str, held: Held | None, wanted: str, labels: frozenset[str] | None) -> Finding:
    remedy = f"fab -H {host} prepull"
    if held is None:
        return failure(CHECK, host, f"holds no {image}", remedy)
    if not pull.holds(held, wanted):
        text = f"holds another {image} than the other nodes: {pull.short(held.id)}, not {pull.short(wanted)}"
        return failure(CHECK, host, text, remedy)
    if labels is not None and pull.short(wanted) not in labels:
        text = f"holds {image}, and its node has no label that says so: no server is placed there"
        return warning(CHECK, host, text, remedy)
    return ok(CHECK, host, f"{image}, {pull.short(wanted)}")


def losses(settings: Settings, said: Mapping[str, Declared], manager: str) -> list[Finding]:
    """Return what people would lose of what they write in servers of each image."""
    judged = declared.judged(settings, said)
    return [failure("image", manager, f"{image} {cause}", remedy) for image, told in judged.items() for cause, remedy in told]


def coming(hosts: Iterable[str], held: Mapping[str, Holding]) -> dict[str, int | None]:
    """Return the bytes that each host has yet to pull, None where no host can tell how many.

    One whose engine does not answer may lack all of them.
    """
    sizes: dict[str, int] = {}
    for holding in held.values():
        sizes |= {image: one.size for image, one in holding.items() if one}
    wanted = {image for holding in held.values() for image in holding}
    lacks = {host: [image for image in wanted if not held.get(host, {}).get(image)] for host in hosts}
    return {
        host: sum(sizes[image] for image in missing) if held and sizes.keys() >= set(missing) else None
        for host, missing in lacks.items()
    }
