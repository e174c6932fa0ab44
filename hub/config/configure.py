"""Turn the service's settings, environment and secrets into JupyterHub's configuration."""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import aiohttp.connector
from aiohttp.resolver import ThreadedResolver

from hub.config import culling, extra, http_client, page, servers
from hub.config.people import groups, login
from hub.config.separate_proxy import SeparateProxy
from hub.shared import database, settings
from hub.shared.people import listed
from hub.shared.people.listed import Listed
from hub.shared.people.userlist import parse

DATA = Path("/data")
SECRETS = settings.SECRETS
USERLIST = Path("/srv/jupyterhub/userlist")
CONF = Path("/srv/jupyterhub/conf.d")
LOGO = Path("/srv/jupyterhub/logo")
COOKIES = login.COOKIES


def configure(
    c: Any,
    *,
    environ: Mapping[str, str] = os.environ,
    data: Path = DATA,
    secrets: Path = SECRETS,
    userlist: Path = USERLIST,
    conf: Path = CONF,
    logo: Path = LOGO,
    handed: Path = settings.FILE,
    mounted: Sequence[Any] = (),
) -> None:
    """Set on `c` (a `traitlets.Config`) all that the deployment decides, then what [jupyterhub] and conf.d add.

    `mounted` are the Swarm configs (docker-py's `ConfigReference`) that every server gets.

    Raises:
        ValueError: the userlist has a mistake, or there is no such provider.
        KeyError: a variable of the service is missing.
        FileNotFoundError: its settings are.

    """
    tables = settings.load(handed)
    users = _users(data / listed.FOLDER, userlist, tables["access"]["provider"])
    c.JupyterHub.db_url = database.of(tables, data, secrets).url
    _hub(c, environ, data)
    _proxy(c, environ, secrets)
    http_client.configure(tables.get("http_proxy") or {}, secrets)
    login.configure(c, tables["access"], environ, secrets, data / listed.FOLDER, users)
    if tables["owners"].get("claims"):
        login.keep_claims(c, tables["access"], data)
    _limits(c, tables["limits"])
    page.configure(c, tables["page"], logo, data)
    groups.configure(c, _of_listed(tables["groups"], users))
    culling.configure(c, tables["culling"], data / database.FILE)
    servers.configure(c, tables, environ, mounted)
    with extra.guarded(c.JupyterHub):
        extra.apply(c, tables["jupyterhub"], secrets)
        extra.load(c, conf)
    login.end_tokens(c, tables["access"])


def _users(folder: Path, userlist: Path, provider: str) -> Listed:
    """Return who is in: the image's userlist decides until the hub has started with it."""
    users, mistakes = parse(userlist.read_text(), provider)
    if mistakes:
        raise ValueError("; ".join(f"{userlist}:{mistake.line}: {mistake.wrong}" for mistake in mistakes))
    kept = listed.load(folder, provider)
    return kept if kept.current.allowed else Listed(users, users)


def _of_listed(groups: Mapping[str, Iterable[str]], users: Listed) -> dict[str, list[str]]:
    """Return the groups without those who are out: JupyterHub lets in whoever it puts into a group."""
    return {name: [user for user in members if user not in users.out] for name, members in groups.items()}


def _hub(c: Any, environ: Mapping[str, str], data: Path) -> None:
    c.JupyterHub.hub_bind_url = f"http://0.0.0.0:{settings.API_PORT}"
    # The service's name, not its address: a restarted hub has another one.
    c.JupyterHub.hub_connect_url = f"http://{environ['DOCKER_SERVICE_NAME']}:{settings.API_PORT}"
    c.JupyterHub.cookie_secret_file = str(data / COOKIES)
    # A new hub finds the running servers in its database: an update must not stop them.
    c.JupyterHub.cleanup_servers = False
    # A newer JupyterHub refuses an older schema; every deploy has copied the database before it starts another hub.
    c.JupyterHub.upgrade_db = True
    c.JupyterHub.services = []
    c.JupyterHub.load_roles = []
    if "SUBDOMAIN_HOST" in environ:
        c.JupyterHub.subdomain_host = environ["SUBDOMAIN_HOST"]
        # A page below the hub's domain may set cookies for all of it, but none with this prefix.
        c.JupyterHub.cookie_host_prefix_enabled = True


def _proxy(c: Any, environ: Mapping[str, str], secrets: Path) -> None:
    # JupyterHub takes its base_url from here, and warns where both are set.
    base_url = environ.get("BASE_URL", "/").removesuffix("/")
    if "PROXY_API_URL" not in environ:
        c.JupyterHub.bind_url = f"https://:443{base_url}"
        c.JupyterHub.ssl_key = environ["SSL_KEY"]
        c.JupyterHub.ssl_cert = environ["SSL_CERT"]
        return
    c.JupyterHub.bind_url = f"http://:8000{base_url}"
    c.JupyterHub.cleanup_proxy = False
    c.JupyterHub.proxy_class = SeparateProxy
    c.SeparateProxy.check_running_interval = 1
    c.ConfigurableHTTPProxy.api_url = environ["PROXY_API_URL"]
    c.ConfigurableHTTPProxy.auth_token = (secrets / "PROXY_TOKEN").read_text()
    # A proxy that was replaced has another address; aiohttp would keep the one before for ten seconds, aiodns for ten minutes.
    c.JupyterHubHTTPClient.connector_options = {"use_dns_cache": False}
    aiohttp.connector.DefaultResolver = ThreadedResolver  # type: ignore[attr-defined]  # it is imported there, not exported


def _limits(c: Any, limits: Mapping[str, int]) -> None:
    c.JupyterHub.concurrent_spawn_limit = limits["concurrent_spawns"]
    c.JupyterHub.active_server_limit = limits["active_servers"]
    # JupyterHub's 0 is no limit; ours is none of them.
    c.JupyterHub.allow_named_servers = limits["named_servers"] > 0
    c.JupyterHub.named_server_limit_per_user = limits["named_servers"]
