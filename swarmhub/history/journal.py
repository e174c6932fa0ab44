"""What a run leaves on the cluster: the lock while it changes something, and an entry when it is over."""

import threading
import time
from contextlib import suppress
from datetime import UTC, datetime

from swarmhub import settings
from swarmhub.errors import StepError
from swarmhub.history import author, entries, lock
from swarmhub.history.entries import Entry
from swarmhub.history.lock import Lease, LockHolder
from swarmhub.host import EngineError, Host
from swarmhub.plan.plans import Change

# A connection that is broken must not keep the operator waiting: the lock expires by itself.
FAREWELL_SECONDS = 8


class Journal:
    """One run's lock and entry."""

    def __init__(self, manager: Host, hub: str, command: str) -> None:
        self._manager, self._hub, self._command = manager, hub, command
        self._began, self._started = datetime.now(UTC).isoformat(timespec="seconds"), time.monotonic()
        self._who = author.name()
        self._lease: Lease | None = None
        self._is_open = False
        self._doing: dict[str, None] = {}
        self._changes: list[str] = []
        self.has_swarm = True
        self.leaves_entry = True

    def open(self, holder: LockHolder | None) -> None:
        """Make sure that nobody else holds the cluster's lock; from here on this run may leave an entry.

        Raises:
            StepError: somebody does; the message tells who.

        """
        if self._is_open:
            return
        if holder is not None:
            lock.require_lost(self._manager, holder)
            lock.remove(self._manager, holder)
            self._tell_lost(holder)
        self._is_open = True

    def lock(self) -> bool:
        """Take the cluster's lock, if this run does not hold it already; tell whether it has just been taken.

        Raises:
            StepError: somebody else holds it.

        """
        if self._lease is not None or not self.has_swarm:
            return False
        data = {"who": self._who, "since": self._began, "what": self._command, "hub": self._hub}
        self._lease, expired = lock.take(self._manager, data)
        self._is_open = True
        if expired is not None:
            self._tell_lost(expired)
        return True

    def _tell_lost(self, holder: LockHolder) -> None:
        entries.write(self._manager, holder.hub or self._hub, lost(holder, "lost: its lock was no longer renewed"))

    def begin(self, change: Change) -> None:
        """Say in the lock what is being done.

        Raises:
            StepError: the lock is not this run's any more.

        """
        if self._lease is not None:
            self._lease.at(change.sentence)
        self._doing[change.sentence] = None

    def done(self, change: Change) -> None:
        """Remember what was done."""
        del self._doing[change.sentence]
        self._changes.append(change.sentence)

    def end(self, ended: str) -> bool:
        """Write the entry, if `ended` says how the run went, and give the lock back; tell whether no lock is left."""
        if not self._is_open or not (ended or self._lease):
            return True
        farewell = threading.Thread(target=self._end, args=(ended,), daemon=True)
        farewell.start()
        farewell.join(FAREWELL_SECONDS)
        return self._lease is None

    def _end(self, ended: str) -> None:
        # The run has said already what is wrong with the connection.
        with suppress(StepError, EngineError):
            if ended and self.leaves_entry:
                entries.write(self._manager, self._hub, self._entry(ended))
        with suppress(StepError, EngineError):
            if self._lease is not None:
                self._lease.release()
            self._lease = None

    def _entry(self, ended: str) -> Entry:
        seconds = round(time.monotonic() - self._started, 1)
        commit = author.commit(settings.path().resolve().parent)
        changes = (*self._changes, *(f"{sentence} (begun)" for sentence in tuple(self._doing)))
        return Entry(self._began, seconds, self._who, commit, self._command, changes, ended)


def lost(holder: LockHolder, how: str) -> Entry:
    """Return the entry of a run that cannot write its own: all that is known is what its lock says."""
    changes = (f"{holder.at} (begun)",) if holder.at else ()
    return Entry(holder.since.isoformat(), 0, holder.who, "", holder.what, changes, how)
