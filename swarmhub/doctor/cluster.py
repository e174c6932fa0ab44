"""What only a manager knows, and what takes several hosts: asked side by side."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from secrets import token_hex

from hub.shared.people import userlist
from swarmhub.certificate import certs
from swarmhub.cluster.nodes import Swarm
from swarmhub.doctor import local
from swarmhub.doctor.finding import Finding, from_error, warning
from swarmhub.doctor.hosts import disk, kernel, swarm, versions
from swarmhub.doctor.hosts.access import HostAnswers
from swarmhub.doctor.hub import age, backups, certificate, database, moved, notebook, others, servers
from swarmhub.doctor.hub import firewall as firewall_there
from swarmhub.doctor.network import addresses, dns, overlap, peers, published
from swarmhub.doctor.network.overlay import OverlayTrial, Participant
from swarmhub.doctor.network.peers import Peer
from swarmhub.doctor.probe import Probe
from swarmhub.engine.replicated import LABEL
from swarmhub.errors import SettingsError, StepError
from swarmhub.firewall import firewall
from swarmhub.host import Host
from swarmhub.images import age as image_age
from swarmhub.images import build, platforms, pull
from swarmhub.images.platforms import Misfit
from swarmhub.images.pull import Held, Holding
from swarmhub.notebooks import homes
from swarmhub.parallel import at_once
from swarmhub.services import hub as hub_service
from swarmhub.services import renewal
from swarmhub.services.addresses import observe as observe_addresses
from swarmhub.services.schedule import state
from swarmhub.settings import Settings, handed
from swarmhub.settings import secrets as secrets_file

Lane = tuple[str, Callable[[], list[Finding]]]
# What the labels of the nodes say that they hold, by the nodes' ids.
Labels = Mapping[str, frozenset[str]]


@dataclass(frozen=True)
class Cluster:
    """What is examined: the settings, the hosts, and what each of them said of itself."""

    settings: Settings
    file: Path
    hosts: Mapping[str, Host]
    manager: str
    seen: Mapping[str, HostAnswers]
    id: str = field(default_factory=lambda: token_hex(3))
    gate: versions.Gate = field(default_factory=versions.Gate)

    @property
    def manager_host(self) -> Host:
        """Return the manager to ask."""
        return self.hosts[self.manager]


def examine(cluster: Cluster) -> list[Finding]:
    """Return what was found; without the manager's engine, only what the nodes hold."""
    if cluster.seen[cluster.manager].info is None:
        text = "not checked without this manager's engine: the swarm, the ports, the overlay, the domain, the certificate"
        missing = warning("swarm", cluster.manager, text, "Mend it first, or name another manager: fab -H MANAGER doctor")
        return [missing, *_side_by_side(cluster, [("image", partial(_images, cluster, {}))])]
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
            ("addresses", partial(_services, cluster, found, nodes)),
        ]
    try:
        return findings + _side_by_side(cluster, [*_lanes(cluster, labels), *lanes])
    except KeyboardInterrupt:
        trial.clean_up()
        versions.clean_up(cluster.manager_host, cluster.id, cluster.gate)
        raise


def _lanes(cluster: Cluster, labels: Labels) -> list[Lane]:
    # sshd allows ten sessions a connection: these are few enough, with those above.
    return [
        ("jupyterhub", partial(_versions, cluster)),
        ("image", partial(_images, cluster, labels)),
        ("image", partial(_ages, cluster)),
        ("certificate", partial(_gate, cluster)),
    ]


def _side_by_side(cluster: Cluster, lanes: Sequence[Lane]) -> list[Finding]:
    answers = at_once([work for _, work in lanes])
    findings: list[Finding] = []
    for (check, _), answer in zip(lanes, answers, strict=True):
        findings += [from_error(check, cluster.manager, answer)] if isinstance(answer, BaseException) else answer
    return findings


def _one_by_one(cluster: Cluster, *lanes: Lane) -> list[Finding]:
    findings: list[Finding] = []
    for check, work in lanes:
        try:
            findings += work()
        except Exception as error:
            findings.append(from_error(check, cluster.manager, error))
    return findings


def _gate(cluster: Cluster) -> list[Finding]:
    """Check what stands between people's browsers and the hub."""
    settings, head, manager = cluster.settings, cluster.manager_host, cluster.manager
    own = {host: _own_addresses(one.probe) for host, one in cluster.seen.items() if one.probe}

    def judged() -> list[Finding]:
        found, renewed = certs.observe(head, settings), renewal.observe(head, settings) if renewal.is_wanted(settings) else None
        return certificate.judge(found, settings, manager, datetime.now(UTC), renewed)

    return _one_by_one(
        cluster,
        ("published", lambda: published.judge(published.observe(head, settings), settings, manager)),
        ("dns", lambda: dns.examine(head, settings, own, manager)),
        ("certificate", judged),
        (database.CHECK, partial(_database, cluster)),
        (backups.CHECK, partial(_backups, cluster)),
    )


def _database(cluster: Cluster) -> list[Finding]:
    """Open the hub's database, where it is on a PostgreSQL server, from the manager as the hub does."""
    settings, head = cluster.settings, cluster.manager_host
    if not settings.database.secret:
        return []
    try:
        url = secrets_file.of_database(settings.database.secret, settings, cluster.file)
    except SettingsError:
        return []  # said among the secrets
    image = _with_driver(cluster)
    if not image:
        return [database.missing(url, cluster.manager)]
    wrong = database.observe(head, image, url, {versions.LABEL: cluster.id})
    return [database.judge(wrong, url, cluster.manager)]


def _with_driver(cluster: Cluster) -> str:
    """Return the hub's image that would be deployed, or else the one that is and works with PostgreSQL; or nothing."""
    engine, hub = cluster.manager_host.engine, hub_service.observe(cluster.manager_host, cluster.settings.hub.service).service
    try:
        tags = [build.desired(cluster.settings).tag]
    except SettingsError:
        tags = []  # said among the settings
    if hub and handed.database(hub_service.settings_of(hub["Spec"])):
        tags.append(hub["Spec"]["TaskTemplate"]["ContainerSpec"]["Image"])
    return next((tag for tag in tags if engine.find(f"/images/{tag}/json")), "")


def _backups(cluster: Cluster) -> list[Finding]:
    """Ask the nodes how the backups stand that the cluster makes; none are asked for before there is a hub to save."""
    settings, backup, now = cluster.settings, cluster.settings.backup, datetime.now(UTC)
    if backup.every is None or cluster.manager_host.engine.find(f"/services/{settings.hub.service}") is None:
        return []
    asked = [host for host, one in cluster.seen.items() if one.info]
    answers = at_once([partial(state.observe, cluster.hosts[host], settings.hub.service) for host in asked])
    told = dict(zip(asked, answers, strict=True))
    nodes = {host: one if isinstance(one, Mapping | StepError) else _broken(host, one) for host, one in told.items()}
    return backups.judge(state.judge(nodes, backup.every, backup.at or 0, now), now, cluster.manager)


def _broken(host: str, error: BaseException) -> StepError:
    found = from_error(backups.CHECK, host, error)
    return StepError(host, found.text, found.remedy)


def _own_addresses(probe: Probe) -> list[str]:
    """Return a host's addresses without those of Docker's bridges, which are the same on every host."""
    return [one.address for one in probe.addresses if not one.device.startswith(("docker", "br-", "veth"))]


def _services(cluster: Cluster, found: Swarm, nodes: Sequence[Peer]) -> list[Finding]:
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

    of_network = (("addresses", room), ("addresses", overlaps))
    of_servers = (
        (others.CHECK, partial(_names, cluster)),
        (servers.CHECK, people),
        (firewall_there.CHECK, partial(_firewall, cluster, nodes)),
    )
    return _one_by_one(cluster, *of_network, ("secrets", secrets), *of_servers)


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


def _ports(cluster: Cluster, nodes: Sequence[Peer]) -> list[Finding]:
    answers = at_once([partial(peers.observe, cluster.hosts[node.host], node, nodes) for node in nodes])
    knocks = [knock for answer in answers if not isinstance(answer, BaseException) for knock in answer]
    broken = [
        from_error(peers.CHECK, node.host, answer)
        for node, answer in zip(nodes, answers, strict=True)
        if isinstance(answer, BaseException)
    ]
    return broken + peers.judge(nodes, knocks)


def _images(cluster: Cluster, labels: Labels) -> list[Finding]:
    """Compare the notebook images of all nodes, and the disk that they will need."""
    wanted = cluster.settings.images
    asked = [host for host, one in cluster.seen.items() if one.info]
    answers = at_once([partial(pull.observe_all, cluster.hosts[host], wanted) for host in asked])
    seen = dict(zip(asked, answers, strict=True))
    findings = [from_error("image", host, one) for host, one in seen.items() if isinstance(one, BaseException)]
    held = {host: one for host, one in seen.items() if not isinstance(one, BaseException)}
    free = {host: one.probe.free for host, one in cluster.seen.items() if one.probe}
    findings += disk.judge(free, notebook.coming(free, held))
    known = {host: labels[one.node] for host, one in cluster.seen.items() if one.node in labels}
    unfit = _unfit(cluster, held)
    findings += [warning("image", one.host, one.cause, platforms.REMEDY) for one in unfit]
    apart = {(one.host, one.image) for one in unfit}
    there = {image: {host: one[image] for host, one in held.items() if (host, image) not in apart} for image in wanted}
    judged = [notebook.judge(image, one, known, cluster.manager) for image, one in there.items() if one]
    findings += [finding for of_one in judged for finding in of_one]
    findings += _moved(cluster, held)
    return findings + notebook.losses(cluster.settings, pull.declarations(held.values()), cluster.manager)


def _unfit(cluster: Cluster, held: Mapping[str, Holding]) -> list[Misfit]:
    """Return which nodes cannot run which images: by the registry, and by what nodes hold where that does not say."""
    machines = {host: str((cluster.seen[host].info or {}).get("Architecture", "")) for host in held}

    def offered(image: str, there: Mapping[str, Held | None]) -> Collection[str]:
        found = platforms.offered(cluster.manager_host, image)
        return found or {one.architecture for one in there.values() if one and one.architecture}

    return platforms.misfits(held, machines, offered)


def _moved(cluster: Cluster, held: Mapping[str, Holding]) -> list[Finding]:
    """Ask the registries for the images' tags; one that does not answer is no fault of the hub's."""
    wanted = moved.pulled(cluster.settings.images, held)
    answers = at_once([partial(cluster.manager_host.engine.registry_digest, image) for image in wanted])
    named = zip(wanted.items(), answers, strict=True)
    return [moved.judge(image, one, now, cluster.manager) for (image, one), now in named if isinstance(now, str)]


def _ages(cluster: Cluster) -> list[Finding]:
    """Look at the age of what is installed in the images that are built."""
    head, now = cluster.manager_host, datetime.now(UTC)
    try:
        tags, on = [image.tag for image in build.wanted(cluster.settings)], build.base(cluster.settings)
    except SettingsError:
        return []  # said among the settings
    found = {tag: image_age.observe(head, tag) for tag in tags}
    return [age.judge(tag, on, installed, now, cluster.manager) for tag, installed in found.items() if installed]


def _versions(cluster: Cluster) -> list[Finding]:
    """Compare the hub's version with those in the notebook images, which are asked in turn: each takes a container."""
    head, wanted = cluster.manager_host, cluster.settings.images

    def of_notebooks() -> list[str | None]:
        return [versions.observe(head, image, cluster.id, cluster.gate) for image in wanted]

    asked = at_once([lambda: [_hub_version(cluster)], of_notebooks])
    broken = [from_error(versions.CHECK, cluster.manager, one) for one in asked if isinstance(one, BaseException)]
    if broken:
        return broken
    hub, *inside = (version for one in asked if not isinstance(one, BaseException) for version in one)
    return versions.judge(hub, dict(zip(wanted, inside, strict=True)), cluster.manager)


def _hub_version(cluster: Cluster) -> str | None:
    """Ask the image that would be deployed, or else the one that is."""
    try:
        tag = build.desired(cluster.settings).tag
    except SettingsError:
        tag = ""  # said among the settings
    version = versions.observe(cluster.manager_host, tag, cluster.id, cluster.gate) if tag else None
    if version is None:
        running = cluster.manager_host.engine.find(f"/services/{cluster.settings.hub.service}")
        image = running["Spec"]["TaskTemplate"]["ContainerSpec"]["Image"] if running else ""
        version = versions.observe(cluster.manager_host, image, cluster.id, cluster.gate) if image else None
    return version


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
