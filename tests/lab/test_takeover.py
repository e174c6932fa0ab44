"""Hubs that were made by hand are taken over: one that is a service, about 80 s; one of docker compose, about 90 s."""

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from lab import machine, topology
from tests.lab import empty
from tests.lab.scripts import CACHE
from tests.lab.support import HUB, Lab, variant

MANAGER = topology.MANAGER.name
FILE, SECRET = "/srv/by-hand/jupyterhub_config.py", "by-hand-0123456789abcdef"
DATA = "/var/lib/docker/volumes/jupyterhub-data/_data"
LIVE = f"/etc/letsencrypt/live/{topology.DOMAIN}"
# The stock spawner, and a token with which this test asks the hub.
CONFIG = f"""
import os
c = get_config()
c.JupyterHub.spawner_class = 'dockerspawner.SwarmSpawner'
c.SwarmSpawner.image = os.environ['DOCKER_NOTEBOOK_IMAGE']
c.SwarmSpawner.network_name = os.environ['DOCKER_NETWORK_NAME']
c.SwarmSpawner.extra_endpoint_spec = {{'mode': 'dnsrr'}}
c.SwarmSpawner.cmd = 'jupyterhub-singleuser'
c.JupyterHub.hub_ip = '0.0.0.0'
c.JupyterHub.hub_connect_ip = 'jupyterhub'
c.JupyterHub.port = 443
c.JupyterHub.ssl_key = os.environ['SSL_KEY']
c.JupyterHub.ssl_cert = os.environ['SSL_CERT']
c.JupyterHub.authenticator_class = 'github'
c.JupyterHub.cookie_secret_file = '/data/jupyterhub_cookie_secret'
c.JupyterHub.db_url = 'sqlite:////data/jupyterhub.sqlite'
c.JupyterHub.cleanup_servers = False
c.Authenticator.admin_users = {{'ada', 'linus'}}
c.Authenticator.allowed_users = {{'ada', 'grace', 'linus', 'hopper'}}
c.JupyterHub.services = [{{'name': 'test', 'api_token': '{SECRET}'}}]
c.JupyterHub.load_roles = [{{'name': 'test', 'scopes': ['admin:servers', 'list:users'], 'services': ['test']}}]
"""
# What jupyterhub-deploy-docker ships but for the login, the server's image and, again, the token.
COMPOSED = f"""
import os
c = get_config()
c.JupyterHub.spawner_class = 'dockerspawner.DockerSpawner'
c.DockerSpawner.image = 'registry.lab:5000/notebook:lab'
c.DockerSpawner.cmd = 'jupyterhub-singleuser'
c.DockerSpawner.environment = {{'PATH': '/opt/stub/bin:/opt/venv/bin:/usr/bin:/bin'}}
c.DockerSpawner.use_internal_ip = True
c.DockerSpawner.network_name = 'jupyterhub-network'
c.DockerSpawner.notebook_dir = '/home/jovyan/work'
c.DockerSpawner.volumes = {{'jupyterhub-user-{{username}}': '/home/jovyan/work'}}
c.DockerSpawner.remove = True
c.JupyterHub.hub_ip = 'jupyterhub'
c.JupyterHub.hub_port = 8080
c.JupyterHub.cookie_secret_file = '/data/jupyterhub_cookie_secret'
c.JupyterHub.db_url = 'sqlite:////data/jupyterhub.sqlite'
c.JupyterHub.authenticator_class = 'dummy'
c.Authenticator.allow_all = True
c.Authenticator.admin_users = ['linus']
c.JupyterHub.services = [{{'name': 'test', 'api_token': '{SECRET}'}}]
c.JupyterHub.load_roles = [{{'name': 'test', 'scopes': ['admin:users', 'admin:servers'], 'services': ['test']}}]
"""
# As dockerspawner escapes the name of the user a.b.
AWKWARD, ESCAPED = "a.b", "a-2eb"
HOME = '[home]\nname = "jupyterhub-user-{username}"\nmount = "/home/jovyan/work"\n\n[notebook]\n'
ENVIRONMENT = {
    "PATH": "/opt/venv/bin:/opt/proxy/node_modules/.bin:/usr/bin:/bin",
    "SSL_KEY": f"{LIVE}/privkey.pem",
    "SSL_CERT": f"{LIVE}/cert.pem",
    "DOCKER_NETWORK_NAME": "jupyter",
    "DOCKER_NOTEBOOK_IMAGE": "registry.lab:5000/notebook:lab",
    "GITHUB_CLIENT_ID": "by-hand",
    "GITHUB_CLIENT_SECRET": "hush-by-hand",
    "OAUTH_CALLBACK_URL": f"{topology.HUB_URL}/hub/oauth_callback",
}
MOUNTS = (
    "type=bind,source=/etc/letsencrypt/,target=/etc/letsencrypt",
    "type=volume,source=jupyterhub-data,target=/data,volume-driver=local",
    "type=bind,source=/var/run/docker.sock,target=/var/run/docker.sock",
    f"type=bind,source={FILE},target={FILE}",
)


@pytest.fixture(scope="module")
def bare(used: Lab) -> Lab:
    """Give the lab with a certificate, an empty volume and a network that are left, and no hub."""
    empty.keep_packages(used)
    done = used.fab("teardown", "--yes")
    assert done.code == 0, done.text
    remove = f"docker ps --all --quiet --filter volume=jupyterhub-data | xargs -r docker rm -f; rm -rf {DATA}/* && ls {DATA}"
    used.on(MANAGER, "sh", "-c", remove)
    used.docker("network", "create", "--driver", "overlay", "jupyter")
    return used


def test_a_service_that_is_something_else_is_refused(bare: Lab) -> None:
    """By its image and its labels; it goes on."""
    bare.docker("service", "create", "--detach", "--name", HUB, "--label", "team=physics", f"{CACHE}:certbot", "sleep", "600")
    try:
        before = bare.service_version()
        done = bare.fab("deploy", "--yes")
        assert done.code == 1
        assert f"the service {HUB} is no JupyterHub: image {CACHE}:certbot, labels team=physics" in done.text
        assert bare.service_version() == before
    finally:
        bare.docker("service", "rm", HUB)


@pytest.fixture(scope="module")
def by_hand(bare: Lab) -> Lab:
    """Give the lab with a hub that was made by hand, which has started grace's server."""
    bare.on(MANAGER, "sh", "-c", f'mkdir -p {FILE.rpartition("/")[0]}; printf %s "$1" > {FILE}', "sh", CONFIG)
    words = [word for name, value in ENVIRONMENT.items() for word in ("--env", f"{name}={value}")]
    words += [word for mount in MOUNTS for word in ("--mount", mount)]
    publish = ("--publish", "mode=host,target=443,published=443", "--endpoint-mode", "dnsrr", "--network", "jupyter")
    where = ("--constraint", "node.role == manager")
    command = (f"{CACHE}:{HUB}", "jupyterhub", "-f", FILE, "--debug")
    bare.docker("service", "create", "--detach", "--name", HUB, *publish, *where, *words, *command)
    bare.wait(lambda: _asks(bare, "GET", "users").startswith("["), 60, "the hub that was made by hand does not answer")
    _asks(bare, "POST", "users/grace/server")
    bare.wait(lambda: '"ready": true' in _asks(bare, "GET", "users"), 60, "grace's server does not start")
    return bare


def _asks(lab: Lab, method: str, path: str) -> str:
    """Ask the hub's API from inside its container; what it says, or nothing."""
    ask = f"curl -s -X {method} -H 'Authorization: token {SECRET}' http://127.0.0.1:8081/hub/api/{path} || true"
    with suppress(machine.LabError):  # the container may be about to start, or to end
        return lab.execute(HUB, "sh", "-c", ask)
    return ""


def test_a_database_that_no_hub_can_use_is_refused_before_anything_stops(by_hand: Lab) -> None:
    """It stays untouched, and the hub goes on."""
    before = by_hand.service_version(), by_hand.container()
    database = f"{DATA}/jupyterhub.sqlite"
    by_hand.on(MANAGER, "sh", "-c", f"mv {database} {database}.good && : > {database}")
    try:
        done = by_hand.fab("deploy", "--yes")
        assert (done.code, "it is an empty file, and a hub would start with nobody in it" in done.text) == (1, True), done.text
        assert by_hand.on(MANAGER, "stat", "-c", "%s", database) == "0"
        assert (by_hand.service_version(), by_hand.container()) == before
    finally:
        by_hand.on(MANAGER, "mv", f"{database}.good", database)


def test_a_plan_tells_what_becomes_of_it(by_hand: Lab) -> None:
    """Who is in, who gets in by the database alone, and whose servers stop; unasked it is not taken over."""
    before = by_hand.service_version()
    plan = by_hand.fab("plan")
    assert f"take over service {HUB}, made by hand" in plan.out
    assert "may log in because the database knows them: hopper, linus (admin)" in plan.out
    assert "notebooks stop: 1 (grace)" in plan.out
    assert "hush-by-hand" not in plan.text
    asked = by_hand.fab("deploy")
    assert (asked.code, "a hub that was made by hand is taken over" in asked.err) == (2, True)
    assert by_hand.service_version() == before


def test_it_is_taken_over_with_all_that_it_has(by_hand: Lab) -> None:
    """Users, admins and cookies stay; the stock spawner's server has gone, and the new hub starts another."""
    secret = by_hand.on(MANAGER, "cat", f"{DATA}/jupyterhub_cookie_secret")
    done = by_hand.fab("deploy", "--yes")
    assert done.code == 0, done.text
    people = {one["name"]: one["admin"] for one in json.loads(by_hand.hub_api("GET", "users"))}
    assert {name: people[name] for name in ("ada", "grace", "hopper", "linus")} == {
        "ada": True,
        "grace": False,
        "hopper": False,
        "linus": True,
    }
    assert by_hand.on(MANAGER, "cat", f"{DATA}/jupyterhub_cookie_secret") == secret
    assert by_hand.docker("service", "ls", "--quiet", "--filter", "name=jupyter-grace") == ""
    by_hand.start_server("grace")
    by_hand.stop_server("grace")


def test_there_is_no_way_back_to_before_it(by_hand: Lab) -> None:
    """Nothing that runs by hand is a release."""
    done = by_hand.fab("rollback", "--yes")
    assert (done.code, done.err) == (2, "there is no release before this one; known: 1 (fab releases)\n")


@pytest.fixture(scope="module")
def composed(used: Lab) -> Iterator[Lab]:
    """Give the lab with a hub that docker compose has made; it has started a server with a file in its home."""
    empty.keep_packages(used)
    done = used.fab("teardown", "--yes")
    assert done.code == 0, done.text
    used.on(MANAGER, "sh", "-c", f"docker volume create jupyterhub-data; rm -rf {DATA}/*; mkdir -p {FILE.rpartition('/')[0]}")
    used.on(MANAGER, "sh", "-c", f'printf %s "$1" > {FILE}', "sh", COMPOSED)
    used.docker("network", "create", "jupyterhub-network")
    path = ("--env", f"PATH={ENVIRONMENT['PATH']}")
    volumes = (f"{FILE}:{FILE}:ro", "/var/run/docker.sock:/var/run/docker.sock", "jupyterhub-data:/data")
    mounts = [word for volume in volumes for word in ("--volume", volume)]
    place = ("--network", "jupyterhub-network", "--publish", "8000:8000", "--restart", "always")
    used.docker("run", "--detach", "--name", HUB, *place, *path, *mounts, f"{CACHE}:{HUB}", "jupyterhub", "-f", FILE)
    try:
        used.wait(lambda: _asks_container(used, "GET", "users").startswith("["), 60, "the hub of compose does not answer")
        _asks_container(used, "POST", f"users/{AWKWARD}")
        _start_in_container(used)
        write = "echo kept > /home/jovyan/work/notes && chown -R 1000 /home/jovyan/work"
        used.docker("exec", "--user", "0", f"jupyter-{ESCAPED}", "sh", "-c", write)
        yield used
    finally:
        left = f"docker rm -f {HUB} jupyter-{ESCAPED}; docker network rm jupyterhub-network; docker config rm {VOLUME}; true"
        used.on(MANAGER, "sh", "-c", left)
        used.wait(lambda: _is_removed(used), 30, f"{VOLUME} cannot be removed")


VOLUME = f"jupyterhub-user-{ESCAPED}"


def _is_removed(lab: Lab) -> bool:
    """Tell whether the home that was made by hand is gone; a server that was stopped takes its time to end."""
    return lab.on(MANAGER, "sh", "-c", f"docker volume rm -f {VOLUME} || true") == VOLUME


def _asks_container(lab: Lab, method: str, path: str) -> str:
    """Ask the API of the hub that is a container; what it says, or nothing."""
    ask = f"curl -s -X {method} -H 'Authorization: token {SECRET}' http://jupyterhub:8080/hub/api/{path} || true"
    with suppress(machine.LabError):
        return lab.docker("exec", HUB, "sh", "-c", ask)
    return ""


def _start_in_container(lab: Lab) -> None:
    _asks_container(lab, "POST", f"users/{AWKWARD}/server")
    lab.wait(lambda: '"ready": true' in _asks_container(lab, "GET", "users"), 60, f"{AWKWARD}'s server does not start")


def _state(lab: Lab) -> str:
    return lab.docker("inspect", HUB, "--format", "{{.State.Status}} {{.HostConfig.RestartPolicy.Name}}")


@pytest.fixture(scope="module")
def with_homes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a hosts.toml that names the homes of before."""
    return variant(tmp_path_factory.mktemp("homes"), ("[notebook]\n", HOME))


def test_a_hub_of_compose_runs_again_where_a_deploy_fails(composed: Lab, with_homes: Path) -> None:
    """Its port is taken from the proxy by something else; what the deploy has pulled is there for the next one."""
    composed.docker("run", "--detach", "--name", "taker", "--publish", "443:443", f"{CACHE}:{HUB}", "sleep", "600")
    try:
        done = composed.fab("deploy", "--yes", hosts=with_homes)
    finally:
        composed.docker("rm", "--force", "taker")
    assert (done.code, f"the container {HUB} runs again" in done.out) == (1, True), done.text
    assert _state(composed) == "running always"
    # By JupyterHub's default the hub has stopped its servers when it ended.
    composed.wait(lambda: _asks_container(composed, "GET", "users").startswith("["), 60, "the hub of compose is not back")
    _start_in_container(composed)


def test_a_hub_of_compose_is_taken_over_with_its_homes(composed: Lab, with_homes: Path) -> None:
    """The container stops for good and stays, its servers stop, and who had a home finds the files."""
    asked = composed.fab("deploy", hosts=with_homes)
    assert (asked.code, "a hub that was made by hand is taken over" in asked.err) == (2, True), asked.text
    assert f"take over container {HUB}, made by hand, on {MANAGER}" in asked.out
    assert f"its database knows 2 users: {AWKWARD}, linus (admin)" in asked.out
    assert f"stop the servers of DockerSpawner on {MANAGER} (notebooks stop: 1 ({AWKWARD}))" in asked.out
    assert f"record the homes of {AWKWARD}, which {MANAGER} has, on {MANAGER}" in asked.out
    assert _state(composed) == "running always"
    done = composed.fab("deploy", "--yes", hosts=with_homes)
    assert done.code == 0, done.text
    assert (_state(composed), composed.docker("ps", "-q", "--filter", f"name=jupyter-{ESCAPED}")) == ("exited no", "")
    people = {one["name"]: one["admin"] for one in json.loads(composed.hub_api("GET", "users"))}
    assert (people[AWKWARD], people["linus"]) == (False, True)
    composed.start_server(AWKWARD)
    try:
        assert composed.node_of(ESCAPED) == MANAGER
        assert composed.in_server(ESCAPED, "cat work/notes && echo more >> work/notes") == "kept"
    finally:
        composed.hub_api("DELETE", f"users/{AWKWARD}/server")
