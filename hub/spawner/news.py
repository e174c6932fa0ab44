"""Read off a service's tasks how far a server is, for the person who waits, and why it does not come, in plain words."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hub.shared.servers.mounts import MARKER
from hub.shared.servers.nodes import usable

Json = Mapping[str, Any]

# The states of a task that runs or will; a task that is being placed anew is not dead.
ALIVE = frozenset({"new", "pending", "assigned", "accepted", "preparing", "ready", "starting", "running"})
WANTED = frozenset({"running", "ready"})
# Why a node does not start a server that another one may start.
REFUSALS = frozenset({"image", "home", "disk", "network", "rejected", "failed"})
# Docker as root makes the place for a mount: below a home where the file server lets root write nothing, it cannot.
UNMOUNTABLE = re.compile(
    r"""error mounting .* to rootfs at "([^"]+)".*(?:not permitted|denied|read-only file system)""", re.DOTALL
)
ASK = "Tell your administrator if it stays so."
UNMARKED = re.compile(rf"bind source path does not exist: (/.*)/{re.escape(MARKER)}$")
# A mount whose file server is gone, or has forgotten it, as kernels say it.
STALE = ("stale nfs file handle", "stale file handle", "transport endpoint is not connected", "host is down")
NO_ADDRESS = "The cluster has no network address left for your server."


@dataclass(frozen=True)
class News:
    """How far a server is: for the bar (0 to 100) and the line below it; `failed` is why it does not come.

    `detail` is the engine's own word, `reason` a label for metrics.
    """

    progress: int
    message: str
    state: str = "new"
    node: str = ""
    failed: str = ""
    reason: str = ""
    detail: str = ""
    # Whether a container has run: then there may be files, and last lines.
    ran: bool = False
    host: str = ""

    @property
    def is_running(self) -> bool:
        """Tell whether the container runs; what is in it may not answer yet."""
        return self.state == "running" and not self.failed

    @property
    def is_refusal(self) -> bool:
        """Tell whether a node has refused the server before anything ran there."""
        return bool(self.failed) and not self.ran and self.reason in REFUSALS


def newest(tasks: Sequence[Json]) -> Json | None:
    """Return the task that counts: the newest one."""
    return max(tasks, key=lambda task: str(task["CreatedAt"]), default=None)


def read(tasks: Sequence[Json], hosts: Mapping[str, str], needs: str = "") -> News:
    """Read the news off a service's tasks; `hosts` names the nodes, `needs` says what the server asks of one."""
    task = newest(tasks)
    if task is None:
        return News(5, "Looking for a node")
    status, node = task["Status"], task.get("NodeID", "")
    state, error = status["State"], status.get("Err", "")
    host = hosts.get(node, "a node")
    if state not in ALIVE or task["DesiredState"] not in WANTED:
        failed, reason = _why(task, host)
        ran = state in ("failed", "complete", "running") and "starting container failed" not in error
        return News(0, "", state, node, failed, reason, _plain(error) or status.get("Message", ""), ran, host)
    if state == "pending" and "no suitable node" in error:
        failed, reason = _no_node(error, needs)
        return News(0, "", state, node, failed, reason, error)
    steps = {
        "new": (5, "Looking for a node"),
        "pending": (10, "Looking for a node"),
        "assigned": (20, f"Placed on {host}"),
        "accepted": (20, f"Placed on {host}"),
        "preparing": (35, f"{host} prepares the image and your files"),
        "ready": (50, f"Starting on {host}"),
        "starting": (50, f"Starting on {host}"),
        "running": (70, f"Started on {host}; waiting for it to answer"),
    }
    progress, message = steps[state]
    return News(progress, message, state, node, ran=state == "running")


def status(tasks: Sequence[Json]) -> int | None:
    """Return None while a server runs or is being placed, else its exit code, as JupyterHub's poll does."""
    if any(task["DesiredState"] in WANTED and task["Status"]["State"] in ALIVE for task in tasks):
        return None
    task = newest(tasks)
    return int((task["Status"].get("ContainerStatus") or {}).get("ExitCode") or 0) if task else 0


def addresses_left(network: Json, tasks: Sequence[Json], services: Sequence[Json], nodes: int) -> int:
    """Return how many addresses a network has left; each node takes one, and each service that has its own."""
    room = sum(usable(part["Subnet"]) for part in network["IPAM"]["Config"] or () if ":" not in part["Subnet"])
    living = [task for task in tasks if task["Status"]["State"] in ALIVE]
    attached = [one["Network"]["ID"] for task in living for one in task.get("NetworksAttachments") or ()]
    own = [one["NetworkID"] for service in services for one in (service.get("Endpoint") or {}).get("VirtualIPs") or ()]
    return room - nodes - [*attached, *own].count(network["Id"])


def _why(task: Json, host: str) -> tuple[str, str]:
    """Return why a task has ended, in plain words, and a label."""
    state, error = task["Status"]["State"], task["Status"].get("Err", "")
    code = (task["Status"].get("ContainerStatus") or {}).get("ExitCode", 0)
    known = {
        "No such image": (f"{host} does not have the image of your server, and cannot pull it.", "image"),
        "manifest unknown": (f"{host} does not have the image of your server, and cannot pull it.", "image"),
        "bind source path does not exist": (
            f"{host} does not have the folder with your files: it is not mounted there.",
            "home",
        ),
        "failed to mount local volume": (f"{host} cannot reach the file server with your files.", "home"),
        **dict.fromkeys(STALE, (f"{host} has lost the connection to the file server with your files.", "home")),
        "no quota support": (f"{host} cannot limit the size of your home, as the settings ask.", "home"),
        "no space left on device": (f"{host} has no disk space left, or your home is full.", "disk"),
        "disk quota exceeded": (f"{host} has no disk space left, or your home is full.", "disk"),
        # The engine could not make the place of a shared folder in the home.
        "read-only file system": (f"{host} has the folder with your files read-only, or one that another is to be in.", "home"),
        "ip addresses may be exhausted": (NO_ADDRESS, "addresses"),
        # Docker 26: an engine that was stopped just after the node's last server has left the network behind, half removed.
        "error creating vxlan interface": (f"{host} cannot join the network of the servers.", "network"),
        # The servers' network has addresses of one that the node has, such as docker_gwbridge.
        "pool overlaps with other one": (f"{host} cannot join the network of the servers.", "network"),
        "range of cpus is from": (f"{host} has fewer CPUs than your server may use.", "rejected"),
    }
    for part, (words, reason) in known.items():
        if part.lower() in error.lower():
            return f"{words} {ASK}", reason
    if found := UNMOUNTABLE.search(error):
        words = f"The folder {found[1]} has no place in your files yet, and the cluster may not make one there."
        return f"{words} {ASK}", "place"
    if state == "running":  # wanted no more, and its node has not said that it is over
        return f"{host} does not answer any more.", "node"
    if code == 137:
        return "Your server was killed while it started, most often for want of memory (exit code 137).", "memory"
    if state in ("failed", "complete") and "starting container failed" not in error:
        return f"Your server ended while it started (exit code {code}).", "exit"
    return f"{host} refuses to start your server. {ASK}", state


def _plain(error: str) -> str:
    """Return the engine's word, with what it means where that is not in it: it speaks of a marker, which nobody knows."""
    found = UNMARKED.search(error)
    return f"{found[1]} is not mounted there, or another file system is ({error})" if found else error


def _no_node(error: str, needs: str) -> tuple[str, str]:
    """Return why Swarm places a task nowhere."""
    if "missing plugin" in error:
        return f"No node has the volume driver for your files. {ASK}", "driver"
    if "insufficient resources" in error:
        wanted = f"{needs} " if needs else "what your server needs "
        return f"No node has {wanted}free at the moment. Try again later, or choose a smaller server.", "resources"
    return f"No node that may run your server is up and has its image. {ASK}", "placement"
