"""Files that are wrong, made from right ones: each has one fault, at a line that is known."""

import re
from collections.abc import Iterator

# No setting is a date.
DATE = "1979-05-27"
VALUE = re.compile(r'^(?P<key>[\w.]+) *= *(?P<value>".*?"|\[.*?\]|\{.*?\}|[\w.]+)')
BROKEN = ('= "not closed', "= [1, ", "= {a = ", "= ", "= nothing", '= "\\q"', "= 'a' 'b'", "= 0x", "= 1__0", '= "a\x00b"')
NAMES = (
    "gr ace admin",
    "-grace",
    "grace/../ada",
    "grace\x1b[2J",
    "x" * 300,
    "grace admin admin",
    "grace\u202eada",
    "$(id)",
    "a;b",
)


def hosts(text: str) -> Iterator[tuple[str, int | None]]:
    """Yield hosts.toml with a fault in it, and its line; none where TOML cannot say it exactly."""
    lines = text.splitlines()
    for at, line in enumerate(lines):
        if found := VALUE.match(line):
            key = found["key"]
            yield _with(lines, at, f"{key} = {DATE}"), at + 1
            yield _with(lines, at, f"{key}x = {found['value']}"), None
            yield _with(lines, at, f"{line.partition('#')[0]}\n{key} = {found['value']}"), None
            for broken in BROKEN:
                yield _with(lines, at, f"{key} {broken}"), None
        elif line.startswith("["):
            yield _with(lines, at, line.replace("]", "", 1)), None
            yield _with(lines, at, f"{line}\nno_such_setting = 1"), at + 2
        elif not line:
            yield _with(lines, at, "no setting"), at + 1


def userlists(text: str) -> Iterator[tuple[str, int]]:
    """Yield userlists with a fault in them, and its line."""
    lines = text.splitlines()
    for at in range(len(lines) + 1):
        for name in NAMES:
            yield "\n".join([*lines[:at], name, *lines[at:], ""]), at + 1


def _with(lines: list[str], at: int, line: str) -> str:
    return "\n".join([*lines[:at], line, *lines[at + 1 :], ""])
