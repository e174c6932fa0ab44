"""Follow one start from its service to the address at which the server answers."""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from docker.errors import DockerException
from requests.exceptions import RequestException

from hub.shared import spec
from hub.shared.nodes import hostname
from hub.spawner import homes
from hub.spawner import news as reading
from hub.spawner.news import News
from hub.spawner.service import Service, answers, has_addresses
from hub.spawner.starts import Tasks

# A task that gets no address stays "new" without a word.
ADDRESS_SECONDS = 6.0
# So long an engine may fail while a start is followed: a manager that restarts, a leader that is elected.
ENGINE_SECONDS = 15.0
ENGINE_ERRORS = (DockerException, RequestException, OSError)
NOTEBOOKS = spec.LABELS[0]


class Ended(Exception):  # noqa: N818 - it is what became of a start
    """The server does not come: the news, and the last lines that it printed."""

    def __init__(self, news: News, lines: list[str]) -> None:
        super().__init__(news.failed)
        self.news, self.lines = news, lines

    @property
    def words(self) -> str:
        """Return why, for the person who waits."""
        is_own = self.lines and self.news.reason == "exit"
        return f"{self.news.failed} It said: {self.lines[-1]}" if is_own else self.news.failed


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

    async def follow(self, port: int, path: str) -> tuple[str, int]:
        """Return the address when the server answers at a path of its own.

        Raises:
            Ended: it does not come.
            ENGINE_ERRORS: the engine does not answer for longer than a moment.

        """
        began = answered = time.monotonic()
        while True:
            try:
                address = await self._look(time.monotonic() - began)
            except ENGINE_ERRORS as error:
                if time.monotonic() - answered > ENGINE_SECONDS:
                    raise
                self.log.warning("The engine does not say how far %s is; asking again: %s", self.service.id, error)
                continue
            answered = time.monotonic()
            if address and await answers((address, port), path):
                return address, port

    async def _look(self, seconds: float) -> str | None:
        """Look once how far the server is, so many seconds after it was asked for; return its address when it runs."""
        docker = self.service.docker
        tasks = await self.tasks.of(docker, f"{NOTEBOOKS}={self.hub}", self.service.id)
        self._hosts = self._hosts or {node["ID"]: hostname(node) for node in await docker("nodes")}
        news = reading.read(tasks, self._hosts, self.needs)
        if self.volume and news.node and not self._is_remembered:
            await homes.remember(docker, self.volume, self.hub, self.user, news.node)
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
            self._address = self._address or await self.service.address(tasks)
        return self._address

    async def _out_of_time(self, news: News, seconds: float) -> News:
        """Return the news, or that the server does not come, if it has been long enough on its way."""
        docker = self.service.docker
        if news.state == "new" and seconds > ADDRESS_SECONDS and not await has_addresses(docker, self.network):
            words = f"{reading.NO_ADDRESS} {reading.ASK}"
            return replace(news, failed=words, reason="addresses", detail=f"network {self.network} is full")
        if time.monotonic() - self.since > self.limit:
            words = f"Your server did not answer within {self.limit} seconds. The last that was heard: {news.message}."
            return replace(news, failed=words, reason="timeout", detail=f"the task is {news.state}")
        return news

    async def _ended(self, news: News) -> Ended:
        """Return what is known of a server that has ended before it answered."""
        lines = await self.service.last_lines() if news.ran else []
        if self._is_remembered and not news.ran:
            await homes.forget(self.service.docker, self.volume)  # nothing was written there
        return Ended(news, lines)
