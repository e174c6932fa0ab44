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

from hub.shared.servers.spec import CONFIG_FILES, CONFIG_FOLDER, DIGITS, NOTEBOOK


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


def ensure_configs(service: str, folder: Path = NOTEBOOK) -> list[ConfigReference]:
    """Make the Swarm configs that are mounted into the servers, where they are missing; a name changes with its content."""
    client = connect()
    try:
        return [
            ConfigReference(*_ensured(client, service, (folder / file).read_bytes()), filename=f"{CONFIG_FOLDER}/{file}")
            for file in CONFIG_FILES
        ]
    finally:
        client.close()


def connect(**options: Any) -> docker.APIClient:
    """Return a client of the engine that the spawner uses, too: DOCKER_HOST's, if that is set."""
    return docker.APIClient(version="auto", **kwargs_from_env(), **options)


def _ensured(client: docker.APIClient, service: str, content: bytes) -> tuple[str, str]:
    name = f"{service}-notebook-{hashlib.sha256(content).hexdigest()[:DIGITS]}"
    try:
        client.create_config(name, content, labels={"swarmhub.service": service})
    except APIError as error:
        if error.status_code != HTTPStatus.CONFLICT:
            raise
    found = next(one for one in client.configs(filters={"name": name}) if one["Spec"]["Name"] == name)
    return found["ID"], name


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
