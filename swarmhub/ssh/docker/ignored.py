"""What a .dockerignore leaves out of a build, by docker-py's own reading of its patterns."""

import re
from pathlib import PurePosixPath

from docker.utils.build import PatternMatcher


class Ignored:
    """What the text of a .dockerignore leaves out; paths have forward slashes. A pattern that is none raises a ValueError."""

    def __init__(self, text: str) -> None:
        lines = (line.strip() for line in text.splitlines())
        patterns = [_pattern(line) for line in lines if line and not line.startswith("#")]
        self._last_first = [*reversed(PatternMatcher(patterns).patterns)]
        self._has_exceptions = any(one.startswith("!") for one in patterns)
        try:
            for one in self._last_first:
                one.match(".")  # it is read when it is asked first
        except re.error as error:
            raise ValueError(f".dockerignore has a pattern that cannot be read: {error}") from None

    def has(self, path: str) -> bool:
        """Tell whether a file or folder is left out."""
        # docker-py goes by the folders that it walks through, and of a path alone it looks at one of those above it.
        there = [path, *map(str, PurePosixPath(path).parents[:-1])]
        return next((not one.exclusion for one in self._last_first if any(one.match(each) for each in there)), False)

    def has_all_below(self, folder: str) -> bool:
        """Tell whether a folder is left out, and whatever is in it."""
        return not self._has_exceptions and self.has(folder)


def _pattern(line: str) -> str:
    """Return a line as docker-py reads it; Docker has ^ for what a letter must not be."""
    return (f"!{line[1:].strip()}" if line.startswith("!") else line).replace("[^", "[!")
