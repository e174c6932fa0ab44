"""What only a manager knows, and what takes several hosts: asked side by side."""

from collections.abc import Sequence
from functools import partial

from swarmhub.cluster.nodes import Swarm
from swarmhub.doctor.finding import Finding, from_error, warning
from swarmhub.doctor.hosts import kernel, swarm
from swarmhub.doctor.hub import gate, running
from swarmhub.doctor.images import asked, versions
from swarmhub.doctor.images.asked import Labels
from swarmhub.doctor.lanes import Cluster, Lane, side_by_side
from swarmhub.doctor.network import peers
from swarmhub.doctor.network.overlay import OverlayTrial, Participant
from swarmhub.doctor.network.peers import Peer
from swarmhub.parallel import at_once


def examine(cluster: Cluster) -> list[Finding]:
    """Return what was found; without the manager's engine, only what the nodes hold."""
    if cluster.seen[cluster.manager].info is None:
        text = "not checked without this manager's engine: the swarm, the ports, the overlay, the domain, the certificate"
        missing = warning("swarm", cluster.manager, text, "Mend it first, or name another manager: fab -H MANAGER doctor")
        return [missing, *side_by_side(cluster, [("image", partial(asked.examine, cluster, {}))])]
    labels: Labels = {}
    lanes: list[Lane] = []
    trial = OverlayTrial(cluster.manager_host, cluster.id, {})
    try:
        found, managers = swarm.observe(cluster.manager_host, cluster.seen[cluster.manager])
    except Exception as error:  # whatever is broken there, the rest is checked
        findings = [from_error("swarm", cluster.manager, error)]
    else:
        findings = [
            *swarm.judge(cluster.settings, cluster.seen, found, cluster.manager),
            swarm.quorum(managers, cluster.manager),
        ]
        nodes = _nodes(cluster, found)
        labels = {node.id: node.images for node in found.nodes}
        trial = _trial(cluster, nodes)
        lanes = [
            ("ports", partial(_ports, cluster, nodes)),
            ("overlay", partial(trial.run, cluster.settings, _with_esp(cluster, nodes))),
            ("addresses", partial(running.examine, cluster, found, nodes)),
        ]
    try:
        return findings + side_by_side(cluster, [*_lanes(cluster, labels), *lanes])
    except KeyboardInterrupt:
        trial.clean_up()
        versions.clean_up(cluster.manager_host, cluster.id, cluster.gate)
        raise


def _lanes(cluster: Cluster, labels: Labels) -> list[Lane]:
    # sshd allows ten sessions a connection: these are few enough, with those above.
    return [
        ("jupyterhub", partial(asked.compare_versions, cluster)),
        ("image", partial(asked.examine, cluster, labels)),
        ("image", partial(asked.ages, cluster)),
        ("certificate", partial(gate.examine, cluster)),
    ]


def _ports(cluster: Cluster, nodes: Sequence[Peer]) -> list[Finding]:
    answers = at_once([partial(peers.observe, cluster.hosts[node.host], node, nodes) for node in nodes])
    knocks = [knock for answer in answers if not isinstance(answer, BaseException) for knock in answer]
    broken = [
        from_error(peers.CHECK, node.host, answer)
        for node, answer in zip(nodes, answers, strict=True)
        if isinstance(answer, BaseException)
    ]
    return broken + peers.judge(nodes, knocks)


def _nodes(cluster: Cluster, found: Swarm) -> list[Peer]:
    """Return the hosts that are ready in the manager's own swarm."""
    ready = {node.id: node for node in found.nodes if node.state == "ready"}
    return [
        Peer(host, one.address, ready[one.node].role == "manager", ready[one.node].availability == "active")
        for host, one in cluster.seen.items()
        if one.node in ready
    ]


def _trial(cluster: Cluster, nodes: Sequence[Peer]) -> OverlayTrial:
    taking_part = {}
    for node in nodes:
        seen = cluster.seen[node.host]
        if node.is_active and seen.version and seen.probe and seen.probe.has_bash:
            architecture = str(seen.version.get("Arch", "amd64"))
            taking_part[node.host] = Participant(cluster.hosts[node.host], seen.node, seen.probe.folders, architecture)
    return OverlayTrial(cluster.manager_host, cluster.id, taking_part)


def _with_esp(cluster: Cluster, nodes: Sequence[Peer]) -> bool:
    """Tell whether to encrypt the trial's network: a kernel that cannot is said already."""
    probes = [cluster.seen[node.host].probe for node in nodes]
    can = all(probe is not None and probe.kernel.get("ESP") != "no" for probe in probes)
    return "ESP" in kernel.needed(cluster.settings) and can
