"""A difference in words: a list item by item, a table field by field, long values cut where they still differ."""

import json
import shlex
from collections.abc import Sequence
from datetime import datetime
from itertools import takewhile
from typing import Any

from rich.filesize import decimal

from swarmhub.plan.differences import Difference, differences, flat
from swarmhub.plan.hidden import HIDDEN

LONGEST = 100
# So many items of a list are shown one by one; a course may have thousands of members.
MOST = 20
# So much of what two long values share is left before the first letter that differs.
SHARED = 20
# Lists that are command lines, by the last part of their path: in Docker's words and in JupyterHub's.
COMMANDS = ("args", "cmd", "command", "test")


def lines(item: Difference) -> list[str]:
    """Return a difference as people read it, a line for each part that differs."""
    found, wanted = item.found, item.wanted
    if found == wanted:
        return [f"{item.path}: another value {HIDDEN}"]
    tables = _tables(found, wanted)
    if parts := tables and differences(*tables, item.path):
        return [line for part in parts for line in lines(part)]
    if _is(list, found, wanted) and item.path.rpartition(".")[2].lower() in COMMANDS:
        return [f"{item.path}: {' → '.join(_command(one) for one in (found, wanted))}"]
    if _is(list, found, wanted):
        return [f"{item.path}: {text}" for text in _items(found or [], wanted or [])]
    return [f"{item.path}: {' → '.join(_cut([_text(found), _text(wanted)]))}"]


def duration(seconds: float) -> str:
    """Return a time span as people read it."""
    return f"{seconds:.1f} s" if seconds < 60 else f"{int(seconds) // 60} min {int(seconds) % 60} s"


def _tables(found: Any, wanted: Any) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """Return two tables, the wanted one first, of which one may be empty; two texts may be JSON of tables."""
    if isinstance(found, str) and isinstance(wanted, str):
        found, wanted = _parsed(found), _parsed(wanted)
        return (wanted, found) if isinstance(found, dict) and isinstance(wanted, dict) else None
    return (wanted or {}, found or {}) if _is(dict, found, wanted) else None


def _parsed(text: str) -> Any:
    try:
        return json.loads(text) if text.startswith("{") else None
    except ValueError:
        return None


def _is(kind: type, found: Any, wanted: Any) -> bool:
    """Tell whether both are of a kind; nothing is of any kind."""
    return any(isinstance(one, kind) for one in (found, wanted)) and all(
        isinstance(one, kind) or not one for one in (found, wanted)
    )


def _items(found: list[Any], wanted: list[Any]) -> list[str]:
    removed, added = _without(found, wanted), _without(wanted, found)
    if removed or added:
        texts = _cut([_text(one) for one in (*removed, *added)])
        return [*_several("removed", texts[: len(removed)]), *_several("added", texts[len(removed) :])]
    return [" → ".join(", ".join(_text(one) for one in order) for order in (found, wanted))]


def _without(items: list[Any], others: list[Any]) -> list[Any]:
    """Return the items that are not among the others: of thousands of names, in no time."""
    names = {one for one in others if isinstance(one, str)}
    return [one for one in items if (one not in names if isinstance(one, str) else one not in others)]


def _several(verb: str, texts: list[str]) -> list[str]:
    rest = [f"{verb} {len(texts) - MOST} more"] if len(texts) > MOST else []
    return [*(f"{verb} {text}" for text in texts[:MOST]), *rest]


def _command(words: list[str] | None) -> str:
    return _text(shlex.join(map(str, words or [])))


def _text(value: Any) -> str:
    if value in (None, "", [], {}):
        return "nothing"
    if isinstance(value, dict):
        return ", ".join(f"{part.path}={_text(part.wanted)}" for part in flat(value))
    if isinstance(value, list):
        return ", ".join(_text(one) for one in value)
    return str(value).replace("\n", " ⏎ ")


def _cut(texts: list[str]) -> list[str]:
    """Cut texts that are long, but never so that two of them look the same."""
    shared = len(list(takewhile(lambda letters: len(set(letters)) == 1, zip(*texts, strict=False))))
    for start in (0, max(0, shared - SHARED)):
        short = [_part(text, start) for text in texts]
        if len(set(short)) == len(set(texts)):
            return short
    return texts


def _part(text: str, start: int) -> str:
    before, rest = "…" if start else "", text[start:]
    return before + (rest if len(rest) <= LONGEST else f"{rest[: LONGEST - 3]}…")


def named(names: Sequence[str]) -> str:
    """Return names as people read them: the first of very many are enough."""
    return ", ".join([*names[:MOST], *([f"and {len(names) - MOST} more"] if len(names) > MOST else [])])


def age(since: datetime, now: datetime) -> str:
    """Return a time span in its largest unit, as one says it."""
    seconds = max(0, int((now - since).total_seconds()))
    for length, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * length or (unit == "min" and seconds >= length):
            return f"{seconds // length} {unit}"
    return f"{seconds} s"


def size(count: int | None) -> str:
    """Return bytes as people read them."""
    return "-" if count is None else decimal(count, precision=int(count >= 1e9))
