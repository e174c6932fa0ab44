"""The announcement in force: what was said last, in hosts.toml at the hub's start or while it ran."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

# Next to the database.
NAME = "announcement.json"
# Among the hub's settings, for those who answer.
SETTING = "announced"


@dataclass(frozen=True)
class Announced:
    """What hosts.toml says, and the file with what was said while the hub ran."""

    text: str
    file: Path


def in_force(announced: Announced) -> str:
    """Return the text; what was said while the hub ran holds until hosts.toml says something else than at that time."""
    try:
        said = json.loads(announced.file.read_text())
    except (OSError, ValueError):
        return announced.text
    return str(said["text"]) if said["instead_of"] == announced.text else announced.text


def change(announced: Announced, text: str) -> None:
    """Put a text into force."""
    new = announced.file.with_suffix(".new")
    new.write_text(json.dumps({"text": text, "instead_of": announced.text}))
    os.replace(new, announced.file)
