"""Turn the service's environment and secrets into JupyterHub's configuration."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hub import culling, extra, groups, page, settings, spawner
from hub.userlist import Users, parse

DATA = Path("/data")
SECRETS = Path("/run/secrets")
USERLIST = Path("/srv/jupyterhub/userlist")
CONF = Path("/srv/jupyterhub/conf.d")
LOGO = Path("/srv/jupyterhub/logo")
DATABASE = "jupyterhub.sqlite"


def configure(
    c: Any,
    *,
    environ: Mapping[str, str] = os.environ,
    data: Path = DATA,
    secrets: Path = SECRETS,
    userlist: Path = USERLIST,
    conf: Path = CONF,
    logo: Path = LOGO,
    mounted: Any = None,
) -> None:
    """Set on `c` (a `traitlets.Config`) all that the deployment decides, then what [jupyterhub] and conf.d add.

    `mounted` is the Swarm config (a docker-py `ConfigReference`) that every server gets.

    Raises:
        ValueError: the userlist has a mistake.
        KeyError: a variable of the service is missing.

    """
    users, mistakes = parse(userlist.read_text())
    if mistakes:
        raise ValueError("; ".join(f"{userlist}:{mistake.line}: {mistake.wrong}" for mistake in mistakes))
    tables = settings.load(environ)
    _hub(c, environ, data)
    _login(c, environ, secrets, users)
    _limits(c, tables["limits"])
    page.configure(c, tables["page"], logo)
    groups.configure(c, tables["groups"])
    culling.configure(c, environ, data / DATABASE)
    spawner.configure(c, tables, environ, mounted)
    extra.apply(c, tables["jupyterhub"], secrets)
    extra.load(c, conf)


def _hub(c: Any, environ: Mapping[str, str], data: Path) -> None:
    c.JupyterHub.bind_url = "https://:443"
    c.JupyterHub.ssl_key = environ["SSL_KEY"]
    c.JupyterHub.ssl_cert = environ["SSL_CERT"]
    c.JupyterHub.hub_bind_url = f"http://0.0.0.0:{settings.API_PORT}"
    # The service's name, not its address: a restarted hub has another one.
    c.JupyterHub.hub_connect_url = f"http://{environ['DOCKER_SERVICE_NAME']}:{settings.API_PORT}"
    c.JupyterHub.db_url = f"sqlite:///{data / DATABASE}"
    c.JupyterHub.cookie_secret_file = str(data / "jupyterhub_cookie_secret")
    # A new hub finds the running servers in its database: an update must not stop them.
    c.JupyterHub.cleanup_servers = False
    # A newer JupyterHub refuses an older schema; every deploy has copied the database before it starts another hub.
    c.JupyterHub.upgrade_db = True
    c.JupyterHub.services = []
    c.JupyterHub.load_roles = []


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


def _limits(c: Any, limits: Mapping[str, int]) -> None:
    c.JupyterHub.concurrent_spawn_limit = limits["concurrent_spawns"]
    c.JupyterHub.active_server_limit = limits["active_servers"]
    # JupyterHub's 0 is no limit; ours is none of them.
    c.JupyterHub.allow_named_servers = limits["named_servers"] > 0
    c.JupyterHub.named_server_limit_per_user = limits["named_servers"]
