"""A server extension that every single-user server gets: it tells the hub how the server is used, and pages what the hub says.

It runs with the Python and the Jupyter of the image, whichever these are. What it asks of the hub, it asks with the server's
own token, which is good for the activity of its user. Jupyter itself counts the messages of kernels and terminals, and what
passes through jupyter-server-proxy. It does not count a kernel that is busy and says nothing, and it counts what an open page
asks by itself. Here it is the other way round.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import termios
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Iterator, Mapping  # noqa: UP035 - an image's Python may be old
from urllib.parse import quote

from tornado import web
from tornado.httpclient import AsyncHTTPClient

PATH = "api/swarmhub"
WORK, PERSON = "swarmhub-work", "swarmhub-person"
# Whose requests that write come from a person. That of git asks by POST, too, as long as a page is open.
WRITING = ("jupyter_server.", "jupyter_server_terminals.", "notebook.")
# A process that takes this part of a CPU works; a kernel or a language server that waits takes less than a hundredth.
BUSY = 0.05
# How often the hub is told, until it says otherwise. It takes a server for one that runs some moments after that has begun.
SECONDS, AT_FIRST = 60.0, 2.0
HUB_SECONDS = 10
PROC = Path("/proc")

Times = Mapping[int, float]


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    """Return what Jupyter loads."""
    return [{"module": __name__}]


def _load_jupyter_server_extension(app: Any) -> None:
    """Serve what pages ask, and look after the server from now on."""
    from jupyter_server.base.handlers import APIHandler  # type: ignore[import-not-found]  # it is in the image only

    use = Use(app)
    APIHandler._track_activity = property(is_of_person)
    app.web_app.add_handlers(".*$", [(f"{app.web_app.settings['base_url']}{PATH}", notices(APIHandler), {"use": use})])
    app.io_loop.add_callback(use.look_after)


def is_of_person(handler: Any) -> bool:
    """Tell whether a request counts: pages read the lists of kernels and files all the time, with nobody there."""
    return handler.request.method not in ("GET", "HEAD") and type(handler).__module__.startswith(WRITING)


def is_visit(handler: Any) -> bool:
    """Tell whether a browser asked for a page because somebody went there; before its scripts run, nothing else says so."""
    is_let_in = handler.get_status() < 400 and getattr(handler, "current_user", None)
    return bool(is_let_in) and handler.request.headers.get("Sec-Fetch-Mode") == "navigate"


class Use:
    """What is known of how a server is used, and what the hub has answered."""

    def __init__(self, app: Any) -> None:
        """Begin with a server that nobody uses yet."""
        self._app = app
        self._answer: dict[str, Any] = {}
        self._asked = self._seen = 0.0
        self._times: tuple[float, Times] = (time.monotonic(), cpu_times())
        self._is_working, self._began = False, time.monotonic()

    @property
    def next(self) -> float:
        """Return after how many seconds the hub is to be told again."""
        is_new = time.monotonic() - self._began < SECONDS
        return float(self._answer.get("next", AT_FIRST if is_new else SECONDS))

    async def look_after(self) -> None:
        """Tell the hub how the server is used, as long as it runs."""
        settings = self._app.web_app.settings
        settings["log_function"] = self._counting(settings["log_function"])
        while True:
            self.look()
            if time.monotonic() - self._asked > self.next / 2:
                await self.tell()
            await asyncio.sleep(self.next)

    def look(self) -> None:
        """Count what works as use; the server's log says what begins to work, and when nothing does any more."""
        found = [*self._works()]
        if found:
            self._count(WORK)
        if bool(found) != self._is_working:
            self._app.log.info("At work, so this server is in use: %s" if found else "%sNothing is at work", ", ".join(found))
        self._is_working = bool(found)

    async def page(self, untouched: float, *, keep: bool) -> dict[str, Any]:
        """Return what the hub says to a page that is open, and was last touched some seconds ago."""
        self._seen = time.monotonic()
        self._count(PERSON, untouched)
        if keep or self._seen - self._asked > self.next / 2:
            await self.tell(keep=keep)
        return self._answer

    async def tell(self, *, keep: bool = False) -> None:
        """Tell the hub, and take its answer; a hub that does not answer, or is an older one, says nothing."""
        self._asked = time.monotonic()
        last = self._app.web_app.last_activity()
        unused = (datetime.now(timezone.utc) - last).total_seconds()  # noqa: UP017 - an image's Python may be old
        said = {"unused": max(0, unused), "keep": keep, **({"unseen": self._asked - self._seen} if self._seen else {})}
        try:
            answer = await AsyncHTTPClient().fetch(
                hub_url(os.environ),
                method="POST",
                body=json.dumps(said),
                headers={"Authorization": f"token {os.environ['JUPYTERHUB_API_TOKEN']}", "Content-Type": "application/json"},
                request_timeout=HUB_SECONDS,
            )
            self._answer = json.loads(answer.body)
        except Exception as error:
            self._answer = {}
            self._app.log.debug("The hub is not told how this server is used: %s", error)

    def _counting(self, log: Any) -> Any:
        """Return what logs a request as before, and counts one by which somebody goes to a page."""

        def logged(handler: Any) -> None:
            if is_visit(handler):
                self._seen = time.monotonic()
                self._count(PERSON)
            log(handler)

        return logged

    def _count(self, source: str, ago: float = 0) -> None:
        at = datetime.fromtimestamp(time.time() - max(0, ago), timezone.utc)  # noqa: UP017 - as above
        times = self._app.web_app.settings["last_activity_times"]
        times[source] = max(at, times.get(source, at))

    def _works(self) -> Iterator[str]:
        settings = self._app.web_app.settings
        with contextlib.suppress(Exception):  # such as kernels behind a gateway, or an image's older Jupyter
            yield from busy_kernels(settings["kernel_manager"])
        with contextlib.suppress(Exception):
            yield from jobs(settings.get("terminal_manager"))
        before, now = self._times, (time.monotonic(), cpu_times())
        self._times = now
        for pid in busy_processes(before[1], now[1], now[0] - before[0]):
            yield f"process {pid}"


def notices(base: Any) -> Any:
    """Return what answers pages: a page says that it is open, and when somebody last touched it."""

    class Notices(base):  # type: ignore[misc]  # Jupyter's, of the image
        _track_activity = False

        def initialize(self, use: Use) -> None:
            self.use = use

        @web.authenticated
        async def post(self) -> None:
            said = self.get_json_body() or {}
            answer = await self.use.page(float(said.get("untouched", 0)), keep=said.get("keep") is True)
            self.finish(json.dumps(answer))

    return Notices


def hub_url(environ: Mapping[str, str]) -> str:
    """Return where the hub is told about this server."""
    user, server = (quote(environ.get(f"JUPYTERHUB_{name}", ""), safe="") for name in ("USER", "SERVER_NAME"))
    return f"{environ['JUPYTERHUB_API_URL']}/swarmhub/users/{user}/servers/{server}"


def busy_kernels(manager: Any) -> Iterator[str]:
    """Yield the kernels that calculate, or wait for an input."""
    for kernel in manager.list_kernels():
        if kernel.get("execution_state") == "busy":
            yield f"kernel {kernel['id']} is busy"


def jobs(manager: Any) -> Iterator[str]:
    """Yield the terminals in which a program runs in the foreground.

    One that takes single keys, such as an editor, a pager or a shell within the shell, waits for somebody: it does not count.
    """
    for name, terminal in getattr(manager, "terminals", {}).items():
        with contextlib.suppress(OSError, termios.error):  # it has just ended
            end = terminal.ptyproc.fd
            is_waiting = not termios.tcgetattr(end)[3] & termios.ICANON
            if os.tcgetpgrp(end) not in (0, os.getpgid(terminal.ptyproc.pid)) and not is_waiting:
                yield f"terminal {name} runs a program"


def cpu_times(proc: Path = PROC) -> dict[int, float]:
    """Return the seconds of CPU that each process has taken, but for the server itself."""
    found = {}
    for file in proc.glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError, IndexError):  # it has just ended
            # The name, in parentheses, may hold anything.
            fields = file.read_text(errors="replace").rpartition(")")[2].split()
            found[int(file.parent.name)] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    found.pop(os.getpid(), None)
    return found


def busy_processes(before: Times, now: Times, seconds: float) -> Iterator[int]:
    """Yield the processes that have taken a good part of a CPU since they were last looked at."""
    for pid, taken in now.items():
        if taken - before.get(pid, 0) > BUSY * max(seconds, 1):
            yield pid
