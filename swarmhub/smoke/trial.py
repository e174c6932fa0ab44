"""Act as a user on one node: start a server, run code, write a file, stop, start again, and find the file."""

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from swarmhub.errors import StepError
from swarmhub.host import EngineError, Host, Json
from swarmhub.notebooks import servers as notebooks
from swarmhub.people import starts
from swarmhub.people.api import HubApi
from swarmhub.plan.plans import Progress, remedy
from swarmhub.smoke import kernel
from swarmhub.wait import until

FILE = "swarmhub-smoke.txt"
# Python, R and Julia understand it.
CODE, ANSWER = "6 * 7", "42"
STOP_SECONDS = 60
PAUSE_SECONDS = 0.5
LOOK = "The hub's log says more: fab logs"


class Interrupted(Exception):  # noqa: N818 - not an error
    """The operator wants no more of it."""


@dataclass(frozen=True)
class Trial:
    """A user who tries a node: what is asked, of whom, and with what options the server is started."""

    api: HubApi
    manager: Host
    hub: str
    user: str
    host: str
    node: str
    options: Json
    keeps_files: bool
    progress: Progress
    is_over: threading.Event

    def run(self) -> None:
        """Go through all phases, and leave no server running.

        Raises:
            StepError: the node does not do what it should; the cause begins with the phase.

        """
        file = {"type": "file", "format": "text", "content": f"of {self.user}"}
        try:
            with self._phase("start"):
                self._start()
                server = self.api.server(self.user)
            with self._phase("kernel"):
                self._run_code(server)
            if self.keeps_files:
                with self._phase("write a file"):
                    server.put(f"contents/{FILE}", file)
                with self._phase("stop"):
                    stop(self.api, self.user)
                with self._phase("start again"):
                    self._start()
                with self._phase("read the file"):
                    self._read(server, file)
        finally:
            with suppress(StepError):  # removing its traces tries again, and tells
                stop(self.api, self.user)

    def give_up(self) -> None:
        """End what it waits for; it begins nothing more."""
        self.is_over.set()
        self.api.delete(f"users/{self.user}/server")

    @contextmanager
    def _phase(self, name: str) -> Iterator[None]:
        if self.is_over.is_set():
            raise Interrupted
        started = time.monotonic()
        try:
            yield
        except StepError as error:
            raise StepError(self.host, f"{name}: {error.cause}", error.remedy) from error
        except EngineError as error:
            raise StepError(self.host, f"{name}: {error.message}", remedy(error)) from error
        self.progress.log(self.host, f"{name}: {time.monotonic() - started:.1f} s")

    def _start(self) -> None:
        if not starts.start(self.api, self.user, self.is_over, {**self.options, "node": self.node}):
            raise Interrupted
        where = notebooks.named(notebooks.observe(self.manager, self.hub), self.user, self.host)
        if where.node != self.node:
            cause = f"the server runs on another node ({where.node or where.state})"
            raise StepError(self.host, cause, "Was the hub deployed by this version of swarmhub? fab deploy")

    def _run_code(self, server: HubApi) -> None:
        answer = kernel.run(server, CODE)
        if ANSWER not in answer:
            raise StepError(self.host, f"its kernel answers {answer!r} to {CODE}", "Does a notebook of this image run code?")

    def _read(self, server: HubApi, file: Mapping[str, str]) -> None:
        found = server.find(f"contents/{FILE}")
        if found is None or found["content"] != file["content"]:
            cause = "what was written before the stop is not there any more"
            raise StepError(self.host, cause, "Is the image's working folder below home.mount of hosts.toml?")
        server.delete(f"contents/{FILE}")


def stop(api: HubApi, user: str) -> None:
    """Stop a user's server and return when it is gone; there may be neither.

    Raises:
        StepError: it does not stop.

    """
    path = f"users/{user}"
    if api.find(path) is None:
        return
    api.delete(f"{path}/server")

    def is_gone() -> bool:
        found = api.find(path)
        return found is None or not (found["servers"] or found.get("pending"))

    until(is_gone, STOP_SECONDS, lambda: StepError(api.host, f"the server of {user} does not stop", LOOK), PAUSE_SECONDS)
