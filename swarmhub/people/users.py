"""Who is in at the running hub, and what the userlist changes there, without a restart."""

import io
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from http import HTTPStatus
from urllib.parse import unquote

from hub.shared.people import listed
from hub.shared.people.listed import Listed
from hub.shared.people.userlist import Users, parse, render
from swarmhub.engine import containers, context
from swarmhub.errors import StepError
from swarmhub.host import EngineError, Host, Json
from swarmhub.people.api import ApiError, HubApi, of_server, of_user
from swarmhub.plan.plans import Change, Cost, Plan, Progress
from swarmhub.plan.shown import age, named
from swarmhub.settings import Settings
from swarmhub.settings.schema.people.access import Access
from swarmhub.status.shell import ContainerLocation
from swarmhub.wait import until

STEP, SHOW = "users-sync", "users"
FOLDER = f"/data/{listed.FOLDER}"
HEADS = ("NAME", "ADMIN", "FROM", "LAST SEEN", "SERVERS")
REMOVE_SECONDS = 60
# Far above what thousands of names are; a hub that somebody has broken into may keep anything there.
MOST = 64 << 20
# The hub does nothing else while it adds some.
AT_ONCE = 100
# While a server starts or stops, the hub refuses to stop it or to delete its user.
BUSY = HTTPStatus.BAD_REQUEST
# What the hub says of a named server from before the settings turned them off, however often it is asked to stop it.
TURNED_OFF = "Named servers are not enabled"


@dataclass(frozen=True)
class HubPeople:
    """What the hub keeps of the userlist, and whom it knows: by name, as its API gives them."""

    listed: Listed
    known: Mapping[str, Json]


@dataclass(frozen=True)
class Person:
    """Somebody who is in, why, when they were last seen, and the names of their servers that run."""

    name: str
    admin: bool
    source: str
    last_seen: datetime | None
    servers: tuple[str, ...]


def read(host: Host, place: ContainerLocation, provider: str) -> Listed:
    """Return what the hub keeps; `place` is its container, `host` the one that runs it.

    Raises:
        StepError: it is a hub of an older release.

    """
    found = _kept(host, place.container, provider)
    if found is None:
        cause = "the hub keeps no userlist that could be changed while it runs"
        raise StepError(host.name, cause, "The hub is of an older release: fab deploy")
    return found


def _kept(host: Host, container: str, provider: str) -> Listed | None:
    """Return what a container has of the userlist; None where it has no such folder.

    Raises:
        StepError: it is more than a hub keeps.

    """
    tar = bytearray()
    try:
        with closing(host.engine.download(f"/containers/{container}/archive", path=FOLDER)) as parts:
            for part in parts:
                tar += part
                if len(tar) > MOST:
                    cause = f"the hub has more than {MOST >> 20} MB in {FOLDER}, which is for its userlist"
                    raise StepError(host.name, cause, "Has somebody broken into it? Its log says more: fab logs")
    except EngineError as error:
        if error.status != HTTPStatus.NOT_FOUND:
            raise
        return None
    return listed.read(_files(bytes(tar)), provider)


def plan(userlist: str, found: HubPeople, access: Access, api: HubApi, place: ContainerLocation) -> Plan:
    """Return what brings the hub in line with a userlist.

    First the list itself, so that nobody who is removed gets in again; last that all of it is done, so that after a Ctrl-C
    in between it is known what is not.
    """
    wanted, _ = parse(userlist, access.provider)
    before = found.listed.let_in
    changes: list[Change] = []
    if found.listed.current != wanted:
        send = partial(_put_into_force, place, userlist, access.provider)
        changes.append(Change("send", "the userlist to the hub", place.host, send))
    changes += [*_in(wanted, found, api, place), *_admins(wanted, found, api, place)]
    changes += [_removal(name, found.known[name], api, place) for name in gone(wanted, found)]
    if before != wanted:
        record = partial(_send, place.container, {listed.LET_IN: render(wanted)})
        changes.append(Change("record", "that the hub has this userlist", place.host, record))
    return Plan(STEP, summary(wanted), tuple(changes))


def send_to_volume(settings: Settings, image: str, userlist: str, manager: str) -> Change:
    """Return what puts a userlist into force where no hub answers: the next one, of this image, finds it on its volume."""
    apply = partial(_send_to_volume, settings, image, userlist)
    return Change("send", f"the userlist to the volume {settings.volume.name}", manager, apply)


def summary(wanted: Users) -> str:
    """Return how a hub is that has nothing to be changed."""
    count = len(wanted.allowed)
    return f"the hub is in line with the userlist: {count} {'person' if count == 1 else 'people'}"


def gone(wanted: Users, found: HubPeople) -> list[str]:
    """Return who is in because a userlist named them, and is named no more."""
    return sorted((found.listed.let_in.allowed | found.listed.current.allowed) - wanted.allowed & found.known.keys())


def question(names: Sequence[str]) -> str:
    """Return what to ask before people are removed."""
    return f"Remove {', '.join(names)}? Their servers stop, logins and tokens end at once; their files stay."


def people(found: HubPeople, access: Access) -> tuple[Person, ...]:
    """Return who is in, by name; of those whom the hub does not know yet, only that the userlist names them."""
    names = sorted(found.known.keys() | found.listed.current.allowed)
    return tuple(_person(name, found, access) for name in names)


def rows(found: Sequence[Person], now: datetime) -> list[tuple[str, ...]]:
    """Return a line for each, under `HEADS`."""
    return [
        (
            one.name,
            "admin" if one.admin else "",
            one.source,
            f"{age(one.last_seen, now)} ago" if one.last_seen else "never",
            ", ".join(name or "default" for name in one.servers),
        )
        for one in found
    ]


def styles(found: Sequence[Person]) -> list[str]:
    """Return how to show each: who works, and who never came."""
    return ["green" if one.servers else "" if one.last_seen else "dim" for one in found]


def strangers(found: HubPeople) -> list[str]:
    """Return a line for each name that somebody else has tried to log in by: it changed hands at the provider."""
    return [
        f"somebody else has tried to log in as {name}: that account at the provider is another one than before. To let it in,"
        f" remove {name} and add them again"
        for name in sorted(found.listed.others)
    ]


def as_json(found: Sequence[Person]) -> Json:
    """Return the same facts for machines: times in ISO 8601, the default server's name empty."""
    return [
        {
            "name": one.name,
            "admin": one.admin,
            "from": one.source,
            "last_seen": one.last_seen.isoformat() if one.last_seen else None,
            "servers": list(one.servers),
        }
        for one in found
    ]


def _person(name: str, found: HubPeople, access: Access) -> Person:
    user = found.known.get(name, {})
    seen = user.get("last_activity")
    return Person(
        name=name,
        admin=bool(user.get("admin", name in found.listed.current.admins)),
        source=_source(name, found.listed, access),
        last_seen=datetime.fromisoformat(seen) if seen else None,
        servers=tuple(sorted(user.get("servers") or ())),
    )


def _source(name: str, known: Listed, access: Access) -> str:
    if name in known.current.allowed:
        return "userlist"
    if name in known.removed:
        return "removed: fab users-sync"
    if name in known.by_provider:
        return "organisation" if access.is_github else access.provider
    return "console"


def _in(wanted: Users, found: HubPeople, api: HubApi, place: ContainerLocation) -> Iterator[Change]:
    for admin, names in ((False, wanted.allowed - wanted.admins), (True, wanted.admins)):
        new = sorted(names - found.known.keys())
        if new:
            what = f"{named(new)} to the hub{' as admin' if admin else ''}"
            yield Change("add", what, place.host, partial(_add, api, new, admin))


def _admins(wanted: Users, found: HubPeople, api: HubApi, place: ContainerLocation) -> Iterator[Change]:
    admins = {name for name, user in found.known.items() if user.get("admin")}
    for name in sorted(wanted.admins & found.known.keys() - admins):
        yield Change("make", f"{name} an admin of the hub", place.host, partial(_set_admin, api, name, True))
    # Whom somebody has made an admin in the console, the userlist has nothing to say about.
    for name in sorted((found.listed.let_in.admins - wanted.admins) & wanted.allowed & admins):
        yield Change("withdraw", f"{name}'s admin rights at the hub", place.host, partial(_set_admin, api, name, False))


def _removal(name: str, user: Json, api: HubApi, place: ContainerLocation) -> Change:
    cost = Cost.NOTEBOOKS_STOP if user.get("servers") else Cost.REMOVAL
    what, apply = f"{name} from the hub", partial(_remove, api, name)
    return Change("remove", what, place.host, apply, cost=cost, people=(name,), independent=True)


def _put_into_force(place: ContainerLocation, userlist: str, provider: str, host: Host, progress: Progress) -> None:
    # By what the hub keeps now: somebody may have been deleted in the console since the plan.
    _send(place.container, listed.newer(read(host, place, provider), userlist, provider), host, progress)


def _send(container: str, files: Mapping[str, str], host: Host, progress: Progress) -> None:
    """Put files into the hub's folder, each whole before it takes the place of the one before."""
    new = {f"{name}.new": text.encode() for name, text in files.items()}
    host.engine.put(f"/containers/{container}/archive", context.archive(new), path=FOLDER)
    for name in files:
        done = containers.execute(host, container, "mv", "-f", f"{FOLDER}/{name}.new", f"{FOLDER}/{name}")
        if done.code:
            raise StepError(host.name, f"the userlist cannot be kept: {done.err.strip()}", "Run this again")


def _send_to_volume(settings: Settings, image: str, userlist: str, host: Host, progress: Progress) -> None:
    provider = settings.access.provider
    body = {
        "Image": image,
        "Cmd": ["true"],
        "HostConfig": {"Binds": [f"{settings.volume.name}:/data"]},
        "Labels": {containers.LABEL: STEP},
    }
    with containers.made(host, body) as container:  # it is not started: the engine reads and writes the volume all the same
        kept = _kept(host, container, provider)
        if kept is None or kept.image == userlist:
            return  # where there has been no hub yet, the first goes by its image's list
        files = {name: text.encode() for name, text in listed.newer(kept, userlist, provider).items()}
        host.engine.put(f"/containers/{container}/archive", context.archive(files), path=FOLDER)


def _add(api: HubApi, names: Sequence[str], admin: bool, host: Host, progress: Progress) -> None:
    for first in range(0, len(names), AT_ONCE):
        api.post("users", {"usernames": list(names[first : first + AT_ONCE]), "admin": admin})


def _set_admin(api: HubApi, name: str, admin: bool, host: Host, progress: Progress) -> None:
    if not admin:
        _tell_of_visits(api, name, host, progress)
    api.patch(of_user(name), {"admin": admin})


def _remove(api: HubApi, name: str, host: Host, progress: Progress) -> None:
    """Stop somebody's servers and delete them: with the user go all tokens and sessions. Homes are not the hub's, they stay."""
    _tell_of_visits(api, name, host, progress)
    cause = f"{name} is still in after {REMOVE_SECONDS} s: a server of theirs does not stop"
    until(
        lambda: _is_out(api, name), REMOVE_SECONDS, lambda: StepError(host.name, cause, "See: fab status; then run this again")
    )


def _tell_of_visits(api: HubApi, name: str, host: Host, progress: Progress) -> None:
    """Say in whose servers somebody was: a server asks the hub when a page is opened, and not while its connection lasts."""
    if visited := _visited(api, name):
        where = ", ".join(visited)
        progress.log(host.name, f"{name} was in servers of others: {where}. What is open there ends when they are stopped")


def _visited(api: HubApi, name: str) -> list[str]:
    """Return the servers of others for which somebody has a token."""
    tokens: Sequence[Json] = ()
    with suppress(ApiError):  # they are removed, whether this is known or not
        tokens = (api.find(of_user(name, "tokens")) or {}).get("api_tokens", ())
    places = {str(one.get("oauth_client")).partition("/user/")[2].strip("/") for one in tokens}
    return sorted(place for place in map(unquote, places) if place and place.partition("/")[0] != name)


def _is_out(api: HubApi, name: str) -> bool:
    user = api.find(of_user(name))
    try:
        for server in (user or {}).get("servers") or {}:
            api.delete(of_server(name, server))
        if user and not user.get("servers"):
            api.delete(of_user(name))
            return True
    except ApiError as error:
        if TURNED_OFF in error.cause:
            cause = f"{name} has named servers, and the hub stops none since limits.named_servers is 0"
            raise StepError(error.host, cause, "Set it to 1, then: fab deploy, and run this again") from None
        # A start that the hub refuses meanwhile may end in an error of its own.
        if error.status != BUSY and error.status < HTTPStatus.INTERNAL_SERVER_ERROR:
            raise
    return user is None


def _files(tar: bytes) -> dict[str, str]:
    with tarfile.open(fileobj=io.BytesIO(tar)) as packed:
        files = {member.name: packed.extractfile(member) for member in packed.getmembers() if member.isfile()}
        return {name.rpartition("/")[2]: file.read().decode(errors="replace") for name, file in files.items() if file}
