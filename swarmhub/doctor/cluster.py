"""What only a manager knows, and what takes several hosts: asked side by side."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from secrets import token_hex

from hub import userlist
from swarmhub import certs, hub_image, images, service
from swarmhub import secrets as secrets_file
from swarmhub.doctor import addresses, certificate, disk, dns, kernel, local, notebook, peers, published, swarm, versions
from swarmhub.doctor.finding import Finding, from_error, warning
from swarmhub.doctor.hosts import Seen
from swarmhub.doctor.overlay import Participant, Trial
from swarmhub.doctor.peers import Node
from swarmhub.doctor.probe import Probe
from swarmhub.errors import SettingsError
from swarmhub.host import Host
from swarmhub.images import Held
from swarmhub.nodes import Swarm
from swarmhub.parallel import at_once
from swarmhub.settings import Settings

Lane = tuple[str, Callable[[], list[Finding]]]


@dataclass(frozen=True)
class Patient:
    """What is examined: the settings, the hosts, and what each of them said of itself."""

    settings: Settings
    file: Path
    hosts: Mapping[str, Host]
    manager: str
    seen: Mapping[str, Seen]
    id: str = field(default_factory=lambda: token_hex(3))

    @property
    def head(self) -> Host:
        """Return the manager to ask."""
        return self.hosts[self.manager]


def examine(patient: Patient) -> list[Finding]:
    """Return what was found; without the manager's engine, only what the nodes hold."""
    if patient.seen[patient.manager].info is None:
        text = "not checked without this manager's engine: the swarm, the ports, the overlay, the domain, the certificate"
        missing = warning("swarm", patient.manager, text, "Mend it first, or name another manager: fab -H MANAGER doctor")
        return [missing, *_side_by_side(patient, [("image", partial(_images, patient))])]
    lanes, trial = _lanes(patient), Trial(patient.head, patient.id, {})
    try:
        found, managers = swarm.observe(patient.head, patient.seen[patient.manager])
    except Exception as error:  # whatever is broken there, the rest is checked
        findings = [from_error("swarm", patient.manager, error)]
    else:
        findings = [*swarm.judge(patient.settings, patient.seen, found), swarm.quorum(managers, patient.manager)]
        nodes = _nodes(patient, found)
        trial = _trial(patient, nodes)
        lanes += [
            ("ports", partial(_ports, patient, nodes)),
            ("overlay", partial(trial.run, patient.settings, _with_esp(patient, nodes))),
            ("addresses", partial(_services, patient, found)),
        ]
    try:
        return findings + _side_by_side(patient, lanes)
    except KeyboardInterrupt:
        trial.clean_up()
        versions.clean_up(patient.head, patient.id)
        raise


def _lanes(patient: Patient) -> list[Lane]:
    # sshd allows ten sessions a connection: these are few enough, with those above.
    return [
        ("jupyterhub", partial(_versions, patient)),
        ("image", partial(_images, patient)),
        ("certificate", partial(_gate, patient)),
    ]


def _side_by_side(patient: Patient, lanes: Sequence[Lane]) -> list[Finding]:
    answers = at_once([work for _, work in lanes])
    findings: list[Finding] = []
    for (check, _), answer in zip(lanes, answers, strict=True):
        findings += [from_error(check, patient.manager, answer)] if isinstance(answer, BaseException) else answer
    return findings


def _one_by_one(patient: Patient, *lanes: Lane) -> list[Finding]:
    findings: list[Finding] = []
    for check, work in lanes:
        try:
            findings += work()
        except Exception as error:
            findings.append(from_error(check, patient.manager, error))
    return findings


def _gate(patient: Patient) -> list[Finding]:
    """Check what stands between people's browsers and the hub."""
    settings, head, manager = patient.settings, patient.head, patient.manager
    own = {host: _own_addresses(one.probe) for host, one in patient.seen.items() if one.probe}
    domain = settings.hub.domain

    def judged() -> list[Finding]:
        return certificate.judge(certs.observe(head, domain), settings, manager, datetime.now(UTC))

    return _one_by_one(
        patient,
        ("published", lambda: published.judge(published.observe(head, settings), settings.hub.service, manager)),
        ("dns", lambda: [dns.judge(domain, dns.observe(head, domain), own, manager)]),
        ("certificate", judged),
    )


def _own_addresses(probe: Probe) -> list[str]:
    """Return a host's addresses without those of Docker's bridges, which are the same on every host."""
    return [one.address for one in probe.addresses if not one.device.startswith(("docker", "br-", "veth"))]


def _services(patient: Patient, found: Swarm) -> list[Finding]:
    """Check what hangs on the services that run."""
    settings, head, manager = patient.settings, patient.head, patient.manager

    def room() -> list[Finding]:
        try:
            users, _ = userlist.parse(settings.hub.userlist.read_text())
        except (OSError, UnicodeDecodeError):
            return []  # said among the settings
        use = addresses.observe(head, settings, settings.hub.service)
        return [addresses.judge(use, len(users.allowed), len(found.nodes), settings, manager)]

    def secrets() -> list[Finding]:
        there = service.observe(head, settings.hub.service)
        if there.service is None:
            return []
        try:
            wanted = service.secret_names(settings, secrets_file.load(settings, patient.file), found.cluster)
        except SettingsError:
            return []  # said among the secrets
        return [local.deployed(frozenset(wanted.values()), frozenset(there.secrets), manager)]

    return _one_by_one(patient, ("addresses", room), ("secrets", secrets))


def _ports(patient: Patient, nodes: Sequence[Node]) -> list[Finding]:
    answers = at_once([partial(peers.observe, patient.hosts[node.host], node, nodes) for node in nodes])
    knocks = [knock for answer in answers if not isinstance(answer, BaseException) for knock in answer]
    broken = [
        from_error(peers.CHECK, node.host, answer)
        for node, answer in zip(nodes, answers, strict=True)
        if isinstance(answer, BaseException)
    ]
    return broken + peers.judge(nodes, knocks)


def _images(patient: Patient) -> list[Finding]:
    """Compare the notebook image of all nodes, and the disk that it needs or will need."""
    image = patient.settings.notebook.image
    asked = [host for host, one in patient.seen.items() if one.info]
    answers = at_once([partial(_held, patient.hosts[host], image) for host in asked])
    known = {host: one for host, one in zip(asked, answers, strict=True) if isinstance(one, tuple)}
    broken = [
        from_error("image", host, one) for host, one in zip(asked, answers, strict=True) if isinstance(one, BaseException)
    ]
    held = {host: one for host, (one, _) in known.items()}
    size = max((size for _, size in known.values()), default=0)
    free = {host: one.probe.free for host, one in patient.seen.items() if one.probe}
    holding = frozenset(host for host, one in held.items() if one)
    findings = broken + disk.judge(free, holding, size)
    return findings + (notebook.judge(image, held, patient.manager) if held else [])


def _held(host: Host, image: str) -> tuple[Held | None, int]:
    return images.observe(host, image), notebook.size(host.engine, image)


def _versions(patient: Patient) -> list[Finding]:
    head, image = patient.head, patient.settings.notebook.image
    asked = at_once([partial(_hub_version, patient), partial(versions.observe, head, image, patient.id)])
    broken = [from_error(versions.CHECK, patient.manager, one) for one in asked if isinstance(one, BaseException)]
    hub, inside = (None if isinstance(one, BaseException) else one for one in asked)
    return broken or [versions.judge(hub, inside, image, patient.manager)]


def _hub_version(patient: Patient) -> str | None:
    """Ask the image that would be deployed, or else the one that is."""
    try:
        tag = hub_image.desired(patient.settings).tag
    except SettingsError:
        tag = ""  # said among the settings
    version = versions.observe(patient.head, tag, patient.id) if tag else None
    if version is None:
        running = patient.head.engine.find(f"/services/{patient.settings.hub.service}")
        image = running["Spec"]["TaskTemplate"]["ContainerSpec"]["Image"] if running else ""
        version = versions.observe(patient.head, image, patient.id) if image else None
    return version


def _nodes(patient: Patient, found: Swarm) -> list[Node]:
    """Return the hosts that are ready in the manager's own swarm."""
    ready = {node.id: node for node in found.nodes if node.state == "ready"}
    return [
        Node(host, one.address, ready[one.node].role == "manager", ready[one.node].availability == "active")
        for host, one in patient.seen.items()
        if one.node in ready
    ]


def _trial(patient: Patient, nodes: Sequence[Node]) -> Trial:
    taking_part = {}
    for node in nodes:
        seen = patient.seen[node.host]
        if node.is_active and seen.version and seen.probe and seen.probe.has_bash:
            architecture = str(seen.version.get("Arch", "amd64"))
            taking_part[node.host] = Participant(patient.hosts[node.host], seen.node, seen.probe.folders, architecture)
    return Trial(patient.head, patient.id, taking_part)


def _with_esp(patient: Patient, nodes: Sequence[Node]) -> bool:
    """Tell whether to encrypt the trial's network: a kernel that cannot is said already."""
    probes = [patient.seen[node.host].probe for node in nodes]
    can = all(probe is not None and probe.kernel.get("ESP") != "no" for probe in probes)
    return "ESP" in kernel.needed(patient.settings) and can
