"""Check JSON by lists of what is allowed: whatever is on none of them is refused."""

import json
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

# Checks a value; the text says where it stands.
Check = Callable[[Any, str], None]

LARGEST = 2**63 - 1


class Refused(Exception):  # noqa: N818 - it is an answer, not a failure
    """The hub may not ask for this: the text says why, and holds no secret."""


def decode(text: bytes | str, what: str) -> Any:
    """Return the values of a JSON text that can be read in one way only.

    Raises:
        Refused: it is not JSON, or two readers could take it for two things.

    """
    try:
        value = json.loads(text if isinstance(text, str) else text.decode(), object_pairs_hook=_once, parse_constant=_number)
        json.dumps(value, ensure_ascii=False).encode()  # half a surrogate pair is no text
    except UnicodeError:
        raise Refused(f"{what} is not UTF-8") from None
    except RecursionError:
        raise Refused(f"{what} is nested too deeply") from None
    except ValueError as error:
        raise Refused(f"{what} is not JSON: {error}") from None
    return value


def same(one: Any, other: Any) -> bool:
    """Tell whether two values are the same JSON; to Python, True is 1."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def shown(value: Any) -> str:
    """Return a value as it may stand in a line of a log: short, and without what a terminal would act on."""
    text = ascii(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def table(allowed: Mapping[str, Check], said: Mapping[str, Any] | None = None, needs: Collection[str] = ()) -> Check:
    """Return the check of an object: of each key what `allowed` checks, or just the value that is `said`."""

    def check(value: Any, at: str) -> None:
        if not isinstance(value, dict):
            raise Refused(f"{at or 'the body'} is not an object")
        for key, item in value.items():
            where = f"{at}.{key}" if at else key
            if said and key in said and same(item, said[key]):
                continue
            if key not in allowed:
                raise Refused(f"{shown(where)} is not allowed")
            allowed[key](item, where)
        for key in needs:
            if key not in value:
                raise Refused(f"{at}.{key} is missing" if at else f"{key} is missing")

    return check


def each(check: Check) -> Check:
    """Return the check of a list whose elements all pass."""

    def all_of(value: Any, at: str) -> None:
        if not isinstance(value, list):
            raise Refused(f"{at} is not a list")
        for number, item in enumerate(value):
            check(item, f"{at}[{number}]")

    return all_of


def one_of(*allowed: Any) -> Check:
    """Return the check of a value that has to be one of these."""

    def check(value: Any, at: str) -> None:
        if not any(same(value, one) for one in allowed):
            raise Refused(f"{at} may not be {shown(value)}")

    return check


def matching(pattern: str) -> Check:
    """Return the check of a text that has to fit a pattern as a whole."""

    def check(value: Any, at: str) -> None:
        if not isinstance(value, str) or not re.fullmatch(pattern, value, re.ASCII):
            raise Refused(f"{at} may not be {shown(value)}")

    return check


def anything(value: Any, at: str) -> None:
    """Check nothing: somebody else does."""


def text(value: Any, at: str) -> None:
    """Check that it is a text; which one is not said, as it may be a secret."""
    if not isinstance(value, str):
        raise Refused(f"{at} is not a text")


def whole(value: Any, at: str) -> None:
    """Check that it is a whole number, and not below zero."""
    if type(value) is not int or not 0 <= value <= LARGEST:
        raise Refused(f"{at} is not a whole number from 0 on")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Refused("a key occurs twice in one object")
    return found


def _number(name: str) -> Any:
    raise Refused(f"{name} is no number in JSON")
