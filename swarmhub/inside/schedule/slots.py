"""When a backup is due, and how it stands: all nodes go by the clock alone, so that they need not speak to each other.

Time is cut into periods, from 1970 on, and from a time of day. A backup is due as soon as one has begun: so all nodes give
theirs the same name, and what was missed while a node was away is made once when it is back. What fails is tried again, after
longer and longer pauses.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

LEAST, MOST = 60.0, 6 * 3600.0
# Of what is only in the way: the lock of the cluster, or a backup by hand.
BUSY_SECONDS = 30.0
CUT_OFF = "it was cut off before it had ended"


@dataclass(frozen=True)
class Attempt:
    """How a part of the backups stands.

    `slot` is the beginning of the period for which it was last done, `at` when that was, `told` what it came to. `failures`
    counts those in a row since, `said` is the last one's cause, `next` the time of the next try.
    """

    slot: float = 0
    at: float = 0
    told: Mapping[str, Any] = field(default_factory=dict)
    failures: int = 0
    kind: str = ""
    said: str = ""
    next: float = 0
    is_running: bool = False


Attempts = dict[str, Attempt]


def begin(now: float, period: float, at: float) -> float:
    """Return when the period began that it is; `at` are the seconds after midnight UTC at which one begins."""
    return now - (now - at) % period


def name(slot: float) -> str:
    """Return the name of the backup of a period."""
    return f"{datetime.fromtimestamp(slot, UTC):%Y%m%d-%H%M%S}"


def left(attempt: Attempt, now: float, period: float, at: float) -> float:
    """Return the seconds until a part is due; a try that is further away than any pause was set by a wrong clock."""
    slot = begin(now, period, at)
    if attempt.slot == slot:
        return slot + period - now
    seconds = max(attempt.next - now, 0)
    return seconds if seconds <= MOST else 0


def pause(failures: int, period: float) -> float:
    """Return the seconds to wait after failures in a row: a minute, doubled each time, an eighth of the period at most."""
    return max(min(LEAST * 2.0 ** min(failures - 1, 20), period / 8, MOST), LEAST)


def done(slot: float, now: float, told: Mapping[str, Any]) -> Attempt:
    """Return how a part stands that was done for a period."""
    return Attempt(slot, now, told)


def failed(before: Attempt, kind: str, said: str, now: float, period: float) -> Attempt:
    """Return how a part stands that has failed."""
    failures = before.failures + 1
    again = now + pause(failures, period)
    return replace(before, failures=failures, kind=kind, said=said, next=again, is_running=False)


def waiting(before: Attempt, now: float) -> Attempt:
    """Return how a part stands that something else was in the way of."""
    return replace(before, next=now + BUSY_SECONDS, is_running=False)


def read(file: Path, now: float, periods: Mapping[str, float]) -> Attempts:
    """Read what the container before has left; a part that it did not see the end of has failed."""
    try:
        found = {part: Attempt(**one) for part, one in json.loads(file.read_text()).items() if part in periods}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}
    return {part: failed(one, "restic", CUT_OFF, now, periods[part]) if one.is_running else one for part, one in found.items()}


def write(file: Path, attempts: Attempts) -> None:
    """Write how all parts stand, whole or not at all."""
    part = file.with_suffix(".part")
    part.write_text(json.dumps({name: asdict(one) for name, one in attempts.items()}))
    os.replace(part, file)
