"""Shared folders on volumes of the nodes that people write to: made for them, since a new volume belongs to root."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from hub.shared.servers import mounts
from swarmhub.engine import as_root
from swarmhub.errors import StepError
from swarmhub.host import Host
from swarmhub.plan.plans import Change, Progress
from swarmhub.settings import Settings
from swarmhub.settings.schema.notebook import Folder

# A volume with something in it stays as it is; into an empty one an engine copies what the image has there, and its owner.
OPEN = 'chown "$2" "$1" && chmod 2775 "$1" && { test -d "$1/$3" || mkdir -m 755 "$1/$3"; }'


@dataclass(frozen=True)
class SharedVolume:
    """A volume of a node, the folder on its disk, and whose that is; without a folder it does not exist yet."""

    name: str
    folder: str = ""
    owner: str = ""


def wanted(settings: Settings) -> dict[str, Folder]:
    """Return by their volumes' names the folders that each node has for itself and that people write to.

    One for each person is made by the engine, with the owner that the image's folder has.
    """
    found = [one for one in settings.folders if one.is_on_one_node and not one.read_only and "{" not in one.name]
    return {mounts.short(one.name): one for one in found}


def observe(host: Host, names: Sequence[str]) -> tuple[SharedVolume, ...]:
    """Ask a node for these volumes, and whose they are."""
    return tuple(_observe(host, name) for name in names)


def _observe(host: Host, name: str) -> SharedVolume:
    found = host.engine.find(f"/volumes/{name}")
    if found is None:
        return SharedVolume(name)
    folder = str(found["Mountpoint"])
    return SharedVolume(name, folder, as_root.run(host, "stat", "-c", "%u:%g", folder).out.strip())


def plan(settings: Settings, host: str, found: Sequence[SharedVolume]) -> list[Change]:
    """Return what makes the volumes that a node lacks, and gives those of root's to the people."""
    folders = wanted(settings)
    return [
        Change(
            "open" if one.folder else "create",
            f"volume {one.name}, which people write to,",
            host,
            partial(_open, one, folders[one.name], settings.home.owner),
        )
        for one in found
        if not one.folder or one.owner.partition(":")[0] == "0"
    ]


def _open(volume: SharedVolume, folder: Folder, owner: str, host: Host, _: Progress) -> None:
    where = volume.folder
    if not where:
        body = {"Name": volume.name, "Driver": folder.driver, "DriverOpts": dict(folder.options)}
        where = str(host.engine.post("/volumes/create", body)["Mountpoint"])
    done = as_root.run(host, "sh", "-c", OPEN, "sh", where, owner, mounts.MARKER)
    if done.code:
        remedy = f"There, as root: chown {owner} {where}"
        raise StepError(host.name, f"cannot change the owner of volume {volume.name}: {done.last}", remedy)
