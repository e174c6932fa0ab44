"""The folders of the nodes that homes and shared folders are in, and how each node has them.

A folder that should be mounted and is not is an empty folder of the node's own disk. So there is a marker in it, made once:
a server mounts the marker, too, and an engine that does not find it starts nothing.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from hub.shared.servers.mounts import MARKER, is_marked_itself
from swarmhub.engine import as_root
from swarmhub.errors import StepError
from swarmhub.host import Host
from swarmhub.plan.plans import Change, Progress
from swarmhub.settings import Settings

# The first argument is the engine's folder of volumes, the second the marker's name, the others are what should be mounted.
# Another device than that of / means a mount: a host may be without findmnt.
SCRIPT = r"""
mounted=$(df -P "$1" 2>/dev/null | awk 'NR == 2 { print $NF }')
awk -v mounted="$mounted" '$2 == mounted { line = "volumes " $3 " " $4 } END { if (line) print line }' /proc/mounts
marker=$2
shift 2
own=$(stat -c %d /)
for folder in "$@"; do
  # On a mount whose file server hangs, only KILL ends what waits for it.
  said=$(timeout -s KILL 5 stat -L -c '%d %F' "$folder" 2>&1)
  case "$? $said" in
    "0 $own directory") echo "own $folder" ;;
    "0 "*" directory") echo "mounted $folder" ;;
    13[0-9]*) echo "silent $folder" ; continue ;;
    *"Stale file handle"* | *"not connected"* | *"Input/output error"*) echo "stale $folder" ; continue ;;
    *) echo "missing $folder" ; continue ;;
  esac
  timeout -s KILL 5 stat -L "$folder/$marker" > /dev/null 2>&1 && echo "marked $folder"
  timeout -s KILL 5 test -w "$folder" && echo "writable $folder"
  timeout -s KILL 5 stat -L -c 'owner %u %g %a' "$folder"
  # Which file system it is on and where there, whatever links and mounts of folders lead to it; a blank is \040 there.
  timeout -s KILL 5 readlink -f "$folder" | awk '
    NR == FNR { path = $0; next }
    { at = $5 == "/" ? "" : $5; below = $4; gsub(/\\040/, " ", at); gsub(/\\040/, " ", below) }
    index(path "/", at "/") == 1 && length(at) >= length(best) { best = at; there = $3 " " below; options = $6 " " $NF }
    END { if (there) print "real " there "/" substr(path, length(best) + 1)
          if (path == best) print "itself"
          if ((" " options) ~ /[ ,]ro([, ]|$)/) print "readonly" }' - /proc/self/mountinfo
done
[ "$(id -u)" = 0 ] || exit 3
"""
PLAIN_USER = 3
MAKE = 'test -d "$1" || mkdir -m 755 "$1"'
MOUNT = "Mount it there, as on the other nodes (/etc/fstab)"


@dataclass(frozen=True)
class Places:
    """What a host says: whether its volumes take quotas (None: unknown), and how it has each folder.

    That is "missing", "own" (on its own disk), "mounted", "silent" (its file server hangs), or "stale" (it is gone). `real` has
    the parts of the folder's real path, the number of its file system first. `marked` have the marker, to `writable` root may
    write, `themselves` are mount points, and `readonly` are mounted so. `owners` has numbers of user and group, and the mode.
    """

    folders: Mapping[str, str]
    takes_quota: bool | None
    real: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    marked: frozenset[str] = frozenset()
    writable: frozenset[str] = frozenset()
    themselves: frozenset[str] = frozenset()
    readonly: frozenset[str] = frozenset()
    owners: Mapping[str, tuple[int, int, int]] = field(default_factory=dict, kw_only=True)


@dataclass(frozen=True)
class Wanted:
    """What is mounted from a folder of the nodes: whether people write there, and whether it can have the marker."""

    is_written: bool
    is_markable: bool


def wanted(settings: Settings) -> dict[str, Wanted]:
    """Return the folders that every node has."""
    tables = [settings.home] if settings.home.keep else []
    found: dict[str, Wanted] = {}
    for table in (*tables, *settings.folders):
        if table.type == "path" and table.path:
            before = found.get(table.path, Wanted(is_written=False, is_markable=True))
            written = not getattr(table, "read_only", False)
            markable = not is_marked_itself(table.model_dump())
            found[table.path] = Wanted(before.is_written or written, before.is_markable and markable)
    return found


def observe(host: Host, folders: Sequence[str], engine_folder: str = "") -> Places:
    """Ask a host, as root where this user cannot see all of it; whether volumes take quotas only with the engine's folder."""
    command = ("sh", "-c", SCRIPT, "sh", f"{engine_folder}/volumes" if engine_folder else "", MARKER, *folders)
    done = host.run(*command)
    seen = parse(done.out)
    is_sure = (not engine_folder or seen.takes_quota is not None) and seen.marked >= {*folders}
    return seen if is_sure or done.code != PLAIN_USER else parse(as_root.in_container(host, *command).out)


def parse(text: str) -> Places:
    """Read what the script printed."""
    folders: dict[str, str] = {}
    real: dict[str, tuple[str, ...]] = {}
    said: dict[str, set[str]] = {"marked": set(), "writable": set(), "itself": set(), "readonly": set()}
    owners: dict[str, tuple[int, int, int]] = {}
    takes_quota, last = None, ""
    for line in text.splitlines():
        state, _, rest = line.partition(" ")
        if state == "real":
            device, _, path = rest.partition(" ")
            real[last] = (device, *filter(None, path.split("/")))
        elif state == "volumes":
            kind, _, options = rest.partition(" ")
            takes_quota = kind == "xfs" and "prjquota" in options.split(",")
        elif state == "owner":
            user, group, mode = rest.split()
            owners[last] = (int(user), int(group), int(mode, 8))
        elif state in said:
            said[state].add(last)
        else:
            folders[last := rest] = state
    return Places(folders, takes_quota, real, *map(frozenset, said.values()), owners=owners)


def marked(found: Mapping[str, Places]) -> frozenset[str]:
    """Return the folders that have the marker on some node."""
    return frozenset[str]().union(*(one.marked for one in found.values()))


def marking(
    wants: Mapping[str, Wanted], found: Mapping[str, Places], required: Collection[str], manager: str
) -> dict[str, list[Change]]:
    """Return by folder what makes its marker, if that is missing; `required` are those that the hub takes for marked now.

    Raises:
        StepError: a folder is not what it was, is on no node, or is a separate one on each.

    """
    there = marked(found)
    return {
        folder: _marking(folder, want, found, folder in required, manager)
        for folder, want in wants.items()
        if folder not in there
    }


def _marking(folder: str, want: Wanted, found: Mapping[str, Places], is_required: bool, manager: str) -> list[Change]:
    mounted, own = ([host for host, one in found.items() if one.folders.get(folder) == state] for state in ("mounted", "own"))
    hosts = mounted or own
    if is_required:
        cause = f"{folder} is not what it was: no node finds {folder}/{MARKER}, so it is not mounted, or another file system is"
        raise StepError(manager, cause, f"Mount it (/etc/fstab). If the files have really moved there: mkdir {folder}/{MARKER}")
    if not hosts:
        raise StepError(manager, f"no node has {folder}", "Mount it on every node (/etc/fstab)")
    if not want.is_markable:
        return _unmarkable(folder, hosts, found)
    if want.is_written and not mounted and len(hosts) > 1:
        cause = f"{folder} is on each node's own disk, so people would find other files on each node"
        remedy = "Mount it on every node (/etc/fstab), or keep files on nodes: type = 'volume'"
        raise StepError(manager, cause, f"{remedy}. If every node does have the same: mkdir {folder}/{MARKER}")
    # One that is written to is the same everywhere; a copy to read may be on each node's disk.
    chosen = ([manager] if manager in hosts else hosts[:1]) if want.is_written else hosts
    if closed := [host for host in chosen if folder not in found[host].writable]:
        if want.is_written:
            cause = f"root may not write to {folder}, so the marker cannot be made by which a node without the mount is told"
            raise StepError(closed[0], cause, f"Make it as the folder's owner, on the file server: mkdir {folder}/{MARKER}")
        chosen = [host for host in chosen if host not in closed]
    return [Change("mark", f"{folder}, by {MARKER} in it,", host, partial(_mark, folder)) for host in chosen]


def _unmarkable(folder: str, hosts: Sequence[str], found: Mapping[str, Places]) -> list[Change]:
    """Return no change where people write to the folder itself, and so could replace the marker.

    Raises:
        StepError: it is the mount point, too: nothing would tell a node that has lost the mount.

    """
    itself = [host for host in hosts if folder in found[host].themselves]
    if itself:
        cause = f"{folder} is itself a mount point, and people write to it: where it is not mounted, files would be lost"
        remedy = f"Make a folder in it, and set name to that in [[folders]]: path = '{folder}', name = 'shared'"
        raise StepError(itself[0], cause, remedy)
    return []


def _mark(folder: str, host: Host, _: Progress) -> None:
    done = as_root.run(host, "sh", "-c", MAKE, "sh", f"{folder}/{MARKER}")
    if done.code:
        raise StepError(host.name, f"cannot make {folder}/{MARKER}: {done.last}", "Make it by hand, on the file server")
