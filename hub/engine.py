"""Hold the hub's start back until the Docker Engine answers.

A hub that starts while the engine is silent takes every running server for
stopped and forgets it (JupyterHub's `init_spawners` reads a failed poll so).
"""

import sys
import time

import docker
from docker.errors import DockerException


def wait_until_it_answers(pause: float = 1.0) -> None:
    """Return as soon as the engine that the spawner will use answers; say once that it does not."""
    told = False
    while not _answers():
        if not told:
            print("the Docker Engine does not answer; waiting for it before the hub starts", file=sys.stderr, flush=True)
            told = True
        time.sleep(pause)


def _answers() -> bool:
    try:
        client = docker.APIClient(version="auto", timeout=5)
        try:
            # Any engine answers a ping; only a manager with a quorum lists services.
            client.services(filters={"name": "none"})
        finally:
            client.close()
    except (DockerException, OSError):
        return False
    return True
