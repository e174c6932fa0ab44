"""What stands between people's browsers and the hub, and what the hub itself cannot do without."""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial

from swarmhub.certificate import certs
from swarmhub.doctor.finding import Finding, from_error
from swarmhub.doctor.hub import backups, certificate, database
from swarmhub.doctor.images import versions
from swarmhub.doctor.lanes import Cluster, one_by_one
from swarmhub.doctor.network import dns, published
from swarmhub.doctor.probe import Probe
from swarmhub.errors import SettingsError, StepError
from swarmhub.images.hub import build
from swarmhub.parallel import at_once
from swarmhub.services import renewal
from swarmhub.services.hub import service as hub_service
from swarmhub.services.schedule import state
from swarmhub.settings import handed
from swarmhub.settings import secrets as secrets_file


def examine(cluster: Cluster) -> list[Finding]:
    """Check what stands between people's browsers and the hub."""
    settings, head, manager = cluster.settings, cluster.manager_host, cluster.manager
    own = {host: _own_addresses(one.probe) for host, one in cluster.seen.items() if one.probe}

    def judged() -> list[Finding]:
        found, renewed = certs.observe(head, settings), renewal.observe(head, settings) if renewal.is_wanted(settings) else None
        return certificate.judge(found, settings, manager, datetime.now(UTC), renewed)

    return one_by_one(
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
    return backups.judge(state.judge(nodes, backup.every, backup.begins, now), now, cluster.manager)


def _broken(host: str, error: BaseException) -> StepError:
    found = from_error(backups.CHECK, host, error)
    return StepError(host, found.text, found.remedy)


def _own_addresses(probe: Probe) -> list[str]:
    """Return a host's addresses without those of Docker's bridges, which are the same on every host."""
    return [one.address for one in probe.addresses if not one.device.startswith(("docker", "br-", "veth"))]
