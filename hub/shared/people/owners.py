"""As which user and groups a server runs, where people's files have their own UID and GID."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Table = Mapping[str, Any]
NUMBER = re.compile("[0-9]{1,10}", re.ASCII)


class Unknown(Exception):  # noqa: N818 - it is an answer
    """A user has no UID, or none that the settings allow: the text says why."""


@dataclass(frozen=True)
class Owner:
    """A user's number and those of the groups, the first one that of new files."""

    uid: int
    gid: int
    groups: tuple[int, ...] = ()

    def __str__(self) -> str:
        return f"{self.uid}:{self.gid}"

    @property
    def container(self) -> dict[str, Any]:
        """Return docker-py's arguments for it."""
        return {"user": str(self), **({"groups": [*map(str, self.groups)]} if self.groups else {})}


def listed(table: Table, user: str) -> Owner:
    """Return a user's numbers from the list that the settings have.

    Raises:
        Unknown: the user is not in it.

    """
    if user not in table["users"]:
        raise Unknown(f"owners.passwd has no line for {user} with a UID of {between(table)}")
    uid, gid, groups = table["users"][user]
    return Owner(uid, gid, tuple(groups))


def claimed(table: Table, about: Mapping[str, Any], group: int) -> Owner:
    """Return a user's numbers from what the provider says of the user; `group` is the GID where it names none.

    Raises:
        Unknown: it says no number, or one that the settings do not allow.

    """
    claims = table["claims"]
    gid = _number(table, about, claims["gid"]) if "gid" in claims else group
    groups = _numbers(table, about, claims["gids"]) if "gids" in claims else []
    return Owner(_number(table, about, claims["uid"]), gid, tuple(one for one in dict.fromkeys(groups) if one != gid))


def is_within(table: Table, number: int) -> bool:
    """Tell whether a claim may name a number."""
    lowest, highest = table["range"]
    return bool(lowest <= number <= highest)


def between(table: Table) -> str:
    """Return the numbers that are allowed, as people read them."""
    return "{} to {}".format(*table["range"])


def _number(table: Table, about: Mapping[str, Any], claim: str) -> int:
    found = _numbers(table, about, claim)
    if len(found) != 1:
        raise Unknown(f"the provider names no number in the claim {claim}, or several")
    return found[0]


def _numbers(table: Table, about: Mapping[str, Any], claim: str) -> list[int]:
    """Return the numbers of a claim, which providers write as a number, as text, or in a list."""
    said = _found(about, claim)
    texts = [str(one) for one in (said if isinstance(said, list) else [said]) if one is not None]
    for one in texts:
        if not NUMBER.fullmatch(one) or not is_within(table, int(one)):
            raise Unknown(f"the provider says {one[:40]!r} in the claim {claim}, which is no number of {between(table)}")
    return [int(one) for one in texts]


def _found(about: Mapping[str, Any], claim: str) -> Any:
    """Return a claim, which may be in a table of another: `attributes.uidNumber`."""
    if claim in about:
        return about[claim]
    first, _, rest = claim.partition(".")
    inner = about.get(first)
    return _found(inner, rest) if rest and isinstance(inner, Mapping) else None
