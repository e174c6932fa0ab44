"""Where an option was set: a key of `hosts.toml`, or a line of a file in conf.d."""

import ast
import re
import traceback
from collections.abc import Sequence
from pathlib import Path

from hub.config import extra
from hub.config.people import providers
from hub.shared import settings

# How traitlets names what it refuses.
TRAIT = re.compile(r"The '(\w+)' trait of (?:an? |<)(\w+)")


class Origins:
    """What an operator wrote, to be searched for an option."""

    def __init__(self, conf: Path, handed: Path) -> None:
        self.conf, self.handed = conf, handed
        tables = settings.load(handed)
        self._tables, self._access = tables["jupyterhub"], tables["access"]

    def of(self, section: str, trait: str) -> str:
        """Return the places that set an option of a class, the last first; nothing if none is found."""
        lines = [place for file in reversed(extra.files(self.conf)) for place in _lines(file, section, trait)]
        tables = {f"jupyterhub.{section}": self._tables.get(section, {})}
        if section == self._provider(trait):
            tables["access.options"] = self._access["options"]
        return ", ".join([*lines, *(f"{name}.{trait}" for name, table in tables.items() if trait in table)])

    def of_message(self, text: str) -> str:
        """Return the places that set the option that a message of traitlets names, in its class or another."""
        found = TRAIT.search(text)
        return self._anywhere(found[1], found[2]) if found else ""

    def raised(self, error: BaseException, frames: Sequence[traceback.FrameSummary]) -> str:
        """Return the line of conf.d from which an error comes; nothing if it comes from elsewhere."""
        places = [(frame.filename, frame.lineno) for frame in frames]
        if isinstance(error, SyntaxError):
            places.append((error.filename or "", error.lineno))
        inside = [(name, line) for name, line in places if Path(name).parent == self.conf]
        return _place(Path(inside[-1][0]), inside[-1][1]) if inside else ""

    def _anywhere(self, trait: str, section: str) -> str:
        """Return where an option is set in a class, or in one of those that it inherits from or is inherited by."""
        named = [name for name, options in self._tables.items() if trait in options]
        named += [provider] if (provider := self._provider(trait)) else []
        names = dict.fromkeys([section, *named, *(name for file in extra.files(self.conf) for name in _sections(file, trait))])
        return next((place for name in names if (place := self.of(name, trait))), "")

    def _provider(self, trait: str) -> str:
        """Return the class whose options [access] holds, if this is one of them."""
        return providers.load(self._access["provider"]).__name__ if trait in self._access["options"] else ""


def _lines(file: Path, section: str, trait: str) -> list[str]:
    return [_place(file, line) for name, line in _set(file, trait) if name == section][:1]


def _sections(file: Path, trait: str) -> list[str]:
    return [name for name, _ in _set(file, trait)]


def _set(file: Path, trait: str) -> list[tuple[str, int]]:
    """Return the classes and lines of `c.CLASS.trait` in a file."""
    nodes = (node for node in ast.walk(ast.parse(file.read_bytes())) if isinstance(node, ast.Attribute) and node.attr == trait)
    return [(node.value.attr, node.lineno) for node in nodes if isinstance(node.value, ast.Attribute)]


def _place(file: Path, line: int | None) -> str:
    return f"conf.d/{file.name}:{line}"
