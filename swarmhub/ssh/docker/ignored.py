"""What a .dockerignore leaves out of a build, by docker-py's own reading of its patterns."""

from collections.abc import Callable
from pathlib import PurePosixPath

from docker.utils.build import PatternMatcher


def matcher(text: str) -> Callable[[str], bool]:
    """Return what tells of a path, with forward slashes, whether the text of a .dockerignore leaves it out."""
    lines = (line.strip() for line in text.splitlines())
    patterns = [_exception(line) for line in lines if line and not line.startswith("#")]
    last_first = [*reversed(PatternMatcher(patterns).patterns)]

    def is_ignored(path: str) -> bool:
        # docker-py goes by the folders that it walks through, and of a path alone it looks at one of those above it.
        there = [path, *map(str, PurePosixPath(path).parents[:-1])]
        return next((not one.exclusion for one in last_first if any(one.match(each) for each in there)), False)

    return is_ignored


def _exception(line: str) -> str:
    return f"!{line[1:].strip()}" if line.startswith("!") else line
