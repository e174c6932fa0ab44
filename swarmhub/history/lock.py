"""One run at a time changes a cluster, whoever's machine it starts from.

The lock is a Swarm config: of several who create one name at once exactly one
succeeds. Its holder renews it; a lock that nobody renews any more expires.
"""

import contextlib
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus

from swarmhub.engine.swarm import configs
from swarmhub.engine.swarm.configs import Record
from swarmhub.errors import StepError
from swarmhub.host import EngineError, Host

NAME = "swarmhub-lock"
LABEL = "swarmhub.lock"
AT = "swarmhub.lock.at"
BEAT = f"{LABEL}.beat"
BEAT_SECONDS = 10
EXPIRES_SECONDS = 45
# Within so long a run that is alive renews its lock, whatever any clock says.
WATCH_SECONDS = 15


@dataclass(frozen=True)
class LockHolder:
    """Who holds the lock, since when, for what and which hub, what was done last, and how long ago the lock was renewed."""

    id: str
    who: str
    since: datetime
    what: str
    at: str
    silent_seconds: float
    beat: str = ""
    hub: str = ""

    @property
    def is_expired(self) -> bool:
        """Tell whether its machine seems to have gone away, by the managers' clocks."""
        return self.silent_seconds > EXPIRES_SECONDS

    def __str__(self) -> str:
        at = f", now at: {self.at}" if self.at else ""
        what = f"{self.what} of {self.hub}" if self.hub else self.what
        return f"{self.who}, since {self.since:%Y-%m-%d %H:%M:%S} UTC, for: {what}{at}"


def observe(manager: Host) -> LockHolder | None:
    """Ask who holds the lock; its age is taken by the engine's own clock."""
    record = next((one for one in configs.listed(manager, LABEL) if one.name == NAME), None)
    if record is None:
        return None
    now = datetime.fromisoformat(manager.engine.get("/info")["SystemTime"])
    return read(record, now)


def read(record: Record, now: datetime) -> LockHolder:
    """Read the holder off the record."""
    data = record.data
    silent = (now - datetime.fromisoformat(record.updated)).total_seconds()
    at, beat = record.labels.get(AT, ""), record.labels.get(BEAT, "")
    return LockHolder(
        record.id, data["who"], datetime.fromisoformat(data["since"]), data["what"], at, silent, beat, data.get("hub", "")
    )


def require_lost(manager: Host, holder: LockHolder) -> None:
    """Make sure that a holder's run has died: its lock is not renewed while it is watched, by this machine's own clock.

    Raises:
        StepError: the run is alive; the message tells whose it is.

    """
    # One that was renewed in the future tells that the managers' clocks are apart.
    if holder.silent_seconds >= -BEAT_SECONDS and not holder.is_expired:
        raise refuse(manager.name, holder)
    deadline = time.monotonic() + WATCH_SECONDS
    while time.monotonic() < deadline:
        now = observe(manager)
        if now is None or now.id != holder.id:
            return
        if now.beat != holder.beat:
            raise refuse(manager.name, now)
        time.sleep(1)


def refuse(manager: str, holder: LockHolder) -> StepError:
    """Return the error that tells who holds the lock."""
    remedy = "Wait until it is done; if that machine is gone for good: fab unlock"
    return StepError(manager, f"the cluster is locked by {holder}", remedy)


def told(holder: LockHolder) -> str:
    """Return who holds the lock, and whether that run is alive."""
    age = f"{max(0, holder.silent_seconds):.0f} s ago"
    return f"held by {holder}; {'expired: ' if holder.is_expired else ''}last renewed {age}"


def remove(manager: Host, holder: LockHolder) -> None:
    """Take the lock away from its holder, and from nobody else."""
    manager.engine.delete(f"/configs/{holder.id}")


class Lease:
    """The lock, held by this run; a thread renews it until it is released."""

    def __init__(self, manager: Host, id_: str) -> None:
        self._manager, self._id, self._at = manager, id_, ""
        self._lost = ""
        self._changing = threading.Lock()
        self._over = threading.Event()
        threading.Thread(target=self._renew_until_over, name="lock", daemon=True).start()

    def at(self, what: str) -> None:
        """Say in the lock what is being done.

        Raises:
            StepError: the lock is not this run's any more.

        """
        self._at = what
        self._renew()
        if self._lost:
            remedy = "See what was done, and run this again: fab history"
            raise StepError(self._manager.name, f"this run has lost the cluster's lock: {self._lost}", remedy)

    def release(self) -> None:
        """Give the lock back."""
        self._over.set()
        with self._changing:
            self._manager.engine.delete(f"/configs/{self._id}")

    def _renew_until_over(self) -> None:
        while not self._over.wait(BEAT_SECONDS):
            # The connection may be broken for a while; what needs it says so. Nothing else ends this thread either.
            with contextlib.suppress(Exception):
                self._renew()

    def _renew(self) -> None:
        with self._changing:
            if self._over.is_set() or self._lost:
                return
            try:
                labels = {LABEL: NAME, AT: self._at, BEAT: str(time.time_ns())}
                configs.relabel(self._manager, self._id, labels)
            except EngineError as error:
                if error.status != HTTPStatus.NOT_FOUND:
                    raise
                self._lost = "somebody has unlocked it, or it had expired"


def take(manager: Host, data: Mapping[str, str]) -> tuple[Lease, LockHolder | None]:
    """Take the lock, for `who`, `since`, `what` and `hub`; return it, and the holder whose expired lock was in the way.

    Raises:
        StepError: somebody else holds it.

    """
    expired = observe(manager)
    if expired is not None:
        require_lost(manager, expired)
        remove(manager, expired)
    try:
        return Lease(manager, configs.create(manager, NAME, {LABEL: NAME}, data)), expired
    except EngineError as error:
        holder = observe(manager) if error.status == HTTPStatus.CONFLICT else None
        if holder is None:
            raise
        raise refuse(manager.name, holder) from error
