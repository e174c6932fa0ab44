"""The configuration of a hub beside the deployed one, for a measurement: `get_config` is JupyterHub's."""

import os
import socket
from typing import Any

import aiohttp.connector
from aiohttp.resolver import ThreadedResolver

from hub.config import servers
from hub.shared import settings

KIND, PORT = os.environ["BENCH_KIND"], int(os.environ["BENCH_PORT"])
HERE = f"/tmp/bench-{KIND}"  # noqa: S108 - in a container of the lab
os.makedirs(HERE, exist_ok=True)

c: Any = get_config()  # type: ignore[name-defined]  # noqa: F821
tables = settings.load(settings.FILE)
environ = {**os.environ, "DOCKER_SERVICE_NAME": "bench"}
servers.configure(c, tables, environ)
c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allow_all = True
c.JupyterHub.bind_url = f"http://127.0.0.1:{PORT}"
c.JupyterHub.hub_bind_url = f"http://0.0.0.0:{PORT + 1}"
c.JupyterHub.hub_connect_url = f"http://{socket.gethostbyname(socket.gethostname())}:{PORT + 1}"
c.ConfigurableHTTPProxy.api_url = f"http://127.0.0.1:{PORT + 2}"
c.ConfigurableHTTPProxy.pid_file = f"{HERE}/proxy.pid"
c.JupyterHub.db_url = f"sqlite:///{HERE}/hub.sqlite"
c.JupyterHub.cookie_secret_file = f"{HERE}/cookie"
c.JupyterHub.concurrent_spawn_limit = 0
c.JupyterHub.services = [{"name": "bench", "api_token": os.environ["BENCH_TOKEN"]}]
c.JupyterHub.load_roles = [{"name": "bench", "scopes": ["admin:users", "admin:servers", "list:users"], "services": ["bench"]}]
if KIND == "stock":
    # JupyterHub 6 keeps even "no such name" as long as Docker's DNS lets it: without this, stock gives many servers up.
    aiohttp.connector.DefaultResolver = ThreadedResolver  # type: ignore[attr-defined]
    c.JupyterHub.spawner_class = "dockerspawner.SwarmSpawner"
    c.SwarmSpawner.extra_task_spec = {"restart_policy": {"Condition": "none"}}
    c.SwarmSpawner.extra_container_spec = {"healthcheck": {"Test": ["NONE"]}}
    for name in ("tables", "configs"):
        c.SwarmSpawner.pop(name, None)
