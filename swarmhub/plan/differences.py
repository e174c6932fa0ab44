"""What is not as wanted, field by field."""

from dataclasses import dataclass
from typing import Any

from swarmhub.plan.hidden import hidden

LATER = "known after "


@dataclass(frozen=True, repr=False)
class Difference:
    """One field that is not as wanted; `path` names it in the engine's own words.

    Whoever reads it gets what may be shown; only the comparison knows what is hidden.
    """

    path: str
    _found: Any
    _wanted: Any

    @property
    def found(self) -> Any:
        """Return what is there, without secrets."""
        return hidden(self._found, self.path)

    @property
    def wanted(self) -> Any:
        """Return what is wanted, without secrets."""
        return hidden(self._wanted, self.path)

    def __repr__(self) -> str:
        return f"Difference({self.path!r}, {self.found!r}, {self.wanted!r})"

    def became(self, now: "Difference") -> bool:
        """Tell whether a later difference is this one, but for what could only be known later."""
        # What an earlier change of the same step makes is what a later one finds.
        pairs = ((now.path, self.path), (now._found, self._found), (now._wanted, self._wanted))
        return all(is_known(one, shown) for one, shown in pairs)


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
    if isinstance(wanted, list) and isinstance(found, list) and _are_same(wanted, found):
        pairs = enumerate(zip(wanted, found, strict=True))
        return tuple(item for index, (left, right) in pairs for item in differences(left, right, f"{path}[{index}]"))
    return (Difference(path, found, wanted),)


def known_after(step: str) -> str:
    """Return what stands for a value that only a later step can know."""
    return f"{LATER}{step}"


def is_known(value: Any, shown: Any) -> bool:
    """Tell whether a value is the one shown, but for the parts that could only be known later."""
    if isinstance(value, dict) and isinstance(shown, dict):
        return value.keys() == shown.keys() and all(is_known(part, shown[key]) for key, part in value.items())
    if isinstance(value, list) and isinstance(shown, list):
        value, shown = _unlike(value, shown), _unlike(shown, value)
        return len(value) == len(shown) and all(is_known(left, right) for left, right in zip(value, shown, strict=True))
    if isinstance(value, str) and isinstance(shown, str) and LATER in shown:  # NAME=value, too
        return value.startswith(shown.partition(LATER)[0])
    return bool(value == shown) or (isinstance(shown, str) and shown.startswith(LATER))


def _unlike(value: list[Any], other: list[Any]) -> list[Any]:
    """Return what a list of words has that another has not, where one is known only later: it may sort elsewhere then."""
    is_of_words = all(isinstance(one, str) for one in (*value, *other))
    is_unknown = is_of_words and any(one.startswith(LATER) for one in (*value, *other))
    return [one for one in value if one not in other] if is_unknown else value


def _is_empty(value: Any) -> bool:
    """Tell whether a value says nothing: engines fill in empty tables and zeros."""
    return not value or (isinstance(value, dict) and all(_is_empty(part) for part in value.values()))


def _is_table(value: list[Any]) -> bool:
    return all(isinstance(item, dict) for item in value)


def _are_same(wanted: list[Any], found: list[Any]) -> bool:
    """Tell whether two lists are of the same things in the same order, so that each is compared with itself."""
    return _is_table(wanted) and _is_table(found) and [_name(item) for item in wanted] == [_name(item) for item in found]


def _name(item: dict[str, Any]) -> object:
    """Return what tells a mount, a mounted secret, a port or a profile from its like; nothing of a network, which has an id."""
    if isinstance(file := item.get("File"), dict):
        return file.get("Name")
    return item.get("Target") if "Source" in item else item.get("TargetPort") or item.get("name")
