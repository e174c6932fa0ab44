"""Placeholder until the branch `profiles` is merged."""

from collections.abc import Collection, Mapping
from typing import Any


def chosen(tables: Mapping[str, Any], groups: Collection[str], user_options: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the first profile."""
    wanted = user_options.get("profile")
    return next((one for one in tables["profiles"] if wanted in (None, one["name"])), None)


def options_form(spawner: Any) -> str:
    """Return nothing."""
    return ""
