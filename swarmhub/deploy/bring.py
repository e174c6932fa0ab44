"""What is done where a registry does not give an image that another node holds: the node gets it from there."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from swarmhub.deploy import on_nodes
from swarmhub.errors import StepError, StepErrors
from swarmhub.host import EngineError, Host
from swarmhub.images import pull
from swarmhub.images.pull import Held, Holding
from swarmhub.parallel import together
from swarmhub.plan.plans import Plan
from swarmhub.run.run import Run
from swarmhub.transfer import layers
from swarmhub.transfer import plan as transfer
from swarmhub.transfer.layers import Image, Store
from swarmhub.transfer.relays import FULL


def instead(
    run: Run, failed: StepErrors, wanted: Mapping[str, str], targets: Sequence[str]
) -> tuple[list[Plan], dict[str, str]]:
    """Plan what brings images whose pulls have failed from nodes that hold them; and return as what they are wanted now.

    An image that was brought has no registry's digest. Its id tells it, if that is the same on all nodes: where containerd
    keeps the images of one of them, it is not, and the image is known by its content.

    Raises:
        StepErrors: with what has failed that no node can give.

    """
    held = pull.reached(run.look.images(on_nodes.asked_for_images(run, targets)), targets)
    there = {host: one for host, one in held.items() if host in targets}
    lacking = {image: _lacking(image, digest, there) for image, digest in wanted.items()}
    stores = _stores(run, held) if any(lacking.values()) else {}
    plans, ids, helped = [], {}, set()
    for image, hosts in lacking.items():
        source = _source(image, wanted[image], held, stores)
        taking = [host for host in hosts if host in stores]
        if not source or not taking:
            continue
        at = on_nodes.cluster(run)
        found = transfer.find(at, source, image)
        ids[image] = _known(found, held[source][image], stores)
        brings = transfer.plan(at, source, {pull.local(image): found}, {host: stores[host] for host in taking})
        changes = [pull.named(change, image, ids[image]) for change in brings.changes]
        if pull.is_kept(ids[image]):
            others = (host for host in _lacking(image, ids[image], there) if host not in hosts)
            changes += [pull.naming(host, image, ids[image]) for host in others]
        plans.append(replace(brings, changes=tuple(changes)))
        helped |= {(host, image) for host in taking}
    # What another node brings takes as much room.
    left = [one for one in failed.errors if FULL in one.cause or not any(_is_pull(one, *those) for those in helped)]
    if left:
        raise StepErrors(*left)
    return plans, ids


def _stores(run: Run, held: Mapping[str, Holding]) -> dict[str, Store]:
    asked = dict(zip(held, together([partial(_store, run.hosts[host]) for host in held]), strict=True))
    return {host: one for host, one in asked.items() if one}


def _store(host: Host) -> Store | None:
    """Ask a node what it keeps; what was wrong before is told, and not that it does not answer now."""
    try:
        return layers.observe(host)
    except (EngineError, StepError):
        return None


def _source(image: str, wanted: str, held: Mapping[str, Holding], stores: Mapping[str, Store]) -> str:
    """Return the node that gives an image: one whose engine keeps layers as every engine can read them, if there is one."""
    sources = [host for host, one in held.items() if pull.holds(one.get(image), wanted) and host in stores]
    return min(sources, key=lambda host: stores[host].in_containerd, default="")


def _known(image: Image, held: Held | None, stores: Mapping[str, Store]) -> str:
    return pull.kept(held.content) if held and any(one.in_containerd for one in stores.values()) else image.id


def _lacking(image: str, digest: str, held: Mapping[str, Holding]) -> list[str]:
    return [host for host, one in held.items() if image in one and not pull.holds(one[image], digest)]


def _is_pull(error: StepError, host: str, image: str) -> bool:
    return error.host == host and error.cause.startswith(f"cannot pull {image}: ")
