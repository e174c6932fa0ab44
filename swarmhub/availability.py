"""Where notebooks may be placed: a node that has joined waits for its image; one that was drained comes back."""

from collections.abc import Mapping

from swarmhub import images
from swarmhub.errors import StepError
from swarmhub.images import Held
from swarmhub.node_update import Update
from swarmhub.nodes import WAITS, Member, Swarm, SwarmNode
from swarmhub.plan import Change, Plan

ACTIVATE = "activate"
UNDRAIN = "undrain"


def find(swarm: Swarm, host: str, member: Member | StepError) -> SwarmNode | None:
    """Return the node that a host is: by its own word, or by its name where it cannot be asked or has left."""
    if isinstance(member, Member) and member.state == "active" and member.node:
        return next((node for node in swarm.nodes if node.id == member.node), None)
    return next((node for node in swarm.nodes if node.hostname == host), None)


def require(swarm: Swarm, host: str, member: Member | StepError) -> SwarmNode:
    """Return the node that a host is.

    Raises:
        StepError: it is none of the swarm's.

    """
    node = find(swarm, host, member)
    if node is None:
        raise StepError(host, "is not in the swarm", "See: fab nodes; to let it join: fab swarm-init")
    return node


def plan_activation(nodes: Mapping[str, SwarmNode], manager: str) -> Plan:
    """Return what opens the nodes that only waited for their image; what an operator has paused or drained stays so."""
    waiting = {host: node for host, node in nodes.items() if node.waits}
    changes = tuple(
        Change("activate", f"{host} (its image is there)", manager, _activation(node)) for host, node in waiting.items()
    )
    return Plan(ACTIVATE, "no node waits for its image", changes)


def plan_undrain(host: str, node: SwarmNode, held: Held | None, wanted: str | None, manager: str) -> Plan:
    """Return what opens a node for notebooks again.

    Raises:
        StepError: it does not hold the image that the others hold.

    """
    if node.availability == "active":
        return Plan(UNDRAIN, f"{host} is active already")
    if wanted is None or not images.holds(held, wanted):
        raise StepError(host, "does not hold the notebook image that the others hold", f"Pull it first: fab -H {host} prepull")
    update = Update(node.id, availability="active", labels={WAITS: None})
    return Plan(UNDRAIN, "", (Change("activate", host, manager, update),))


def _activation(node: SwarmNode) -> Update:
    return Update(node.id, availability="active" if node.availability == "pause" else None, labels={WAITS: None})
