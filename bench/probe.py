"""Ask through the proxy, each time on a new connection, and know for how long there was no answer, or no good one."""

import http.client
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from swarmhub.certificate import https

PAUSE_SECONDS, ANSWER_SECONDS = 0.05, 2


class Probe:
    """What has come of the questions so far.

    `away` is how long there was no good answer: from the first question without one until the next good one, all such times
    together. `silent` is the same of questions without any answer: not even the proxy's own that nobody is there.
    """

    def __init__(self, url: str, trust: ssl.SSLContext) -> None:
        self._url, self._trust = urlsplit(url), trust
        self._ended = threading.Event()
        self._away, self._silent = _Gap(), _Gap()

    @staticmethod
    @contextmanager
    def asking(url: str, trust: ssl.SSLContext) -> Iterator["Probe"]:
        """Ask for as long as this is open."""
        probe = Probe(url, trust)
        thread = threading.Thread(target=probe._ask_on, daemon=True)
        thread.start()
        try:
            yield probe
        finally:
            probe._ended.set()
            thread.join()

    @property
    def away(self) -> float:
        """Return for how many seconds there was no good answer."""
        return self._away.seconds

    @property
    def silent(self) -> float:
        """Return for how many seconds there was no answer at all."""
        return self._silent.seconds

    def is_good(self) -> bool:
        """Tell whether the last answer was a good one."""
        return self._away.since is None

    def _ask_on(self) -> None:
        while not self._ended.is_set():
            asked = time.perf_counter()
            status = self._status()
            self._silent.take(asked, holds=status == 0)
            self._away.take(asked, holds=status != http.HTTPStatus.OK)
            self._ended.wait(max(0.0, PAUSE_SECONDS - (time.perf_counter() - asked)))

    def _status(self) -> int:
        host, port = str(self._url.hostname), self._url.port or 443
        try:
            with https.asked("GET", host, port, self._url.path, self._trust, timeout=ANSWER_SECONDS) as answer:
                return answer.status
        except (OSError, http.client.HTTPException):
            return 0


class _Gap:
    """The time in which something held, from the first question that found it so to the first one that did not."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.since: float | None = None

    def take(self, asked: float, *, holds: bool) -> None:
        if holds:
            self.since = asked if self.since is None else self.since
        elif self.since is not None:
            self.seconds += time.perf_counter() - self.since
            self.since = None
