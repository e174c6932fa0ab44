"""What every server gets: what counts as its use, what the hub is told, and what a page is answered."""

import asyncio
import json
import logging
import os
import pty
import signal
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hub.notebook import swarmhub_server as extension

ENVIRON = {"JUPYTERHUB_API_URL": "http://jupyterhub:8081/hub/api", "JUPYTERHUB_USER": "ada l", "JUPYTERHUB_SERVER_NAME": ""}


class Client:
    """What asks the hub, which answers `answer`, or nothing."""

    asked: list[tuple[str, dict[str, Any]]]
    answer: dict[str, Any] | None

    async def fetch(self, url: str, *, body: str, headers: dict[str, str], **_: Any) -> Any:
        type(self).asked.append((f"{url} {headers['Authorization']}", json.loads(body)))
        if self.answer is None:
            raise OSError("no route to host")
        return SimpleNamespace(body=json.dumps(self.answer).encode())


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> type[Client]:
    """Return what the hub is asked, and answers; no process works."""
    Client.asked, Client.answer = [], {"announcement": "Hello.", "next": 30}
    monkeypatch.setattr(extension, "AsyncHTTPClient", Client)
    monkeypatch.setattr(extension, "cpu_times", dict)
    for name, value in {**ENVIRON, "JUPYTERHUB_API_TOKEN": "hush"}.items():
        monkeypatch.setenv(name, value)
    return Client


def app(*, busy: bool = False, last: float = 600) -> Any:
    """Return a Jupyter server with a kernel, that Jupyter says was last used some seconds ago."""
    kernels = SimpleNamespace(list_kernels=lambda: [{"id": "k1", "execution_state": "busy" if busy else "idle"}])
    settings: dict[str, Any] = {"kernel_manager": kernels, "last_activity_times": {}}
    began = datetime.now(UTC) - timedelta(seconds=last)
    web_app = SimpleNamespace(settings=settings, last_activity=lambda: max([began, *settings["last_activity_times"].values()]))
    return SimpleNamespace(web_app=web_app, log=logging.getLogger("server"))


@pytest.mark.parametrize(("busy", "unused"), [(True, 0), (False, 600)])
def test_a_busy_kernel_is_use(hub: type[Client], busy: bool, unused: float) -> None:
    """Also one that says nothing, with no page open: the hub is told by the server's own token."""
    use = extension.Use(app(busy=busy))
    use.look()
    asyncio.run(use.tell())
    ((where, said),) = hub.asked
    assert where == "http://jupyterhub:8081/hub/api/swarmhub/users/ada%20l/servers/ token hush"
    assert said["unused"] == pytest.approx(unused, abs=5)
    assert "unseen" not in said


def test_what_begins_to_work_is_in_the_servers_log(hub: type[Client], caplog: pytest.LogCaptureFixture) -> None:
    """Once, with what it is: an operator asks why a server never stops."""
    caplog.set_level(logging.INFO)
    server = app(busy=True)
    use = extension.Use(server)
    use.look()
    use.look()
    server.web_app.settings["kernel_manager"].list_kernels = list
    use.look()
    assert caplog.messages == ["At work, so this server is in use: kernel k1 is busy", "Nothing is at work"]


def test_a_page_that_nobody_touches_is_no_use(hub: type[Client]) -> None:
    """It is told that it is open; when it was touched counts; it is answered what the hub says."""
    use = extension.Use(app())
    assert asyncio.run(use.page(300, keep=False)) == {"announcement": "Hello.", "next": 30}
    asyncio.run(use.page(400, keep=False))  # another page, or the same answer again
    asyncio.run(use.page(300, keep=True))
    (_, first), (_, second) = hub.asked
    assert (first["keep"], second["keep"]) == (False, True)
    assert (first["unused"], first["unseen"]) == (pytest.approx(300, abs=5), pytest.approx(0, abs=5))


def test_a_hub_that_says_nothing_leaves_nothing_to_show(hub: type[Client]) -> None:
    """One that restarts, or of an older release: the server goes on."""
    hub.answer = None
    assert asyncio.run(extension.Use(app()).page(0, keep=False)) == {}


def test_a_kernel_manager_of_another_kind_breaks_nothing(hub: type[Client]) -> None:
    """Such as that of a gateway, whose list has to be awaited."""
    server = app()
    server.web_app.settings["kernel_manager"].list_kernels = None
    extension.Use(server).look()


@pytest.mark.parametrize(
    ("method", "module", "counts"),
    [
        ("GET", "jupyter_server.services.kernels.handlers", False),
        ("PUT", "jupyter_server.services.contents.handlers", True),
        ("POST", "jupyterlab_git.handlers", False),
        ("POST", "jupyter_server_terminals.api_handlers", True),
    ],
)
def test_what_pages_ask_by_themselves_does_not_count(method: str, module: str, counts: bool) -> None:
    """Lists are read all the time; files are written by somebody. Extensions ask by POST, too."""
    handler = type("Handler", (), {"__module__": module, "request": SimpleNamespace(method=method)})()
    assert extension.is_of_person(handler) is counts


@pytest.mark.parametrize(
    ("mode", "status", "user", "counts"),
    [
        ("navigate", 200, "ada", True),
        ("cors", 200, "ada", False),
        ("navigate", 403, "ada", False),
        ("navigate", 200, None, False),
    ],
)
def test_who_goes_to_a_page_is_there(mode: str, status: int, user: str | None, counts: bool) -> None:
    """As browsers say it of a request; not who is not let in."""
    request = SimpleNamespace(headers={"Sec-Fetch-Mode": mode})
    handler = SimpleNamespace(request=request, current_user=user, get_status=lambda: status)
    assert extension.is_visit(handler) is counts


@contextmanager
def terminal(command: str) -> Iterator[Any]:
    """Give a terminal in which a shell has been told a command."""
    pid, end = pty.fork()
    if not pid:
        os.execv("/bin/bash", ["bash", "--norc", "-i"])  # noqa: S606 - it is the shell
    try:
        os.write(end, f"{command}\n".encode())
        yield SimpleNamespace(terminals={"1": SimpleNamespace(ptyproc=SimpleNamespace(fd=end, pid=pid))})
    finally:
        os.killpg(pid, signal.SIGKILL)
        os.close(end)
        os.waitpid(pid, 0)


def until(terminals: Any, *, runs: bool, is_raw: bool) -> None:
    """Wait until a program or the shell has the terminal, and takes single keys or lines."""
    process, deadline = terminals.terminals["1"].ptyproc, time.monotonic() + 20
    while time.monotonic() < deadline:
        is_raw_now = not termios.tcgetattr(process.fd)[3] & termios.ICANON
        foreground = os.tcgetpgrp(process.fd)  # 0 until the shell has the terminal
        if foreground and (foreground != process.pid, is_raw_now) == (runs, is_raw):
            return
        time.sleep(0.02)
    raise AssertionError("the terminal is not as it is to be")


def test_a_program_in_a_terminal_counts_also_if_it_does_nothing() -> None:
    """A job may wait for another machine."""
    with terminal("sleep 60") as found:
        until(found, runs=True, is_raw=False)
        assert list(extension.jobs(found)) == ["terminal 1 runs a program"]


@pytest.mark.parametrize(("command", "runs"), [("true", False), ("sh -c 'stty -icanon; sleep 60'", True)])
def test_a_shell_and_an_editor_wait_for_somebody(command: str, runs: bool) -> None:
    """Nothing runs at a prompt; what takes single keys, such as vim, less or top, is not at work."""
    with terminal(command) as found:
        until(found, runs=runs, is_raw=True)
        assert list(extension.jobs(found)) == []


def test_where_there_are_no_terminals_nothing_runs_in_them() -> None:
    """An image may leave them out."""
    assert list(extension.jobs(None)) == []


def test_a_process_that_takes_a_good_part_of_a_cpu_works() -> None:
    """Such as one in the background, in tmux, or in an application; what is new counts from its beginning."""
    assert list(extension.busy_processes({1: 10.0, 2: 10.0}, {1: 10.4, 2: 16.0, 3: 4.0, 4: 0.1}, 60)) == [2, 3]


def test_the_times_of_processes_are_read_whatever_they_are_called(tmp_path: Path) -> None:
    """The name in parentheses may have spaces and parentheses itself; the server itself does not count."""
    ticks = os.sysconf("SC_CLK_TCK")
    for pid, name in ((7, "a) R 1 (b"), (os.getpid(), "jupyter")):
        (tmp_path / str(pid)).mkdir()
        fields = f"{pid} ({name}) S 1 7 7 0 -1 0 0 0 0 0 {2 * ticks} {ticks} 0 0"
        (tmp_path / str(pid) / "stat").write_text(fields)
    (tmp_path / "8").mkdir()  # it ends just now
    assert extension.cpu_times(tmp_path) == {7: 3.0}


def test_a_new_server_says_soon_again_how_it_is_used(hub: type[Client], monkeypatch: pytest.MonkeyPatch) -> None:
    """While it starts the hub does not take it for one that runs; an older hub never does, and is not asked all the time."""
    hub.answer = None
    use = extension.Use(app())
    asyncio.run(use.tell())
    assert use.next == extension.AT_FIRST
    later = time.monotonic() + 61
    monkeypatch.setattr(extension, "time", SimpleNamespace(monotonic=lambda: later, time=time.time))
    assert use.next == extension.SECONDS
    hub.answer = {"next": 5}
    asyncio.run(use.tell())
    assert use.next == 5
