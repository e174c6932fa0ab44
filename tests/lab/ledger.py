"""Where the seconds of a run on the lab go: printed at its end, so that the next saving is made where it counts."""

import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Entry:
    """A kind of work whose seconds are counted; its name may be given when it is over."""

    name: str


@dataclass(frozen=True)
class Ledger:
    """Seconds by kind of work. What is inside of something that is counted is part of that."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    _open: threading.local = field(default_factory=threading.local)

    @contextmanager
    def counting(self, name: str) -> Iterator[Entry]:
        """Count the seconds of a block."""
        entry, outermost, started = Entry(name), not getattr(self._open, "is_open", False), time.monotonic()
        self._open.is_open = True
        try:
            yield entry
        finally:
            if outermost:
                self._open.is_open = False
                self.seconds[entry.name].append(time.monotonic() - started)

    def table(self) -> list[str]:
        """Return a row for each kind: how often, how long in all, on average and at most, the longest first."""
        rows = sorted(self.seconds.items(), key=lambda row: -sum(row[1]))
        head = f"{'':48} {'times':>5} {'total':>8} {'mean':>7} {'most':>7}"
        return [head, *(_row(name, all_) for name, all_ in rows), _row("all of these", [s for _, all_ in rows for s in all_])]


def _row(name: str, seconds: list[float]) -> str:
    mean = sum(seconds) / len(seconds) if seconds else 0.0
    return f"{name[:48]:48} {len(seconds):5} {sum(seconds):7.1f}s {mean:6.2f}s {max(seconds, default=0.0):6.2f}s"


LEDGER = Ledger()
