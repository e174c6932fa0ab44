"""What the settings and the hub say of the people on a roster: what they get, and who would not get it."""

from collections.abc import Iterator, Mapping, Sequence

from hub.shared.people import userlist
from hub.shared.servers.choice import is_for, server_for
from swarmhub.classes.roster import RosterEntry
from swarmhub.host import Json
from swarmhub.settings import Settings, handed

# Whom the hub knows, by name, as its API gives them.
Known = Mapping[str, Json]


def server(tables: Json, person: RosterEntry, known: Known) -> Json:
    """Return what somebody's server gets by default, by the keys of [notebook]."""
    groups = _groups(tables, person, known)
    return server_for(tables, person.name, groups, next(_offered(tables, groups), None))


def warnings(settings: Settings, people: Sequence[RosterEntry], known: Known | None) -> list[str]:
    """Return who may not log in, and who would not get what the roster says; `known` is whom the hub knows, if it runs."""
    listed, _ = userlist.parse(settings.hub.userlist.read_text(), settings.access.provider)
    names, tables = [one.name for one in people], handed.tables(settings)
    lines = []
    if known is None:
        lines.append("the hub does not run: users added in its admin console are not counted as able to log in")
    strangers = [name for name in names if name not in listed.allowed and name not in (known or {})]
    if strangers:
        wrong = "on no userlist; their provider decides" if settings.access.vouches else "may not log in"
        lines.append(f"{wrong}: {', '.join(strangers)}. Add them to {settings.hub.userlist}, then: fab users-sync")
    coming = [name for name in names if known is not None and name in listed.allowed and name not in known]
    if coming:
        lines.append(f"on the userlist, and not at the hub yet: {', '.join(coming)}. Next: fab users-sync")
    if nothing := [one.name for one in people if not _is_offered_something(tables, one, known or {})]:
        lines.append(f"in no group that a profile is for: {', '.join(nothing)}. No server starts for them")
    for group, members in _misgrouped(tables, people, known or {}).items():
        lines.append(
            f"in group {group} on the roster only: {', '.join(members)}. Add them in hosts.toml, below [groups], or at the hub"
        )
    return lines


def _misgrouped(tables: Json, people: Sequence[RosterEntry], known: Known) -> dict[str, list[str]]:
    """Return, by group, who is in it by the roster only, where that decides on what they get."""
    rules = [rule for part in ("profiles", "overrides", "folders") for rule in tables[part]]
    deciding = {group for rule in rules for group in rule.get("groups", ())}
    found: dict[str, list[str]] = {}
    for one in people:
        has = {*known.get(one.name, {}).get("groups", ())}
        for group in one.groups:
            if group in deciding - has and one.name not in tables["groups"].get(group, ()):
                found.setdefault(group, []).append(one.name)
    return found


def _is_offered_something(tables: Json, person: RosterEntry, known: Known) -> bool:
    return not tables["profiles"] or any(_offered(tables, _groups(tables, person, known)))


def _offered(tables: Json, groups: set[str]) -> Iterator[Json]:
    """Yield the profiles that members of groups may choose, as the hub offers them; the first is what they get unasked."""
    return (one for one in tables["profiles"] if is_for(one, groups, ""))


def _groups(tables: Json, person: RosterEntry, known: Known) -> set[str]:
    """Return the groups that somebody is in: the roster's, those of hosts.toml, and the hub's."""
    named = {group for group, members in tables["groups"].items() if person.name in members}
    return named | {*known.get(person.name, {}).get("groups", ())} | {*person.groups}
