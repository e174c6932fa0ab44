"""A drill by an operator: what the schedule does too, asked over SSH."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hub.shared import services
from swarmhub.backup import repository
from swarmhub.backup.repository import LABEL, Repository
from swarmhub.engine import containers
from swarmhub.engine.removal import Thing, remove_ours
from swarmhub.errors import StepError
from swarmhub.host import Host, Json
from swarmhub.inside.schedule import drill
from swarmhub.inside.schedule.drill import DrillError
from swarmhub.plan.plans import Change, Plan, Progress

STEP = "backup-verify"


@dataclass(frozen=True)
class Drill:
    """A drill with a backup, and the evidence when it is over; `image` is the hub's."""

    where: Repository
    backup: Json
    image: str
    evidence: Json = field(default_factory=dict)

    @property
    def told(self) -> str:
        """Return what it has shown, in a line."""
        return drill.told(self.evidence)

    def __call__(self, host: Host, progress: Progress) -> None:
        """Do it.

        Raises:
            StepError: the backup does not do what it is for.

        """
        hub = self.where.hub

        def ask(action: str, mounts: Sequence[Json] = (), **job: Any) -> Json:
            is_restored = action == "restore-hub"
            return repository.ask(host, self.where, action, mounts, progress=progress if is_restored else None, **job)

        def boot(body: Json, files: Mapping[str, bytes]) -> Sequence[str]:
            labels = {containers.LABEL: "backup", LABEL: hub}
            return containers.once(host, {**body, "Labels": labels}, files=files).out.splitlines()

        place = drill.Place(hub, self.image, services.drill(hub), services.backups(hub))
        try:
            found = drill.practise(self.backup, place, ask, boot, lambda: clear(host, hub))
        except DrillError as error:
            raise StepError(host.name, f"{self.backup['run']}: {error}", repository.DRILL) from error
        self.evidence.update(found)


def plan(one: Drill, manager: str) -> Plan:
    """Return the drill."""
    gist = "restored into a scratch volume, where a hub boots that reaches nothing"
    return Plan(STEP, "", (Change("try", f"the backup {one.backup['run']}", manager, one, gist=gist),))


def clear(host: Host, hub: str) -> None:
    """Remove the scratch volume."""
    name = services.drill(hub)
    remove_ours(host, Thing(f"volume {name}", f"/volumes/{name}"), drill.LABEL, hub)


def evidence(hub: str) -> Json:
    """Return the mount of the volume that the evidence is in."""
    return drill.kept_in(services.backups(hub), hub)
