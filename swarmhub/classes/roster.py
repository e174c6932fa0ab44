"""A class as a teacher has it: a CSV file with a name and, perhaps, a group a line."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from hub.shared.userlist import GITHUB, wrong_name
from swarmhub.errors import Problem, SettingsError
from swarmhub.settings.schema.grammar import NAME

COLUMNS = ("name", "group")
# What spreadsheets write: Excel a semicolon, where the comma is the decimal point.
DELIMITERS = ";\t,"


@dataclass(frozen=True)
class RosterEntry:
    """Somebody on the roster; the name is in lower case as JupyterHub writes it, the group may be empty."""

    name: str
    group: str = ""


def load(file: Path, provider: str = GITHUB) -> tuple[RosterEntry, ...]:
    """Read a roster; `provider` is access.provider, whose names they are.

    Raises:
        SettingsError: with every mistake and its line.

    """
    try:
        text = file.read_bytes().decode("utf-8-sig")  # with or without a byte order mark
    except OSError as error:
        wrong = f"{(error.strerror or str(error)).lower()}; a roster is a CSV file with the header name,group"
        raise SettingsError(Problem(str(file), 1, "", wrong)) from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise SettingsError(Problem(str(file), line, "", "is not UTF-8; in Excel, save it as CSV UTF-8")) from None
    people, mistakes = parse(text, provider)
    if mistakes:
        raise SettingsError(*(Problem(str(file), line, "", wrong) for line, wrong in mistakes))
    return people


def parse(text: str, provider: str = GITHUB) -> tuple[tuple[RosterEntry, ...], list[tuple[int, str]]]:
    """Return the people and every mistake with its line; with a mistake, the people are not to be used."""
    header = text.partition("\n")[0]
    delimiter = next((one for one in DELIMITERS if one in header), ",")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
    try:
        rows = [(reader.line_num, [cell.strip() for cell in row]) for row in reader]
    except csv.Error as error:
        return (), [(reader.line_num, f"is no CSV: {error}")]
    heads = [cell.lower() for cell in rows[0][1]] if rows else []
    if wrong := _wrong_heads(heads):
        return (), [(1, wrong)]
    seen: dict[str, int] = {}
    mistakes: list[tuple[int, str]] = []
    people = []
    for line, row in rows[1:]:
        if not any(row):
            continue
        person = RosterEntry(*(dict(zip(heads, row, strict=False)).get(column, "") for column in COLUMNS))
        mistakes += [(line, wrong) for wrong in _wrongs(person, row, heads, seen, provider)]
        seen.setdefault(person.name.lower(), line)
        people.append(RosterEntry(person.name.lower(), person.group))
    if not people:
        mistakes.append((1, "has no names; below the header, write one name on each line"))
    return tuple(people), mistakes


def _wrong_heads(heads: Sequence[str]) -> str:
    if "name" not in heads:
        return "has no column 'name'; the first line is the header: name,group"
    if unknown := [head for head in heads if head and head not in COLUMNS]:
        return f"has a column {unknown[0]!r}; a roster has name and group, the others are to be removed"
    return "" if len(set(heads)) == len(heads) else "has a column twice; the header is: name,group"


def _wrongs(
    person: RosterEntry, row: Sequence[str], heads: Sequence[str], seen: dict[str, int], provider: str
) -> Iterator[str]:
    if len(row) > len(heads) and any(row[len(heads) :]):
        yield f"has {len(row)} cells, and the header {len(heads)}"
    if wrong := wrong_name(person.name, provider):
        yield wrong
    elif person.name.lower() in seen:
        yield f"{person.name!r} is on line {seen[person.name.lower()]} already; keep one"
    if person.group and not NAME.fullmatch(person.group):
        yield f"{person.group!r} is no group: letters, digits, '_', '.', '-', at most 63"
