"""A class as a teacher has it: a CSV file of one's own, or the export of a learning platform."""

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hub.shared.people.userlist import GITHUB, is_name, normal, normal_group, wrong_name
from swarmhub.errors import Problem, SettingsError

NAME, GROUP = "name", "group"
# What spreadsheets write: Excel a semicolon, where the comma is the decimal point.
DELIMITERS = ",;\t"
# What learning platforms call the column of the name by which somebody logs in; the first one that is there counts.
LOGINS = (
    *("github_username", "username", "user name", "sis login id", "login id", "login", "user"),
    *("benutzername", "anmeldename", "nutzername", "nom d'utilisateur", "identifiant", "nombre de usuario", "usuario"),
    *("gebruikersnaam", "nome utente", "nome de usuário", "usuário", "nome de utilizador", "utilizador"),
    *("nazwa użytkownika", "användarnamn", "brukernavn", "brugernavn", "käyttäjätunnus", "имя пользователя"),
)
MAILS = (
    *("email", "e-mail", "email address", "e-mail address", "mail", "e-mail-adresse", "emailadresse", "e-mail adresse"),
    *("adresse de courriel", "courriel", "correo", "dirección de correo", "e-mailadres", "indirizzo email"),
)
GROUPS = (
    *("group", "groups", "group name", "gruppe", "gruppen", "section", "sections", "section name", "sektion"),
    *("groupe", "groupes", "grupo", "grupos", "groep", "groepen", "gruppo", "gruppi", "grupa", "grupy", "grupp", "grupper"),
)
SEVERAL = re.compile(r"group\d+")  # Moodle's group1, group2
BETWEEN = re.compile(r"[;|\n]")
# LDAP's names of groups have commas of their own.
OF_LDAP = re.compile(r"\w+=[^,]+(?:,\s*\w+=[^,]+)+")
# What Moodle says of people without a group.
NO_GROUP = ("no groups", "keine gruppen", "aucun groupe")
# A line of Canvas's gradebook that is nobody's.
NOBODY = "points possible"
# Brightspace writes "#" before each name, and has this column.
HASHED = "end-of-line indicator"
MARKS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
TURN = "in Excel, save it as CSV UTF-8; elsewhere: iconv -f WINDOWS-1252 -t UTF-8 FILE"


@dataclass(frozen=True)
class RosterEntry:
    """Somebody on the roster; the name is in lower case as JupyterHub writes it."""

    name: str
    groups: tuple[str, ...] = ()


@dataclass(frozen=True)
class Columns:
    """Where a file has names and groups, by the heads of its columns; `is_own` if it is none of a learning platform's."""

    name: str
    groups: tuple[str, ...]
    others: tuple[str, ...]
    is_own: bool

    @property
    def said(self) -> str:
        """Return what was read of an export, for whoever knows what it should be."""
        groups = f", groups from {_named(self.groups)}" if self.groups else ""
        others = f"; not used: {_named(self.others)}" if self.others else ""
        return f"names are read from {self.name!r}{groups}{others}"


@dataclass(frozen=True)
class Roster:
    """The people of a file, and what to say of how it was read; nothing of one in the form that the docs have."""

    people: tuple[RosterEntry, ...]
    said: str = ""


def load(file: Path, provider: str = GITHUB) -> Roster:
    """Read a roster; `provider` is access.provider, whose names they are.

    Raises:
        SettingsError: with every mistake and its line.

    """
    try:
        raw = file.read_bytes()
    except OSError as error:
        wrong = f"{(error.strerror or str(error)).lower()}; a roster is a CSV file with the header name,group"
        raise SettingsError(Problem(str(file), 1, "", wrong)) from None
    if raw.startswith(b"PK\x03\x04"):
        raise SettingsError(Problem(str(file), 1, "", "is a workbook; in Excel or LibreOffice, save it as CSV UTF-8"))
    try:
        text = _decoded(raw)
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise SettingsError(Problem(str(file), line, "", f"is not UTF-8; {TURN}")) from None
    roster, mistakes = parse(text, provider)
    if mistakes:
        raise SettingsError(*(Problem(str(file), line, "", wrong) for line, wrong in mistakes))
    return roster


def parse(text: str, provider: str = GITHUB) -> tuple[Roster, list[tuple[int, str]]]:
    """Return the roster and every mistake with its line; with a mistake, the roster is not to be used."""
    rows: list[tuple[int, list[str]]] = []
    try:
        rows += (row for row in _rows(text) if any(row[1]))
    except csv.Error as error:
        return Roster(()), [(rows[-1][0] + 1 if rows else 1, f"is no CSV: {error}; is a quotation mark not closed?")]
    heads = [_head(cell) for cell in rows[0][1]] if rows else []
    columns = _columns(heads)
    if isinstance(columns, str):
        return Roster(()), [(rows[0][0] if rows else 1, columns)]
    found: dict[str, RosterEntry] = {}
    lines: dict[str, int] = {}
    mistakes: list[tuple[int, str]] = []
    for line, row in rows[1:]:
        person = _person(dict(zip(heads, row, strict=False)), columns)
        # Canvas has a line of its own that says how grades are posted: its first column, the student, is empty.
        is_nobody = row[0].lower() == NOBODY or not (row[0] or person.name or heads[0] == columns.name)
        if is_nobody and not columns.is_own:
            continue
        name, before = normal(person.name), found.get(normal(person.name))
        wrongs = [*_wrongs(person, columns.name, row, heads, provider), *_again(person, before, lines.get(name, 0))]
        mistakes += [(line, f"{wrong}{_hint(columns, provider)}") for wrong in wrongs]
        groups = (*(before.groups if before else ()), *person.groups)
        found[name] = RosterEntry(name, tuple(dict.fromkeys(groups)))
        lines.setdefault(name, line)
    if not found:
        mistakes.append((1, "has no names; below the header, write one name on each line"))
    return Roster(tuple(found.values()), "" if columns.is_own else columns.said), mistakes


def _decoded(raw: bytes) -> str:
    """Return the text of a file, with or without a byte order mark; Excel's Unicode text is UTF-16, and not always marked."""
    if encoding := MARKS.get(raw[:2]):
        return raw.decode(encoding)
    if b"\0" in raw[:2]:
        return raw.decode("utf-16-be" if raw[:1] == b"\0" else "utf-16-le")
    return raw.decode("utf-8-sig")


def _rows(text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows with their lines, the header first; Excel may say above it what separates the cells."""
    said = re.match(r"sep=(.)\r?\n", text)
    body, skipped = (text[said.end() :], 1) if said else (text, 0)
    header = re.sub(r'"[^"]*"', "", body.lstrip().partition("\n")[0])
    delimiter = said[1] if said else max(DELIMITERS, key=header.count)
    reader = csv.reader(io.StringIO(body, newline=""), delimiter=delimiter, skipinitialspace=True, strict=True)
    yield from ((reader.line_num + skipped, [cell.strip() for cell in row]) for row in reader)


def _head(cell: str) -> str:
    return normal(cell).replace("\u2019", "'")


def _columns(heads: Sequence[str]) -> Columns | str:
    """Return where names and groups are, or what is wrong with the header."""
    groups = tuple(head for head in heads if head in GROUPS or SEVERAL.fullmatch(head))
    login = next((one for one in (*LOGINS, NAME, *MAILS) if one in heads), "")
    if not login:
        return "has no column 'name'; the first line is the header: name,group. An export needs a column such as 'username'"
    others = tuple(head for head in heads if head and head != login and head not in groups)
    if login == NAME and others:
        return f"has a column {others[0]!r}; a roster has name and group, the others are to be removed"
    if heads.count(login) > 1 or len(set(groups)) < len(groups):
        return f"has a column twice: {next(one for one in heads if heads.count(one) > 1)!r}"
    return Columns(login, groups, others, is_own=login == NAME)


def _person(row: Mapping[str, str], columns: Columns) -> RosterEntry:
    parts = (part.strip() for head in columns.groups for part in BETWEEN.split(row.get(head, "")))
    cells = (cell.strip() for part in parts for cell in ([part] if OF_LDAP.fullmatch(part) else part.split(",")))
    groups = tuple(normal_group(cell) for cell in cells if cell and (columns.is_own or cell.lower() not in NO_GROUP))
    name = row.get(columns.name, "")
    return RosterEntry(name.removeprefix("#") if HASHED in columns.others else name, groups)


def _wrongs(person: RosterEntry, column: str, row: Sequence[str], heads: Sequence[str], provider: str) -> Iterator[str]:
    if len(row) > len(heads) and any(row[len(heads) :]):
        yield f"has {len(row)} cells, and the header {len(heads)}"
    if not person.name:
        yield f"has no name in the column {column!r}; write one, or remove the line"
    elif wrong := wrong_name(person.name, provider):
        yield wrong
    for group in person.groups:
        if not is_name(group):
            yield f"{group!r} is no group: nothing invisible, at most 255"


def _again(person: RosterEntry, before: RosterEntry | None, line: int) -> Iterator[str]:
    """Yield that somebody is there twice, unless the second time is for another group."""
    if person.name and before and {*person.groups} <= {*before.groups}:
        yield f"{person.name!r} is on line {line} already; keep one"


def _hint(columns: Columns, provider: str) -> str:
    if columns.name in MAILS and provider == GITHUB:
        return ". The file has mail addresses; add a column 'username' with what people log in by"
    return ""


def _named(heads: Sequence[str]) -> str:
    return ", ".join(map(repr, heads))
