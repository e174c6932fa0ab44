"""The groups of hosts.toml hold only who may log in."""

from pathlib import Path

import pytest

from swarmhub import settings
from swarmhub.errors import SettingsError
from swarmhub.settings import members


def check(folder: Path, groups: str) -> None:
    """Check the groups of a folder's settings, where ada and grace may log in."""
    with (folder / "hosts.toml").open("a") as file:
        file.write(f"\n[groups]\n{groups}\n")
    members.check(settings.load(folder / "hosts.toml"), Path("hosts.toml"), b"ada admin\ngrace\n")


def test_members_that_may_log_in_are_taken(folder: Path) -> None:
    """Names compare as GitHub compares them, upper or lower case."""
    check(folder, 'gpu = ["Ada", "grace"]')


def test_a_member_that_may_not_log_in_is_told_with_the_line(folder: Path) -> None:
    """A name that is misspelt here would let a stranger in."""
    with pytest.raises(SettingsError) as error:
        check(folder, 'gpu = ["ada", "grac"]')
    (problem,) = error.value.problems
    lines = (folder / "hosts.toml").read_text().splitlines()
    assert (problem.key, lines[problem.line - 1]) == ("groups.gpu[1]", 'gpu = ["ada", "grac"]')
    assert problem.wrong.startswith("'grac' is not in the userlist, and a group would let them in")
