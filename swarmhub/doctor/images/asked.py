"""What the nodes, the registries and the images themselves say of the images."""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from functools import partial

from swarmhub.doctor.finding import Finding, from_error, warning
from swarmhub.doctor.hosts import disk
from swarmhub.doctor.images import age, moved, notebook, versions
from swarmhub.doctor.lanes import Cluster
from swarmhub.errors import SettingsError
from swarmhub.images import platforms, pull
from swarmhub.images.hub import age as image_age
from swarmhub.images.hub import build
from swarmhub.images.platforms import Misfit
from swarmhub.images.pull import Held, Holding
from swarmhub.parallel import at_once

# What the labels of the nodes say that they hold, by the nodes' ids.
Labels = Mapping[str, frozenset[str]]


def examine(cluster: Cluster, labels: Labels) -> list[Finding]:
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


def ages(cluster: Cluster) -> list[Finding]:
    """Look at the age of what is installed in the images that are built."""
    head, now = cluster.manager_host, datetime.now(UTC)
    try:
        tags, on = [image.tag for image in build.wanted(cluster.settings)], build.base(cluster.settings)
    except SettingsError:
        return []  # said among the settings
    found = {tag: image_age.observe(head, tag) for tag in tags}
    return [age.judge(tag, on, installed, now, cluster.manager) for tag, installed in found.items() if installed]


def compare_versions(cluster: Cluster) -> list[Finding]:
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
