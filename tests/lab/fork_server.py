"""A process that has imported what `fab` imports, and becomes `fab` in a fork of itself each time that one is asked for.

Each fork is the real program: its argv is parsed, the fabfile is loaded, hosts are connected to, and it ends with an exit
code, by Python's own way out. From its parent it has modules that are imported, and nothing else.
"""

import gc
import importlib
import json
import os
import pkgutil
import select
import signal
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
# What swarmhub's own modules import when they are first needed.
LATE = ("docker", "pydantic", "rich.console", "rich.live", "rich.progress", "rich.table", "websockets.sync.client")
FILES = 3


def main(listening: socket.socket) -> None:
    """Fork for each who connects; return in the forks that have become the program that was asked for.

    Its standard input is open for as long as the run is there that has started it, however that ends.
    """
    preload()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    gc.freeze()
    while sys.stdin not in select.select([listening, sys.stdin], [], [])[0]:
        asking, _ = listening.accept()
        if not os.fork():
            listening.close()
            return attend(asking)
        asking.close()
    os._exit(0)


def preload() -> None:
    """Import what `fab` and `invoke` do, from where they would."""
    sys.path.insert(0, str(ROOT))
    for name in ("fabric.main", "invoke.main", *LATE, "tasks"):
        importlib.import_module(name)
    for package in ("swarmhub", "tasks"):
        for module in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}."):
            if ".inside" not in module.name:  # scripts, which run elsewhere
                importlib.import_module(module.name)
    sys.path.remove(str(ROOT))


def attend(asking: socket.socket) -> None:
    """Fork once more: return in the child; the parent tells who it is and how it ended, and is done with that."""
    said, files, _, _ = socket.recv_fds(asking, 1 << 20, FILES)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    child = os.fork()
    if child:
        for file in files:
            os.close(file)
        asking.sendall(f"{child}\n".encode())
        _, status = os.waitpid(child, 0)
        asking.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())
        os._exit(0)
    asking.close()
    become(json.loads(said), files)


def become(wanted: Mapping[str, Any], files: list[int]) -> None:
    """Take over what the kernel would give a program that is started: arguments, environment, folder, files, signals."""
    for place, file in enumerate(files):
        os.dup2(file, place)
        os.close(file)
    os.environ.clear()
    os.environ.update(wanted["environment"])
    os.chdir(wanted["folder"])
    sys.argv[:] = wanted["arguments"]
    sys.path[0] = str(Path(sys.argv[0]).parent)
    signal.signal(signal.SIGINT, signal.default_int_handler)


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])))
    program = importlib.import_module(f"{Path(sys.argv[0]).name.replace('fab', 'fabric')}.main").program
    sys.exit(program.run())
