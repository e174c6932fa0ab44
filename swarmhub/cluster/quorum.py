"""Keep enough managers: a swarm without most of its managers answers no question and takes no change."""

from dataclasses import replace

from swarmhub.cluster.nodes import Swarm, SwarmNode
from swarmhub.errors import StepError


def without(swarm: Swarm, node: SwarmNode, host: str, doing: str) -> Swarm:
    """Return the swarm with `node` as no manager any more.

    Raises:
        StepError: the managers that are left could not decide anything; `doing` says what would lead there.

    """
    left = [one for one in swarm.nodes if one.role == "manager" and one.id != node.id]
    reachable = [one for one in left if one.is_reachable and one.state == "ready"]
    if not left:
        remedy = "Name another manager under hosts.managers first, then: fab swarm-init"
        raise StepError(host, f"is the swarm's only manager; {doing} would end the swarm", remedy)
    if len(reachable) <= len(left) // 2:
        cause = f"{doing} would lose the quorum: {len(reachable)} of the {len(left)} other managers can be reached"
        raise StepError(host, cause, f"Bring the others back, or add managers first: {', '.join(one.hostname for one in left)}")
    return as_role(swarm, node.id, "worker")


def as_role(swarm: Swarm, node: str, role: str) -> Swarm:
    """Return the swarm with a node in another role."""
    return replace(swarm, nodes=tuple(replace(one, role=role) if one.id == node else one for one in swarm.nodes))
