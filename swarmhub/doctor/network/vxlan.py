"""VXLAN devices that an engine has left: while one has an overlay's number, no container of that network starts there.

Seen with Docker 26, where an engine ends within a second after the last container of a network on its node.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from swarmhub.doctor.finding import Finding, failure
from swarmhub.doctor.hosts.access import HostAnswers
from swarmhub.host import Host, Json
from swarmhub.services.network import CHOSEN_BY_DOCKER

CHECK = "overlay"
REFUSED = "error creating vxlan interface: file exists"


def observe(manager: Host) -> tuple[dict[int, str], Sequence[Json]]:
    """Ask for the swarm's overlays, by the numbers of their VXLANs, and for all tasks."""
    listed = manager.engine.get("/networks", filters={"driver": ["overlay"]})
    numbers = {one["Name"]: (one.get("Options") or {}).get(CHOSEN_BY_DOCKER, "") for one in listed}
    found = {int(number): name for name, text in numbers.items() for number in text.split(",") if number}
    return found, manager.engine.get("/tasks")


def judge(overlays: Mapping[int, str], tasks: Sequence[Json], seen: Mapping[str, HostAnswers], port: int) -> list[Finding]:
    """Return a line for each host on which such a device is, or has kept the last container on an overlay from starting.

    An engine moves its devices away from where hosts have theirs; `port` is that of the swarm's overlays.
    """
    return [finding for host, one in seen.items() if (finding := _of(host, one, overlays, tasks, port))]


def _of(host: str, answers: HostAnswers, overlays: Mapping[int, str], tasks: Sequence[Json], port: int) -> Finding | None:
    devices = answers.probe.vxlans if answers.probe else ()
    left = next((one for one in devices if one.number in overlays and one.port == port), None)
    if left:
        text = f"its engine has left the VXLAN device {left.device}: no container on {overlays[left.number]} starts there"
        return failure(CHECK, host, text, f"There: sudo ip link delete {left.device}")
    last = max(_on_overlays(tasks, answers.node), key=lambda task: str(task["CreatedAt"]), default=None)
    if last and _is_refused(last):
        text = f"its engine has left a VXLAN device: the last container on an overlay did not start there ({REFUSED})"
        return failure(CHECK, host, text, "Empty the node and restart its machine: fab drain, then sudo reboot")
    return None


def _on_overlays(tasks: Sequence[Json], node: str) -> Iterator[Json]:
    """Yield a node's tasks that run on an overlay, or could not for such a device."""
    for task in tasks:
        if task.get("NodeID") == node and (_is_refused(task) or (_runs(task) and task.get("NetworksAttachments"))):
            yield task


def _runs(task: Any) -> bool:
    return bool(task["Status"]["State"] == "running")


def _is_refused(task: Any) -> bool:
    return REFUSED in task["Status"].get("Err", "")
