"""What a server gets: [notebook], then the profile, then the overrides that fit."""

import re
from typing import Any

import pytest

from hub.shared.servers.choice import is_for, server_for, slug
from tests.unit.hub.asked import IMAGE, tables

GIVEN = tables(
    notebook={"memory_limit": "1G", "environment": {"A": "all", "B": "all"}},
    profiles=[{"name": "Small"}, {"name": "Big", "memory_limit": "8G", "environment": {"B": "big"}}],
    overrides=[
        {"users": ["ada"], "cpu_limit": 4},
        {"groups": ["staff"], "memory_limit": "2G"},
        {"groups": ["staff"], "profiles": ["Big"], "memory_limit": "16G"},
        {"profiles": ["Big"], "processes": 99},
    ],
)
SMALL, BIG = GIVEN["profiles"]
G = 2**30


def given(user: str, groups: list[str], profile: dict[str, Any] | None, key: str) -> Any:
    """Return what a user's server gets by one key."""
    return server_for(GIVEN, user, groups, profile).get(key)


@pytest.mark.parametrize(
    ("user", "groups", "profile", "memory"),
    [
        ("grace", [], None, G),
        ("grace", [], SMALL, G),
        ("grace", [], BIG, 8 * G),
        ("grace", ["staff"], SMALL, 2 * G),
        ("grace", ["staff"], BIG, 16 * G),
        ("grace", ["other"], BIG, 8 * G),
    ],
)
def test_the_last_that_fits_wins(user: str, groups: list[str], profile: dict[str, Any] | None, memory: int) -> None:
    """[notebook] holds for all, the profile over it, and overrides over both, in their order."""
    assert given(user, groups, profile, "memory_limit") == memory


@pytest.mark.parametrize(("user", "cpus"), [("ada", 4), ("grace", None)])
def test_an_override_for_a_user_is_for_nobody_else(user: str, cpus: float | None) -> None:
    """A user who is named gets it, whatever the groups."""
    assert given(user, [], None, "cpu_limit") == cpus


@pytest.mark.parametrize(("profile", "processes"), [(BIG, 99), (SMALL, 4096), (None, 4096)])
def test_an_override_for_a_profile_is_for_all_who_chose_it(profile: dict[str, Any] | None, processes: int) -> None:
    """Without users and groups the profile alone decides."""
    assert given("grace", [], profile, "processes") == processes


def test_a_profile_adds_to_the_environment() -> None:
    """One variable that it sets leaves the others."""
    assert given("grace", [], BIG, "environment") == {"A": "all", "B": "big"}


def test_what_chooses_is_no_part_of_a_server() -> None:
    """Names, descriptions and conditions stay behind."""
    found = server_for(GIVEN, "ada", ["staff"], BIG)
    assert (found["image"], {"name", "groups", "users", "profiles", "description"} & set(found)) == (IMAGE, set())


@pytest.mark.parametrize(
    ("rule", "groups", "profile", "fits"),
    [
        ({}, [], "", True),
        ({"groups": ["a"]}, ["a"], "", True),
        ({"groups": ["a"]}, ["b"], "", False),
        ({"profiles": ["P"]}, [], "P", True),
        ({"profiles": ["P"]}, [], "Q", False),
        ({"groups": ["a"], "profiles": ["P"]}, ["a"], "Q", False),
    ],
)
def test_a_rule_without_conditions_is_for_all(rule: dict[str, Any], groups: list[str], profile: str, fits: bool) -> None:
    """Group and profile both have to fit, where they are named."""
    assert is_for(rule, groups, profile) is fits


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("Small", "small"),
        ("Extra tools", "extra-tools"),
        ("  R & Julia (2026) ", "r-julia-2026"),
        ("Données", "donnees"),
        ("a/../b", "a-b"),
        ("extra-tools", "extra-tools"),
    ],
)
def test_a_name_becomes_small_letters_and_hyphens(name: str, short: str) -> None:
    """What an address can hold stays; a slug is its own slug."""
    assert slug(name) == short
    assert slug(short) == short


@pytest.mark.parametrize("names", [("数据", "图像"), ("小 GPU", "大 GPU"), ("+", "-")])
def test_names_that_ascii_cannot_spell_stay_apart(names: tuple[str, str]) -> None:
    """Letters that would be lost become a hash of the name: two names do not fall together, and none is empty."""
    first, second = map(slug, names)
    assert first != second
    assert all(re.fullmatch(r"[a-z0-9-]*[0-9a-f]{6}", short) for short in (first, second))
