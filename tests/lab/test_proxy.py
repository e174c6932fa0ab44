"""The proxy, a service of its own: people stay connected, whatever becomes of the hub and of its certificate."""

import contextlib
import http.client
import ipaddress
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509

from lab import topology
from swarmhub.certificate import https
from swarmhub.errors import StepError
from swarmhub.people.api import HubApi
from tests.lab.counting import counting, unverified
from tests.lab.scripts import ROUTES
from tests.lab.support import HUB, PROXY, Lab, variant

MANAGER = topology.MANAGER.name
PRODUCTION = ("staging = true", "staging = false")
HTTPS = topology.MANAGER.ports[443]


def served() -> int:
    """Return the serial number of the certificate that is served."""
    return served_certificate().serial_number


def served_certificate() -> x509.Certificate:
    """Return the certificate that is served."""
    with unverified().wrap_socket(socket.create_connection(("127.0.0.1", HTTPS)), server_hostname=topology.DOMAIN) as plain:
        certificate = plain.getpeercert(binary_form=True)
    assert certificate is not None
    return x509.load_der_x509_certificate(certificate)


def seconds_left() -> float:
    """Return how long the certificate that is served holds."""
    return (served_certificate().not_valid_after_utc - datetime.now(UTC)).total_seconds()


def told_of_https() -> str | None:
    """Return for how long browsers are told to come by HTTPS only."""
    with https.asked("GET", topology.DOMAIN, HTTPS, "/hub/health", unverified()) as answer:
        return answer.getheader("Strict-Transport-Security")


def answers() -> bool:
    """Tell whether a certificate is served at all."""
    with contextlib.suppress(OSError):
        return served() > 0
    return False


@contextlib.contextmanager
def asking() -> Iterator[list[int]]:
    """Ask the hub all the time, as several people would, for what it gives nobody and no proxy asks twice."""
    is_enough, answers = threading.Event(), list[int]()

    def ask() -> None:
        while not is_enough.wait(0.02):
            with https.asked("POST", topology.DOMAIN, HTTPS, "/hub/api/", unverified()) as answer:
                answers.append(answer.status)

    with ThreadPoolExecutor() as pool:
        asked = [pool.submit(ask) for _ in range(6)]
        try:
            yield answers
        finally:
            is_enough.set()
    for one in asked:
        one.result()


@pytest.fixture(scope="module")
def short_lived(used: Lab, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Deploy with certificates that hold for half a minute."""
    short = ('staging_server = "https://acme-staging.lab:14000/dir"', f'staging_server = "{topology.ACME_SHORT}"')
    hosts = variant(tmp_path_factory.mktemp("short"), short)
    used.forget_certificate()
    done = used.fab("deploy", hosts=hosts)
    assert done.code == 0, done.text
    return hosts


@pytest.mark.usefixtures("short_lived")
def test_plain_http_leads_to_https() -> None:
    """To the same path of the public address."""
    connection = http.client.HTTPConnection("127.0.0.1", topology.MANAGER.ports[80], timeout=10)
    connection.request("GET", "/hub/login?next=%2Fhub%2Fhome", headers={"Host": topology.DOMAIN})
    answer = connection.getresponse()
    assert (answer.status, answer.getheader("Location")) == (301, f"{topology.HUB_URL}/hub/login?next=%2Fhub%2Fhome")


@pytest.mark.usefixtures("short_lived")
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
def test_old_tls_is_refused() -> None:
    """TLS 1.1 by the proxy, not only by its clients; 1.2 is taken."""

    def shake(version: ssl.TLSVersion) -> str:
        with unverified(version).wrap_socket(socket.create_connection(("127.0.0.1", HTTPS))) as plain:
            return plain.version() or ""

    with pytest.raises(ssl.SSLError, match="protocol version"):
        shake(ssl.TLSVersion.TLSv1_1)
    assert shake(ssl.TLSVersion.TLSv1_2) == "TLSv1.2"


@pytest.mark.usefixtures("short_lived")
def test_a_staging_certificate_binds_no_browser() -> None:
    """To HTTPS: who was told so could not get past it any more."""
    assert told_of_https() is None


@pytest.mark.usefixtures("short_lived")
def test_notebooks_do_not_reach_the_proxys_api(used: Lab, server: HubApi) -> None:
    """It listens on a network to which they have no way; on theirs the port is closed."""
    container = used.container(PROXY)
    networks = json.loads(used.docker("inspect", container, "--format", "{{json .NetworkSettings.Networks}}"))
    asked = f'import socket; socket.create_connection(("{networks["jupyter"]["IPAddress"]}", 8001), 3)'
    said = used.in_server("ada", f"python3 -c '{asked}' 2>&1 || true")
    assert said.endswith("ConnectionRefusedError: [Errno 111] Connection refused")
    routes = used.in_server("ada", "cut -f 2 /proc/net/route").split()
    assert [_destination(used, network) in routes for network in ("jupyter-proxy", "jupyter")] == [False, True]


def _destination(lab: Lab, network: str) -> str:
    """Return a network's address as /proc/net/route has it."""
    subnet = lab.docker("network", "inspect", network, "--format", "{{(index .IPAM.Config 0).Subnet}}")
    return ipaddress.ip_network(subnet).network_address.packed[::-1].hex().upper()


@pytest.mark.usefixtures("short_lived")
def test_the_hub_tells_it_its_routes(used: Lab, server: HubApi) -> None:
    """By a token that both have; a proxy that starts anew has them soon."""
    before = used.container(PROXY)
    used.docker("kill", before)
    used.wait(lambda: used.container(PROXY) not in ("", before), 60, "the proxy does not come back")
    # The hub looks every second, and gives a proxy that is gone two to answer.
    used.wait(lambda: _answers(server), 15, "the proxy does not know the way to a server")


def _answers(server: HubApi) -> bool:
    with contextlib.suppress(StepError):
        return server.get("status")["connections"] is not None
    return False


def test_a_certificate_renews_itself(used: Lab, short_lived: Path) -> None:
    """When certbot finds it due, on the cluster alone; the new one is served, and what people send meanwhile is answered."""
    before, services = served(), used.docker("service", "inspect", PROXY, HUB, "--format", "{{.Version.Index}}")
    with asking() as answers:
        used.wait(lambda: served() != before, 2 * topology.SHORT_SECONDS, "no other certificate is served")
    assert {*answers} == {405}
    assert used.docker("service", "inspect", PROXY, HUB, "--format", "{{.Version.Index}}") == services


def test_a_renewal_that_fails_keeps_the_certificate_and_is_told(used: Lab, short_lived: Path) -> None:
    """By doctor and status, with the reason; it is tried again, and when that goes well nothing is told any more."""
    used.docker("service", "scale", "--detach", f"{PROXY}=0")
    try:
        used.wait(lambda: failed_renewals(used, short_lived), 2 * topology.SHORT_SECONDS, "status does not tell")
        doctor = json.loads(used.fab("doctor", "--json", hosts=short_lived).out)
        told = [one for one in doctor["findings"] if one["check"] == "certificate" and "renewal has failed" in one["text"]]
        assert [(one["host"], one["level"]) for one in told] == [(MANAGER, "failure")], doctor
        assert used.on(MANAGER, "cat", f"/etc/letsencrypt/live/{topology.DOMAIN}/fullchain.pem")
    finally:
        used.docker("service", "scale", "--detach", f"{PROXY}=1")
    used.wait(lambda: not failed_renewals(used, short_lived), 2 * topology.SHORT_SECONDS, "it is not renewed")


def failed_renewals(lab: Lab, hosts: Path) -> int:
    """Return how often the renewal has failed in a row, as status says."""
    return int(json.loads(lab.fab("status", "--json", hosts=hosts).out)["certificate"]["failed_renewals"])


@pytest.mark.usefixtures("short_lived")
def test_a_new_certificate_cuts_nobody_off(used: Lab, server: HubApi, tmp_path: Path) -> None:
    """It comes by way of the proxy's port 80, is served within seconds, and the websockets that are open stay so."""
    # Two certbots exclude each other, so the renewal's is not to be due meanwhile.
    used.wait(lambda: seconds_left() > topology.SHORT_SECONDS / 2, 2 * topology.SHORT_SECONDS, "no other certificate is served")
    before = served()
    with counting(used, server):
        done = used.fab("certs", hosts=variant(tmp_path, PRODUCTION))
        assert done.code == 0, done.text
        assert "hub restarts" not in done.out
        used.wait(lambda: served() != before, 10, "the new certificate is not served")


def test_a_proxy_without_a_certificate_is_given_one(used: Lab) -> None:
    """Once the files are gone, and the proxy has been started anew without them, it answers the authority that gives others."""
    used.forget_certificate()
    used.wait(lambda: used.container(PROXY), 60, "the proxy does not run")
    before = used.container(PROXY)
    used.docker("kill", before)
    used.wait(lambda: used.container(PROXY) not in ("", before), 60, "no new proxy starts")
    done = used.fab("deploy")
    assert done.code == 0, done.text
    assert f"issue staging certificate for {topology.DOMAIN}" in done.out
    used.wait(answers, 10, "the certificate is not served")


def test_a_kernel_goes_on_while_the_hub_is_replaced(deployed: Lab, server: HubApi) -> None:
    """Its websocket stays open, and no word of its output is lost."""
    before = deployed.service_version()
    with counting(deployed, server):
        deployed.docker("service", "update", "--quiet", "--force", HUB)
    assert deployed.service_version() != before


def test_a_server_that_has_ended_loses_its_route(deployed: Lab) -> None:
    """Within seconds, and not at the hub's next poll: another user's server may have the address by then. Ten seconds."""
    deployed.start_server("ada")
    node = deployed.node_of("ada")
    container = deployed.docker("ps", "-q", "--filter", f"label=com.docker.swarm.service.name={HUB}-ada", node=node)
    assert "/user/ada" in deployed.execute(HUB, "sh", "-c", ROUTES)
    deployed.docker("kill", container, node=node)
    deployed.wait(lambda: "/user/ada" not in deployed.execute(HUB, "sh", "-c", ROUTES), 12, "the route stays")
    deployed.forget_homes()
