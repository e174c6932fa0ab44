"""A hub below a path of its domain, which reaches the internet by an HTTP proxy, with a second network for servers.

About fifty seconds: one hub update, a smoke test, and the way back for what comes after.
"""

import json
import re
from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext

from lab import topology
from swarmhub import settings as settings_file
from tests.lab.scripts import ROUTES
from tests.lab.support import HUB, Lab, variant

MANAGER, WORKER = topology.MANAGER, topology.WORKERS[0]
PROXY, PORT, PASSWORD = "lab-http-proxy", 3129, "a-password-of-the-proxys"
URL = f"http://operator:{PASSWORD}@{MANAGER.address}:{PORT}"
# Its addresses come first, and so does its name.
NETWORK, SUBNET = "a-storage", "10.0.200.0/24"
BELOW = f"{topology.HUB_URL}/jupyter/"
# It passes on what comes with the password, and prints where to.
LEADS_ON = f"""
import asyncio, base64
wanted = "Basic " + base64.b64encode(b"operator:{PASSWORD}").decode()
async def pass_on(reader, writer):
    while part := await reader.read(65536):
        writer.write(part)
        await writer.drain()
    writer.close()
async def lead(reader, writer):
    lines = (await reader.readuntil(b"\\r\\n\\r\\n")).decode().split("\\r\\n")
    if not any(line.lower().startswith("proxy-authorization:") and line.endswith(wanted) for line in lines):
        writer.write(b"HTTP/1.1 407 Proxy Authentication Required\\r\\n\\r\\n")
        return writer.close()
    print(lines[0], flush=True)
    host, port = lines[0].split()[1].split(":")
    there = await asyncio.open_connection(host, int(port))
    writer.write(b"HTTP/1.1 200 OK\\r\\n\\r\\n")
    await asyncio.gather(pass_on(reader, there[1]), pass_on(there[0], writer), return_exceptions=True)
async def main():
    async with await asyncio.start_server(lead, "{MANAGER.address}", {PORT}) as server:
        await server.serve_forever()
asyncio.run(main())
"""
# A stand-in for mamba, which has no source of packages here: it asks as the variables say, and writes down what it was told.
BASE, ASKED = "with-mamba:1", "acme-short.lab:14000"
MAMBA = f"""#!/usr/bin/env python3
import pathlib, ssl, sys, urllib.request
if sys.argv[1] == "env":
    urllib.request.urlopen("https://{ASKED}/dir", context=ssl._create_unverified_context())
    pathlib.Path("/opt/mamba").write_text(" ".join(sys.argv[1:]) + "\\n" + pathlib.Path("environment.yml").read_text())
"""
WITH_MAMBA = """
rm -rf /tmp/mamba && mkdir /tmp/mamba && cd /tmp/mamba && printf %s "$2" > mamba && chmod 755 mamba
printf "FROM $1\\nCOPY mamba /usr/local/bin/mamba\\n" > Dockerfile && docker build --quiet --tag $3 .
"""
ENVIRONMENT = "dependencies:\n  - geopandas=1\n"


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the lab's hosts.toml with all of it."""
    folder = tmp_path_factory.mktemp("company")
    secrets = (topology.STATE / "oauth.env").read_text()
    called_back = f"{topology.HUB_URL}/hub/oauth_callback"
    assert called_back in secrets
    (folder / "oauth.env").write_text(secrets.replace(called_back, f"{BELOW}hub/oauth_callback") + f"INTERNET_PROXY={URL}\n")
    tables = f"""
[http_proxy]
url = {{secret = "INTERNET_PROXY"}}

[jupyterhub.SwarmSpawner]
extra_task_spec = {{networks = ["{NETWORK}"]}}

[notebook]
"""
    return variant(
        folder,
        ('file = "state/oauth.env"', f'file = "{folder}/oauth.env"\nnames = ["INTERNET_PROXY"]'),
        ("[hub]\n", '[hub]\nbase_url = "/jupyter/"\n'),
        ("[notebook]\n", tables),
    )


@pytest.fixture(scope="module")
def company(settled: Lab, hosts: Path) -> Iterator[Lab]:
    """Start the HTTP proxy, make the second network, and deploy."""
    image = settled.docker("service", "inspect", HUB, "--format", "{{.Spec.TaskTemplate.ContainerSpec.Image}}")
    try:
        settled.docker("run", "-d", "--name", PROXY, "--network", "host", image, "python3", "-c", LEADS_ON)
        settled.docker("network", "create", "--driver", "overlay", "--subnet", SUBNET, NETWORK)
        done = settled.fab("deploy", "--yes", hosts=hosts)
        assert done.code == 0, done.text
        yield settled
    finally:
        settled.forget_homes()
        settled.let_stand()
        settled.on(MANAGER.name, "sh", "-c", f"docker rm -f {PROXY}; docker network rm {NETWORK}; true")


def test_a_login_goes_by_the_http_proxy_and_ends_below_the_path(company: Lab, context: BrowserContext) -> None:
    """The hub asks the provider by way of it, with its password; the domain alone leads to the path."""
    page = context.new_page()
    page.goto(topology.HUB_URL)
    page.get_by_role("button", name="Sign in with GitHub").or_(page.get_by_role("link", name="Sign in with GitHub")).click()
    page.get_by_role("button", name="ada").click()
    page.wait_for_url(f"{BELOW}**")
    page.goto(f"{BELOW}hub/home")
    assert page.url == f"{BELOW}hub/home"
    assert {cookie["path"].startswith("/jupyter/") for cookie in context.cookies(BELOW)} == {True}
    assert "CONNECT github.localhost:" in company.docker("logs", PROXY)


def test_servers_run_code_below_the_path(company: Lab, hosts: Path) -> None:
    """A kernel's websocket and files."""
    done = company.fab("-H", WORKER.name, "smoke", hosts=hosts)
    assert done.code == 0, done.text
    assert "1 of 1 nodes start servers, run code and keep files" in done.out


def test_a_server_is_reached_on_the_hubs_network(company: Lab) -> None:
    """Whatever else it is on; it does not learn the HTTP proxy's password."""
    service = company.start_server("ada")
    node = company.node_of("ada")
    container = company.docker("ps", "-q", "--filter", f"label=com.docker.swarm.service.name={service}", node=node)
    found = json.loads(company.docker("inspect", container, node=node))[0]
    assert {NETWORK, "jupyter"} <= set(found["NetworkSettings"]["Networks"])
    server = json.loads(company.hub_api("GET", "users/ada"))["servers"][""]
    assert server["ready"], server
    assert server["url"] == "/jupyter/user/ada/"
    routes = company.execute(HUB, "sh", "-c", ROUTES)
    target = json.loads(routes)["/jupyter/user/ada"]["target"]
    assert ip_address(target.removeprefix("http://").partition(":")[0]) not in ip_network(SUBNET)
    assert PASSWORD not in json.dumps(found)
    company.stop_server("ada")


def test_the_password_is_in_no_specification(company: Lab, hosts: Path) -> None:
    """Nor in a plan."""
    services = company.docker("service", "ls", "-q").split()
    assert PASSWORD not in company.docker("service", "inspect", *services)
    assert PASSWORD not in company.fab("plan", "--json", hosts=hosts).text


def test_a_conda_environment_is_built_by_way_of_the_http_proxy_and_the_image_keeps_none_of_it(
    company: Lab, hosts: Path, tmp_path: Path
) -> None:
    """With the proxy's password, which is in no layer, variable or line; the update is of the base environment."""
    image = settings_file.load(hosts).notebook.image
    company.on(MANAGER.name, "sh", "-c", WITH_MAMBA, "sh", image, MAMBA, BASE)
    (tmp_path / "environment").mkdir()
    (tmp_path / "environment" / "environment.yml").write_text(ENVIRONMENT)
    own = tmp_path / "hosts.toml"
    built = f'[notebook]\nbuild = "{tmp_path}/environment"\n'
    own.write_text(hosts.read_text().replace("[notebook]\n", built).replace(f'image = "{image}"', f'image = "{BASE}"'))
    done = company.fab("build-notebook", hosts=own)
    assert done.code == 0, done.text
    found = re.search(r"build (jupyterhub-notebook:[0-9a-f]{12}) on ", done.out)
    assert found, done.text
    try:
        assert company.docker("run", "--rm", "--entrypoint", "cat", found[1], "/opt/mamba").splitlines() == [
            "env update --name base --file environment.yml",
            *ENVIRONMENT.splitlines(),
        ]
        assert f"CONNECT {ASKED}" in company.docker("logs", PROXY)
        kept = company.docker("image", "inspect", found[1]) + company.docker("history", "--no-trunc", found[1])
        kept += company.docker("run", "--rm", "--entrypoint", "env", found[1])
        assert [one for one in (PASSWORD, "http_proxy", "https_proxy") if one in kept.lower() or one in done.text] == []
    finally:
        company.docker("image", "rm", "--force", found[1], BASE)
