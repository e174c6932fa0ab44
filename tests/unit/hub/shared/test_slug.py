"""How a profile is called where its name does not fit."""

import re

import pytest

from hub.shared.slug import slug


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
