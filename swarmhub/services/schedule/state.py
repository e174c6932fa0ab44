"""How the backups stand that the cluster makes: what each node says of its parts, and what that comes to."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from hub.shared import services
from swarmhub.engine import containers
from swarmhub.engine.swarm import configs
from swarmhub.errors import StepError
from swarmhub.host import Host, Json
from swarmhub.inside.schedule import slots

FILE = "/cache/schedule.json"
# In the order in which they are told; as swarmhub.inside.schedule.parts calls them.
PARTS = {"hub": "the hub's data", "homes": "the homes", "thin": "thinning out", "verify": "the drill"}
SAVING = ("hub", "homes")


@dataclass(frozen=True)
class PartState:
    """What a node has done of a part of the backups: when it was last done, for which period, and what has failed since."""

    slot: float = 0
    at: float = 0
    told: Json = None
    failures: int = 0
    kind: str = ""
    said: str = ""
    next: float = 0


@dataclass(frozen=True)
class Trouble:
    """What is wrong with the backups: on which host, why, and what kind of failure it is."""

    host: str
    text: str
    kind: str


@dataclass(frozen=True)
class Standing:
    """The last backup that is whole, and what is wrong since.

    It is told when it was made, how large it is and of how many nodes it has homes; when a drill last went well; and when the
    next backup begins, if nothing fails.
    """

    last: datetime | None
    bytes: int
    homes: int
    is_late: bool
    troubles: tuple[Trouble, ...]
    drilled: datetime | None = None
    next: datetime | None = None

    @property
    def is_bad(self) -> bool:
        """Tell whether something has to be done."""
        return self.is_late or bool(self.troubles)


NodeState = Mapping[str, PartState]


def observe(host: Host, hub: str) -> dict[str, PartState]:
    """Ask a host how its parts stand.

    Raises:
        StepError: no container of the service runs there.

    """
    service = services.schedule(hub)
    running = containers.of_service(host, service)
    if not running:
        cause = "makes no backups: no container of the schedule runs there"
        raise StepError(host.name, cause, f"fab backup-schedule; to see why: docker service ps {service}")
    return read(containers.execute(host, running[0]["Id"], "cat", FILE).out)


def read(text: str) -> dict[str, PartState]:
    """Read what a node says; nothing of one that has not begun."""
    try:
        found = json.loads(text)
        return {part: PartState(**configs.known(PartState, one)) for part, one in found.items() if part in PARTS}
    except (ValueError, AttributeError, TypeError):
        return {}


def judge(nodes: Mapping[str, NodeState | StepError], every: int, at: int, now: datetime) -> Standing:
    """Return how the backups stand, from what the nodes say; `every` are the seconds between two, which begin at `at`."""
    known = {host: one for host, one in nodes.items() if not isinstance(one, StepError)}
    saved = [state for one in known.values() for part, state in one.items() if part in SAVING]
    # As old as the oldest part: who has homes on a node that is behind has no newer backup.
    times = [one.at for one in saved]
    last = datetime.fromtimestamp(min(times), UTC) if times and all(times) else None
    drills = [one["verify"].at for one in known.values() if "verify" in one and one["verify"].at]
    of_homes = [size for one in known.values() if "homes" in one and (size := _size(one["homes"]))]
    silent = [Trouble(host, one.cause, "away") for host, one in nodes.items() if isinstance(one, StepError)]
    failing = [
        Trouble(host, _failure(part, state), state.kind)
        for host, one in known.items()
        for part, state in sorted(one.items(), key=lambda item: list(PARTS).index(item[0]))
        if state.failures
    ]
    return Standing(
        last,
        sum(map(_size, saved)),
        len(of_homes),
        is_late=last is not None and now - last > timedelta(seconds=2 * every),
        troubles=(*silent, *failing),
        drilled=datetime.fromtimestamp(max(drills), UTC) if drills else None,
        next=datetime.fromtimestamp(slots.begin(now.timestamp(), every, at) + every, UTC),
    )


def _size(state: PartState) -> int:
    return int((state.told or {}).get("bytes", 0))


def _failure(part: str, state: PartState) -> str:
    times = "once" if state.failures == 1 else f"{state.failures} times"
    again = datetime.fromtimestamp(state.next, UTC)
    return f"{PARTS[part]} failed {times}: {state.said}; the next try is at {again:%Y-%m-%d %H:%M} UTC"
