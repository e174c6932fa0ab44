"""Turn the service's environment and secrets into JupyterHub's configuration."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hub import profiles, settings
from hub.engine import CONFIG_FOLDER
from hub.userlist import Users, parse

DATA = Path("/data")
SECRETS = Path("/run/secrets")
USERLIST = Path("/srv/jupyterhub/userlist")
API_PORT = 8081


def configure(
    c: Any,
    *,
    environ: Mapping[str, str] = os.environ,
    data: Path = DATA,
    secrets: Path = SECRETS,
    userlist: Path = USERLIST,
    mounted: Any = None,
) -> None:
    """Set on `c` (a `traitlets.Config`) all that the deployment decides.

    `mounted` is the Swarm config (a docker-py `ConfigReference`) that every server gets.

    Raises:
        ValueError: the userlist has a mistake.
        KeyError: a variable of the service is missing.

    """
    users, mistakes = parse(userlist.read_text())
    if mistakes:
        raise ValueError("; ".join(f"{userlist}:{mistake.line}: {mistake.wrong}" for mistake in mistakes))
    _hub(c, environ, data)
    _login(c, environ, secrets, users)
    _spawner(c, environ, mounted)


def _hub(c: Any, environ: Mapping[str, str], data: Path) -> None:
    c.JupyterHub.bind_url = "https://:443"
    c.JupyterHub.ssl_key = environ["SSL_KEY"]
    c.JupyterHub.ssl_cert = environ["SSL_CERT"]
    c.JupyterHub.hub_bind_url = f"http://0.0.0.0:{API_PORT}"
    # The service's name, not its address: a restarted hub has another one.
    c.JupyterHub.hub_connect_url = f"http://{environ['DOCKER_SERVICE_NAME']}:{API_PORT}"
    c.JupyterHub.db_url = f"sqlite:///{data}/jupyterhub.sqlite"
    c.JupyterHub.cookie_secret_file = str(data / "jupyterhub_cookie_secret")
    # A new hub finds the running servers in its database: an update must not stop them.
    c.JupyterHub.cleanup_servers = False
    # A newer JupyterHub refuses an older schema; every deploy has copied the database before it starts another hub.
    c.JupyterHub.upgrade_db = True
    c.JupyterHub.template_paths = [str(profiles.TEMPLATES)]


def _login(c: Any, environ: Mapping[str, str], secrets: Path, users: Users) -> None:
    c.JupyterHub.authenticator_class = "github"
    c.GitHubOAuthenticator.github_url = environ["GITHUB_URL"]
    c.GitHubOAuthenticator.github_api = environ["GITHUB_API"]
    c.GitHubOAuthenticator.oauth_callback_url = environ["OAUTH_CALLBACK_URL"]
    c.GitHubOAuthenticator.client_id = (secrets / "GITHUB_CLIENT_ID").read_text()
    c.GitHubOAuthenticator.client_secret = (secrets / "GITHUB_CLIENT_SECRET").read_text()
    c.GitHubOAuthenticator.allowed_users = set(users.allowed)
    c.GitHubOAuthenticator.admin_users = set(users.admins)
    # Off by default with GitHub; without it, whom an admin adds in the console cannot log in.
    c.GitHubOAuthenticator.allow_existing_users = True


def _spawner(c: Any, environ: Mapping[str, str], mounted: Any) -> None:
    c.JupyterHub.spawner_class = "hub.spawner.SwarmSpawner"
    c.SwarmSpawner.image = settings.load(environ)["notebook"]["image"]
    c.Spawner.options_form = profiles.options_form
    c.Spawner.options_from_form = profiles.options_from_form
    c.Spawner.apply_user_options = profiles.apply_user_options
    c.SwarmSpawner.network_name = environ["DOCKER_NETWORK_NAME"]
    c.SwarmSpawner.prefix = environ["DOCKER_SERVICE_NAME"]
    c.SwarmSpawner.extra_endpoint_spec = {"mode": environ["DOCKER_ENDPOINT_MODE"]}
    c.SwarmSpawner.extra_create_kwargs = {"labels": {"swarmhub.notebooks": environ["DOCKER_SERVICE_NAME"]}}
    # Swarm's default is to start a server again that its user has shut down.
    c.SwarmSpawner.extra_task_spec = {"restart_policy": {"Condition": "none"}}
    # docker-stacks images carry a check of 3 x 3 s, by which Swarm kills what starts slowly.
    c.SwarmSpawner.extra_container_spec = {"healthcheck": {"Test": ["NONE"]}}
    if mounted:
        c.SwarmSpawner.extra_container_spec["configs"] = [mounted]
        c.Spawner.environment = {"JUPYTER_CONFIG_PATH": CONFIG_FOLDER}
    c.Spawner.start_timeout = 180
    c.Spawner.http_timeout = 60
    c.Spawner.default_url = "/lab"
