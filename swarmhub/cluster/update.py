"""Change what the swarm knows of a node: its role, its availability, its labels."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from swarmhub.errors import StepError
from swarmhub.host import Host
from swarmhub.plan.plans import Progress
from swarmhub.wait import until

# A manager that was told that it is out waits for half a minute before it joins again.
SECONDS = 120


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


@dataclass(frozen=True)
class Demotion:
    """Make a worker of a manager; `stays` tells whether it is one then, or is taken out of the swarm.

    Who was just promoted, or is back after a quorum was recovered, joins the managers first: until then, Docker refuses this
    ("can't find manager in raft memberlist"), and lets a node be taken out that is a manager by its role alone.
    """

    node: str
    stays: bool = True

    def __call__(self, host: Host, progress: Progress) -> None:
        """Wait until it is one of the managers if it stays, and send the change.

        Raises:
            StepError: it does not join them.

        """
        if self.stays:
            until(lambda: self._manages(host), SECONDS, lambda: self._left_out(host))
        if self._manages(host):
            Update(self.node, role="worker")(host, progress)

    def _manages(self, host: Host) -> bool:
        return bool(host.engine.get(f"/nodes/{self.node}").get("ManagerStatus"))

    def _left_out(self, host: Host) -> StepError:
        cause = f"node {self.node} is to be a manager, and has not joined the managers after {SECONDS} s"
        return StepError(host.name, cause, f"Restart its engine; or take it out: docker node rm --force {self.node}")
