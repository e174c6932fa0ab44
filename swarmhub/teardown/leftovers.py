"""What a deployment has left on the cluster: found by label, by the names in hosts.toml, and by the tags that are ours."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hub.shared import services as beside
from swarmhub.certificate import certbot, certs
from swarmhub.cluster import removal
from swarmhub.cluster.nodes import IMAGE
from swarmhub.engine import configs
from swarmhub.engine.removal import Thing
from swarmhub.engine.replicated import LABEL as SERVICE
from swarmhub.history.lock import LABEL as LOCK
from swarmhub.host import Host, Json
from swarmhub.images import build
from swarmhub.images.pull import split
from swarmhub.notebooks import homes
from swarmhub.notebooks.servers import LABEL as NOTEBOOKS
from swarmhub.services import network
from swarmhub.services.hub import images_of
from swarmhub.settings import Settings

PREFIX = "swarmhub."
SERVICE_ID = "com.docker.swarm.service.id"


@dataclass(frozen=True)
class OnCluster:
    """What the swarm keeps; `homes` are the records of where people's are.

    `strangers` are the ids of the services that are not ours, `shared` our networks that some of those are on, and their names.
    """

    services: tuple[Thing, ...]
    secrets: tuple[Thing, ...]
    configs: tuple[Thing, ...]
    homes: tuple[Thing, ...]
    networks: tuple[Thing, ...]
    shared: Mapping[str, tuple[str, ...]]
    labels: Mapping[str, tuple[str, ...]]
    strangers: frozenset[str]


@dataclass(frozen=True)
class OnNode:
    """What a node keeps. `in_use` are images that others' containers use; `sockets` are volumes without anything to keep."""

    containers: tuple[Thing, ...]
    images: tuple[Thing, ...]
    in_use: tuple[str, ...]
    sockets: tuple[Thing, ...]
    volumes: tuple[Thing, ...]
    homes: tuple[Thing, ...]
    certificate: tuple[str, ...]


def observe_cluster(manager: Host, settings: Settings) -> OnCluster:
    """Ask a manager for what the swarm keeps of ours."""
    engine, hub = manager.engine, settings.hub.service
    services, listed = engine.get("/services"), engine.get("/configs")
    files = configs.read_files(listed)
    ours = [one for one in services if is_ours(one["Spec"].get("Labels"), hub)]
    strangers, records = [one for one in services if one not in ours], _records(listed, "configs", hub)
    others = [one["Spec"] for one in strangers if SERVICE in (one["Spec"].get("Labels") or {})]
    theirs = {IMAGE + image for spec in others for image in images_of(configs.filled(spec, files))}
    named = engine.get("/networks", filters={"name": [settings.network.name]})
    networks = [one for one in named if one["Name"] in {settings.network.name, network.of_proxy(settings)["Name"]}]
    users = {
        one["Id"]: tuple(each["Spec"]["Name"] for each in strangers if one["Id"] in network.targets(each)) for one in networks
    }
    return OnCluster(
        services=tuple(Thing(one["Spec"]["Name"], f"/services/{one['ID']}") for one in ours),
        secrets=tuple(one for one, _ in _records(engine.get("/secrets"), "secrets", hub)),
        configs=tuple(one for one, labels in records if homes.LABEL not in labels),
        homes=tuple(one for one, labels in records if homes.LABEL in labels),
        networks=tuple(Thing(f"network {one['Name']}", f"/networks/{one['Id']}") for one in networks if not users[one["Id"]]),
        shared={one["Name"]: users[one["Id"]] for one in networks if users[one["Id"]]},
        labels={
            node["ID"]: names
            for node in engine.get("/nodes")
            if (
                names := tuple(
                    name for name in node["Spec"].get("Labels") or {} if name.startswith(PREFIX) and name not in theirs
                )
            )
        },
        strangers=frozenset(one["ID"] for one in strangers),
    )


def _records(listed: Sequence[Json], kind: str, hub: str) -> list[tuple[Thing, Mapping[str, str]]]:
    """Return what is ours of a kind, by name, each with its labels."""
    ours = [one for one in listed if is_ours(one["Spec"].get("Labels"), hub)]
    found = [(Thing(one["Spec"]["Name"], f"/{kind}/{one['ID']}"), one["Spec"]["Labels"]) for one in ours]
    return sorted(found, key=lambda one: one[0].name)


def is_ours(labels: Mapping[str, str] | None, hub: str) -> bool:
    """Tell by its labels whether something is this hub's; the lock is the run's own, and another hub's things are its own."""
    ours = {name: value for name, value in (labels or {}).items() if name.startswith(PREFIX)}
    return bool(ours) and LOCK not in ours and {ours.get(label, hub) for label in (SERVICE, NOTEBOOKS, homes.LABEL)} == {hub}


def observe_node(host: Host, settings: Settings, strangers: frozenset[str]) -> OnNode:
    """Ask a node for what it keeps of ours."""
    containers = host.engine.get("/containers/json", all=True)
    foreign = {one["ImageID"] for one in containers if _is_foreign(one, strangers)}
    images = [(one, names) for one in host.engine.get("/images/json") if (names := _references(one, host.name, settings))]
    listed = host.engine.get("/volumes").get("Volumes") or []
    ours = [one for one in listed if removal.is_ours(one, settings)]
    volumes = [one for one in ours if not homes.is_one(one)]
    socket = beside.engine(settings.hub.service)
    return OnNode(
        containers=tuple(
            Thing(f"container {one['Names'][0].lstrip('/')}", f"/containers/{one['Id']}")
            for one in containers
            if _is_our_tool(one.get("Labels") or {})
        ),
        images=tuple(
            Thing(f"image {_short(name)}", f"/images/{name}", one["Size"])
            for one, names in images
            for name in names
            if one["Id"] not in foreign
        ),
        in_use=tuple(_short(name) for one, names in images for name in names if one["Id"] in foreign),
        sockets=tuple(_volume(one) for one in volumes if one["Name"] == socket),
        volumes=tuple(_volume(one) for one in volumes if one["Name"] != socket),
        homes=tuple(Thing(one["Name"], f"/volumes/{one['Name']}") for one in ours if homes.is_one(one)),
        certificate=_certificate(host, settings) if host.name in settings.hosts.managers else (),
    )


def _volume(volume: Json) -> Thing:
    return Thing(f"volume {volume['Name']}", f"/volumes/{volume['Name']}")


def _is_foreign(container: Json, strangers: frozenset[str]) -> bool:
    """Tell whether a container stays: no service's and no tool of ours, or that of a service that is not ours."""
    labels = container.get("Labels") or {}
    return labels[SERVICE_ID] in strangers if SERVICE_ID in labels else not _is_our_tool(labels)


def _is_our_tool(labels: Mapping[str, str]) -> bool:
    return SERVICE_ID not in labels and any(name == "swarmhub" or name.startswith(PREFIX) for name in labels)


def _references(image: Json, host: str, settings: Settings) -> list[str]:
    """Return what of an image is ours to remove: the tags that we set or hosts.toml names, or the id of one without a tag."""
    named = [*settings.images]
    if host in settings.hosts.managers:
        named += [settings.certs.certbot, settings.hub.base_image]
    tags = [tag for tag in image.get("RepoTags") or [] if tag != "<none>:<none>"]
    if tags:
        built = re.compile(rf"{re.escape(settings.hub.service)}(?:-proxy|_firewall)?:[0-9a-f]{{12}}")
        return [tag for tag in tags if tag in named or built.fullmatch(tag)]
    is_built = build.LABEL in (image.get("Labels") or {})
    repositories = {split(name)[0] for name in named}
    is_untagged = any(digest.partition("@")[0] in repositories for digest in image.get("RepoDigests") or [])
    return [image["Id"]] if is_built or is_untagged else []


def _certificate(host: Host, settings: Settings) -> tuple[str, ...]:
    """Return the paths that hold certificates: certbot's whole folder, unless it holds others' too."""
    domain = settings.hub.domain
    renewals, own = (host.run("ls", folder).out.split() for folder in (f"{certbot.FOLDER}/renewal", certs.OWN))
    if {*renewals} - {f"{domain}.conf"} or {*own} - {domain}:
        of_certbot = [f"{certbot.FOLDER}/{path}" for path in (f"live/{domain}", f"archive/{domain}", f"renewal/{domain}.conf")]
        return (*(of_certbot if f"{domain}.conf" in renewals else ()), *([certs.own_folder(domain)] if domain in own else ()))
    return (certbot.FOLDER,) if not host.run("test", "-d", certbot.FOLDER).code else ()


def _short(reference: str) -> str:
    return reference.removeprefix("sha256:")[:12] if reference.startswith("sha256:") else reference
