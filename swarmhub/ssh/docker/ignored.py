"""What a .dockerignore leaves out of a build, by docker-py's own reading of it."""

from collections.abc import Callable

from docker.utils.build import PatternMatcher


def matcher(text: str) -> Callable[[str], bool]:
    """Return what tells of a path, with forward slashes, whether the text of a .dockerignore leaves it out."""
    lines = (line.strip() for line in text.splitlines())
    patterns = [line for line in lines if line and not line.startswith("#")]
    found = PatternMatcher(patterns)
    return lambda path: bool(found.matches(path))  # type: ignore[arg-type]  # a text, as its own walk gives it
