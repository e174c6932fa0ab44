"""The single-user server in an image, by which the hub starts it: asked in a container."""

from collections.abc import Mapping
from types import MappingProxyType

from swarmhub.engine import containers
from swarmhub.host import Host

# The package's own record is read in 50 ms; starting the server to ask takes 2 s: for images whose python3 is another.
SCRIPT = """
command -v jupyterhub-singleuser >/dev/null || { echo none; exit 0; }
python3 -c 'from importlib.metadata import version; print(version("jupyterhub"))' 2>/dev/null || jupyterhub-singleuser --version
"""


def version(host: Host, image: str, labels: Mapping[str, str] = MappingProxyType({}), why: str = "build") -> str:
    """Return its version, or nothing where the image has none; `why` tells for what the container is made."""
    body = {
        "Image": image,
        # docker-stacks' entrypoint would start by preparing a home.
        "Entrypoint": ["/bin/sh", "-c", SCRIPT],
        "Labels": {**labels, containers.LABEL: why},
        "Healthcheck": {"Test": ["NONE"]},
        "HostConfig": {"NetworkMode": "none"},
    }
    said = containers.once(host, body).out.strip().splitlines()
    return said[-1].strip() if said and said[-1][:1].isdigit() else ""
