"""Make the backups of this node for as long as the container runs.

How they stand is in a file of the node's volume, written before and after each part: a container that starts again goes on
from there. Arguments: the files with the schedule, with what opens the repository, and with the program of the containers.
"""

import json
import signal
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from swarmhub.inside.backup.places import CACHE, Failed
from swarmhub.inside.schedule import slots
from swarmhub.inside.schedule.drill import DrillError
from swarmhub.inside.schedule.engine import Engine, EngineError
from swarmhub.inside.schedule.facts import Missing
from swarmhub.inside.schedule.lock import Busy
from swarmhub.inside.schedule.parts import HOMES, HUB, THIN, VERIFY, Node
from swarmhub.inside.schedule.slots import Attempt, Attempts

STATE = CACHE / "schedule.json"
LOOK_SECONDS = 30.0
# By then the hub's node has made the repository, or says itself why it has not.
MADE_SECONDS = 600.0


class Worker:
    """What a node does when; `file` is where it keeps how that stands."""

    def __init__(self, node: Node, file: Path = STATE) -> None:
        self._node, self._file, self._began = node, file, time.time()
        self.attempts: Attempts = slots.read(file, time.time(), node.periods)
        # Without the parts that are this node's no longer.
        slots.write(file, self.attempts)

    def turn(self) -> float:
        """Do each part that is due, and return the seconds until one may be again."""
        for part, period in self._node.periods.items():
            if self._left(part, period) <= 0:
                self._try(part, period)
        return min([LOOK_SECONDS, *(max(self._left(part, one), 1.0) for part, one in self._node.periods.items())])

    def _left(self, part: str, period: float) -> float:
        now, hub = time.time(), self.attempts.get(HUB, Attempt())
        # What is to be thinned out or tried has to be there.
        if (part == THIN and hub.slot != slots.begin(now, period, self._node.at)) or (part == VERIFY and not hub.slot):
            return LOOK_SECONDS
        return slots.left(self.attempts.get(part, Attempt()), now, period, self._node.at)

    def _try(self, part: str, period: float) -> None:
        before, slot = self.attempts.get(part, Attempt()), slots.begin(time.time(), period, self._node.at)
        # One that is killed tries again as late as one that fails; one that is told to end, at once.
        self._keep(part, replace(before, is_running=True))
        after = before
        try:
            told = self._node.do(part, slot, is_first=not before.slot)
            after = slots.done(slot, time.time(), told)
            _say(f"{part} of {slots.name(slot)}: {json.dumps(told)}")
        except Busy as error:
            after = slots.waiting(before, time.time())
            _say(f"{part}: {error}; again in {slots.BUSY_SECONDS:.0f} s")
        except (Failed, EngineError, DrillError, Missing, OSError) as error:
            after = self._failed(part, before, error, period)
        except Exception as error:  # such as an answer that lacks something: with the container, the pauses would end, too
            after = self._failed(part, before, EngineError(repr(error)), period)
        finally:
            self._keep(part, after)

    def _failed(self, part: str, before: Attempt, error: Exception, period: float) -> Attempt:
        kind = error.kind if isinstance(error, Failed) else "deploy" if isinstance(error, Missing) else "engine"
        # A backup by hand is at work here; or the hub's node has yet to make the repository.
        if kind == "busy" or (kind == "missing" and part == HOMES and time.time() - self._began < MADE_SECONDS):
            _say(f"{part}: {error}; again in {slots.BUSY_SECONDS:.0f} s")
            return slots.waiting(before, time.time())
        after = slots.failed(before, "drill" if isinstance(error, DrillError) else kind, str(error), time.time(), period)
        again = f"{datetime.fromtimestamp(after.next, UTC):%H:%M:%S}"
        _say(f"{part} has failed, {after.failures} in a row: {error}; again at {again}")
        return after

    def _keep(self, part: str, attempt: Attempt) -> None:
        self.attempts[part] = attempt
        slots.write(self._file, self.attempts)


def _say(text: str) -> None:
    """Print a line; people choose the names of files, and could write lines of their own, or to a terminal."""
    shown = "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)
    print(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} {shown}", flush=True)


def main(schedule: str, secrets: str, program: str) -> None:
    """Work until the container is told to end."""
    texts = [json.loads(Path(file).read_text()) for file in (schedule, secrets, program)]
    node = Node(texts[0], texts[1], {name: text.encode() for name, text in texts[2].items()}, Engine(), _say)
    node.sweep()
    worker = Worker(node)
    while True:
        time.sleep(worker.turn())


if __name__ == "__main__":
    # The container's first process has no default handler; the container that works goes with this one.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    main(*sys.argv[1:])
