"""Change what the swarm knows of a node: its role, its availability, its labels."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from swarmhub.host import Host
from swarmhub.plan.plans import Progress


@dataclass(frozen=True)
class Update:
    """Change a node's spec through a manager; a label whose value is None goes."""

    node: str
    role: str | None = None
    availability: str | None = None
    labels: Mapping[str, str | None] = field(default_factory=dict)

    def __call__(self, host: Host, progress: Progress) -> None:
        """Send the whole spec with the version it was read with: somebody else's change in between makes this one fail."""
        found = host.engine.get(f"/nodes/{self.node}")
        spec = dict(found["Spec"])
        spec["Role"] = self.role or spec["Role"]
        spec["Availability"] = self.availability or spec["Availability"]
        labels = {**(spec.get("Labels") or {}), **self.labels}
        spec["Labels"] = {name: value for name, value in labels.items() if value is not None}
        host.engine.post(f"/nodes/{self.node}/update", spec, version=found["Version"]["Index"])
