"""The operator's logins to registries, which the filter alone has: with one, a node gets back an image that it has lost."""

import re
from collections.abc import Mapping
from pathlib import Path

from hub.filter import policy

# Where Swarm mounts secrets.
FOLDER = Path("/run/secrets")
# As an engine reads it: JSON in base64 for URLs.
HEADER = "X-Registry-Auth"
LOGIN = re.compile(r"[A-Za-z0-9_=-]+")


def load(folder: Path = FOLDER) -> dict[str, str]:
    """Return the logins by registry; what is none is left out."""
    found = {
        file.name.removeprefix(policy.LOGIN): file.read_text(errors="replace").strip()
        for file in folder.glob(f"{policy.LOGIN}*")
    }
    return {registry: login for registry, login in found.items() if LOGIN.fullmatch(login)}


def headers(logins: Mapping[str, str], image: str) -> dict[str, str]:
    """Return the header by which the engine keeps the login of an image's registry with a service."""
    login = logins.get(policy.registry(image)) if image else None
    return {HEADER: login} if login else {}
