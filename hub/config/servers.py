"""Turn what the deployment decides about servers into JupyterHub's configuration."""

from collections.abc import Mapping, Sequence
from typing import Any

from hub.shared.servers.spec import CONFIG_FOLDER
from hub.shared.settings import Tables
from hub.spawner import profiles

ENGINE_SECONDS = 30
RUNTIME = "/tmp/jupyter-runtime"  # noqa: S108 - in the person's own container
# JupyterHub's own patience ends later than ours, which knows more.
MARGIN_SECONDS = 30


def configure(c: Any, tables: Tables, environ: Mapping[str, str], mounted: Sequence[Any] = ()) -> None:
    """Set on `c` (a `traitlets.Config`) all that the deployment decides about servers.

    `mounted` are the Swarm configs (docker-py's `ConfigReference`) that every server gets.
    """
    c.JupyterHub.spawner_class = "hub.spawner.spawner.SwarmSpawner"
    c.SwarmSpawner.tables = dict(tables)
    c.SwarmSpawner.image = tables["notebook"]["image"]
    c.SwarmSpawner.network_name = environ["DOCKER_NETWORK_NAME"]
    c.SwarmSpawner.prefix = environ["DOCKER_SERVICE_NAME"]
    c.SwarmSpawner.extra_endpoint_spec = {"mode": environ["DOCKER_ENDPOINT_MODE"]}
    c.SwarmSpawner.client_kwargs = {"timeout": ENGINE_SECONDS}
    # In a home that is full, a server could not write what it needs to start.
    c.Spawner.environment = {"JUPYTER_RUNTIME_DIR": RUNTIME}
    if mounted:
        c.SwarmSpawner.configs = [*mounted]
        c.Spawner.environment |= {"JUPYTER_CONFIG_PATH": CONFIG_FOLDER}
    c.Spawner.start_timeout = tables["notebook"]["start_timeout"] + MARGIN_SECONDS
    c.Spawner.http_timeout = 60
    c.Spawner.options_form = profiles.options_form
    c.Spawner.options_from_form = profiles.options_from_form
    c.Spawner.apply_user_options = profiles.apply_user_options
