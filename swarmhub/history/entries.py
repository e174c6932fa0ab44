"""What was done to the cluster: each run leaves an entry there, as a Swarm config."""

import secrets
from dataclasses import asdict, dataclass
from datetime import datetime

from swarmhub.engine.swarm import configs
from swarmhub.engine.swarm.configs import Record
from swarmhub.host import Host

# Its value is the hub's service; an older swarmhub wrote the same for all hubs.
LABEL = "swarmhub.history"
OF_ANY = "entry"
KEPT = 50


@dataclass(frozen=True)
class Entry:
    """One run: who, when, from which commit, what was typed, what changed, how it ended."""

    began: str
    seconds: float
    who: str
    commit: str
    command: str
    changes: tuple[str, ...]
    ended: str

    @property
    def when(self) -> datetime:
        """Return when it began."""
        return datetime.fromisoformat(self.began)


def observe(manager: Host, hub: str) -> tuple[Entry, ...]:
    """Ask for a hub's entries, the newest first."""
    found = (configs.known(Entry, record.data) for record in reversed(_listed(manager, hub)))
    return tuple(Entry(**{**data, "changes": tuple(data["changes"])}) for data in found)


def write(manager: Host, hub: str, entry: Entry) -> None:
    """Add an entry of a hub, and remove its oldest above the number kept."""
    # Names sort by time; two runs may begin in one second.
    name = f"swarmhub-history-{entry.when:%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"
    configs.create(manager, name, {LABEL: hub}, asdict(entry))
    for old in _listed(manager, hub)[:-KEPT]:
        manager.engine.delete(f"/configs/{old.id}")


def _listed(manager: Host, hub: str) -> list[Record]:
    return [record for record in configs.listed(manager, LABEL) if record.labels[LABEL] in (hub, OF_ANY)]
