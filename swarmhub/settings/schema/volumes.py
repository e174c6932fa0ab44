"""Which volumes are the hub's own, whatever the templates of homes and folders make of somebody's name."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from hub.shared import mounts, services

Key = tuple[str | int, ...]
# What hub.names makes of any name.
ANYTHING = "[a-z0-9-]*"


def taken(data: Mapping[str, Any]) -> Iterator[tuple[Key, str]]:
    """Yield the key and the sentence of each template that is the name of a volume of the hub's for somebody."""
    hub = _text(data, "hub", "service", "jupyterhub")
    own = (_text(data, "volume", "name", "jupyterhub-data"), services.engine(hub), services.backups(hub))
    home = mounts.template(_text(data, "home", "name", "{username}"), hub)
    folders = data.get("folders") if isinstance(data.get("folders"), list) else []
    named: dict[Key, str] = {
        ("folders", place, "name"): one["name"] for place, one in enumerate(folders or []) if _is_volume(one)
    }
    for key, template in [(("home", "name"), home), *named.items()]:
        pattern = ANYTHING.join(re.escape(part) for part in re.split(r"\{\w+\}", template))
        for name in own:
            if re.fullmatch(pattern, name):
                yield key, f"{template!r} is {name!r} for somebody, a volume of the hub's own; choose another name"


def _is_volume(folder: object) -> bool:
    return isinstance(folder, dict) and folder.get("type", "volume") == "volume" and isinstance(folder.get("name"), str)


def _text(data: Mapping[str, Any], table: str, key: str, otherwise: str) -> str:
    found = data.get(table)
    value = found.get(key, otherwise) if isinstance(found, dict) else otherwise
    return value if isinstance(value, str) else otherwise
