"""Read a request's line in the one way in which the hub writes it; every other way is refused."""

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl

from hub.filter.fields import Refused

LONGEST = 4096
NAME = "[A-Za-z0-9][A-Za-z0-9_.-]*"
PATH = re.compile(r"(?:/[A-Za-z0-9][A-Za-z0-9_.:@-]*)+")
# What Engine API versions call alike: 1.41 is Docker 20.10's.
VERSION = re.compile(r"(/v1\.(?:4[1-9]|[5-9][0-9]))(/.*)")
TRICKS = {
    r"[^/]": "the request is no path",
    r".*[^!-~]": "the path is not plain ASCII",
    r".*//": "the path has an empty part",
    r".*/\.": "the path has a part that begins with a dot",
    r".*%": "the path is percent-encoded",
}


@dataclass(frozen=True)
class Line:
    """What a request's line asks for: the version's prefix, the path behind it, and the query."""

    version: str
    path: str
    query: dict[str, str]


def read(target: str, encoded: frozenset[str] = frozenset()) -> Line:
    """Return what stands in a request's target; paths in `encoded` may be percent-encoded as they are there.

    Raises:
        Refused: it is not written as the hub writes it.

    """
    if len(target) > LONGEST:
        raise Refused("the path is too long")
    whole, asks, query = target.partition("?")
    found = VERSION.fullmatch(whole)
    version, path = found.groups() if found else ("", whole)
    if path not in encoded:
        for pattern, why in TRICKS.items():
            if re.match(pattern, whole, re.DOTALL):
                raise Refused(why)
        if not PATH.fullmatch(path):
            raise Refused("the path has characters that the hub's have not")
    return Line(version, path, _query(query) if asks else {})


def _query(text: str) -> dict[str, str]:
    try:
        text.encode("ascii")
        if not text:
            raise ValueError
        pairs = parse_qsl(text, keep_blank_values=True, strict_parsing=True, errors="strict", max_num_fields=10)
    except ValueError:
        raise Refused("the query cannot be read") from None
    if len(dict(pairs)) != len(pairs):
        raise Refused("a parameter occurs twice in the query")
    return dict(pairs)
