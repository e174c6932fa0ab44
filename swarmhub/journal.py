"""What a run leaves on the cluster: the lock while it changes something, and an entry when it is over."""

import threading
import time
from contextlib import suppress
from datetime import UTC, datetime

from swarmhub import history, lock, operator, settings
from swarmhub.errors import StepError
from swarmhub.history import Entry
from swarmhub.host import EngineError, Host
from swarmhub.lock import Holder, Lease
from swarmhub.plan import Change

# A connection that is broken must not keep the operator waiting: the lock expires by itself.
FAREWELL_SECONDS = 8


class Journal:
    """One run's lock and entry. Both begin when the run is about to change the cluster."""

    def __init__(self, manager: Host, command: str) -> None:
        self._manager, self._command = manager, command
        self._began, self._started = datetime.now(UTC).isoformat(timespec="seconds"), time.monotonic()
        self._who = operator.name()
        self._lease: Lease | None = None
        self._doing: dict[str, None] = {}
        self._changes: list[str] = []

    def lock(self) -> bool:
        """Take the cluster's lock, and tell whether it was not held by this run before.

        Raises:
            StepError: somebody else holds it.

        """
        if self._lease is not None:
            return False
        data = {"who": self._who, "since": self._began, "what": self._command}
        self._lease, expired = lock.take(self._manager, data)
        if expired is not None:
            history.write(self._manager, lost(expired, "lost: nobody renewed its lock"))
        return True

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
        """Write the entry and give the lock back; tell whether no lock is left."""
        farewell = threading.Thread(target=self._end, args=(ended,), daemon=True)
        farewell.start()
        farewell.join(FAREWELL_SECONDS)
        return self._lease is None

    def _end(self, ended: str) -> None:
        # The run has said already what is wrong with the connection.
        with suppress(StepError, EngineError):
            history.write(self._manager, self._entry(ended))
        with suppress(StepError, EngineError):
            if self._lease is not None:
                self._lease.release()
            self._lease = None

    def _entry(self, ended: str) -> Entry:
        seconds = round(time.monotonic() - self._started, 1)
        commit = operator.commit(settings.path().resolve().parent)
        changes = (*self._changes, *(f"{sentence} (begun)" for sentence in tuple(self._doing)))
        return Entry(self._began, seconds, self._who, commit, self._command, changes, ended)


def lost(holder: Holder, how: str) -> Entry:
    """Return the entry of a run that cannot write its own: all that is known is what its lock says."""
    changes = (f"{holder.at} (begun)",) if holder.at else ()
    return Entry(holder.since.isoformat(), 0, holder.who, "", holder.what, changes, how)
