"""The part of `hosts.toml` that the hub is handed, as a file of JSON."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

# A Swarm config, which its user can read, is mounted there.
FILE = Path("/srv/jupyterhub/settings.json")
API_PORT = 8081
# Where Swarm mounts the secrets.
SECRETS = Path("/run/secrets")

# Tables as in hosts.toml, whole, with images pinned, sizes in bytes and times in seconds:
# access, notebook, home, folders, groups, culling, limits, page, jupyterhub; profiles and overrides hold only what they set.
Tables = Mapping[str, Any]


def load(file: Path) -> Tables:
    """Return the tables.

    Raises:
        FileNotFoundError: the service was not given them.

    """
    tables: Tables = json.loads(file.read_text())
    return tables
