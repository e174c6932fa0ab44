"""What a deployment has left on the cluster: found by label, by the names in hosts.toml, and by the tags that are ours."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from hub.shared import services as beside
from swarmhub.certificate import certbot, certs
from swarmhub.cluster import removal
from swarmhub.cluster.nodes import IMAGE
from swarmhub.engine import as_root
from swarmhub.engine.containers import SERVICE_LABEL
from swarmhub.engine.removal import Thing
from swarmhub.engine.swarm import configs, specs
from swarmhub.engine.swarm.configs import StoredFile
from swarmhub.engine.swarm.replicated import LABEL as SERVICE
from swarmhub.history import entries, releases
from swarmhub.history.lock import LABEL as LOCK
from swarmhub.host import Host, Json
from swarmhub.images.pull import LABEL, digest_of, is_kept, same_names, short, spellings, split
from swarmhub.notebooks import homes
from swarmhub.notebooks.servers import LABEL as NOTEBOOKS
from swarmhub.services import network, renewal
from swarmhub.services.hub.service import images_of
from swarmhub.settings import Settings, handed

PREFIX = "swarmhub."
# Their values are the hub's service.
OF_HUB = (SERVICE, NOTEBOOKS, homes.LABEL, releases.LABEL, entries.LABEL)
UNTAGGED = "<none>:<none>"
SERVICE_ID = "com.docker.swarm.service.id"


@dataclass(frozen=True)
class Others:
    """What stays: the services that are not ours, by id, and of other hubs their names, and what they need of the nodes.

    `images` are those that other hubs' servers run, by short digests, `environments` the variables of their services.
    `used` are the images of all services that stay, by short digests, and by tags where a service names no digest.
    """

    services: frozenset[str] = frozenset()
    hubs: frozenset[str] = frozenset()
    images: frozenset[str] = frozenset()
    used: frozenset[str] = frozenset()
    environments: tuple[Mapping[str, str], ...] = ()

    def serve(self, domain: str) -> bool:
        """Tell whether another hub serves the certificate of a domain."""
        folders = (f"{certbot.FOLDER}/live/{domain}/", f"{certs.own_folder(domain)}/")
        return any(one.get("SSL_CERT", "").startswith(folders) for one in self.environments)


@dataclass(frozen=True)
class OnCluster:
    """What the swarm keeps; `homes` are the records of where people's are.

    `shared` are our networks that others' services are on, and the names of those; `named` are the notebook images of the
    releases, which hosts.toml may name no more.
    """

    services: tuple[Thing, ...]
    secrets: tuple[Thing, ...]
    configs: tuple[Thing, ...]
    homes: tuple[Thing, ...]
    networks: tuple[Thing, ...]
    shared: Mapping[str, tuple[str, ...]]
    labels: Mapping[str, tuple[str, ...]]
    others: Others
    named: frozenset[str] = frozenset()


@dataclass(frozen=True)
class OnNode:
    """What a node keeps. `in_use` are images that others' containers use; `temporary` are volumes without anything to keep.

    `ended` are the containers of our services' tasks that have ended: Swarm lets go of them in its own time.
    `by_hand` are the homes that somebody else has made: they have no label, and a teardown does not remove them.
    """

    containers: tuple[Thing, ...]
    ended: tuple[Thing, ...]
    images: tuple[Thing, ...]
    in_use: tuple[str, ...]
    temporary: tuple[Thing, ...]
    volumes: tuple[Thing, ...]
    homes: tuple[Thing, ...]
    certificate: tuple[str, ...]
    by_hand: tuple[str, ...] = ()


def observe_cluster(manager: Host, settings: Settings) -> OnCluster:
    """Ask a manager for what the swarm keeps of ours."""
    engine, hub = manager.engine, settings.hub.service
    services, stored = engine.get("/services"), engine.get("/configs")
    files = configs.read_files(stored)
    ours = [one for one in services if is_ours(one["Spec"].get("Labels"), hub)]
    strangers = [one for one in services if one not in ours]
    others = _others(strangers, files)
    records = _records(stored, "configs", hub, others)
    listed = engine.get("/networks", filters={"name": [settings.network.name, beside.transfer(hub)]})
    ours_by_name = {settings.network.name, network.of_proxy(settings)["Name"], beside.transfer(hub)}
    networks = [one for one in listed if one["Name"] in ours_by_name]
    users = {
        one["Id"]: tuple(each["Spec"]["Name"] for each in strangers if one["Id"] in network.targets(each)) for one in networks
    }
    return OnCluster(
        services=tuple(Thing(one["Spec"]["Name"], f"/services/{one['ID']}") for one in ours),
        secrets=tuple(one for one, _ in _records(engine.get("/secrets"), "secrets", hub, others)),
        configs=tuple(one for one, labels in records if homes.LABEL not in labels),
        homes=tuple(one for one, labels in records if homes.LABEL in labels),
        networks=tuple(Thing(f"network {one['Name']}", f"/networks/{one['Id']}") for one in networks if not users[one["Id"]]),
        shared={one["Name"]: users[one["Id"]] for one in networks if users[one["Id"]]},
        labels={
            node["ID"]: names
            for node in engine.get("/nodes")
            if (names := tuple(name for name in node["Spec"].get("Labels") or {} if _is_our_node_label(name, others)))
        },
        others=others,
        named=frozenset(
            image for one in releases.of_every_hub(stored) if one.service == hub for image in handed.images_of(one.settings)
        ),
    )


def _others(strangers: Sequence[Json], files: Mapping[str, StoredFile]) -> Others:
    of_hubs = [one["Spec"] for one in strangers if SERVICE in (one["Spec"].get("Labels") or {})]
    run = [str((one["Spec"]["TaskTemplate"].get("ContainerSpec") or {}).get("Image", "")) for one in strangers]
    return Others(
        services=frozenset(one["ID"] for one in strangers),
        hubs=frozenset(spec["Labels"][SERVICE] for spec in of_hubs),
        images=frozenset(image for spec in of_hubs for image in images_of(configs.filled(spec, files))),
        used=frozenset(
            used for image in run if image for used in ([short(digest_of(image))] if "@" in image else spellings(image))
        ),
        environments=tuple(specs.environment(spec["TaskTemplate"]["ContainerSpec"]) for spec in of_hubs),
    )


def _is_our_node_label(name: str, others: Others) -> bool:
    """Tell whether a node's label goes; but for those of images, which other hubs may not need, all hubs go by them."""
    if name.startswith(IMAGE):
        return name.removeprefix(IMAGE) not in others.images
    return name.startswith(PREFIX) and not others.hubs


def _records(listed: Sequence[Json], kind: str, hub: str, others: Others) -> list[tuple[Thing, Mapping[str, str]]]:
    """Return what is ours of a kind, by name, each with its labels."""
    is_alone = not others.hubs
    ours = [one for one in listed if is_ours(one["Spec"].get("Labels"), hub, is_alone=is_alone)]
    found = [(Thing(one["Spec"]["Name"], f"/{kind}/{one['ID']}"), one["Spec"]["Labels"]) for one in ours]
    return sorted(found, key=lambda one: one[0].name)


def is_ours(labels: Mapping[str, str] | None, hub: str, *, is_alone: bool = True) -> bool:
    """Tell by its labels whether something is this hub's; the lock is the run's own, and another hub's things are its own.

    What an older swarmhub has written does not always say whose it is: it goes with the last hub.
    """
    ours = {name: value for name, value in (labels or {}).items() if name.startswith(PREFIX)}
    known = {hub, *([entries.OF_ANY] if is_alone else [])}
    return bool(ours) and LOCK not in ours and {ours[label] for label in OF_HUB if label in ours} <= known


def observe_node(host: Host, settings: Settings, cluster: OnCluster) -> OnNode:
    """Ask a node for what it keeps of ours."""
    others, notebooks = cluster.others, {*settings.images, *cluster.named}
    containers = host.engine.get("/containers/json", all=True)
    foreign = {one["ImageID"] for one in containers if _is_foreign(one, others.services)}
    certificate = _certificate(host, settings, others)
    has_had_hub = host.name in settings.hosts.managers or bool(certificate)
    images = [
        (one, name, one["Id"] in foreign or _is_of(one, others.images | others.used))
        for one in host.engine.get("/images/json")
        for name in _references(one, settings, notebooks if others.hubs or not has_had_hub else notebooks | _of_hub(settings))
    ]
    listed = host.engine.get("/volumes").get("Volumes") or []
    ours = [one for one in listed if removal.is_ours(one, settings)]
    volumes = sorted((one for one in ours if not homes.is_one(one)), key=lambda one: str(one["Name"]))
    temporary = beside.temporary(settings.hub.service)
    return OnNode(
        containers=tuple(_container(one, "container ") for one in containers if _is_our_tool(one.get("Labels") or {})),
        ended=tuple(_container(one) for one in containers if _has_ended(one, settings, others)),
        images=tuple(
            Thing(f"image {named(name)}", f"/images/{name}", one["Size"])
            for one, name, is_used in images
            if not is_used or _is_one_of_more_names(one, name, settings)
        ),
        in_use=tuple(
            named(name) for one, name, is_used in images if is_used and not _is_one_of_more_names(one, name, settings)
        ),
        temporary=tuple(_volume(one) for one in volumes if one["Name"] in temporary),
        volumes=tuple(_volume(one) for one in volumes if one["Name"] not in temporary),
        homes=tuple(Thing(one["Name"], f"/volumes/{one['Name']}") for one in ours if homes.is_one(one)),
        certificate=certificate,
        by_hand=_by_hand(listed, settings),
    )


def _by_hand(volumes: Sequence[Json], settings: Settings) -> tuple[str, ...]:
    template = settings.home.template
    return tuple(one["Name"] for one in volumes if not homes.is_one(one) and homes.owner(one, template) is not None)


def _volume(volume: Json) -> Thing:
    return Thing(f"volume {volume['Name']}", f"/volumes/{volume['Name']}")


def _container(container: Json, kind: str = "") -> Thing:
    return Thing(f"{kind}{container['Names'][0].lstrip('/')}", f"/containers/{container['Id']}")


def _is_foreign(container: Json, strangers: frozenset[str]) -> bool:
    """Tell whether a container stays: no service's and no tool of ours, or that of a service that is not ours."""
    labels = container.get("Labels") or {}
    return labels[SERVICE_ID] in strangers if SERVICE_ID in labels else not _is_our_tool(labels)


def _has_ended(container: Json, settings: Settings, others: Others) -> bool:
    """Tell whether a container is left of an ended task of this hub, whose service may be gone."""
    labels, hub = container.get("Labels") or {}, settings.hub.service
    service = labels.get(SERVICE_LABEL, "")
    is_ours = service in beside.names(hub) or service.startswith(f"{hub}-")
    return is_ours and labels[SERVICE_ID] not in others.services and container["State"] != "running"


def _is_our_tool(labels: Mapping[str, str]) -> bool:
    return SERVICE_ID not in labels and any(name == "swarmhub" or name.startswith(PREFIX) for name in labels)


def _is_of(image: Json, theirs: Collection[str]) -> bool:
    """Tell whether an image is one of those that others need, by its id, its digests or its tags."""
    digests = [digest.partition("@")[2] for digest in image.get("RepoDigests") or []]
    names = tags(image)
    return any(one in theirs for one in (*map(short, (image["Id"], *digests, *filter(is_kept, names))), *names))


def _is_one_of_more_names(image: Json, name: str, settings: Settings) -> bool:
    """Tell whether a name that we have built can go though the image is used: two hubs may have built the same one."""
    others = [tag for tag in image.get("RepoTags") or [] if not built(settings).fullmatch(tag)]
    return bool(others) and bool(built(settings).fullmatch(name))


def tags(image: Json) -> list[str]:
    """Return the tags of an image, as an engine lists it."""
    return [tag for tag in image.get("RepoTags") or [] if tag != UNTAGGED]


def built(settings: Settings) -> re.Pattern[str]:
    """Return what fits the tags of the images that this hub builds and loads."""
    name = re.escape(settings.hub.service)
    return re.compile(rf"{name}(?:-proxy|-packages|_firewall|_transfer|_restic|-notebook(?:-[a-z0-9-]+)?)?:[0-9a-f]{{12}}")


def _of_hub(settings: Settings) -> set[str]:
    """Return the images that a manager has for the hub, which all hubs may share."""
    return {settings.certs.certbot, settings.hub.base_image}


def _references(image: Json, settings: Settings, named: Collection[str]) -> list[str]:
    """Return what of an image is ours to remove: the tags that we set or that are `named`, or the id of one without a tag."""
    if names := tags(image):
        ours = {spelling for name in named for spelling in spellings(name)}
        return [tag for tag in names if tag in ours or built(settings).fullmatch(tag) or is_kept(tag)]
    is_built = LABEL in (image.get("Labels") or {})
    repositories = {spelling for name in named for spelling in same_names(split(name)[0])}
    is_untagged = any(digest.partition("@")[0] in repositories for digest in image.get("RepoDigests") or [])
    return [image["Id"]] if is_built or is_untagged else []


def _certificate(host: Host, settings: Settings, others: Others) -> tuple[str, ...]:
    """Return the paths that hold certificates: certbot's whole folder, unless it holds others' too.

    A manager that the hub has left may be a worker now, and has them still; on another worker, the folder is somebody else's.
    """
    domain = settings.hub.domain
    if others.serve(domain):
        return ()
    renewals, own = (as_root.run(host, "ls", folder).out.split() for folder in (f"{certbot.FOLDER}/renewal", certs.OWN))
    if host.name not in settings.hosts.managers and f"{domain}.conf" not in renewals and domain not in own:
        return ()
    if {*renewals} - {f"{domain}.conf"} or {*own} - {domain}:
        paths = (f"live/{domain}", f"archive/{domain}", f"renewal/{domain}.conf")
        of_certbot = [*(f"{certbot.FOLDER}/{path}" for path in paths), renewal.state(settings)]
        return (*(of_certbot if f"{domain}.conf" in renewals else ()), *([certs.own_folder(domain)] if domain in own else ()))
    return (certbot.FOLDER,) if not host.run("test", "-d", certbot.FOLDER).code else ()


def named(reference: str) -> str:
    """Return an image's tag, or the beginning of its id, as people read it."""
    return reference.removeprefix("sha256:")[:12] if reference.startswith("sha256:") else reference
