"""Read the userlist: who may log in, and who of them is an admin."""

import re
from dataclasses import dataclass

# GitHub's own rule, and the "_shortcode" of enterprise managed users.
LOGIN = re.compile(r"(?=.{1,39}\Z)[a-z0-9](?:-?[a-z0-9]){0,38}(?:_[a-z0-9]{1,15})?", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True)
class Users:
    """The names in the userlist, in lower case as GitHub compares them."""

    allowed: frozenset[str]
    admins: frozenset[str]


@dataclass(frozen=True)
class Mistake:
    """A line of the userlist that cannot be meant."""

    line: int
    wrong: str


def parse(text: str) -> tuple[Users, tuple[Mistake, ...]]:
    """Return the users and every mistake; with a mistake, the users are not to be used."""
    seen: dict[str, int] = {}
    admins: set[str] = set()
    mistakes: list[Mistake] = []
    for number, line in enumerate(text.split("\n"), 1):
        words = re.findall(r"[^ \t]+", line.partition("#")[0])
        wrong = _wrong(words, seen) if words else None
        if wrong:
            mistakes.append(Mistake(number, wrong))
        elif words:
            seen[words[0].lower()] = number
        if words[1:] == ["admin"]:
            admins.add(words[0].lower())
    if not admins:
        mistakes.append(Mistake(1, "names no admin; add 'admin' behind at least one name: NAME admin"))
    return Users(frozenset(seen), frozenset(admins)), tuple(mistakes)


def _wrong(words: list[str], seen: dict[str, int]) -> str | None:
    name = words[0]
    if not LOGIN.fullmatch(name):
        return f"{name!r} is no GitHub user name: letters, digits and single hyphens between them, at most 39"
    if name.lower() in seen:
        return f"{name!r} is on line {seen[name.lower()]} already; GitHub tells no upper from lower case; keep one"
    if words[1:] not in ([], ["admin"]):
        return f"{' '.join(words)!r}: a line is a name, or a name and 'admin'"
    return None
