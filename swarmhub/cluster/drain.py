"""Empty a node: its people finish or are stopped, the other services move, and nothing new is placed there."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from swarmhub.cluster.nodes import SwarmNode
from swarmhub.cluster.update import Update
from swarmhub.errors import StepError
from swarmhub.host import Host
from swarmhub.notebooks import homes
from swarmhub.notebooks.work import Work, running
from swarmhub.plan.plans import Change, Cost, Plan, Progress
from swarmhub.wait import until

STEP = "drain"
HEADS = ("USER", "SINCE", "STATE")
# The hub's own stop takes up to 20 s; other services' may take longer.
SECONDS = 120
ASK_SECONDS = 2.0


class _TimeIsUp(Exception):  # noqa: N818 - not an error
    pass


def plan_pause(host: str, node: SwarmNode, manager: str) -> Plan:
    """Return what keeps new servers away from a node while its people finish."""
    if node.availability != "active":
        return Plan(STEP, f"{host} takes no new servers already ({node.availability})")
    change = Change("pause", f"{host} (no new servers)", manager, Update(node.id, availability="pause"))
    return Plan(STEP, "", (change,))


def plan(host: str, node: SwarmNode, work: Work, manager: str) -> Plan:
    """Return what empties a node.

    Raises:
        StepError: the hub runs there, and its data with it.

    """
    if work.holds_hub:
        cause = "the hub runs there, pinned to its database and certificate; drained, it would stop"
        raise StepError(host, cause, "Move it to another manager first: fab move-hub HOST; without one, announce an outage")
    if node.availability == "drain" and not work.notebooks and not work.services:
        return Plan(STEP, f"{host} is drained, and nothing runs there")
    cost = Cost.NOTEBOOKS_STOP if work.people else Cost.NOTHING
    moved = f", and move {', '.join(work.services)}" if work.services else ""
    change = Change("drain", f"{host}{moved}", manager, Drainer(node.id, host), cost=cost, people=work.people)
    return Plan(STEP, "", (change,))


def rows(work: Work) -> list[tuple[str, str, str]]:
    """Return who works on a node, since when, and in what state their server is."""
    return [(one.user, f"{one.since:%Y-%m-%d %H:%M} UTC", one.state) for one in work.notebooks]


def question(host: str, people: Sequence[str], at_home: Sequence[str], minutes: int) -> str:
    """Return what to ask before people lose their servers, and those whose homes are there the way to them."""
    after = f"After {minutes} minutes the servers that still run" if minutes else "Their servers"
    work = "works" if len(people) == 1 else "work"
    parts = [f"{', '.join(people)} {work} on {host}. {after} stop; what is not saved is lost." if people else ""]
    parts.append(f"Until it is back, no server starts for {homes.names(at_home)}: their homes are there." if at_home else "")
    return " ".join([*(part for part in parts if part), "Drain it?"])


def wait(ask: Callable[[], tuple[str, ...]], minutes: int, say: Callable[[str], object]) -> None:
    """Return when `ask` names nobody any more, or after some minutes; say who is still there when that changes."""
    last: tuple[str, ...] = ()

    def nobody() -> bool:
        nonlocal last
        people = ask()
        if people and people != last:
            say(f"still there: {', '.join(people)}")
        last = people
        return not people

    with suppress(_TimeIsUp):
        until(nobody, minutes * 60, _TimeIsUp, pause=ASK_SECONDS)


@dataclass(frozen=True)
class Drainer:
    """Drain a node, and wait until nothing runs there."""

    node: str
    host: str

    def __call__(self, host: Host, progress: Progress) -> None:
        """Drain it through a manager.

        Raises:
            StepError: a task does not end in time.

        """
        Update(self.node, availability="drain")(host, progress)
        remedy = f"See: docker node ps {self.node}; then run this again"
        cause = f"tasks still run on {self.host} after {SECONDS} s"
        until(lambda: not self._busy(host), SECONDS, lambda: StepError(host.name, cause, remedy))

    def _busy(self, host: Host) -> bool:
        return bool(running(host.engine.get("/tasks", filters={"node": [self.node]})))
