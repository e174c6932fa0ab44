"""What teachers' files say, and what is told of those that cannot be meant."""

from pathlib import Path

import pytest

from swarmhub.classes import roster
from swarmhub.classes.roster import Roster, RosterEntry
from swarmhub.errors import SettingsError

BOTH = (RosterEntry("ada", ("ml",)), RosterEntry("grace"))


@pytest.mark.parametrize(
    "text",
    [
        "name,group\nada,ml\ngrace,\n",
        "name,group\nAda,ml\ngrace\n",
        "\ufeffName;Group\r\nada;ml\r\ngrace;\r\n",
        "group\tname\nml\tada\n\tgrace",
        'name, group\n"ada", "ml"\n\n,\n grace ,\n',
    ],
    ids=["commas", "without the last comma", "Excel", "tabs", "quotes and blanks"],
)
def test_files_of_spreadsheets_are_read(text: str, tmp_path: Path) -> None:
    """Whatever separates the cells and ends the lines; names are compared as GitHub does."""
    (tmp_path / "class.csv").write_bytes(text.encode())
    assert roster.load(tmp_path / "class.csv") == Roster(BOTH)


@pytest.mark.parametrize(
    ("text", "mistakes"),
    [
        ("", [(1, "has no column 'name'")]),
        ("ada,ml\n", [(1, "has no column 'name'")]),
        ("name,grup\nada,ml\n", [(1, "has a column 'grup'")]),
        ("name,name\nada,ml\n", [(1, "has a column twice")]),
        ("name,group\n", [(1, "has no names")]),
        ("name,group\nada,ml,3\n", [(2, "has 3 cells, and the header 2")]),
        ("name\nada\n\nAda\n", [(4, "'Ada' is on line 2 already")]),
        ("name,group\n,ml\n", [(2, "has no name in the column 'name'; write one")]),
        ("name,group\na b,ml\nada,m\tl\n", [(2, "'a b' is no GitHub user name"), (3, "'m\\tl' is no group")]),
        ("name,email\nada,ada@x.org\n", [(1, "has a column 'email'; a roster has name and group")]),
        ('name,group\nada,a\n"grace,b\n', [(3, "is no CSV: unexpected end of data; is a quotation mark not closed?")]),
        ("name\nada,ml\n", [(2, "has 2 cells, and the header 1")]),
        ("name\nada\u200b\n", [(2, "'ada\\u200b' is no GitHub user name")]),
        ("github_username,name\n,Ada\n", [(2, "has no name in the column 'github_username'")]),
        ("email\nada@x.org\n", [(2, "'ada@x.org' is no GitHub user name")]),
    ],
)
def test_every_mistake_is_told_with_its_line(text: str, mistakes: list[tuple[int, str]]) -> None:
    """All at once, not only the first."""
    found = roster.parse(text)[1]
    assert [(line, wrong[: len(said)]) for (line, wrong), (_, said) in zip(found, mistakes, strict=True)] == mistakes


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "class.csv:1: no such file"), (b"name\nada\nm\xfcller\n", "class.csv:3: is not UTF-8; in Excel")],
)
def test_a_file_that_cannot_be_read_is_told(content: bytes | None, said: str, tmp_path: Path) -> None:
    """With its line and what to do."""
    if content is not None:
        (tmp_path / "class.csv").write_bytes(content)
    with pytest.raises(SettingsError, match=said):
        roster.load(tmp_path / "class.csv")


def test_another_providers_names_are_taken() -> None:
    """Mail addresses, for one; GitHub has none in names."""
    text = "name\nada@example.org\n"
    assert roster.parse(text, "google") == (Roster((RosterEntry("ada@example.org"),)), [])
    assert roster.parse(text)[1] != []
    assert roster.parse("name\nada\n") == (Roster((RosterEntry("ada"),)), [])


MOODLE = """\ufeff"First name","Last name","Email address",Groups
Ada,Lovelace,ada@example.org,"Lab A, Lab B"
Miles,O'Brien,miles.o'brien@example.org,
"""
MOODLE_USERS = """username,firstname,lastname,email,course1,group1,group2
ada,Ada,Lovelace,ada@example.org,ML,Lab A,Lab B
grace,Grace,Hopper,grace@example.org,ML,,
"""
CANVAS = """Student,ID,SIS User ID,SIS Login ID,Section,Quiz 1 (4711)
    Points Possible,,,,,10
"Lovelace, Ada",101,9001,ada,"Lab A, Lab B",9
"Hopper, Grace",102,9002,grace,Lab A,
"""
ILIAS = """sep=;\r\nNachname;Vorname;Benutzername;E-Mail;Gruppen\r\nLovelace;Ada;ada;ada@example.org;Lab A|Lab B\r\n"""
CANVAS_POSTED = """Student,ID,SIS Login ID,Section,Quiz 1 (4711)
,,,,Manual Posting
    Points Possible,,,,10
"Lovelace, Ada",101,ada,Lab A,9
"""
CLASSROOM = """"identifier","github_username","github_id","name"
"ada@example.org","ada","1","Ada Lovelace"
"""
BRIGHTSPACE = """OrgDefinedId,Username,Last Name,Sections,End-of-Line Indicator
#9001,#ada,Lovelace,Lab A,#
"""
NO_GROUPS = """\ufeff"First name","Email address",Groups
Ada,ada@example.org,"No groups"
"""
BRAZIL = "\n\nNome de usu\u0061\u0301rio;Grupos\nada;Lab A\n"
FRENCH = "Nom d\u2019utilisateur;Groupe\nada;Lab A\n"
LDAP = "username;group\nada;cn=ml,ou=groups,dc=example\ngrace;cn=a,dc=b|cn=c,dc=d\n"
BY_GROUP = "username;group\nada;Lab A\nada;Lab B\n"
LABS = ("Lab A", "Lab B")
EXPORTS = {
    "Moodle's participants": (MOODLE, [("ada@example.org", LABS), ("miles.o'brien@example.org", ())], "email address"),
    "Moodle's users": (MOODLE_USERS, [("ada", LABS), ("grace", ())], "username"),
    "Canvas's gradebook": (CANVAS, [("ada", LABS), ("grace", ("Lab A",))], "sis login id"),
    "ILIAS": (ILIAS, [("ada", LABS)], "benutzername"),
    "Canvas's gradebook with its postings": (CANVAS_POSTED, [("ada", ("Lab A",))], "sis login id"),
    "GitHub Classroom's roster": (CLASSROOM, [("ada", ())], "github_username"),
    "Brightspace's grades": (BRIGHTSPACE, [("ada", ("Lab A",))], "username"),
    "Moodle's word for no group": (NO_GROUPS, [("ada@example.org", ())], "email address"),
    "Portuguese, with blank lines above": (BRAZIL, [("ada", ("Lab A",))], "nome de usuário"),
    "French, typographic": (FRENCH, [("ada", ("Lab A",))], "nom d'utilisateur"),
    "LDAP's groups": (
        LDAP,
        [("ada", ("cn=ml,ou=groups,dc=example",)), ("grace", ("cn=a,dc=b", "cn=c,dc=d"))],
        "username",
    ),
    "a line for each group": (BY_GROUP, [("ada", LABS)], "username"),
}


@pytest.mark.parametrize(("text", "people", "head"), EXPORTS.values(), ids=EXPORTS)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le"])
def test_exports_of_learning_platforms_are_read(
    text: str, people: list[tuple[str, tuple[str, ...]]], head: str, encoding: str, tmp_path: Path
) -> None:
    """As they come, in Excel's encoding too; it is said from which columns, since only the teacher knows if they are right."""
    (tmp_path / "class.csv").write_bytes(text.encode(encoding))
    read = roster.load(tmp_path / "class.csv", "generic-oauth")
    assert read.people == tuple(RosterEntry(*one) for one in people)
    assert read.said.startswith(f"names are read from {head!r}")


def test_a_workbook_is_told_to_be_saved_as_csv(tmp_path: Path) -> None:
    """Excel's own files begin like any archive."""
    (tmp_path / "class.xlsx").write_bytes(b"PK\x03\x04...")
    with pytest.raises(SettingsError, match="is a workbook; in Excel or LibreOffice, save it as CSV UTF-8"):
        roster.load(tmp_path / "class.xlsx")


def test_mail_addresses_where_people_log_in_by_github_are_told() -> None:
    """The export has no better column."""
    (_, wrong), *_ = roster.parse(MOODLE.removeprefix("\ufeff"))[1]
    assert wrong.endswith(". The file has mail addresses; add a column 'username' with what people log in by")
