"""Wait for a condition, with an end."""

import time
from collections.abc import Callable


def until(holds: Callable[[], bool], seconds: float, otherwise: Callable[[], Exception], pause: float = 0.2) -> None:
    """Return when `holds` answers true; raise what `otherwise` makes when `seconds` have passed."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise otherwise()
        time.sleep(pause)
