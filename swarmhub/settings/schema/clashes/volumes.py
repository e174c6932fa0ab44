"""Which volumes and folders may not be what homes and shared folders are, whatever somebody is called.

No two users, servers and profiles share what a template tells apart, and no volume of the hub's own is somebody's. What an
engine mounts is never below what a user may write: a link there would lead it to any folder of the node.
"""

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import permutations
from typing import Any

from hub.shared import services
from hub.shared.servers import mounts

Key = tuple[str | int, ...]
PLACEHOLDER = re.compile(r"\{\w+\}")
# What hub.names makes of any name.
ANYTHING = "[a-z0-9-]*"
# What is never in a name as hub.names writes it, or is escaped there because the template has it; in a volume's, what is rare.
SEPARATES = {"volume": re.compile(r"[^a-z0-9]"), "folder": re.compile(r"[_.]")}
# Who may write there, or reads it all with the engine's socket, is root on the node.
ENGINES = ("/run", "/var/run", "/var/lib/docker", "/var/lib/containerd", "/proc", "/sys", "/dev")
SYSTEMS = ("/bin", "/boot", "/etc", "/lib", "/lib64", "/root", "/sbin", "/usr", *ENGINES)


def taken(data: Mapping[str, Any]) -> Iterator[tuple[Key, str]]:
    """Yield the key and the sentence of each name and path that is the hub's own, somebody else's or the node's."""
    yield from _hubs_own(data)
    yield from _ambiguous(data)
    places = areas(data)
    yield from _systems(places)
    yield from _of_backups(data, places)
    for one, other in nested(places):
        wrong = f"{one.path!r} is in {other.named}, where people write: a link there would lead to any folder of a node; "
        yield one.key, f"{wrong}choose a path outside it"
    for one, other in permutations(places, 2):
        if one.key[0] == "home" and not (other.is_written or other.is_each or other.is_for_some) and _has(other, one):
            wrong = f"{other.path!r} has the homes in it, and everybody gets it: all could read everybody's files"
            yield other.key, f"{wrong}; name the groups that may, or choose a path outside it"


def apart(data: Mapping[str, Any]) -> Iterator[tuple[Key, str]]:
    """Yield the shared folders that are another, empty one on each node, without anybody having said so."""
    hosts, notebook = (found if isinstance(found := data.get(key), dict) else {} for key in ("hosts", "notebook"))
    kinds = ("workers",) if notebook.get("nodes") == "workers" else ("managers", "workers")
    nodes = sum(len(found) for kind in kinds if isinstance(found := hosts.get(kind), list | tuple))
    for key, one in folders(data) if nodes > 1 else ():
        if _is_volume(one) and _is_local(one) and not one.get("per_node") and not _follows_home(data, one):
            wrong = f"a volume of the driver 'local' is another, empty one on each of the {nodes} nodes"
            use = "use type = 'path', 'nfs' or 'cifs', another driver, or, if each node is to have its own, per_node = true"
            yield (*key, "name"), f"{wrong}; {use}"


def _is_local(table: Mapping[str, Any]) -> bool:
    options = table.get("options")
    return mounts.is_on_one_node(str(table.get("driver", "local")), options if isinstance(options, dict) else {})


def _follows_home(data: Mapping[str, Any], folder: Mapping[str, Any]) -> bool:
    """Tell whether a folder is one person's, and that person always returns to the node of the home."""
    home = data.get("home")
    table = home if isinstance(home, dict) else {}
    return "{username}" in folder["name"] and keeps(data) and table.get("type", "volume") == "volume" and _is_local(table)


def _hubs_own(data: Mapping[str, Any]) -> Iterator[tuple[Key, str]]:
    hub = _text(data, "hub", "service", "jupyterhub")
    own = (_text(data, "volume", "name", "jupyterhub-data"), services.backups(hub), *sorted(services.temporary(hub)))
    home = mounts.template(_text(data, "home", "name", "{username}"), hub)
    named: dict[Key, str] = {(*key, "name"): one["name"] for key, one in folders(data) if _is_volume(one)}
    for key, template in [(("home", "name"), home), *named.items()]:
        for name in own:
            if _pattern(template).fullmatch(name):
                yield key, f"{template!r} is {name!r} for somebody, a volume of the hub's own; choose another name"
    for key, template in named.items():
        begins = PLACEHOLDER.split(template)[0]
        if not begins:
            yield (
                key,
                f"{template!r} begins with somebody's name, so it can be any volume; begin it with text: 'work-{template}'",
            )
        elif keeps(data) and _may_meet(template, home):
            yield key, f"{template!r} can be somebody's home ({home}); choose another name"


def _pattern(template: str) -> re.Pattern[str]:
    return re.compile(ANYTHING.join(map(re.escape, PLACEHOLDER.split(template))))


def _may_meet(template: str, home: str) -> bool:
    """Tell whether the volume of a folder can be that of a home; where that is not plain, it can."""
    if not PLACEHOLDER.search(template):
        return bool(_pattern(home).fullmatch(template))
    first, second = PLACEHOLDER.split(template)[0], PLACEHOLDER.split(home)[0]
    return first.startswith(second) or second.startswith(first)


def _ambiguous(data: Mapping[str, Any]) -> Iterator[tuple[Key, str]]:
    """Yield the templates by which two people could have the same name."""
    home = data.get("home")
    table = home if isinstance(home, dict) else {}
    tables: list[tuple[Key, Mapping[str, Any]]] = [*([(("home",), table)] if keeps(data) else []), *folders(data)]
    for key, one in tables:
        template = one.get("name", "{username}" if key == ("home",) else "")
        if not isinstance(template, str):
            continue
        kind = "volume" if one.get("type", "volume") == "volume" else "folder"
        if not all(map(SEPARATES[kind].search, PLACEHOLDER.split(template)[1:-1])):
            better = "_".join(PLACEHOLDER.findall(template))
            wrong = (
                f"{template!r} can be the same for two people (a, b-c and a-b, c); separate its parts by '_', as in {better!r}"
            )
            yield (*key, "name"), f"{wrong}, and rename the {kind}s that exist"
        if key == ("home",) and "{username}" not in template:
            wrong = f"{template!r} is the same home for several people; add {{username}}. What people share is a [[folders]]"
            yield (*key, "name"), wrong


@dataclass(frozen=True)
class Area:
    """What is mounted of a path: itself, or where `is_each`, a folder below it for each name.

    `where` tells the nodes' own paths from those of a file server.
    """

    key: Key
    named: str
    where: tuple[str, str]
    parts: tuple[str, ...]
    is_written: bool
    is_each: bool
    is_for_some: bool = False

    @property
    def path(self) -> str:
        """Return the path as it is written in the settings, but without what does not count."""
        return "/" + "/".join(self.parts)


def areas(data: Mapping[str, Any]) -> list[Area]:
    """Return what homes and shared folders mount by a path."""
    home = data.get("home")
    found = [_area(("home", "path"), "the homes' folder", home, "{username}")] if isinstance(home, dict) and keeps(data) else []
    found += [_area((*key, "path"), f"folders[{key[1]}]", one, "") for key, one in folders(data)]
    return [one for one in found if one]


def _device(table: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the table as if it named the path or the file server that the options of its local volume name."""
    options = table.get("options")
    if table.get("type", "volume") != "volume" or table.get("driver", "local") != "local" or not isinstance(options, dict):
        return table
    kind, device, given = (str(options.get(key, "")) for key in ("type", "device", "o"))
    words = dict(word.partition("=")[::2] for word in given.split(","))
    if {"bind", "rbind"} & {*words}:
        return {**table, "type": "path", "path": device, "name": ""}
    server, _, path = device.removeprefix("//").partition("/" if kind == "cifs" else ":")
    if kind not in ("nfs", "nfs4", "cifs") or not path:
        return table
    return {**table, "type": kind.rstrip("4"), "server": words.get("addr") or server, "path": path, "name": ""}


def _area(key: Key, named: str, table: Mapping[str, Any], otherwise: str) -> Area | None:
    table = _device(table)
    kind, path, name = table.get("type", "volume"), table.get("path"), table.get("name", otherwise)
    if kind == "volume" or not isinstance(path, str) or not isinstance(name, str):
        return None
    is_each = "{" in name
    parts = (*parts_of(path), *([name] if name and not is_each else []))
    is_written = key[0] == "home" or table.get("read_only", True) is False
    return Area(key, named, (str(kind), str(table.get("server") or "")), parts, is_written, is_each, bool(table.get("groups")))


def parts_of(path: str) -> tuple[str, ...]:
    """Return the parts of a path as a node follows it, whatever slashes and dots are between them."""
    return tuple(part for part in posixpath.normpath(f"/{path}").split("/") if part)


def _systems(places: Iterable[Area]) -> Iterator[tuple[Key, str]]:
    for one in (place for place in places if place.where[0] == "path"):
        for system in SYSTEMS if one.is_written else ENGINES:
            parts = parts_of(system)
            short = min(len(parts), len(one.parts))
            # Below it, or above it: then it is in reach, too. A folder for each name is below the path only.
            if parts[:short] == one.parts[:short]:
                yield one.key, f"{one.path!r} has the node's own {system} in reach; choose a folder for this alone"
                break


def _of_backups(data: Mapping[str, Any], places: Iterable[Area]) -> Iterator[tuple[Key, str]]:
    """Yield the repository of backups, if it is in what is mounted into servers: people would get it."""
    path = _text(data, "backup", "repository", "")
    parts = parts_of(path) if path.startswith("/") else ()
    for one in places:
        if parts and one.where[0] == "path" and parts[: len(one.parts)] == one.parts:
            wrong = (
                f"{path!r} is in {one.named}, which people get, and would be saved into itself; choose a folder for this alone"
            )
            yield ("backup", "repository"), wrong
            break


def nested(places: Iterable[Area]) -> Iterator[tuple[Area, Area]]:
    """Yield what is mounted from below what somebody may write, or is what somebody else has as a home, and where that is."""
    for one, other in permutations(places, 2):
        if one.where == other.where and other.is_written and _is_below(one, other):
            yield one, other


def _has(one: Area, other: Area) -> bool:
    """Tell whether a mount's source has another one in it, or is it."""
    return one.where == other.where and other.parts[: len(one.parts)] == one.parts


def _is_below(one: Area, other: Area) -> bool:
    """Tell whether a mount's source can be in what is written to, and not be that folder itself."""
    if not _has(other, one):
        return False
    deeper = len(one.parts) - len(other.parts)
    if one.is_each and other.is_each:
        return deeper > 0 or "home" in (one.key[0], other.key[0])
    return deeper > 0 or one.is_each


def keeps(data: Mapping[str, Any]) -> bool:
    """Tell whether people have a home."""
    home = data.get("home")
    return not isinstance(home, dict) or home.get("keep", True) is not False


def folders(data: Mapping[str, Any]) -> list[tuple[Key, Mapping[str, Any]]]:
    """Return the shared folders, each with its key."""
    found = data.get("folders")
    listed = found if isinstance(found, list | tuple) else ()
    return [(("folders", place), one) for place, one in enumerate(listed) if isinstance(one, dict)]


def _is_volume(folder: Mapping[str, Any]) -> bool:
    return folder.get("type", "volume") == "volume" and isinstance(folder.get("name"), str)


def _text(data: Mapping[str, Any], table: str, key: str, otherwise: str) -> str:
    found = data.get(table)
    value = found.get(key, otherwise) if isinstance(found, dict) else otherwise
    return value if isinstance(value, str) else otherwise
