"""What is not as wanted, field by field."""

from dataclasses import dataclass
from typing import Any

LATER = "known after "


@dataclass(frozen=True)
class Difference:
    """One field that is not as wanted; `path` names it in the engine's own words."""

    path: str
    found: Any
    wanted: Any


def flat(wanted: Any, path: str = "") -> tuple[Difference, ...]:
    """Return the fields of what is about to be made, as differences from nothing."""
    if isinstance(wanted, dict):
        parts = (flat(value, f"{path}.{key}" if path else key) for key, value in wanted.items())
        return tuple(item for part in parts for item in part)
    if isinstance(wanted, list) and wanted and _is_table(wanted):
        return tuple(item for index, value in enumerate(wanted) for item in flat(value, f"{path}[{index}]"))
    return () if _is_empty(wanted) else (Difference(path, None, wanted),)


def differences(wanted: Any, found: Any, path: str = "") -> tuple[Difference, ...]:
    """Compare two values of an engine's JSON, field by field; an empty value equals an absent one."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        keys = [*wanted, *(key for key in found if key not in wanted)]
        parts = (differences(wanted.get(key), found.get(key), f"{path}.{key}" if path else key) for key in keys)
        return tuple(difference for part in parts for difference in part)
    if wanted == found or (_is_empty(wanted) and _is_empty(found)):
        return ()
    if isinstance(wanted, list) and isinstance(found, list) and _is_table(wanted) and len(wanted) == len(found):
        pairs = enumerate(zip(wanted, found, strict=True))
        return tuple(item for index, (left, right) in pairs for item in differences(left, right, f"{path}[{index}]"))
    return (Difference(path, found, wanted),)


def known_after(step: str) -> str:
    """Return what stands for a value that only a later step can know."""
    return f"{LATER}{step}"


def became(item: Difference, shown: Difference) -> bool:
    """Tell whether a difference is the one shown, but for what could only be known later."""
    return item.found == shown.found and _is_known(item.wanted, shown.wanted)


def _is_known(value: Any, shown: Any) -> bool:
    """Tell whether a value is the one shown, but for the parts that could only be known later."""
    if isinstance(value, dict) and isinstance(shown, dict):
        return value.keys() == shown.keys() and all(_is_known(part, shown[key]) for key, part in value.items())
    if isinstance(value, list) and isinstance(shown, list):
        return len(value) == len(shown) and all(_is_known(left, right) for left, right in zip(value, shown, strict=True))
    if isinstance(value, str) and isinstance(shown, str) and LATER in shown:  # NAME=value, too
        return value.startswith(shown.partition(LATER)[0])
    return bool(value == shown) or (isinstance(shown, str) and shown.startswith(LATER))


def _is_empty(value: Any) -> bool:
    """Tell whether a value says nothing: engines fill in empty tables and zeros."""
    return not value or (isinstance(value, dict) and all(_is_empty(part) for part in value.values()))


def _is_table(value: list[Any]) -> bool:
    return all(isinstance(item, dict) for item in value)
