"""The real `fab`, without the 0.7 s in which Python imports it: in forks of a process that has imported it already."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Timer

# Runs a command line in a folder and an environment, for so many seconds at most; returns exit code, output and errors.
Run = Callable[[Sequence[str], Path, Mapping[str, str], float], tuple[int, str, str]]
SERVER = Path(__file__).parent / "fork_server.py"


class Forks:
    """The process that forks, for as long as this is open."""

    def __init__(self) -> None:
        self._folder = TemporaryDirectory()
        self._address = f"{self._folder.name}/forks"
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(self._address)
            listening.listen()
            command = [sys.executable, str(SERVER), str(listening.fileno())]
            # As for a program whose output is read by another: no terminal on any of the three.
            self._process = subprocess.Popen(
                command, pass_fds=[listening.fileno()], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
            )

    def close(self) -> None:
        """End it; what it has started goes on."""
        self._process.kill()
        self._process.wait()
        self._folder.cleanup()

    def run(self, command: Sequence[str], folder: Path, environment: Mapping[str, str], seconds: float) -> tuple[int, str, str]:
        """Run `fab` or `invoke` and return its exit code and what it said on its two outputs."""
        wanted = json.dumps({"arguments": list(command), "folder": str(folder), "environment": dict(environment)})
        pipes = [os.pipe(), os.pipe()]
        with socket.socket(socket.AF_UNIX) as server, ThreadPoolExecutor(2) as pool, open(os.devnull) as nothing:
            server.connect(self._address)
            socket.send_fds(server, [wanted.encode()], [nothing.fileno(), *(writing for _, writing in pipes)])
            for _, writing in pipes:
                os.close(writing)
            said = [pool.submit(_read, reading) for reading, _ in pipes]
            with server.makefile() as answers:
                limit = Timer(seconds, os.kill, (int(answers.readline()), signal.SIGKILL))
                limit.start()
                code = int(answers.readline())
                limit.cancel()
            out, err = (one.result() for one in said)
        return code, out, err


def execute(command: Sequence[str], folder: Path, environment: Mapping[str, str], seconds: float) -> tuple[int, str, str]:
    """Do the same in a new process."""
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=seconds)
    return done.returncode, done.stdout, done.stderr


def _read(file: int) -> str:
    with open(file) as pipe:
        return pipe.read()
