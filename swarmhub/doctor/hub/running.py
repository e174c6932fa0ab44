"""What hangs on the services that run."""

from collections.abc import Sequence
from functools import partial

from hub.shared.people import userlist
from swarmhub.cluster.nodes import Swarm
from swarmhub.doctor import local
from swarmhub.doctor.finding import Finding
from swarmhub.doctor.hub import firewall as firewall_there
from swarmhub.doctor.hub import others, servers
from swarmhub.doctor.lanes import Cluster, one_by_one
from swarmhub.doctor.network import addresses, overlap, vxlan
from swarmhub.doctor.network.peers import Peer
from swarmhub.engine.swarm.replicated import LABEL
from swarmhub.errors import SettingsError
from swarmhub.firewall import firewall
from swarmhub.notebooks import homes
from swarmhub.services.addresses import observe as observe_addresses
from swarmhub.services.hub import service as hub_service
from swarmhub.settings import secrets as secrets_file


def examine(cluster: Cluster, found: Swarm, nodes: Sequence[Peer]) -> list[Finding]:
    """Check what hangs on the services that run."""
    settings, head, manager = cluster.settings, cluster.manager_host, cluster.manager

    def room() -> list[Finding]:
        try:
            users, _ = userlist.parse(settings.hub.userlist.read_text(), settings.access.provider)
        except (OSError, UnicodeDecodeError):
            return []  # said among the settings
        use = observe_addresses(head, settings, settings.hub.service)
        return [addresses.judge(use, len(users.allowed), len(found.nodes), settings, manager)]

    def secrets() -> list[Finding]:
        there = hub_service.observe(head, settings.hub.service)
        if there.service is None:
            return []
        try:
            wanted = hub_service.secret_names(settings, secrets_file.load(settings, cluster.file), found.cluster)
        except SettingsError:
            return []  # said among the secrets
        return [local.deployed(frozenset(wanted.values()), frozenset(there.secrets), manager)]

    def overlaps() -> list[Finding]:
        return overlap.judge(overlap.observe(head, settings), cluster.seen, settings, manager)

    def people() -> list[Finding]:
        return servers.judge(settings, head.engine.get("/nodes"), homes.places(head, settings.hub.service), manager)

    of_network = (("addresses", room), ("addresses", overlaps), (vxlan.CHECK, partial(_left, cluster, found)))
    of_servers = (
        (others.CHECK, partial(_names, cluster)),
        (servers.CHECK, people),
        (firewall_there.CHECK, partial(_firewall, cluster, nodes)),
    )
    return one_by_one(cluster, *of_network, ("secrets", secrets), *of_servers)


def _left(cluster: Cluster, found: Swarm) -> list[Finding]:
    """Look for VXLAN devices that engines have left."""
    return vxlan.judge(*vxlan.observe(cluster.manager_host), cluster.seen, found.data_port)


def _names(cluster: Cluster) -> list[Finding]:
    """Compare the hub's name with those of other hubs on the swarm."""
    hub = cluster.settings.hub.service
    listed = cluster.manager_host.engine.get("/services", filters={"label": [LABEL]})
    is_there = any(one["Spec"]["Name"] == hub for one in listed)
    return others.judge(hub, hub_service.too_near(listed, hub), cluster.manager, is_there)


def _firewall(cluster: Cluster, nodes: Sequence[Peer]) -> list[Finding]:
    """Look at the rules, where there is a hub whose notebooks they are for."""
    hub, head = cluster.settings.hub.service, cluster.manager_host
    if not cluster.settings.firewall.enabled or head.engine.find(f"/services/{hub}") is None:
        return []
    if firewall.observe(head, hub).service is None:
        return [firewall_there.missing(cluster.manager)]
    return firewall_there.examine([cluster.hosts[node.host] for node in nodes if node.is_active], hub)
