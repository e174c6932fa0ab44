"""What is done where a registry does not give an image that another node holds: the node gets it from there."""

from collections.abc import Mapping, Sequence
from functools import partial

from swarmhub.deploy import on_nodes
from swarmhub.errors import StepError, StepErrors
from swarmhub.host import EngineError, Host
from swarmhub.images import pull
from swarmhub.images.pull import Holding
from swarmhub.parallel import together
from swarmhub.plan.plans import Plan
from swarmhub.run.run import Run
from swarmhub.transfer import layers
from swarmhub.transfer import plan as transfer
from swarmhub.transfer.layers import Store
from swarmhub.transfer.relays import FULL


def instead(
    run: Run, failed: StepErrors, wanted: Mapping[str, str], targets: Sequence[str]
) -> tuple[list[Plan], dict[str, str]]:
    """Plan what brings images whose pulls have failed from nodes that hold them; and return by which ids they are wanted now.

    An image that was brought has no registry's digest. Its id tells it: that is the same on nodes whose engines keep images
    themselves, and of all others only a pull makes the same image.

    Raises:
        StepErrors: with what has failed that no node can give.

    """
    held = pull.reached(run.look.images(on_nodes.asked_for_images(run, targets)), targets)
    there = {host: one for host, one in held.items() if host in targets}
    lacking = {image: _lacking(image, digest, there) for image, digest in wanted.items()}
    stores = _stores(run, held) if any(lacking.values()) else {}
    plans, ids, helped = [], {}, set()
    for image, hosts in lacking.items():
        sources = [host for host, one in held.items() if pull.holds(one.get(image), wanted[image]) and _is_plain(host, stores)]
        taking = [host for host in hosts if _is_plain(host, stores)]
        if not sources or not taking:
            continue
        at = on_nodes.cluster(run)
        found = transfer.find(at, sources[0], image)
        plans.append(transfer.plan(at, sources[0], {pull.local(image): found}, {host: stores[host] for host in taking}))
        ids[image] = found.id
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


def _is_plain(host: str, stores: Mapping[str, Store]) -> bool:
    return host in stores and not stores[host].in_containerd


def _lacking(image: str, digest: str, held: Mapping[str, Holding]) -> list[str]:
    return [host for host, one in held.items() if image in one and not pull.holds(one[image], digest)]


def _is_pull(error: StepError, host: str, image: str) -> bool:
    return error.host == host and error.cause.startswith(f"cannot pull {image}: ")
