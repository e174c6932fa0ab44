"""People who have not been seen for long, and their homes: the hub tells, and of people unknown to it, their files."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from hub.shared.people.listed import Listed
from swarmhub.errors import StepError
from swarmhub.host import Json
from swarmhub.notebooks import leaving
from swarmhub.notebooks.leaving import Act, Archive, LeavingHome
from swarmhub.people.api import HubApi, of_user
from swarmhub.people.users import SHOW, HubPeople
from swarmhub.plan.plans import Plan
from swarmhub.plan.shown import age, size

HEADS = ("NAME", "LAST SEEN", "HOME", "NODE", "SIZE", "LAST BACKUP", "ARCHIVED")


@dataclass(frozen=True)
class AwayHome:
    """A home of somebody who is away, and since when; when a backup has last saved it, and when it was last archived.

    Somebody unknown to the hub was last seen when the home was last changed.
    """

    home: LeavingHome
    seen: datetime
    is_known: bool = True
    saved: datetime | None = None
    archived: datetime | None = None


def everybody(found: HubPeople) -> set[str]:
    """Return everybody whom the hub knows or has known."""
    listed: Listed = found.listed
    return {*found.known, *listed.let_in.allowed, *listed.current.allowed, *listed.by_provider, *listed.deleted}


def seen(user: Json) -> datetime:
    """Return when somebody was last seen, as the hub's API gives them; who never logged in, when they were added."""
    return datetime.fromisoformat(user.get("last_activity") or user["created"])


def gone(names: Iterable[str], known: Mapping[str, Json], before: datetime) -> list[str]:
    """Return which of these people the hub has not seen since, or does not know."""
    return sorted(name for name in names if name not in known or seen(known[name]) < before)


def of(homes: Iterable[LeavingHome], known: Mapping[str, Json], working: Collection[str], before: datetime) -> list[AwayHome]:
    """Return the homes of those who are away, and whose servers do not run."""
    found = [_of(one, known) for one in homes if one.user not in working]
    return sorted((one for one in found if one.seen < before), key=lambda one: (one.seen, one.home.user))


def _of(home: LeavingHome, known: Mapping[str, Json]) -> AwayHome:
    if home.user in known:
        return AwayHome(home, seen(known[home.user]))
    return AwayHome(home, datetime.fromtimestamp(home.content.changed, UTC), is_known=False)


def rows(found: Sequence[AwayHome], now: datetime) -> list[tuple[str, ...]]:
    """Return a line for each, under `HEADS`."""
    return [
        (
            one.home.user,
            f"{age(one.seen, now)} ago" if one.is_known else f"not in the hub; files {age(one.seen, now)} old",
            one.home.volume or one.home.name,
            one.home.host,
            size(one.home.content.bytes),
            _day(one.saved),
            _day(one.archived),
        )
        for one in found
    ]


def _day(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d}" if at else "-"


def as_json(found: Sequence[AwayHome]) -> Json:
    """Return the same facts for machines: times in ISO 8601."""
    return [
        {
            "name": one.home.user,
            "last_seen": one.seen.isoformat(timespec="seconds"),
            "in_hub": one.is_known,
            "home": one.home.volume or one.home.name,
            "node": one.home.host,
            "files": one.home.content.files,
            "bytes": one.home.content.bytes,
            "saved": one.saved.isoformat() if one.saved else None,
            "archived": one.archived.isoformat() if one.archived else None,
        }
        for one in found
    ]


def plan(found: Sequence[AwayHome], to: Archive, free: Act | None) -> Plan:
    """Return what saves the homes in the archive, on all nodes at once, and frees each that is saved."""
    changes = tuple(leaving.change(one.home, to, free) for one in found)
    return Plan(SHOW, "nobody who is away has a home", changes, at_once=True)


def question(found: Sequence[AwayHome]) -> str:
    """Return what to ask before homes are freed."""
    warning = leaving.warning([one.home for one in found], "in the archive")
    return f"{warning} One comes back by: fab restore --home NAME. Go on?"


@dataclass(frozen=True)
class StillAway:
    """Make sure, once a home is saved, that its user has not come back since the list was made."""

    api: HubApi
    before: datetime

    def __call__(self, user: str) -> None:
        """Do it.

        Raises:
            StepError: the hub has seen them.

        """
        found = self.api.find(of_user(user))
        if found and seen(found) >= self.before:
            raise StepError(
                self.api.host, f"{user} has come back meanwhile; the home is saved, and not freed", "Run this again"
            )
