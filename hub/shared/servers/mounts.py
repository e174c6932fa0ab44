"""The mounts of a server: its home, and the folders that it shares with others."""

import hashlib
import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from hub.shared.servers.choice import is_for
from hub.shared.settings import Tables

if TYPE_CHECKING:
    from hub.shared.people.names import Names  # most runs of swarmhub do without

Json = dict[str, Any]
T = TypeVar("T")

HOME, USER, NODE = "swarmhub.home", "swarmhub.user", "swarmhub.node"
# Swarm's limit for the name of a config or service; a home's record is named like its volume, unless that is longer.
LONGEST, HASH = 63, 20
# An earlier release's hashes were shorter: its homes keep their names.
FORMER_HASH = 12
# What Swarm takes for "{{" and not for the beginning of a Go template, which it expands on the manager.
BRACES, LITERAL = "{{", '{{"{{"}}'
# Jupyter reads this folder besides the image's own: JUPYTER_CONFIG_PATH.
CONFIG_FOLDER = "/etc/swarmhub"
# Where the hub has the folder above the homes, to make the ones that are missing.
HOMES = "/srv/homes"
# In a folder of the nodes from which homes or shared folders are mounted. A server mounts it too: on a node that has lost the
# mount it is not there, and the engine starts nothing.
MARKER, MARKED = ".swarmhub", "/run/swarmhub/mounted"


@dataclass(frozen=True)
class Home:
    """A user's home: how it is mounted, and what has to be there before.

    `record` is the name under which the swarm keeps the node, where the files are on one only, to which the user returns;
    `folder` is the one to make below the folder above all homes, where a server keeps them; `former` is the same home under
    the name that an earlier release has given it, if that was another one. A record tells that it is there, on whatever driver.
    `marker` is what is mounted with it, so that no node without the folder above starts a server.
    """

    mount: Json
    record: str = ""
    folder: str = ""
    former: "Home | None" = None
    marker: tuple[Json, ...] = ()

    @property
    def mounts(self) -> tuple[Json, ...]:
        """Return how it may be mounted: under its name, or under the one that an earlier release has given it."""
        return (*self.marker, self.mount, *((self.former.mount,) if self.former else ()))


def home(tables: Tables, service: str, names: "Names", at: str = "") -> Home | None:
    """Return a user's home, or None where none is kept; `at` is its place in the container, if not that of all."""
    table = {**tables["home"], **({"mount": at} if at else {})}
    if not table["keep"]:
        return None
    if table["type"] == "volume":
        whole = names.volume(template(table["name"], service))
        raw = template(table["name"], service).format(**names.docker)
        former = _of_volume(table, service, names, raw, formerly(raw))
        if whole == raw and is_whole(table["name"]):
            return former  # somebody else's names
        home = _of_volume(table, service, names, whole, short(whole))
        return home if former == home else replace(home, former=former)
    folder, of_volume = names.path(table["name"]), f"{service}-home-{names.volume(table['name'])}"
    mount = literal(_below(table, folder, of_volume) | {"Target": table["mount"]})
    return Home(mount, folder=folder, marker=_marker(table))


def _of_volume(table: Mapping[str, Any], service: str, names: "Names", whole: str, cut: str) -> Home:
    """Return the home on a volume whose name is `whole`, or `cut` to what Swarm takes."""
    options = {**table["options"], **({"size": str(table["quota"])} if table.get("quota") else {})}
    # One that somebody else has made may be longer than the name of a config.
    mount = _volume(whole if is_whole(table["name"]) else cut, table, options) | {"Target": table["mount"]}
    mount["VolumeOptions"]["Labels"] = {HOME: service, USER: names.user}
    return Home(literal(mount), record=cut if is_on_one_node(table["driver"], table["options"]) else "")


def literal(value: T) -> T:
    """Return a value for a field that Swarm expands, such as a variable or a mount, so that all its texts stay as they are."""
    if isinstance(value, str):
        return value.replace(BRACES, LITERAL)  # type: ignore[return-value]  # a text is one again
    if isinstance(value, dict):
        return {key: literal(one) for key, one in value.items()}  # type: ignore[return-value]
    return value


def is_literal(text: str) -> bool:
    """Tell whether Swarm leaves a text as it is."""
    return text == literal(text.replace(LITERAL, BRACES))


def is_whole(name: str) -> bool:
    """Tell whether `home.name` is the whole name of a volume, as somebody else may have made it: it begins with text."""
    return name[:1] not in ("", "{")


def template(name: str, service: str) -> str:
    """Return the template of the names of the homes' volumes, from `home.name`."""
    return name if is_whole(name) else f"{service}-home-{name}"


def beginning(name: str, service: str) -> str:
    """Return how the names of the homes' volumes and of their records begin, from `home.name`."""
    return template(name, service).partition("{")[0][: LONGEST - HASH - 1]


def is_on_one_node(driver: str, options: Mapping[str, str]) -> bool:
    """Tell whether a volume's files are on the node that has it, and not mounted there from elsewhere."""
    return driver == "local" and not options.get("device")


def above_homes(home: Mapping[str, Any], service: str) -> Json | None:
    """Return the mount by which the hub reaches the folder above all homes, or None where nothing has to be made there."""
    if not home["keep"] or home["type"] == "volume":
        return None
    return literal(_below(home, "", f"{service}-homes") | {"Target": HOMES})


def folders(tables: Tables, service: str, names: "Names", groups: Collection[str]) -> list[Json]:
    """Return the shared folders that a member of `groups` gets, each behind its marker."""
    return [
        mount
        for one in tables["folders"]
        if is_for(one, groups, names.profile)
        for mount in (
            *_marker(one),
            literal(_shared(one, service, names) | {"Target": one["mount"], "ReadOnly": one["read_only"]}),
        )
    ]


def is_marked_itself(table: Mapping[str, Any]) -> bool:
    """Tell whether people may write to the very folder that a marker would be in: they could put a link in its place."""
    return table["type"] == "path" and not table["name"] and not table["read_only"]


def _marker(table: Mapping[str, Any]) -> tuple[Json, ...]:
    """Return the mount of a folder's marker, if swarmhub has made it."""
    if not table.get("marked"):
        return ()
    path = table["path"].rstrip("/")
    target = f"{MARKED}/{digest(path)[:FORMER_HASH]}"
    return (literal({"Type": "bind", "Source": f"{path}/{MARKER}", "Target": target, "ReadOnly": True}),)


def memory(size: int) -> Json:
    """Return the mount that makes /dev/shm larger: a service has no --shm-size."""
    return {"Type": "tmpfs", "Target": "/dev/shm", "TmpfsOptions": {"SizeBytes": size}}  # noqa: S108 - in the container


def short(name: str) -> str:
    """Return a name that Swarm takes: what is too long ends in a hash of the whole."""
    return _cut(name, HASH)


def formerly(name: str) -> str:
    """Return the name that an earlier release has made of one that is too long."""
    return _cut(name, FORMER_HASH)


def is_former(name: str) -> bool:
    """Tell whether an earlier release has cut a name, and ended it in a hash."""
    return len(name) == LONGEST and bool(re.fullmatch(rf"-[0-9a-f]{{{FORMER_HASH}}}", name[-FORMER_HASH - 1 :]))


def _cut(name: str, digits: int) -> str:
    return name if len(name) <= LONGEST else f"{name[: LONGEST - digits - 1]}-{digest(name)[:digits]}"


def _shared(table: Mapping[str, Any], service: str, names: "Names") -> Json:
    of_volume = names.volume(table["name"])
    if table["type"] == "volume":
        return _volume(short(of_volume), table, table["options"])
    return _below(table, names.path(table["name"]), f"{service}-folder-{of_volume}")


def _volume(name: str, table: Mapping[str, Any], options: Mapping[str, str]) -> Json:
    driver = {"Name": table["driver"], "Options": dict(options)}
    return {"Type": "volume", "Source": name, "VolumeOptions": {"DriverConfig": driver}}


def _below(table: Mapping[str, Any], folder: str, volume: str) -> Json:
    """Return the mount of a folder below a path of the nodes, an export or a share."""
    path = f"{table['path'].rstrip('/')}/{folder}".rstrip("/") or "/"
    if table["type"] == "path":
        return {"Type": "bind", "Source": path}
    given = [table["mount_options"]] if table.get("mount_options") else []
    where = f":{path}" if table["type"] == "nfs" else f"//{table['server']}{path}"
    options = {"type": table["type"], "device": where, "o": ",".join([f"addr={table['server']}", *given])}
    # An engine that has a volume of that name takes it, whatever options it was made with: other options, another name.
    name = short(f"{volume.rstrip('-')}-{digest(json.dumps(options, sort_keys=True))}")
    # Without NoCopy the engine would copy the image's files over those that are there.
    return {
        "Type": "volume",
        "Source": name,
        "VolumeOptions": {"NoCopy": True, "DriverConfig": {"Name": "local", "Options": options}},
    }


def digest(text: str) -> str:
    """Return the hash of a text, as it may end a name."""
    return hashlib.sha256(text.encode()).hexdigest()[:HASH]
