"""What builds an image, in [notebook] and in profiles: what goes together, and what nobody may read."""

from typing import Any

import pytest

from tests.unit.support.fakes import settings


@pytest.mark.parametrize(
    ("table", "wrong"),
    [
        ({"build_args": {"A": "1"}}, "is for a Dockerfile: name its folder with 'build'"),
        ({"build": "x", "build_args": {"API_TOKEN": "1"}}, "looks like a secret"),
        ({"packages": ["$(id)"]}, "is no Python package, such as 'numpy>=2'"),
        ({"packages": ["-r x"]}, "is no Python package"),
        ({"packages": ["a\nb"]}, "is not a line of text"),
        ({"packages": ["a @ https://t@example.org/a.whl"]}, "has an address with a password or a token"),
        ({"build": "a;b"}, "is not a file's path"),
    ],
)
def test_what_cannot_be_built_is_refused(table: dict[str, Any], wrong: str) -> None:
    """In [notebook] and in profiles alike."""
    for tables in ({"notebook": table}, {"profiles": [{"name": "A", **table}]}):
        with pytest.raises(ValueError, match=wrong):
            settings(**tables)


@pytest.mark.parametrize("table", [{"packages": ["numpy>=2", "six"]}, {"build": "x", "build_args": {"A": "1"}}])
def test_what_is_built_is_known(table: dict[str, Any]) -> None:
    """By a list of packages or by a folder; without them nothing is."""
    assert settings(notebook=table).notebook.is_built
    assert not settings().notebook.is_built
