"""Read the userlist: who may log in, and who of them is an admin."""

import re
import unicodedata
from dataclasses import dataclass

GITHUB = "github"
# GitHub's own rule, and the "_shortcode" of enterprise managed users.
LOGIN = re.compile(r"(?=.{1,39}\Z)[a-z0-9](?:-?[a-z0-9]){0,38}(?:_[a-z0-9]{1,15})?", re.IGNORECASE | re.ASCII)
# A word of the list: in quotation marks, where one doubled is one, or without; then a comment.
WORD = re.compile(r'[ \t]*(?:"((?:[^"]|"")*)"(?=[ \t#]|\Z)|([^ \t"#][^ \t#]*)|(#.*)|\Z)')
LONGEST = 255
RIGHT = "no slash, not only dots, no space at an end, nothing invisible"
# So the users of the smoke test begin, who are removed with their homes. GitHub has no such names.
SMOKE = "smoke--"
QUOTED = (
    '. A name with spaces is quoted: "Ada Lovelace" admin. For shorter names, such as logins or mail addresses, set '
    "username_claim in [access.options]"
)
# What word processors make of quotation marks.
TYPESET = "\u201c\u201d\u201e\u00ab\u00bb"


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
        words = _words(line)
        wrong = _wrong(words, seen, provider) if words else _unclosed(words)
        if wrong:
            mistakes.append(Mistake(number, wrong))
        elif words:
            seen[normal(words[0])] = number
        if words and words[1:] == ["admin"]:
            admins.add(normal(words[0]))
    if not admins:
        mistakes.append(Mistake(1, "names no admin; add 'admin' behind at least one name: NAME admin"))
    return Users(frozenset(seen), frozenset(admins)), tuple(mistakes)


def render(users: Users) -> str:
    """Return the users as a userlist."""
    words = {name: _written(name) for name in sorted(users.allowed)}
    return "".join(f"{word} admin\n" if name in users.admins else f"{word}\n" for name, word in words.items())


def normal(name: str) -> str:
    """Return a name as JupyterHub compares it, and with each letter composed, as providers write it and some editors do not."""
    return unicodedata.normalize("NFC", name).lower()


def normal_group(name: str) -> str:
    """Return a group's name with each letter composed; upper and lower case count, as the provider writes them."""
    return unicodedata.normalize("NFC", name)


def wrong_name(name: str, provider: str) -> str | None:
    """Return why this cannot be what the provider calls somebody, if it cannot."""
    if provider == GITHUB and not LOGIN.fullmatch(name):
        return f"{name!r} is no GitHub user name: letters, digits and single hyphens between them, at most 39"
    if any(mark in name for mark in TYPESET):
        return f'{name!r} has typographic quotation marks; write them straight: "'
    if normal(name).startswith(SMOKE):
        return f"{name!r} begins as the users of the smoke test do, who are removed with their files"
    if not is_name(name) or "/" in name or not name.strip("."):
        return f"{name!r} is no user name of JupyterHub: {RIGHT}, at most {LONGEST}"
    return None


def is_name(text: str) -> bool:
    """Tell whether JupyterHub may call a user or a group so; users have rules besides."""
    return bool(text) and len(text) <= LONGEST and text == text.strip() and text.isprintable()


def _words(line: str) -> list[str] | None:
    """Return the words of a line; None where a quotation mark is not closed, or not followed by a space."""
    words, place = list[str](), 0
    while place < len(line):
        found = WORD.match(line, place)
        if found is None:
            return None
        quoted, plain, _ = found.groups()
        words += [quoted.replace('""', '"')] if quoted is not None else [plain] if plain else []
        place = found.end()
    return words


def _unclosed(words: list[str] | None) -> str | None:
    return 'a quotation mark is not closed; a name with spaces is written "Ada Lovelace"' if words is None else None


def _written(name: str) -> str:
    return '"{}"'.format(name.replace('"', '""')) if re.search(r'[\s#]|\A"', name) else name


def _wrong(words: list[str], seen: dict[str, int], provider: str) -> str | None:
    name = words[0]
    if wrong := wrong_name(name, provider):
        return wrong
    if normal(name) in seen:
        who = "GitHub" if provider == GITHUB else "JupyterHub"
        return f"{name!r} is on line {seen[normal(name)]} already; {who} tells no upper from lower case; keep one"
    if words[1:] not in ([], ["admin"]):
        quoted = "" if provider == GITHUB else QUOTED
        return f"{' '.join(words)!r}: a line is a name, or a name and 'admin'{quoted}"
    return None
