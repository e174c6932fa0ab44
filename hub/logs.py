"""The hub's log, without what may be a secret, and one line for one line."""

import logging
import re

from jupyterhub.log import CoroutineLogFormatter

# What follows the path of an address, as it is or encoded: JupyterHub hides a token there, and not the one of an address
# within it, as in `next=`.
MARK, EQUALS = "(?:[?;&]|%(?:25)*(?:3[bf]|26))", "(?:=|%(?:25)*3d)"
QUERY = re.compile(rf"{MARK}[^\s?=\"'<>]*?{EQUALS}[^\s\"'<>]*", re.IGNORECASE)
# What a terminal obeys, what some programs take for the end of a line, and what turns the direction of a text.
CONTROL = re.compile(
    "[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]|\x1b(?!\\[[0-9;]*m)"
)


class Formatter(CoroutineLogFormatter):  # type: ignore[misc]  # it has no types
    """JupyterHub's own, which begins what follows a line break with spaces."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the text of a record."""
        text = QUERY.sub("?[not logged]", super().format(record))
        return CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
