"""Where files stay: a folder that every node mounts, and quotas that each node's engine can give."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from hub.shared.servers.mounts import MARKER
from swarmhub.doctor.finding import Finding, failure, from_error, ok, warning
from swarmhub.doctor.hosts.access import HostAnswers
from swarmhub.errors import StepError
from swarmhub.host import EngineError, Host
from swarmhub.notebooks import places
from swarmhub.notebooks.places import Places, Wanted
from swarmhub.parallel import at_once
from swarmhub.services.hub import service as hub_service
from swarmhub.settings import Settings, handed
from swarmhub.settings.schema.clashes.volumes import Area, areas, nested

CHECK = "homes"


def examine(settings: Settings, all_hosts: Mapping[str, Host], seen: Mapping[str, HostAnswers], manager: str) -> list[Finding]:
    """Ask the hosts that answer, where the settings need something of them."""
    wants = places.wanted(settings)
    if not (wants or settings.home.quota):
        return []
    asked = [host for host, one in seen.items() if one.probe]
    folders = asked_of(settings, wants)
    answers = at_once([partial(places.observe, all_hosts[host], folders, seen[host].folders[0]) for host in asked])
    told = dict(zip(asked, answers, strict=True))
    mounted = areas(settings.model_dump(mode="json"))
    broken = [from_error(CHECK, host, one) for host, one in told.items() if isinstance(one, BaseException)]
    found = {host: one for host, one in told.items() if isinstance(one, Places)}
    required = _required(settings, all_hosts[manager]) if wants and seen[manager].probe else frozenset[str]()
    quota = judge_quota(found) if settings.home.quota else []
    rights = judge_rights(settings, found)
    return broken + judge_folders(wants, found, required) + judge_links(mounted, found) + rights + quota


def asked_of(settings: Settings, wants: Mapping[str, Wanted]) -> tuple[str, ...]:
    """Return every path of the nodes that is asked for: the folders that are needed, and what is mounted from below them."""
    below = [one.path for one in areas(settings.model_dump(mode="json")) if one.where[0] == "path"]
    return tuple(dict.fromkeys([*wants, *below]))


def _required(settings: Settings, manager: Host) -> frozenset[str]:
    """Return the folders that the hub takes for marked; of one that does not answer, other checks tell."""
    try:
        service = hub_service.observe(manager, settings.hub.service).service
    except (StepError, EngineError):
        return frozenset()
    return handed.marked(hub_service.settings_of(service["Spec"])) if service else frozenset()


def judge_folders(
    wants: Mapping[str, Wanted], found: Mapping[str, Places], required: frozenset[str] = frozenset()
) -> list[Finding]:
    """Return a line for each host and folder; one that is on a host's own disk is not what the others see there."""
    marked, findings = places.marked(found) | required, []
    for folder, want in wants.items():
        states = {host: one.folders.get(folder, "missing") for host, one in found.items()}
        is_shared = len(found) > 1 and (want.is_written or "mounted" in states.values())
        for host, state in states.items():
            wrong = _wrong(folder, state, is_shared) or _unlike(folder, want, found[host], is_marked=folder in marked)
            findings.append(failure(CHECK, host, *wrong) if wrong else ok(CHECK, host, f"{folder} is there"))
    return findings


def _wrong(folder: str, state: str, is_shared: bool) -> tuple[str, str] | None:
    """Return what is wrong with a folder as a host has it, and what helps."""
    again = f"When it is back, there: sudo umount -l {folder}; sudo mount {folder}"
    wrong = {
        "missing": (f"has no {folder}", places.MOUNT),
        "silent": (f"{folder} does not answer within 5 s", f"Its file server hangs, or cannot be reached. {again}"),
        "stale": (f"{folder} is a mount that is broken: its file server is gone, or has forgotten it", again),
    }
    own = (f"{folder} is on this host's own disk", places.MOUNT) if state == "own" and is_shared else None
    return wrong.get(state, own)


def _unlike(folder: str, want: Wanted, here: Places, *, is_marked: bool) -> tuple[str, str] | None:
    """Return what is wrong with what is mounted on a folder, and what helps."""
    if is_marked and folder not in here.marked:
        cause = f"{folder} is not mounted, or another file system is: {MARKER} is not in it, so no server starts here"
        return cause, f"{places.MOUNT}; if it is mounted, compare: findmnt -T {folder}"
    if want.is_written and folder in here.readonly:
        return f"{folder} is mounted read-only", f"See why (dmesg), then there: sudo mount -o remount,rw {folder}"
    return None


def judge_rights(settings: Settings, found: Mapping[str, Places]) -> list[Finding]:
    """Return a line for each host and shared folder that people are to write to, and may not."""
    user, group = map(int, settings.home.owner.split(":"))
    written = {f"{one.path}/{one.name}".rstrip("/") for one in settings.folders if one.type == "path" and not one.read_only}
    return [
        warning(
            CHECK,
            host,
            f"people may not write to {folder}: it belongs to {owner[0]}:{owner[1]}, with mode {owner[2]:o}",
            f"Give it to them, if they run as {settings.home.owner}: sudo chown {settings.home.owner} {folder}",
        )
        for host, there in found.items()
        for folder, owner in there.owners.items()
        if folder in written and not _may_write(owner, user, group)
    ]


def _may_write(owner: tuple[int, int, int], user: int, group: int) -> bool:
    of_user, of_group, mode = owner
    return bool(mode & (0o200 if of_user == user else 0o020 if of_group == group else 0o002))


def judge_links(mounted: Sequence[Area], found: Mapping[str, Places]) -> list[Finding]:
    """Return a line for each folder that on a host is really below one that people write to."""
    apart = {(one.key, other.key) for one, other in nested(mounted)}
    findings = []
    for host, there in found.items():
        real = [replace(one, parts=there.real[one.path]) for one in mounted if one.path in there.real]
        by_key = {one.key: one.path for one in mounted}
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
    return [_quota(host, one.takes_quota) for host, one in found.items()]


def _quota(host: str, takes_quota: bool | None) -> Finding:
    remedy = "Mount XFS with the option pquota on the engine's folder of volumes, or do without: no quota in [home]"
    if takes_quota is None:
        return warning(CHECK, host, "it cannot be told whether Docker's volumes take quotas there", remedy)
    if not takes_quota:
        return failure(CHECK, host, "Docker's volumes are not on XFS with project quotas: [home] quota needs that", remedy)
    return ok(CHECK, host, "Docker's volumes take quotas")
