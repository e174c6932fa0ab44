"""Where servers may be placed: on nodes whose labels say that they hold the image, and that neither wait nor are drained."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from swarmhub.cluster.nodes import HELD, HOST, IMAGE, WAITS, Member, Swarm, SwarmNode
from swarmhub.cluster.update import Update
from swarmhub.errors import StepError
from swarmhub.images.pull import short
from swarmhub.plan import commands
from swarmhub.plan.differences import Difference
from swarmhub.plan.plans import Change, Plan

PLACEMENT = "placement"
UNDRAIN = "undrain"


def find(swarm: Swarm, host: str, member: Member | StepError) -> SwarmNode | None:
    """Return the node that a host is: by its own word, or by its name where it cannot be asked or has left."""
    if isinstance(member, Member) and member.state == "active" and member.node:
        return next((node for node in swarm.nodes if node.id == member.node), None)
    return next((node for node in swarm.nodes if node.host == host), None)


def require(swarm: Swarm, host: str, member: Member | StepError) -> SwarmNode:
    """Return the node that a host is.

    Raises:
        StepError: it is none of the swarm's.

    """
    node = find(swarm, host, member)
    if node is None:
        raise StepError(host, "is not in the swarm", "See: fab nodes; to let it join: fab swarm-init")
    return node


def plan_placement(nodes: Mapping[str, SwarmNode], wanted: Mapping[str, Iterable[str]], manager: str) -> Plan:
    """Return what opens nodes that hold the digests `wanted` of them: labels, and an end to the wait of those that waited.

    What an operator has paused or drained stays so.
    """
    missing = {
        host: {IMAGE + short(one) for one in wanted[host]} - {IMAGE + one for one in node.images}
        for host, node in nodes.items()
    }
    changes = [_opening(host, node, missing[host], manager) for host, node in nodes.items() if node.waits or missing[host]]
    changes += [_naming(host, node, manager) for host, node in nodes.items() if node.host != host]
    return Plan(PLACEMENT, f"images are labelled on {len(nodes)} of {len(nodes)} nodes", tuple(changes))


def plan_undrain(host: str, node: SwarmNode, wanted: Iterable[str], lacking: Sequence[str], manager: str) -> Plan:
    """Return what opens a node for notebooks again.

    Raises:
        StepError: it lacks images that the others hold.

    """
    if node.availability == "active":
        return Plan(UNDRAIN, f"{host} is active already")
    if lacking:
        raise StepError(host, f"does not hold {', '.join(lacking)} as the others do", f"Pull first: fab -H {host} prepull")
    labels = {IMAGE + short(one) for one in wanted} - {IMAGE + one for one in node.images}
    return Plan(UNDRAIN, "", (_change("activate", host, node, manager, gains=labels, availability="active"),))


def closing(nodes: Mapping[str, SwarmNode], lacking: Mapping[str, Collection[str]], manager: str) -> list[Change]:
    """Return what keeps servers away from nodes that lack what their labels say they hold; `lacking` has its digests."""
    gone = {host: {IMAGE + short(one) for one in lacking[host] if short(one) in node.images} for host, node in nodes.items()}
    return [
        _change("unlabel", f"{host} (an image is missing)", node, manager, loses=gone[host])
        for host, node in nodes.items()
        if gone[host]
    ]


def forgetting(nodes: Iterable[SwarmNode], kept: Collection[str], manager: str) -> list[Change]:
    """Return what takes the labels of all images but the `kept` ones, by their short digests, off the nodes."""
    return [
        _change("unlabel", f"{node.hostname} (not wanted any more)", node, manager, loses={IMAGE + one for one in stale})
        for node in nodes
        if (stale := node.images - set(kept))
    ]


def _opening(host: str, node: SwarmNode, labels: Collection[str], manager: str) -> Change:
    verb, availability = ("activate", "active") if node.waits and node.availability == "pause" else ("label", None)
    return _change(verb, f"{host} (its images are there)", node, manager, gains=labels, availability=availability)


def _naming(host: str, node: SwarmNode, manager: str) -> Change:
    """Return what lets a node be found by its name in hosts.toml, which is not what it calls itself."""
    command = commands.line("node", "update", "--label-add", f"{HOST}={host}", node.id)
    fields = (Difference(f"Labels.{HOST}", node.label or None, host),)
    return Change(
        "name", f"node {node.hostname} {host}", manager, Update(node.id, labels={HOST: host}), fields, command=command
    )


def _change(
    verb: str,
    what: str,
    node: SwarmNode,
    manager: str,
    *,
    gains: Collection[str] = (),
    loses: Collection[str] = (),
    availability: str | None = None,
) -> Change:
    """Return a change of a node's labels and availability; one that gains something has waited long enough."""
    waits = [WAITS] if node.waits and not loses else []
    labels: dict[str, str | None] = dict.fromkeys(sorted(gains), HELD) | dict.fromkeys([*sorted(loses), *waits])
    fields = [Difference(f"Labels.{name}", None if value else _was(name), value) for name, value in labels.items()]
    words = [
        word
        for name, value in labels.items()
        for word in (("--label-add", f"{name}={value}") if value else ("--label-rm", name))
    ]
    if availability:
        fields.append(Difference("Availability", node.availability, availability))
        words += ["--availability", availability]
    command = commands.line("node", "update", *words, node.id)
    return Change(
        verb, what, manager, Update(node.id, availability=availability, labels=labels), tuple(fields), command=command
    )


def _was(label: str) -> str:
    return "image" if label == WAITS else HELD
