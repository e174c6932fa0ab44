"""The part of `hosts.toml` that the hub is handed, as JSON in its environment."""

import json
from collections.abc import Mapping
from typing import Any

VARIABLE = "SWARMHUB_SETTINGS"
API_PORT = 8081

# Tables as in hosts.toml, whole, with images pinned, sizes in bytes and times in seconds:
# access, notebook, home, folders, groups, culling, limits, page, jupyterhub; profiles and overrides hold only what they set.
Tables = Mapping[str, Any]


def load(environ: Mapping[str, str]) -> Tables:
    """Return the tables.

    Raises:
        KeyError: the service was not given them.

    """
    tables: Tables = json.loads(environ[VARIABLE])
    return tables
