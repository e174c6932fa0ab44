"""Read JSON in one way only, and tell how two values differ."""

import json
from typing import Any

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


def part(value: Any, *path: str | int) -> Any:
    """Return what is at a place in a value, or None where there is no such place."""
    for key in path:
        is_there = isinstance(value, list) and isinstance(key, int) and key < len(value)
        value = value[key] if is_there else value.get(key) if isinstance(value, dict) else None
    return value


def texts(value: Any) -> tuple[str, ...] | None:
    """Return the texts of a list of texts, or None of anything else."""
    return tuple(value) if isinstance(value, list) and all(isinstance(one, str) for one in value) else None


def whole(value: Any) -> int | None:
    """Return a whole number that is not below zero and not above Docker's largest, or None of anything else."""
    return value if type(value) is int and 0 <= value <= LARGEST else None


def difference(sent: Any, made: Any, at: str = "") -> str:
    """Return where what was sent first differs from what is allowed; the values are not said, as they may be secrets."""
    if not isinstance(sent, dict) or not isinstance(made, dict):
        return f"{at or 'the body'} is not as the settings make it"
    for key in sorted({*sent, *made}):
        where = f"{at}.{key}" if at else key
        if key not in made:
            return f"{shown(where)} is not allowed"
        if key not in sent:
            return f"{where} is missing"
        if not same(sent[key], made[key]):
            return difference(sent[key], made[key], where)
    return "the body is not as the settings make it"


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Refused("a key occurs twice in one object")
    return found


def _number(name: str) -> Any:
    raise Refused(f"{name} is no number in JSON")
