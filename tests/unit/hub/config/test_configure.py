"""JupyterHub's configuration, made of the service's settings, environment and secrets."""

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from docker.types import ConfigReference
from jupyterhub.app import JupyterHub
from jupyterhub.spawner import Spawner
from oauthenticator.github import GitHubOAuthenticator
from traitlets.config import Config

from hub import TEMPLATES
from hub.config.configure import configure
from hub.config.people.providers import REFUSED
from hub.shared.people import listed
from hub.shared.servers.spec import CONFIG_FOLDER
from hub.spawner.spawner import SwarmSpawner
from swarmhub.settings import handed
from tests.unit.support.fakes import NOTEBOOK, alone, settings

IMAGE = "quay.io/jupyter/base-notebook@sha256:abc"
ENVIRON = {
    "SSL_KEY": "/etc/letsencrypt/live/hub.example.org/privkey.pem",
    "SSL_CERT": "/etc/letsencrypt/live/hub.example.org/fullchain.pem",
    "DOCKER_NETWORK_NAME": "jupyter",
    "DOCKER_SERVICE_NAME": "jupyterhub",
    "DOCKER_ENDPOINT_MODE": "vip",
    "GITHUB_URL": "https://github.com",
    "GITHUB_API": "https://api.github.com",
    "OAUTH_CALLBACK_URL": "https://hub.example.org/hub/oauth_callback",
}
CLASSES = {
    "JupyterHub": JupyterHub,
    "GitHubOAuthenticator": GitHubOAuthenticator,
    "SwarmSpawner": SwarmSpawner,
    "Spawner": Spawner,
}


@pytest.fixture
def inside(tmp_path: Path) -> Path:
    """Return a folder with what the container has: a userlist and the mounted secrets."""
    (tmp_path / "userlist").write_text("ada admin\ngrace\n")
    (tmp_path / "GITHUB_CLIENT_ID").write_text("an-id")
    (tmp_path / "GITHUB_CLIENT_SECRET").write_text("hush")
    hand(tmp_path)
    return tmp_path


def hand(inside: Path, **tables: Any) -> Path:
    """Write the file with the settings that the hub is handed."""
    file = inside / "settings.json"
    file.write_text(handed.document(settings(**tables), {NOTEBOOK: IMAGE}))
    return file


def configured(inside: Path, environ: Mapping[str, str] = ENVIRON, **paths: Any) -> Any:
    """Return the configuration that JupyterHub would get."""
    c = Config()
    configure(c, environ=environ, secrets=inside, userlist=inside / "userlist", handed=inside / "settings.json", **paths)
    return c


@pytest.mark.parametrize(
    ("section", "trait", "value"),
    [
        ("JupyterHub", "bind_url", "https://:443"),
        ("JupyterHub", "ssl_key", ENVIRON["SSL_KEY"]),
        ("JupyterHub", "ssl_cert", ENVIRON["SSL_CERT"]),
        ("JupyterHub", "hub_connect_url", "http://jupyterhub:8081"),
        ("JupyterHub", "db_url", "sqlite:////data/jupyterhub.sqlite"),
        ("JupyterHub", "cookie_secret_file", "/data/jupyterhub_cookie_secret"),
        ("JupyterHub", "cleanup_servers", False),
        ("GitHubOAuthenticator", "github_url", "https://github.com"),
        ("GitHubOAuthenticator", "github_api", "https://api.github.com"),
        ("GitHubOAuthenticator", "oauth_callback_url", ENVIRON["OAUTH_CALLBACK_URL"]),
        ("GitHubOAuthenticator", "client_id", "an-id"),
        ("GitHubOAuthenticator", "client_secret", "hush"),
        ("GitHubOAuthenticator", "allowed_users", {"ada", "grace"}),
        ("GitHubOAuthenticator", "admin_users", {"ada"}),
        ("GitHubOAuthenticator", "allow_existing_users", True),
        ("GitHubOAuthenticator", "custom_403_message", REFUSED),
        ("JupyterHub", "concurrent_spawn_limit", 64),
        ("JupyterHub", "active_server_limit", 0),
        ("JupyterHub", "allow_named_servers", False),
        ("JupyterHub", "load_groups", {}),
        ("JupyterHub", "template_paths", [str(TEMPLATES)]),
        ("SwarmSpawner", "image", IMAGE),
        ("SwarmSpawner", "network_name", "jupyter"),
        ("SwarmSpawner", "prefix", "jupyterhub"),
        ("SwarmSpawner", "extra_endpoint_spec", {"mode": "vip"}),
        ("SwarmSpawner", "client_kwargs", {"timeout": 30}),
        ("Spawner", "start_timeout", 210),
    ],
)
def test_the_hub_is_configured_as_the_deployment_decides(inside: Path, section: str, trait: str, value: object) -> None:
    """Each decision of the deployment stands in the configuration."""
    assert configured(inside)[section][trait] == value


def test_users_have_domains_where_the_deployment_gives_them(inside: Path) -> None:
    """Below the public address; with cookies that no page below the hub's domain can set for it."""
    hub = JupyterHub(config=configured(inside, ENVIRON | {"SUBDOMAIN_HOST": "https://hub.example.org:8443"}))
    assert (hub.subdomain_host, hub.public_url) == ("https://hub.example.org:8443", "https://hub.example.org:8443/")
    assert hub.cookie_host_prefix_enabled is True
    assert {"subdomain_host", "cookie_host_prefix_enabled"} & set(configured(inside).JupyterHub) == set()


def test_every_user_is_one_label_below_the_domain(inside: Path) -> None:
    """As a wildcard certificate covers them: whatever providers call people, nobody is someone else's or a service's domain."""
    hub = JupyterHub(config=configured(inside, ENVIRON | {"SUBDOMAIN_HOST": "https://hub.example.org"}))
    users = ["ada", "ada_corp", "ada-corp", "ada.corp", "ada@corp", "12345", "smoke--1", "u-ada--1234567", "ada--service"]
    domains = [hub.subdomain_hook(user, hub.domain, kind="user") for user in users]
    domains.append(hub.subdomain_hook("ada", hub.domain, kind="service"))
    assert domains[0] == "ada.hub.example.org"
    assert {domain.partition(".")[2] for domain in domains} == {"hub.example.org"}
    assert len(set(domains)) == len(users) + 1


def test_what_is_mounted_into_every_server_is_where_jupyter_looks(inside: Path) -> None:
    """The spawner has the Swarm configs that the servers get, and their folder is in their environment."""
    mounted = [ConfigReference("id", "name", filename=f"{CONFIG_FOLDER}/jupyter_server_config.py")]
    c = configured(inside, mounted=mounted)
    assert c.SwarmSpawner.configs == mounted
    assert c.Spawner.environment["JUPYTER_CONFIG_PATH"] == CONFIG_FOLDER


def test_what_a_server_writes_as_it_starts_is_outside_the_home(inside: Path) -> None:
    """Whoever has a home that is full gets in, and can delete."""
    assert configured(inside).Spawner.environment["JUPYTER_RUNTIME_DIR"].startswith("/tmp/")


def test_named_servers_are_allowed_where_there_may_be_some(inside: Path) -> None:
    """JupyterHub takes 0 for "without limit"; hosts.toml means none."""
    hand(inside, limits={"named_servers": 2})
    c = configured(inside)
    assert (c.JupyterHub.allow_named_servers, c.JupyterHub.named_server_limit_per_user) == (True, 2)


def test_what_hosts_toml_and_conf_d_add_has_the_last_word(inside: Path) -> None:
    """First ours, then [jupyterhub], then conf.d."""
    tables = {"Spawner": {"start_timeout": 200, "http_timeout": 200}}
    (inside / "conf.d").mkdir()
    (inside / "conf.d" / "10.py").write_text("c.Spawner.http_timeout += 1\n")
    hand(inside, jupyterhub=tables)
    c = configured(inside, conf=inside / "conf.d")
    assert (c.Spawner.start_timeout, c.Spawner.http_timeout) == (200, 201)


def test_the_pages_of_hosts_toml_and_conf_d_have_the_last_word(inside: Path) -> None:
    """Their variables, their logo and their templates, each alone; the rest of ours stays."""
    tables = {"JupyterHub": {"template_vars": {"announcement": "<b>theirs</b>"}, "template_paths": ["/theirs"]}}
    (inside / "conf.d").mkdir()
    (inside / "conf.d" / "10.py").write_text(
        "c.JupyterHub.template_vars['page_about'] = 'of conf.d'\nc.JupyterHub.logo_file = '/conf.svg'\n"
    )
    (inside / "logo.svg").write_text("ours")
    hand(inside, jupyterhub=tables, page={"name": "Physics"})
    c = configured(inside, conf=inside / "conf.d", logo=inside)
    said = c.JupyterHub.template_vars
    assert (said["announcement"], said["page_about"], said["page_name"]) == ("<b>theirs</b>", "of conf.d", "Physics")
    assert (c.JupyterHub.logo_file, c.JupyterHub.template_paths) == ("/conf.svg", ["/theirs", str(TEMPLATES)])


def test_only_known_options_are_set(inside: Path) -> None:
    """Every option is one that JupyterHub, its authenticator and its spawner have: a misspelt one would be ignored."""
    c = configured(inside)
    unknown = [
        f"{section}.{trait}"
        for section, traits in c.items()
        for trait in traits
        if trait not in CLASSES[section].class_traits(config=True)
    ]
    assert unknown == []


def test_the_authenticator_is_githubs_and_the_spawner_swarms(inside: Path) -> None:
    """The classes that the sections configure; they accept the values: a wrong type would end the hub at its start."""
    c = configured(inside, ENVIRON | {"DOCKER_SERVICE_NAME": "hub", "DOCKER_ENDPOINT_MODE": "dnsrr"})
    hub = JupyterHub(config=c)
    assert issubclass(hub.authenticator_class, GitHubOAuthenticator)
    assert issubclass(hub.spawner_class, SwarmSpawner)
    user = SimpleNamespace(name="ada", url="/user/ada/")
    authenticator, spawner = GitHubOAuthenticator(config=c), SwarmSpawner(config=c, user=user)
    assert (authenticator.allowed_users, spawner.network_name) == ({"ada", "grace"}, "jupyter")
    assert (hub.hub_connect_url, spawner.prefix, spawner.extra_endpoint_spec) == ("http://hub:8081", "hub", {"mode": "dnsrr"})


def test_a_userlist_with_a_mistake_ends_the_start(inside: Path) -> None:
    """A hub with a list that cannot be meant does not start with half of it: the lines are told."""
    (inside / "userlist").write_text("ada\na b c\n")
    with pytest.raises(ValueError, match=r"userlist:2: 'a b c': a line is .*userlist:1: names no admin"):
        configured(inside)


def test_what_is_missing_ends_the_start(inside: Path) -> None:
    """A service without one of its variables, or without its secrets, fails at the start with the name."""
    for name in ENVIRON:
        environ = {key: value for key, value in ENVIRON.items() if key != name}
        with pytest.raises(KeyError, match=name):
            configured(inside, environ)
    (inside / "GITHUB_CLIENT_SECRET").unlink()
    with pytest.raises(FileNotFoundError, match="GITHUB_CLIENT_SECRET"):
        configured(inside)


def test_what_the_deployment_sends_is_what_the_hub_reads() -> None:
    """The service's environment has every variable that the configuration asks for, and none that nobody reads."""
    from pydantic import SecretStr

    from swarmhub.services.hub import service as hub_service

    secrets = dict.fromkeys(("GITHUB_CLIENT_ID", "GITHUB_CLIENT_SECRET", "OAUTH_CALLBACK_URL"), SecretStr("x"))
    spec = hub_service.desired(alone(), secrets, hub_service.Parts("n", "n", "i", {NOTEBOOK: IMAGE}, "c", "c"))
    sent = {line.partition("=")[0] for line in spec["TaskTemplate"]["ContainerSpec"]["Env"]}
    assert sent == set(ENVIRON)


def kept(inside: Path, current: str, let_in: str) -> Any:
    """Return the configuration of a hub whose userlist was changed since the image's was put into force."""
    folder = inside / "data" / listed.FOLDER
    folder.mkdir(parents=True)
    (folder / listed.CURRENT).write_text(current)
    (folder / listed.LET_IN).write_text(let_in)
    hand(inside, groups={"gpu": ["ada", "grace"]})
    return configured(inside, data=inside / "data")


def test_the_list_that_is_kept_counts(inside: Path) -> None:
    """Whom it has removed is shut out, whatever the database says of them."""
    section = kept(inside, "ada admin\nlinus\n", "ada admin\ngrace\nlinus\n").GitHubOAuthenticator
    assert (section.allowed_users, section.admin_users) == ({"ada", "linus"}, {"ada"})
    assert section.blocked_users == {"grace"}


def test_who_was_removed_is_in_no_group(inside: Path) -> None:
    """JupyterHub would let them in again, by making them a member."""
    assert kept(inside, "ada admin\n", "ada admin\ngrace\n").JupyterHub.load_groups == {"gpu": {"users": ["ada"]}}


def test_a_hub_may_be_below_a_path(inside: Path) -> None:
    """With its own proxy or a separate one."""
    (inside / "PROXY_TOKEN").write_text("hush")
    for more in ({}, {"PROXY_API_URL": "http://proxy:8001"}):
        hub = JupyterHub(config=configured(inside, ENVIRON | more | {"BASE_URL": "/jupyter/"}))
        assert (hub.base_url, hub.hub_prefix) == ("/jupyter/", "/jupyter/hub/")
