"""A hosts.toml in order, with lines of it replaced or added, and what is said of it."""

from pathlib import Path

import pytest

from swarmhub.errors import SettingsError
from swarmhub.settings import Settings, load
from tests.unit.support.cluster import HOSTS_TOML


def problems(file: Path, content: str | bytes) -> list[str]:
    """Return the lines that tell what is wrong with a hosts.toml of this content."""
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(SettingsError) as error:
        load(file)
    return [str(problem) for problem in error.value.problems]


def good(file: Path, content: str) -> Settings:
    """Return the settings of a hosts.toml of this content."""
    file.write_text(content)
    return load(file)


def edited(more: str = "", **replaced: str) -> str:
    """Return the good hosts.toml with lines replaced by key, and lines added."""
    lines = HOSTS_TOML.splitlines()
    for key, value in replaced.items():
        index = next(number for number, line in enumerate(lines) if line.startswith(f"{key} ="))
        lines[index] = f"{key} = {value}"
    return "\n".join([*lines, "", more, ""])


def in_hub(lines: str) -> str:
    """Return the good hosts.toml with lines added to [hub]."""
    return HOSTS_TOML.replace("[hub]\n", f"[hub]\n{lines}\n")
