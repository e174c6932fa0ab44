"""Find this machine's Docker Engine, or install and start one where there is none."""

import fcntl
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import docker
from docker.errors import DockerException

from lab.packages import ENGINE, LabError, Say, install_missing

__all__ = ["LabError", "Say", "alone", "connect", "ensure_engine", "install_missing", "stop_engine", "wait_for"]

T = TypeVar("T")
PID_FILE = Path("/run/swarmhub-lab-dockerd.pid")
LOG_FILE = Path("/var/log/swarmhub-lab-dockerd.log")


def connect() -> docker.APIClient | None:
    """Return a client of the running engine, or None where none answers."""
    try:
        client = docker.APIClient(version="auto", timeout=600)
        client.ping()
    except DockerException:
        return None
    return client


def ensure_engine(say: Say) -> docker.APIClient:
    """Return the running engine; install and start Debian's where there is none and root can.

    Raises:
        LabError: no engine answers and none can be started here.

    """
    client = connect()
    if client is not None:
        return client
    if os.geteuid() != 0:
        raise LabError("no Docker Engine answers: start it, or add yourself to the docker group, or run as root")
    install_missing(ENGINE, say)
    say("starting dockerd (no service manager runs one here)")
    with LOG_FILE.open("ab") as log:
        process = subprocess.Popen(["dockerd"], stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True)
    PID_FILE.write_text(str(process.pid))
    return wait_for(connect, 60, f"dockerd did not answer within 60 s: see {LOG_FILE}")


@contextmanager
def alone(say: Say) -> Iterator[None]:
    """Keep other labs of this machine from being brought up or taken down meanwhile."""
    with (Path(tempfile.gettempdir()) / "swarmhub-lab.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another lab that is brought up or taken down")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def stop_engine() -> bool:
    """Stop the engine if it is one that `ensure_engine` started; tell whether it was."""
    try:
        pid = int(PID_FILE.read_text())
        is_ours = "dockerd" in Path(f"/proc/{pid}/cmdline").read_text()
    except (OSError, ValueError):
        is_ours = False
    if is_ours:
        os.kill(pid, signal.SIGTERM)
        wait_for(lambda: not _alive(pid), 60, f"dockerd (pid {pid}) did not stop within 60 s: see {LOG_FILE}")
    PID_FILE.unlink(missing_ok=True)
    return is_ours


def wait_for(probe: Callable[[], T | None], seconds: float, message: str, pause: float = 0.2) -> T:
    """Ask `probe` until it answers something true.

    Raises:
        LabError: with `message`, when `seconds` have passed.

    """
    deadline = time.monotonic() + seconds
    while True:
        answer = probe()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise LabError(message)
        time.sleep(pause)


def _alive(pid: int) -> bool:
    try:
        # A child of ours stays a zombie until somebody asks for it.
        return os.waitpid(pid, os.WNOHANG) == (0, 0)
    except ChildProcessError:
        return Path(f"/proc/{pid}").exists()
