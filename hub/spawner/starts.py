"""What the starts of servers share: one look at the engine for all of them, and the nodes that have refused one."""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

from hub.spawner.service import Docker

TASK_SECONDS = 0.2
# So long no server is sent to a node that has refused one: it stays the emptiest, so Swarm would send it each new one.
AVOID_SECONDS = 300.0


class Tasks:
    """The tasks of all servers, asked for together: fifty starts ask the engine no more often than one.

    Docker tells of no task in its stream of events, so somebody has to ask.
    """

    _next: asyncio.Future[list[dict[str, Any]]] | None = None

    async def of(self, docker: Docker, label: str, service: str) -> list[dict[str, Any]]:
        """Return a service's tasks at the next look; `label` is the one that the services of all servers have."""
        if self._next is None or self._next.done():
            self._next = asyncio.ensure_future(self._look(docker, label))
        tasks = await asyncio.shield(self._next)
        return [task for task in tasks if task["ServiceID"] == service]

    async def _look(self, docker: Docker, label: str) -> list[dict[str, Any]]:
        await asyncio.sleep(TASK_SECONDS)  # who asks in the meantime shares the answer
        found: list[dict[str, Any]] = await docker("tasks", filters={"label": label})
        return found


@dataclass(frozen=True)
class Avoided:
    """A node that has refused a server: its name, why, and until when no other is sent there, in seconds since 1970.

    It goes for an image: what is wrong may be the image of a profile, or how it is started, and no other server's matter.
    """

    host: str
    why: str
    until: float


@dataclass
class Nodes:
    """The nodes that have refused a server."""

    _refused: dict[tuple[str, str], Avoided] = field(default_factory=dict)

    def avoid(self, node: str, image: str, host: str, why: str) -> None:
        """Send no server of an image to a node, by its id, for some minutes."""
        self._refused[node, image] = Avoided(host, why, time.time() + AVOID_SECONDS)

    def avoided(self, image: str) -> list[str]:
        """Return the ids of the nodes to which no server of an image is sent now."""
        return [node for (node, of), one in self._refused.items() if of == image and one.until > time.time()]

    def told(self) -> list[Avoided]:
        """Return what is avoided now, the last refusal of each node."""
        return list({one.host: one for one in self._refused.values() if one.until > time.time()}.values())
