"""The arrangement of a manual installation: one service that runs hub and proxy, with the engine's plain socket."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import topology
from swarmhub.certificate import https
from tests.lab.counting import unverified
from tests.lab.support import FILTER, HUB, PROXY, Lab, variant
from tests.lab.test_doctor import examine
from tests.lab.test_proxy import HTTPS, PRODUCTION, served

MANAGER = topology.MANAGER.name
SINGLE = (
    ("[hub]\ndomain", '[hub]\nengine = "socket"\ndomain'),
    ("[github]", "[proxy]\nseparate = false\n\n[github]"),
)


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the lab's hosts.toml for the arrangement of a manual installation."""
    return variant(tmp_path_factory.mktemp("single"), *SINGLE)


@pytest.fixture(scope="module")
def single(settled: Lab, hosts: Path) -> Iterator[Lab]:
    """Deploy it, from the services that there are by default; people who work there go on."""
    settled.start_server("ada")
    done = settled.fab("deploy", hosts=hosts)
    assert done.code == 0, done.text
    yield settled
    settled.stop_server("ada")
    settled.forget_homes()


def test_the_services_beside_the_hub_are_gone(single: Lab) -> None:
    """And whoever worked before the deploy still does."""
    services = single.docker("service", "ls", "--format", "{{.Name}}").split()
    assert set(services) & {PROXY, FILTER, f"{HUB}-renewal"} == set()
    assert single.in_server("ada", "echo here") == "here"
    with https.asked("GET", topology.DOMAIN, HTTPS, "/user/ada/api", unverified()) as answer:
        assert answer.status == 200


def test_service_is_the_documents(single: Lab) -> None:
    """The service is pinned to the manager, publishes 443 and has a manual installation's network, mounts and variables."""
    spec = json.loads(single.docker("service", "inspect", HUB))[0]["Spec"]
    template = spec["TaskTemplate"]
    container = template["ContainerSpec"]
    network = single.docker("network", "inspect", "jupyter", "--format", "{{.ID}}")
    assert "node.role==manager" in template["Placement"]["Constraints"]
    assert [port["PublishedPort"] for port in spec["EndpointSpec"]["Ports"]] == [443]
    assert [attached["Target"] for attached in template["Networks"]] == [network]
    assert {mount["Target"] for mount in container["Mounts"]} == {"/etc/letsencrypt", "/data", "/var/run/docker.sock"}
    names = {line.split("=")[0] for line in container["Env"]}
    assert {"SSL_KEY", "SSL_CERT", "DOCKER_NETWORK_NAME", "OAUTH_CALLBACK_URL"} <= names
    assert [one["File"]["Name"] for one in container["Configs"]] == ["/srv/jupyterhub/settings.json"]
    assert {one["File"]["Name"] for one in container["Secrets"]} == {"GITHUB_CLIENT_ID", "GITHUB_CLIENT_SECRET"}


@pytest.fixture
def web_server(single: Lab) -> Iterator[str]:
    """Run something on the manager's port 80."""
    image = "registry.lab:5000/certbot:lab"
    python = ("python3", "-m", "http.server", "80")
    single.docker("run", "--detach", "--name", "busy", "--network", "host", "--entrypoint", python[0], image, *python[1:])
    single.wait(lambda: ":80" in single.on(MANAGER, "ss", "-Hltn", "sport = :80"), 20, "port 80 stays free")
    yield "python3"
    single.docker("rm", "-f", "busy")


def test_port_80_taken_names_the_process(single: Lab, web_server: str, tmp_path: Path) -> None:
    """A process on port 80 is named before certbot is started, and the certificate stays."""
    before = served()
    done = single.fab("certs", hosts=variant(tmp_path, *SINGLE, PRODUCTION))
    assert done.code == 1
    assert re.search(rf"{MANAGER}: certs: port 80 is taken by the process {web_server} \(pid \d+\)", done.err)
    assert served() == before


def test_port_80_taken_by_a_container_names_it(single: Lab, tmp_path: Path) -> None:
    """A container that publishes port 80 is named."""
    single.docker(
        "run",
        "--detach",
        "--name",
        "busy",
        "--publish",
        "80:80",
        "--entrypoint",
        "sleep",
        "registry.lab:5000/certbot:lab",
        "60",
    )
    try:
        done = single.fab("certs", hosts=variant(tmp_path, *SINGLE, PRODUCTION))
    finally:
        single.docker("rm", "-f", "busy")
    assert done.code == 1
    assert "port 80 is taken by the container busy" in done.err


def test_the_doctor_names_who_has_the_port(single: Lab, web_server: str, hosts: Path) -> None:
    """With what that means, and what helps."""
    free, taken = sorted(examine(single, hosts).of("published", MANAGER).splitlines(), reverse=True)
    assert free.startswith("ok: port 443 is the hub's")
    assert re.match(rf"failure: port 80 is taken by the process {web_server} \(pid \d+\); the certificate .* \| Stop it", taken)


def test_another_certificate_restarts_the_hub(single: Lab, hosts: Path, tmp_path: Path) -> None:
    """It is served then; the plan says so before."""
    before = served()
    done = single.fab("deploy", hosts=variant(tmp_path, *SINGLE, PRODUCTION))
    assert done.code == 0, done.text
    assert re.search(r"replace certificate for hub\.localhost on \S+ \(the hub restarts, notebooks go on\)", done.out)
    assert served() != before
    single.forget_certificate()


def test_the_services_come_back(single: Lab) -> None:
    """By an ordinary deploy; who worked still does, and who is called like one of them."""
    single.start_server("proxy")
    done = single.fab("deploy")
    assert done.code == 0, done.text
    services = single.docker("service", "ls", "--format", "{{.Name}}").split()
    assert {HUB, PROXY, FILTER, f"{HUB}-renewal", f"{PROXY}-user"} <= set(services)
    single.hub_api("DELETE", "users/proxy/server")
    with https.asked("GET", topology.DOMAIN, HTTPS, "/user/ada/api", unverified()) as answer:
        assert answer.status == 200
