"""Show the status again and again."""

import time
from collections.abc import Callable, Sequence

from rich.text import Text

from swarmhub.errors import StepError
from swarmhub.host import EngineError
from swarmhub.status import screen
from swarmhub.status.summary import Status

SECONDS = 2


def watch(ask: Callable[[], Status], show: Callable[[Sequence[Text]], None]) -> None:
    """Ask and show until Ctrl-C; while the manager does not answer, that stands below what was last seen."""
    lines: list[Text] = []
    try:
        while True:
            try:
                lines = screen.lines(ask())
                show(lines)
            except (StepError, EngineError) as error:
                show([*lines, Text(), Text(f"now: {error}", screen.BAD, **screen.WRAPPED)])
            time.sleep(SECONDS)
    except KeyboardInterrupt:
        return
