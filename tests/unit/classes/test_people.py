"""What people on a roster get, and who would not get it."""

from pathlib import Path

import pytest

from swarmhub import settings as settings_file
from swarmhub.classes import people
from swarmhub.classes.roster import RosterEntry
from swarmhub.settings import Settings, handed
from tests.unit.support.fakes import settings

GB = 1 << 30
CLASS = (RosterEntry("ada"), RosterEntry("grace"), RosterEntry("hopper"))
PROFILES = """
[[profiles]]
name = "Small"

[[profiles]]
name = "Large"
groups = ["ml"]
"""
PROFILED = {
    "profiles": [
        {"name": "Large", "groups": ["ml"], "memory_guarantee": "4G"},
        {"name": "Small", "memory_guarantee": "1G"},
    ],
    "overrides": [{"users": ["turing"], "memory_guarantee": "2G"}],
    "groups": {"ml": ["knuth"]},
}


@pytest.mark.parametrize(
    ("person", "gigabytes"),
    [
        (RosterEntry("ada", ("x", "ml")), 4),
        (RosterEntry("grace"), 1),
        (RosterEntry("knuth"), 4),
        (RosterEntry("hopper"), 4),
        (RosterEntry("turing"), 2),
    ],
)
def test_everybody_gets_the_first_profile_for_them(person: RosterEntry, gigabytes: int) -> None:
    """By the groups of the roster, of hosts.toml and of the hub, with the overrides for them."""
    given = Settings.model_validate(settings().model_dump(mode="json", exclude_unset=True) | PROFILED)
    server = people.server(handed.tables(given), person, {"hopper": {"groups": ["ml"]}})
    assert server["memory_guarantee"] == gigabytes * GB


@pytest.fixture
def class_of(folder: Path) -> Settings:
    """Return settings whose userlist names Ada, and where a group decides on a profile."""
    (folder / "hosts.toml").write_text((folder / "hosts.toml").read_text() + PROFILES)
    return settings_file.load(folder / "hosts.toml")


def test_who_may_not_log_in_is_named(class_of: Settings) -> None:
    """Neither on the userlist nor known to the hub; who waits for a deploy; without a hub its users are not known."""
    lines = people.warnings(class_of, CLASS, {"ada": {"groups": []}, "grace": {"groups": []}})
    assert [line.partition(". ")[0] for line in lines] == ["may not log in: hopper"]
    assert people.warnings(class_of, CLASS[:1], {}) == ["on the userlist, and not at the hub yet: ada. Next: fab users-sync"]
    assert people.warnings(class_of, CLASS[:1], None)[0].startswith("the hub does not run")


@pytest.mark.parametrize(("group", "has", "warns"), [("ml", [], True), ("ml", ["ml"], False), ("3b", [], False)])
def test_a_group_that_only_the_roster_knows_is_told(class_of: Settings, group: str, has: list[str], warns: bool) -> None:
    """Where it decides on what somebody gets."""
    lines = people.warnings(class_of, [RosterEntry("ada", (group,))], {"ada": {"groups": has}})
    assert lines == (
        ["in group ml on the roster only: ada. Add them in hosts.toml, below [groups], or at the hub"] if warns else []
    )


def test_who_is_offered_no_profile_is_told(class_of: Settings, folder: Path) -> None:
    """The hub refuses their start."""
    (folder / "hosts.toml").write_text(
        (folder / "hosts.toml").read_text().replace('name = "Small"', 'name = "Small"\ngroups = ["x"]')
    )
    (line,) = people.warnings(settings_file.load(folder / "hosts.toml"), CLASS[:1], {"ada": {"groups": []}})
    assert line == "in no group that a profile is for: ada. No server starts for them"
