"""Lists of all processes with their arguments and environments, taken again and again while something runs.

A node of the lab is a container here: this machine sees the processes of all nodes, and of the containers on them.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

PAUSE_SECONDS = 0.05


@dataclass(frozen=True)
class Process:
    """What a process was started with, as its kernel shows it."""

    arguments: str
    environment: str


@dataclass
class Watch:
    """The processes that were seen, and how many lists of them were taken."""

    processes: set[Process] = field(default_factory=set)
    lists: int = 0

    def look(self) -> None:
        """Take a list."""
        for process in filter(str.isdigit, os.listdir("/proc")):
            # It may have ended; what the kernel runs itself has no arguments.
            with suppress(OSError):
                if arguments := _read(f"/proc/{process}/cmdline"):
                    self.processes.add(Process(arguments, _read(f"/proc/{process}/environ")))
        self.lists += 1


@contextmanager
def watching() -> Iterator[Watch]:
    """Take lists for as long as something lasts."""
    watch, over = Watch(), threading.Event()

    def work() -> None:
        while not over.wait(PAUSE_SECONDS):
            watch.look()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield watch
    finally:
        over.set()
        thread.join()


def _read(file: str) -> str:
    with open(file, "rb") as opened:
        return opened.read().replace(b"\0", b"\n").decode(errors="replace")
