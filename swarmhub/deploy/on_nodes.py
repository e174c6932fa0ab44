"""The plans of what every node gets: the images, and the labels that open it for servers; each from one look."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from swarmhub.cluster import availability
from swarmhub.cluster.nodes import Member, SwarmNode
from swarmhub.firewall import image as firewall_image
from swarmhub.images import pull
from swarmhub.images.pull import Giver, Holding
from swarmhub.parallel import every
from swarmhub.plan.differences import LATER
from swarmhub.plan.plans import Change, Plan
from swarmhub.run.run import Run
from swarmhub.services import network

if TYPE_CHECKING:
    from swarmhub.transfer.relays import Cluster


def nodes_of(run: Run, hosts: Sequence[str]) -> dict[str, SwarmNode]:
    """Return the nodes that some hosts are; none before there is a swarm, as images may be pulled before."""
    if not run.look.member(run.manager).is_manager:
        return {}
    found, members = run.look.swarm(), run.look.members()
    return {host: node for host in hosts if (node := availability.find(found, host, members[host]))}


def asked_for_images(run: Run, targets: Sequence[str]) -> tuple[str, ...]:
    """Return the hosts that say what they hold: all that answer, and the `targets`, whose own error tells why one does not."""
    return tuple(dict.fromkeys([*run.look.present(), *targets]))


def images_plan(run: Run, targets: Sequence[str], wanted: Mapping[str, str]) -> Plan:
    """Plan the pulls on the `targets`; a node's label of an image that it turns out to lack goes meanwhile."""
    held = pull.reached(run.look.images(asked_for_images(run, targets)), targets)
    there = {host: held[host] for host in targets if host in held}
    closed = availability.closing(nodes_of(run, list(there)), _lacking(there, wanted), run.manager)
    pulls = pull.plan(wanted, there, _givers(run, wanted, held, list(there)))
    notes = tuple(one.told for one in run.look.unfit(list(there)))
    # A pull that fails ends a host's part; what needs no registry comes before.
    return replace(pulls, changes=(*closed, *_loads(run, list(there)), *pulls.changes), notes=notes)


def cluster(run: Run) -> "Cluster":
    """Return where images are brought from node to node, by what the hub's image has."""
    from swarmhub.transfer.relays import Cluster  # most images are pulled

    options = network.desired(run.settings)["Options"]
    return Cluster(run.hosts[run.manager], run.hosts, run.settings.hub.service, run.look.builds[0].tag, options)


def _givers(run: Run, wanted: Mapping[str, str], held: Mapping[str, Holding], targets: Sequence[str]) -> dict[str, Giver]:
    """Return what gives the images that no registry has; what is yet to be built, the manager will give."""
    later = {image: run.manager for image, id_ in wanted.items() if id_.startswith(LATER)}
    sources = {**pull.sources(wanted, held), **later}
    if not sources:
        return {}
    from swarmhub.transfer import plan as transfer  # most images are pulled

    found = transfer.givers(cluster(run), sources, targets)
    return {image: replace(giver, is_named=knows_by_content(run)) for image, giver in found.items()}


def knows_by_content(run: Run) -> bool:
    """Tell whether nodes know an image that no registry has by its content: one of their engines has another id for it."""
    return any(isinstance(one, Member) and one.in_containerd for one in run.look.members().values())


def _loads(run: Run, targets: Sequence[str]) -> list[Change]:
    """Return what gives the `targets` the firewall's image: a node that is opened for servers has to have it."""
    hub, bare = run.settings.hub.service, without_firewall(run, targets) if run.settings.firewall.enabled else []
    ids = every([partial(run.look.firewall_image, host) for host in bare])
    return [firewall_image.load(host, hub) for host, id_ in zip(bare, ids, strict=True) if id_ is None]


def without_firewall(run: Run, targets: Sequence[str]) -> list[str]:
    """Return the hosts on which the firewall rules are not active, as far as the swarm knows."""
    if not run.look.member(run.manager).is_manager:
        return [*targets]
    found, members = run.look.firewall(), run.look.members()
    if found.tag != firewall_image.tag(run.settings.hub.service):
        return [*targets]
    nodes = {host: member.node for host, member in members.items() if isinstance(member, Member)}
    return [host for host in targets if nodes.get(host) not in found.active]


def open_nodes(run: Run) -> dict[str, str]:
    """Return the hosts that take work, by their nodes' ids."""
    members = run.look.members()
    hosts = {member.node: host for host, member in members.items() if isinstance(member, Member)}
    taking = (node.id for node in run.look.swarm().nodes if (node.state, node.availability) == ("ready", "active"))
    return {node: hosts[node] for node in taking if node in hosts}


def placement_plan(run: Run, targets: Sequence[str], wanted: Mapping[str, str]) -> Plan:
    """Plan what opens the `targets` for servers, when they hold what is `wanted`."""
    held = pull.reached(run.look.images(targets), targets)
    gone = {host: {pull.short(one) for one in lacking} for host, lacking in _lacking(held, wanted).items()}
    nodes = {host: replace(node, images=node.images - gone[host]) for host, node in nodes_of(run, list(held)).items()}
    theirs = {host: [digest for image, digest in wanted.items() if image in one] for host, one in held.items()}
    return availability.plan_placement(nodes, theirs, run.manager)


def _lacking(held: Mapping[str, Holding], wanted: Mapping[str, str]) -> dict[str, list[str]]:
    """Return by host those that it does not hold as wanted, or cannot run."""
    return {
        host: [digest for image, digest in wanted.items() if not pull.holds(one.get(image), digest)]
        for host, one in held.items()
    }
