"""Where homes and shared folders are in the container: not over what it needs, and not over each other."""

from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any

from hub.shared.servers.mounts import CONFIG_FOLDER
from swarmhub.settings.schema.clashes.volumes import Key, folders, keeps, parts_of

# Without what an image has there, no server starts. What is above them counts, too.
NEEDED = (
    *("/bin", "/dev", "/etc", "/lib", "/lib64", "/opt/conda", "/proc", "/run", "/sbin", "/sys", "/tmp", "/var/run"),  # noqa: S108
    *("/usr/bin", "/usr/lib", "/usr/sbin", "/usr/local/bin", "/usr/local/lib"),
)
# What is below them is the kernel's, Docker's, the hub's, or each server's own.
OTHERS = ("/dev", "/proc", "/sys", "/tmp", "/run/secrets", CONFIG_FOLDER)  # noqa: S108
DEFAULT = "/home/jovyan"

Place = tuple[Key, tuple[str, ...], Mapping[str, Any]]


def covering(data: Mapping[str, Any]) -> Iterator[tuple[Key, str]]:
    """Yield the key and the sentence of each place in the container that covers something else."""
    at_home, shared = list(_homes(data)), list(_shared(data))
    for key, parts, _ in (*at_home, *shared):
        if hidden := _hidden(parts):
            yield key, f"{_path(parts)!r} would hide {hidden} of the container; choose a folder that images do not have"
    for key, parts, _ in (one for one in shared if not _hidden(one[1])):
        for _, home, _ in at_home:
            if home[: len(parts)] == parts:
                where = "is the home's own place" if home == parts else f"has the home {_path(home)!r} in it"
                yield key, f"{_path(parts)!r} {where}; choose another place, such as '{_path(home)}/shared' or '/srv/shared'"
                break
    for (_, one, first), (key, other, second) in combinations(shared, 2):
        if one == other and all(_share(first, second, what) for what in ("groups", "profiles")):
            wrong = f"{_path(other)!r} is the place of another folder that the same people get"
            yield key, f"{wrong}: Docker would start no server; choose another place, or other groups"


def _homes(data: Mapping[str, Any]) -> Iterator[Place]:
    """Yield where homes are, that of all first."""
    home = data.get("home")
    table = home if isinstance(home, dict) else {}
    if not keeps(data):
        return
    if isinstance(mount := table.get("mount", DEFAULT), str):
        yield ("home", "mount"), parts_of(mount), table
    for name in ("profiles", "overrides"):
        rows = data.get(name)
        for place, one in enumerate(rows if isinstance(rows, list | tuple) else ()):
            if isinstance(one, dict) and isinstance(mount := one.get("home_mount"), str):
                yield (name, place, "home_mount"), parts_of(mount), one


def _shared(data: Mapping[str, Any]) -> Iterator[Place]:
    for key, one in folders(data):
        if isinstance(mount := one.get("mount"), str):
            yield (*key, "mount"), parts_of(mount), one


def _hidden(parts: tuple[str, ...]) -> str:
    """Return what a mount would hide, or nothing."""
    above = (one for one in NEEDED if parts_of(one)[: len(parts)] == parts)
    below = (one for one in OTHERS if parts[: len(parts_of(one))] == parts_of(one))
    return next(above, "") or next(below, "")


def _share(one: Mapping[str, Any], other: Mapping[str, Any], what: str) -> bool:
    """Tell whether two folders are surely for the same people, or for the same profile."""
    first, second = one.get(what) or (), other.get(what) or ()
    return not first or not second or bool({*map(str, first)} & {*map(str, second)})


def _path(parts: tuple[str, ...]) -> str:
    return "/" + "/".join(parts)
