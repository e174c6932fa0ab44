"""The containers of the overlay's trial on their way: which run, which stay as they are, and which are only slow."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from swarmhub.doctor.finding import Finding, failure, warning
from swarmhub.engine.swarm.converge import HOLDING
from swarmhub.host import Json
from swarmhub.wait import until

CHECK = "overlay"
# A busy machine takes its time, and its tasks move on; one whose network does not come stays as it is.
STUCK_SECONDS, MOST_SECONDS = 30, 120
PORTS = "Notebooks would not start either. Open closed ports (7946/tcp first), and look there: journalctl -u docker"


@dataclass(frozen=True)
class Running:
    """A container of the trial, and its address on the network."""

    container: str
    address: str


@dataclass(frozen=True)
class Start:
    """A host's task as it is, and since when it has been so, by this machine's clock."""

    task: Json | None
    since: float

    @property
    def running(self) -> Running | None:
        """Return the container, if it runs and has an address."""
        return read(self.task)

    def is_decided(self, now: float) -> bool:
        """Tell whether there is nothing to wait for: it runs, it has ended, or it has not moved for too long."""
        return self.running is not None or _has_ended(self.task) or now - self.since > STUCK_SECONDS

    def then(self, task: Json | None, now: float) -> "Start":
        """Return how it is by a later look."""
        return self if _stage(task) == _stage(self.task) else Start(task, now)


def follow(ask: Callable[[], Sequence[Json]], nodes: Mapping[str, str], is_over: Callable[[], bool]) -> dict[str, Start]:
    """Return how far each host's task has come, once that is decided; `ask` gives the tasks, `nodes` the hosts' nodes."""
    found = {host: Start(None, time.monotonic()) for host in nodes}

    def are_decided() -> bool:
        by_node, now = {task.get("NodeID"): task for task in ask()}, time.monotonic()
        found.update({host: one.then(by_node.get(nodes[host]), now) for host, one in found.items()})
        return is_over() or all(one.is_decided(now) for one in found.values())

    with suppress(TimeoutError):
        until(are_decided, MOST_SECONDS, TimeoutError, pause=0.1)
    return found


def judge(host: str, start: Start, now: float) -> Finding:
    """Return why a host's container does not run: something keeps it, or its machine is only slow."""
    status = (start.task or {}).get("Status") or {}
    state = status.get("State", "without a task")
    if not start.is_decided(now):
        text = f"slow: a container on an overlay network is still {state} after {MOST_SECONDS} s"
        return warning(CHECK, host, text, "The overlay was not tried there: run this again when the machine is less busy")
    why = status.get("Err") or f"it has been {state} for {STUCK_SECONDS} s"
    return failure(CHECK, host, f"a container on an overlay network does not start: {why}", PORTS)


def read(task: Json | None) -> Running | None:
    """Return the container of a task that runs and has an address."""
    status = (task or {}).get("Status") or {}
    addresses = [address for one in (task or {}).get("NetworksAttachments") or [] for address in one.get("Addresses") or []]
    if status.get("State") != "running" or not addresses:
        return None
    return Running(status["ContainerStatus"]["ContainerID"], str(addresses[0]).partition("/")[0])


def _has_ended(task: Json | None) -> bool:
    return task is not None and task["Status"]["State"] not in HOLDING


def _stage(task: Json | None) -> tuple[object, ...]:
    """Return what changes of a task on its way."""
    status = (task or {}).get("Status") or {}
    return status.get("State"), status.get("Err"), bool((task or {}).get("NetworksAttachments"))
