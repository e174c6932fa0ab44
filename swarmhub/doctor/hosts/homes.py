"""Where files stay: a folder that every node mounts, and quotas that each node's engine can give."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from swarmhub.doctor.finding import Finding, failure, from_error, ok, warning
from swarmhub.doctor.hosts.access import HostAnswers
from swarmhub.engine import as_root
from swarmhub.host import Host
from swarmhub.parallel import at_once
from swarmhub.settings import Settings
from swarmhub.settings.schema.volumes import Area, areas, nested

CHECK = "homes"
# The first argument is the engine's folder of volumes, the others are those that should be mounted.
# Another device than that of / means a mount: a host may be without findmnt.
SCRIPT = r"""
mounted=$(df -P "$1" 2>/dev/null | awk 'NR == 2 { print $NF }')
awk -v mounted="$mounted" '$2 == mounted { line = "volumes " $3 " " $4 } END { if (line) print line }' /proc/mounts
shift
own=$(stat -c %d /)
for folder in "$@"; do
  # On a mount whose file server hangs, only KILL ends what waits for it.
  said=$(timeout -s KILL 5 stat -L -c '%d %F' "$folder" 2>/dev/null)
  case "$? $said" in
    "0 $own directory") echo "own $folder" ;;
    "0 "*" directory") echo "mounted $folder" ;;
    13[0-9]*) echo "silent $folder" ; continue ;;
    *) echo "missing $folder" ; continue ;;
  esac
  # Which file system it is on and where there, whatever links and mounts of folders lead to it.
  timeout -s KILL 5 readlink -f "$folder" | awk '
    NR == FNR { path = $0; next }
    { at = $5 == "/" ? "" : $5 }
    index(path "/", at "/") == 1 && length(at) >= length(best) { best = at; there = $3 " " $4 }
    END { if (there) print "real " there "/" substr(path, length(best) + 1) }' - /proc/self/mountinfo
done
[ "$(id -u)" = 0 ] || exit 3
"""
PLAIN_USER = 3


@dataclass(frozen=True)
class Places:
    """What a host says: whether its volumes take quotas (None: unknown), and how it has each folder.

    That is "missing", "own" (on its own disk), "mounted", or "silent" (its file server hangs). `real` has the parts of the
    folder's real path, the number of its file system first.
    """

    folders: Mapping[str, str]
    takes_quota: bool | None
    real: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def examine(settings: Settings, all_hosts: Mapping[str, Host], seen: Mapping[str, HostAnswers]) -> list[Finding]:
    """Ask the hosts that answer, where the settings need something of them."""
    wants = needed(settings)
    if not (wants or settings.home.quota):
        return []
    asked = [host for host, one in seen.items() if one.probe]
    answers = at_once([partial(observe, all_hosts[host], seen[host].folders[0], asked_of(settings, wants)) for host in asked])
    told = dict(zip(asked, answers, strict=True))
    places = areas(settings.model_dump(mode="json"))
    broken = [from_error(CHECK, host, one) for host, one in told.items() if isinstance(one, BaseException)]
    found = {host: one for host, one in told.items() if isinstance(one, Places)}
    return (
        broken + judge_folders(wants, found) + judge_links(places, found) + (judge_quota(found) if settings.home.quota else [])
    )


def needed(settings: Settings) -> dict[str, bool]:
    """Return the folders that every node mounts, and whether people write there."""
    wants: dict[str, bool] = {}
    if settings.home.keep and settings.home.type == "path" and settings.home.path:
        wants[settings.home.path] = True
    for folder in settings.folders:
        if folder.type == "path" and folder.path:
            wants[folder.path] = wants.get(folder.path, False) or not folder.read_only
    return wants


def asked_of(settings: Settings, wants: Mapping[str, bool]) -> tuple[str, ...]:
    """Return every path of the nodes that is asked for: the folders that are needed, and what is mounted from below them."""
    below = [one.path for one in areas(settings.model_dump(mode="json")) if one.where[0] == "path"]
    return tuple(dict.fromkeys([*wants, *below]))


def observe(host: Host, engine_folder: str, folders: Sequence[str]) -> Places:
    """Ask a host; as root, where this user cannot see all of it."""
    command = ("sh", "-c", SCRIPT, "sh", f"{engine_folder}/volumes", *folders)
    done = host.run(*command)
    seen = parse(done.out)
    is_sure = seen.takes_quota is not None and "missing" not in seen.folders.values()
    return seen if is_sure or done.code != PLAIN_USER else parse(as_root.in_container(host, *command).out)


def parse(text: str) -> Places:
    """Read what the script printed."""
    folders: dict[str, str] = {}
    real: dict[str, tuple[str, ...]] = {}
    takes_quota, last = None, ""
    for line in text.splitlines():
        state, _, rest = line.partition(" ")
        if state == "real":
            device, _, path = rest.partition(" ")
            real[last] = (device, *filter(None, path.split("/")))
        elif state == "volumes":
            kind, _, options = rest.partition(" ")
            takes_quota = kind == "xfs" and "prjquota" in options.split(",")
        else:
            folders[last := rest] = state
    return Places(folders, takes_quota, real)


def judge_folders(wants: Mapping[str, bool], found: Mapping[str, Places]) -> list[Finding]:
    """Return a line for each host and folder; one that is on a host's own disk is not what the others see there."""
    findings = []
    for folder, is_written in wants.items():
        states = {host: places.folders.get(folder, "missing") for host, places in found.items()}
        is_shared = len(found) > 1 and (is_written or "mounted" in states.values())
        findings += [_folder(host, folder, state, is_shared) for host, state in states.items()]
    return findings


def _folder(host: str, folder: str, state: str, is_shared: bool) -> Finding:
    if state == "missing":
        return failure(CHECK, host, f"has no {folder}", "Mount it there, as on the other nodes (/etc/fstab)")
    if state == "silent":
        remedy = (
            f"Its file server hangs, or cannot be reached. When it is back, there: sudo umount -l {folder}; sudo mount {folder}"
        )
        return failure(CHECK, host, f"{folder} does not answer within 5 s", remedy)
    if state == "own" and is_shared:
        return failure(
            CHECK, host, f"{folder} is on this host's own disk", "Mount it there, as on the other nodes (/etc/fstab)"
        )
    return ok(CHECK, host, f"{folder} is there")


def judge_links(places: Sequence[Area], found: Mapping[str, Places]) -> list[Finding]:
    """Return a line for each folder that on a host is really below one that people write to."""
    apart = {(one.key, other.key) for one, other in nested(places)}
    findings = []
    for host, there in found.items():
        real = [replace(one, parts=there.real[one.path]) for one in places if one.path in there.real]
        by_key = {one.key: one.path for one in places}
        for one, other in nested(real):
            if (one.key, other.key) not in apart:
                cause = f"{by_key[one.key]} is really in {by_key[other.key]}, where people write"
                remedy = (
                    "Remove the link or the mount that leads there: a user's link in it would lead to any folder of the host"
                )
                findings.append(failure(CHECK, host, cause, remedy))
    return findings


def judge_quota(found: Mapping[str, Places]) -> list[Finding]:
    """Return a line for each host."""
    return [_quota(host, places.takes_quota) for host, places in found.items()]


def _quota(host: str, takes_quota: bool | None) -> Finding:
    remedy = "Mount XFS with the option pquota on the engine's folder of volumes, or do without: no quota in [home]"
    if takes_quota is None:
        return warning(CHECK, host, "it cannot be told whether Docker's volumes take quotas there", remedy)
    if not takes_quota:
        return failure(CHECK, host, "Docker's volumes are not on XFS with project quotas: [home] quota needs that", remedy)
    return ok(CHECK, host, "Docker's volumes take quotas")
