"""What a backup holds: of the hub the parts that make it what it is, and people's homes by the nodes that have them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from hub.shared.servers.mounts import MARKED, MARKER, above_homes, formerly
from swarmhub.certificate.certbot import FOLDER as CERTIFICATES
from swarmhub.errors import StepError
from swarmhub.history.releases import Release
from swarmhub.host import Json
from swarmhub.notebooks.homes import HomeRecord, HomeVolume
from swarmhub.settings import Settings, handed

# Where it is in the containers that save and restore.
DATA, STAGE, HOMES = "/data", "/backup", "/homes"
CLUSTER, RELEASES, SETTINGS, OF_HUB = "cluster.json", "releases.json", "settings/hosts.toml", "hub"


@dataclass(frozen=True)
class SavedHome:
    """A home as a backup has it: its volume's name, whose it is, and the host that had it."""

    name: str
    user: str
    host: str


@dataclass(frozen=True)
class Contents:
    """What there is to save: the homes that are volumes, by host, and the hosts that should have some and do not answer.

    `shared` are the mounts of the folder above all homes, where they are folders, and of its marker.
    """

    homes: Mapping[str, tuple[HomeVolume, ...]]
    silent: tuple[str, ...] = ()
    shared: tuple[Json, ...] = ()


def homes_of(settings: Settings, held: Mapping[str, Sequence[HomeVolume]], silent: Sequence[str], manager: str) -> Contents:
    """Return the homes to save; `held` are those that the hosts which answer have.

    Raises:
        StepError: they are where swarmhub cannot reach them.

    """
    home = settings.home
    if not (settings.backup.homes and home.keep):
        return Contents({})
    if home.is_on_one_node:
        return Contents({host: tuple(one for one in there if one.user) for host, there in held.items()}, tuple(silent))
    mount = above_homes(handed.tables(settings)["home"], settings.hub.service)
    if mount is None:
        cause = f"homes are on volumes of the driver {home.driver!r}"
        remedy = "Only local volumes, paths, NFS and CIFS can be saved: set backup.homes = false, and save them by that driver"
        raise StepError(manager, cause, remedy)
    return Contents({}, shared=({**mount, "Target": HOMES, "ReadOnly": True}, *marker(settings)))


def marker(settings: Settings) -> tuple[Json, ...]:
    """Return the mount of the marker in the folder above all homes: without it the engine starts nothing.

    A host that has lost the folder would save an empty one, or restore into one that nobody sees.
    """
    home = settings.home
    if not home.keep or home.type != "path":
        return ()
    return (
        {"Type": "bind", "Source": f"{str(home.path).rstrip('/')}/{MARKER}", "Target": f"{MARKED}/homes", "ReadOnly": True},
    )


def files(hosts_toml: Path, image: Mapping[str, bytes], known: Sequence[Release], facts: Json) -> dict[str, bytes]:
    """Return what is saved besides files of the manager, by its place in the container.

    `image` are the files of the hub's image, which come from hub/ and from what the settings name.
    """
    texts = {CLUSTER: json.dumps(facts), RELEASES: json.dumps([asdict(one) for one in known])}
    found = {name: text.encode() for name, text in texts.items()} | written(hosts_toml, image)
    return {f"{STAGE[1:]}/{name}": content for name, content in found.items()}


def written(hosts_toml: Path, image: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return what an operator has written: the settings, and what the hub's image is made of."""
    return {SETTINGS: hosts_toml.read_bytes(), **{f"{OF_HUB}/{name}": content for name, content in image.items()}}


def facts(
    settings: Settings,
    run: str,
    found: Contents,
    records: Sequence[HomeRecord],
    known: Sequence[Release],
    hosts: Mapping[str, str],
) -> Json:
    """Return what a restore has to know; `hosts` are the names of the nodes by their ids.

    The homes of a host that does not answer are in an earlier backup: the records tell which they are.
    """
    last = known[-1] if known else None
    saved = [SavedHome(one.name, one.user, host) for host, there in found.homes.items() for one in there]
    places = [SavedHome(one.name, one.user, hosts.get(one.node, one.node)) for one in records]
    there = {formerly(one.name) for one in saved}
    away = [one for one in places if one.host in found.silent and one.user and one.name not in there]
    return {
        "run": run,
        "hub": settings.hub.service,
        "domain": settings.hub.domain,
        "release": last.number if last else None,
        "images": {"hub": last.hub_image, "notebooks": list(last.notebook_images)} if last else {},
        "homes": [asdict(one) for one in (*saved, *away)],
        "silent": list(found.silent),
        "records": [asdict(one) for one in places],
    }


def of_hub(settings: Settings, *, read_only: bool) -> list[Json]:
    """Return the mounts of what the manager has of the hub: the volume, and certificates if TLS ends here.

    What is to be written into comes where nothing is: on a host that has had no hub.
    """
    volume = settings.volume
    driver = {"Name": volume.driver, "Options": dict(volume.options)}
    data = {"Type": "volume", "Source": volume.name, "Target": DATA, "VolumeOptions": {"DriverConfig": driver, "NoCopy": True}}
    made = {} if read_only else {"BindOptions": {"CreateMountpoint": True}}
    certificates = {"Type": "bind", "Source": CERTIFICATES, "Target": CERTIFICATES, "ReadOnly": read_only, **made}
    return [data, *([certificates] if settings.proxy.takes_tls else [])]
