"""Read the userlist: who may log in, and who of them is an admin."""

import re
from dataclasses import dataclass

GITHUB = "github"
# GitHub's own rule, and the "_shortcode" of enterprise managed users.
LOGIN = re.compile(r"(?=.{1,39}\Z)[a-z0-9](?:-?[a-z0-9]){0,38}(?:_[a-z0-9]{1,15})?", re.IGNORECASE | re.ASCII)
# What other providers call people: their mail addresses, too.
NAME = re.compile(r"[a-z0-9][a-z0-9_.@+-]{0,62}", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True)
class Users:
    """The names in the userlist, in lower case as JupyterHub compares them."""

    allowed: frozenset[str]
    admins: frozenset[str]


@dataclass(frozen=True)
class Mistake:
    """A line of the userlist that cannot be meant."""

    line: int
    wrong: str


def parse(text: str, provider: str = GITHUB) -> tuple[Users, tuple[Mistake, ...]]:
    """Return the users and every mistake; with a mistake, the users are not to be used.

    `provider` is access.provider of `hosts.toml`: only GitHub's names are known more closely.
    """
    seen: dict[str, int] = {}
    admins: set[str] = set()
    mistakes: list[Mistake] = []
    for number, line in enumerate(text.split("\n"), 1):
        words = re.findall(r"[^ \t]+", line.partition("#")[0])
        wrong = _wrong(words, seen, provider) if words else None
        if wrong:
            mistakes.append(Mistake(number, wrong))
        elif words:
            seen[words[0].lower()] = number
        if words[1:] == ["admin"]:
            admins.add(words[0].lower())
    if not admins:
        mistakes.append(Mistake(1, "names no admin; add 'admin' behind at least one name: NAME admin"))
    return Users(frozenset(seen), frozenset(admins)), tuple(mistakes)


def render(users: Users) -> str:
    """Return the users as a userlist."""
    return "".join(f"{name} admin\n" if name in users.admins else f"{name}\n" for name in sorted(users.allowed))


def wrong_name(name: str, provider: str) -> str | None:
    """Return why this cannot be what the provider calls somebody, if it cannot."""
    if provider == GITHUB and not LOGIN.fullmatch(name):
        return f"{name!r} is no GitHub user name: letters, digits and single hyphens between them, at most 39"
    if not NAME.fullmatch(name):
        return f"{name!r} is no user name: letters, digits and any of _.@+- behind the first, at most 63"
    return None


def _wrong(words: list[str], seen: dict[str, int], provider: str) -> str | None:
    name = words[0]
    if wrong := wrong_name(name, provider):
        return wrong
    if name.lower() in seen:
        who = "GitHub" if provider == GITHUB else "JupyterHub"
        return f"{name!r} is on line {seen[name.lower()]} already; {who} tells no upper from lower case; keep one"
    if words[1:] not in ([], ["admin"]):
        return f"{' '.join(words)!r}: a line is a name, or a name and 'admin'"
    return None
