"""What teachers' files say, and what is told of those that cannot be meant."""

from pathlib import Path

import pytest

from swarmhub.classes import roster
from swarmhub.classes.roster import RosterEntry
from swarmhub.errors import SettingsError

BOTH = (RosterEntry("ada", "ml"), RosterEntry("grace"))


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
    assert roster.load(tmp_path / "class.csv") == BOTH


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
        ("name,group\n,ml\n", [(2, "'' is no GitHub user name")]),
        ("name,group\na b,ml\nada,m l\n", [(2, "'a b' is no GitHub user name"), (3, "'m l' is no group")]),
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
    assert roster.parse(text, "google") == ((RosterEntry("ada@example.org"),), [])
    assert roster.parse(text)[1] != []
    assert roster.parse("name\nada\n") == ((RosterEntry("ada"),), [])
