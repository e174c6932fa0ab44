"""What drills have shown: kept on the cluster, next to the copies of the database."""

import json
import os
from pathlib import Path

from swarmhub.inside.backup import places
from swarmhub.inside.backup.places import Found, Job

KEPT = 50


def known() -> list[Found]:
    """Return what is known of drills, the oldest first."""
    try:
        found = json.loads(_file().read_text())
    except (OSError, ValueError):
        return []
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def keep(job: Job) -> Found:
    """Add the evidence of one drill, whole or not at all."""
    part = _file().with_suffix(".part")
    part.write_text(json.dumps([*known(), job["evidence"]][-KEPT:], indent=1))
    os.replace(part, _file())
    return {}


def _file() -> Path:
    return places.EVIDENCE / "drills.json"
