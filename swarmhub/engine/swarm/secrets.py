"""The Swarm secrets of a hub: made and mounted; what is in them reaches no plan."""

import base64
from dataclasses import dataclass
from typing import Any

from pydantic import SecretStr

from swarmhub.engine.swarm.replicated import LABEL
from swarmhub.host import Host
from swarmhub.plan import commands
from swarmhub.plan.plans import Change, Progress

# Only root reads it, or root's group, too.
ROOTS, GROUPS = 0o400, 0o440


def reference(name: str, in_swarm: str, mode: int = ROOTS) -> dict[str, Any]:
    """Return how a secret is mounted."""
    return {"SecretName": in_swarm, "File": {"Name": name, "UID": "0", "GID": "0", "Mode": mode}}


def make(short: str, in_swarm: str, value: SecretStr, hub: str, manager: str) -> Change:
    """Return what makes a secret of a hub."""
    command = commands.secret(short, in_swarm, f"{LABEL}={hub}")
    return Change("create", f"secret {in_swarm}", manager, _Maker(in_swarm, value, hub), command=command)


@dataclass(frozen=True)
class _Maker:
    name: str
    value: SecretStr
    service: str

    def __call__(self, host: Host, progress: Progress) -> None:
        data = base64.b64encode(self.value.get_secret_value().encode()).decode()
        host.engine.post("/secrets/create", {"Name": self.name, "Data": data, "Labels": {LABEL: self.service}})
