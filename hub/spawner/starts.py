"""Follow the starts of servers, each from its service to the address at which the server answers.

They share one look at the engine, and what is known of nodes that have refused a server.
"""

import asyncio
import logging
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from docker.errors import DockerException
from requests.exceptions import RequestException

from hub.shared.servers import spec
from hub.shared.servers.nodes import hostname
from hub.spawner import homes
from hub.spawner import news as reading
from hub.spawner.news import News
from hub.spawner.service import Answer, Docker, Service, answer, has_addresses, refusal

TASK_SECONDS = 0.2
# A task that gets no address stays "new" without a word.
ADDRESS_SECONDS = 6.0
# So long an engine may fail while a start is followed: a manager that restarts, a leader that is elected.
ENGINE_SECONDS = 15.0
ENGINE_ERRORS = (DockerException, RequestException, OSError)
NOTEBOOKS = spec.LABELS[0]
# A package of `pip install --user`, or a file of Jupyter's or IPython's settings, in a line of a traceback.
IN_HOME = re.compile(r"/(\.local/lib/python[\d.]+/site-packages/[\w.-]+|\.(?:jupyter|ipython)/[\w./-]+)")
# How a server says what ended it, for the person who waits: hub/notebook/jupyter_server_config.py.
TOLD = "swarmhub: "
FULL = re.compile("No space left on device|Disk quota exceeded")
# So long something else may answer in a server's place while that starts.
STRANGE_SECONDS = 5.0
COMMAND = 'does the image run jupyterhub-singleuser? If not: command = ["jupyterhub-singleuser"] in [notebook] or its profile'
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


class Ended(Exception):  # noqa: N818 - it is what became of a start
    """The server does not come: the news, and the last lines that it printed."""

    def __init__(self, news: News, lines: list[str]) -> None:
        super().__init__(news.failed)
        self.news, self.lines = news, lines

    @property
    def is_for_room(self) -> bool:
        """Tell whether the server itself has ended because it could write nothing."""
        return self.news.reason == "exit" and any(FULL.search(line) for line in self.lines)

    @property
    def words(self) -> str:
        """Return why, for the person who waits."""
        if not self.lines or self.news.reason != "exit":
            return self.news.failed
        if told := [line.removeprefix(TOLD) for line in self.lines if line.startswith(TOLD)]:
            return told[-1]
        if self.is_for_room:
            return f"{self.news.failed} Your home is full, or the disk of its node. {reading.ASK} It said: {self.lines[-1]}"
        found = [one for line in self.lines for one in IN_HOME.findall(line)]
        where = f" What broke is in your home: ~/{found[-1]}." if found else ""
        return f"{self.news.failed}{where} It said: {self.lines[-1]}"


@dataclass
class Start:
    """A start under way.

    `volume` is the home that it makes, if it makes one; `limit` is its time in seconds, of which some may be over: `since` is
    the monotonic clock's time at which it began. `tell` hears each piece of news once.
    """

    service: Service
    tasks: Tasks
    hub: str
    user: str
    network: str
    needs: str
    volume: str
    limit: int
    since: float
    log: logging.Logger
    tell: Callable[[News], None]
    _hosts: Mapping[str, str] = field(default_factory=dict)
    _told: str = ""
    _address: str | None = None
    _is_remembered: bool = False
    # Not by another server of the user's, which may have written there.
    _is_first: bool = False

    async def follow(self, port: int, path: str) -> tuple[str, int]:
        """Return the address when the server answers at a path of its own.

        Raises:
            Ended: it does not come.
            ENGINE_ERRORS: the engine does not answer for longer than a moment.

        """
        began = answered = time.monotonic()
        strange = 0.0
        while True:
            try:
                address = await self._look(time.monotonic() - began)
            except ENGINE_ERRORS as error:
                if refusal(error) or time.monotonic() - answered > ENGINE_SECONDS:
                    raise
                self.log.warning("The engine does not say how far %s is; asking again: %s", self.service.id, error)
                continue
            answered = time.monotonic()
            found = await answer((address, port), path) if address else None
            if address and found and not found.is_foreign:
                return address, port
            if found:
                strange = strange or answered
                await self._make_sure_of(found, path, answered - strange)

    async def _make_sure_of(self, found: Answer, path: str, seconds: float) -> None:
        """Give up a server that has not answered as a single-user server for some seconds: it will not become one.

        Raises:
            Ended: it is none.

        """
        if seconds > STRANGE_SECONDS:
            words = f"Your server runs, but it is no single-user server of JupyterHub. {reading.ASK}"
            detail = f"it answers {found.code} to {path}: {COMMAND}"
            raise await self._ended(News(0, "", "running", failed=words, reason="foreign", detail=detail, ran=True))

    async def _look(self, seconds: float) -> str | None:
        """Look once how far the server is, so many seconds after it was asked for; return its address when it runs."""
        docker = self.service.docker
        tasks = await self.tasks.of(docker, f"{NOTEBOOKS}={self.hub}", self.service.id)
        self._hosts = self._hosts or {node["ID"]: hostname(node) for node in await docker("nodes")}
        news = reading.read(tasks, self._hosts, self.needs)
        if self.volume and news.node and not self._is_remembered:
            self._is_first = await homes.remember(docker, self.volume, self.hub, self.user, news.node)
            self._is_remembered = True
        if not news.failed:
            news = await self._out_of_time(news, seconds)
        if news.failed:
            raise await self._ended(news)
        if self._told != news.message:
            self._told = news.message
            self.tell(news)
        if news.is_running:
            # It is the only task: a server that ends is not started again, so its address stays.
            self._address = self._address or await self.service.address(tasks, self.network)
        return self._address

    async def _out_of_time(self, news: News, seconds: float) -> News:
        """Return the news, or that the server does not come, if it has been long enough on its way."""
        docker = self.service.docker
        if news.state == "new" and seconds > ADDRESS_SECONDS and not await has_addresses(docker, self.network):
            words = f"{reading.NO_ADDRESS} {reading.ASK}"
            return replace(news, failed=words, reason="addresses", detail=f"network {self.network} is full")
        if time.monotonic() - self.since > self.limit:
            words = f"Your server did not answer within {self.limit} seconds. The last that was heard: {news.message}."
            detail = f"the task is {news.state}" + (f"; {COMMAND}" if news.is_running else "")
            return replace(news, failed=words, reason="timeout", detail=detail)
        return news

    async def _ended(self, news: News) -> Ended:
        """Return what is known of a server that has ended before it answered."""
        lines = await self.service.last_lines() if news.ran else []
        if self._is_first and not news.ran:
            await homes.forget(self.service.docker, self.volume)  # nothing was written there
        return Ended(news, lines)
