"""What hosts.toml may say of the pages that people see first."""

from pathlib import Path

import pytest

from swarmhub.errors import SettingsError
from swarmhub.settings import load
from swarmhub.settings.schema.page import Page
from tests.unit.support.cluster import HOSTS_TOML


def test_a_text_may_have_lines_and_begins_and_ends_with_words() -> None:
    """What TOML's three quotes leave around it is taken away."""
    assert Page(about="\nFor physicists.\nAnd friends.\n").about == "For physicists.\nAnd friends."


def test_a_logo_counts_from_the_folder_of_hosts_toml(tmp_path: Path) -> None:
    """As every path there."""
    file = tmp_path / "hosts.toml"
    file.write_text(f'{HOSTS_TOML}\n[page]\nlogo = "logo.svg"\n')
    assert load(file).page.logo == tmp_path / "logo.svg"


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ('name = "a\\nb"', "page.name: 'a\\nb' is not a line of text"),
        ('about = "a\\u0007b"', "page.about: 'a\\x07b' is not text without control characters"),
        ('announcement = "a\\tb"', "page.announcement: 'a\\tb' is not text without control characters"),
        ('logo = "$(id)"', "page.logo: '$(id)' is not a file's path"),
        ('title = "x"', "page.title: is no setting; known here: name, about, logo, announcement"),
    ],
)
def test_a_mistake_is_told_with_its_line(tmp_path: Path, line: str, wrong: str) -> None:
    """Before anything is connected to."""
    file = tmp_path / "hosts.toml"
    file.write_text(f"{HOSTS_TOML}\n[page]\n{line}\n")
    number = file.read_text().splitlines().index(line) + 1
    with pytest.raises(SettingsError) as error:
        load(file)
    assert str(error.value).startswith(f"{file}:{number}: {wrong}")
