"""What the hub asks of the Docker Engine before it starts."""

import hashlib
import sys
import time
from http import HTTPStatus
from pathlib import Path
from typing import Any

import docker
from docker.errors import APIError, DockerException
from docker.types import ConfigReference
from docker.utils import kwargs_from_env

from hub.shared.spec import CONFIG_FILE, CONFIG_FOLDER, DIGITS


def wait_until_it_answers(pause: float = 1.0) -> None:
    """Return as soon as the engine that the spawner will use answers; say once that it does not.

    A hub that starts while the engine is silent takes every running server for
    stopped and forgets it (JupyterHub's `init_spawners` reads a failed poll so).
    """
    told = False
    while not _answers():
        if not told:
            print("the Docker Engine does not answer; waiting for it before the hub starts", file=sys.stderr, flush=True)
            told = True
        time.sleep(pause)


def ensure_config(service: str, file: Path = CONFIG_FILE) -> ConfigReference:
    """Make the Swarm config that is mounted into the servers, if it is missing; its name changes with its content."""
    content = file.read_bytes()
    name = f"{service}-notebook-{hashlib.sha256(content).hexdigest()[:DIGITS]}"
    client = connect()
    try:
        try:
            client.create_config(name, content, labels={"swarmhub.service": service})
        except APIError as error:
            if error.status_code != HTTPStatus.CONFLICT:
                raise
        found = next(one for one in client.configs(filters={"name": name}) if one["Spec"]["Name"] == name)
    finally:
        client.close()
    return ConfigReference(found["ID"], name, filename=f"{CONFIG_FOLDER}/{file.name}")


def connect(**options: Any) -> docker.APIClient:
    """Return a client of the engine that the spawner uses, too: DOCKER_HOST's, if that is set."""
    return docker.APIClient(version="auto", **kwargs_from_env(), **options)


def _answers() -> bool:
    try:
        client = connect(timeout=5)
        try:
            # Any engine answers a ping; only a manager with a quorum lists services.
            client.services(filters={"name": "none"})
        finally:
            client.close()
    except (DockerException, OSError):
        return False
    return True
