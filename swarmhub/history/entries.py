"""What was done to the cluster: each run leaves an entry there, as a Swarm config."""

import secrets
from dataclasses import asdict, dataclass
from datetime import datetime

from swarmhub.engine import configs
from swarmhub.host import Host

LABEL = "swarmhub.history"
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


def observe(manager: Host) -> tuple[Entry, ...]:
    """Ask for the entries, the newest first."""
    found = (configs.known(Entry, record.data) for record in reversed(configs.listed(manager, LABEL)))
    return tuple(Entry(**{**data, "changes": tuple(data["changes"])}) for data in found)


def write(manager: Host, entry: Entry) -> None:
    """Add an entry, and remove the oldest above the number kept."""
    # Names sort by time; two runs may begin in one second.
    name = f"swarmhub-history-{entry.when:%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"
    configs.create(manager, name, {LABEL: "entry"}, asdict(entry))
    for old in configs.listed(manager, LABEL)[:-KEPT]:
        manager.engine.delete(f"/configs/{old.id}")
