"""The proxy as a service of its own: people stay connected, whatever becomes of the hub and of its certificate."""

import contextlib
import http.client
import ipaddress
import json
import socket
import ssl
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography import x509
from pydantic import SecretStr

from lab import topology
from swarmhub import https, kernel
from swarmhub.errors import StepError
from swarmhub.hub_api import HubApi
from tests.lab.support import HUB, Lab, variant

MANAGER = topology.MANAGER.name
PROXY = f"{HUB}-proxy"
SEPARATE = ("[network]", "[proxy]\nseparate = true\n\n[network]")
PRODUCTION = ("staging = true", "staging = false")
COUNTS = 200
COUNT = f"import time\nfor number in range({COUNTS}):\n    print(number, flush=True)\n    time.sleep(0.2)"
HTTPS = topology.MANAGER.ports[443]
ALL_NUMBERS = "".join(f"{number}\n" for number in range(COUNTS))


def unverified(most: ssl.TLSVersion = ssl.TLSVersion.MAXIMUM_SUPPORTED) -> ssl.SSLContext:
    """Return a context that takes any certificate: that TLS verifies is test_deploy's matter."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.minimum_version, context.maximum_version = ssl.TLSVersion.MINIMUM_SUPPORTED, most
    return context


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the lab's hosts.toml with a separate proxy."""
    return variant(tmp_path_factory.mktemp("separate"), SEPARATE)


@pytest.fixture(scope="module")
def separate(settled: Lab, hosts: Path) -> Lab:
    """Deploy with a separate proxy, from a hub that ran its own."""
    done = settled.fab("deploy", hosts=hosts)
    assert done.code == 0, done.text
    return settled


@pytest.fixture
def server(separate: Lab) -> Iterator[HubApi]:
    """Start Ada's server, and ask it as she would."""
    separate.start_server("ada")
    token = json.loads(separate.hub_api("POST", "users/ada/tokens", "{}"))["token"]
    yield HubApi(topology.HUB_URL, unverified(), SecretStr(token)).server("ada")
    separate.stop_server("ada")
    separate.forget_homes()


@contextmanager
def counting(server: HubApi) -> Iterator[Future[str]]:
    """Let a kernel count over one websocket; what it has said is there when it is done."""
    with ThreadPoolExecutor() as pool:
        counted = pool.submit(kernel.run, server, COUNT)
        yield counted


def forget_certificate(lab: Lab) -> None:
    """Remove the certificate, and leave the folder: the proxy's container has that one mounted, and no other of its name."""
    lab.on(MANAGER, "find", "/etc/letsencrypt", "-mindepth", "1", "-delete")


def served() -> int:
    """Return the serial number of the certificate that is served."""
    with unverified().wrap_socket(socket.create_connection(("127.0.0.1", HTTPS)), server_hostname=topology.DOMAIN) as plain:
        certificate = plain.getpeercert(binary_form=True)
    assert certificate is not None
    return x509.load_der_x509_certificate(certificate).serial_number


def answers() -> bool:
    """Tell whether a certificate is served at all."""
    with contextlib.suppress(OSError):
        return served() > 0
    return False


def test_a_kernel_goes_on_while_the_hub_is_replaced(separate: Lab, server: HubApi) -> None:
    """Its websocket stays open, and no word of its output is lost."""
    before = separate.service_version()
    with counting(server) as counted:
        separate.docker("service", "update", "--quiet", "--force", HUB)
        assert not counted.done(), "the hub was not replaced while it counted"
    assert separate.service_version() != before
    assert counted.result() == ALL_NUMBERS


def test_plain_http_leads_to_https(separate: Lab) -> None:
    """To the same path of the public address."""
    connection = http.client.HTTPConnection("127.0.0.1", topology.MANAGER.ports[80], timeout=10)
    connection.request("GET", "/hub/login?next=%2Fhub%2Fhome", headers={"Host": topology.DOMAIN})
    answer = connection.getresponse()
    assert (answer.status, answer.getheader("Location")) == (301, f"{topology.HUB_URL}/hub/login?next=%2Fhub%2Fhome")


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
def test_old_tls_is_refused(separate: Lab) -> None:
    """TLS 1.1 by the proxy, not only by its clients; 1.2 is taken."""

    def shake(version: ssl.TLSVersion) -> str:
        with unverified(version).wrap_socket(socket.create_connection(("127.0.0.1", HTTPS))) as plain:
            return plain.version() or ""

    with pytest.raises(ssl.SSLError, match="protocol version"):
        shake(ssl.TLSVersion.TLSv1_1)
    assert shake(ssl.TLSVersion.TLSv1_2) == "TLSv1.2"


def test_notebooks_do_not_reach_the_proxys_api(separate: Lab, server: HubApi) -> None:
    """It listens on a network to which they have no way; on theirs the port is closed."""
    container = separate.docker("ps", "-q", "--filter", f"label=com.docker.swarm.service.name={PROXY}")
    networks = json.loads(separate.docker("inspect", container, "--format", "{{json .NetworkSettings.Networks}}"))
    asked = f'import socket; socket.create_connection(("{networks["jupyter"]["IPAddress"]}", 8001), 3)'
    said = separate.in_server("ada", f"python3 -c '{asked}' 2>&1 || true")
    assert said.endswith("ConnectionRefusedError: [Errno 111] Connection refused")
    routes = separate.in_server("ada", "cut -f 2 /proc/net/route").split()
    assert [_destination(separate, network) in routes for network in ("jupyter-proxy", "jupyter")] == [False, True]


def _destination(lab: Lab, network: str) -> str:
    """Return a network's address as /proc/net/route has it."""
    subnet = lab.docker("network", "inspect", network, "--format", "{{(index .IPAM.Config 0).Subnet}}")
    return ipaddress.ip_network(subnet).network_address.packed[::-1].hex().upper()


def test_the_hub_tells_it_its_routes(separate: Lab, server: HubApi) -> None:
    """By a token that both have; a proxy that starts anew has them within seconds."""
    proxy = ("ps", "-q", "--filter", f"label=com.docker.swarm.service.name={PROXY}")
    before = separate.docker(*proxy)
    separate.docker("kill", before)
    separate.wait(lambda: separate.docker(*proxy) not in ("", before), 60, "the proxy does not come back")
    separate.wait(lambda: _answers(server), 20, "the proxy does not know the way to a server")


def _answers(server: HubApi) -> bool:
    with contextlib.suppress(StepError):
        return server.get("status")["connections"] is not None
    return False


def test_a_new_certificate_cuts_nobody_off(separate: Lab, server: HubApi, tmp_path: Path) -> None:
    """It comes by way of the proxy's port 80, is served within seconds, and the websockets that are open stay so."""
    before = served()
    with counting(server) as counted:
        done = separate.fab("certs", hosts=variant(tmp_path, SEPARATE, PRODUCTION))
        assert done.code == 0, done.text
        assert "hub restarts" not in done.out
        separate.wait(lambda: served() != before, 10, "the new certificate is not served")
        assert not counted.done(), "the certificate was not replaced while it counted"
    assert counted.result() == ALL_NUMBERS


def test_browsers_are_told_to_come_by_https_only(separate: Lab, tmp_path: Path) -> None:
    """With a real certificate; who was told so by a staging one could not get past it any more."""

    def told() -> str | None:
        with https.asked("GET", topology.DOMAIN, HTTPS, "/hub/health", unverified()) as answer:
            return answer.getheader("Strict-Transport-Security")

    assert told() is None
    done = separate.fab("deploy", hosts=variant(tmp_path, SEPARATE, PRODUCTION))
    assert done.code == 0, done.text
    assert told() == "max-age=31536000"
    forget_certificate(separate)


@pytest.fixture
def short_lived(separate: Lab, tmp_path: Path) -> Iterator[Path]:
    """Deploy with certificates that hold for a minute."""
    short = ('staging_server = "https://acme-staging.lab:14000/dir"', f'staging_server = "{topology.ACME_SHORT}"')
    hosts = variant(tmp_path, SEPARATE, short)
    forget_certificate(separate)
    done = separate.fab("deploy", hosts=hosts)
    assert done.code == 0, done.text
    yield hosts
    forget_certificate(separate)


def test_a_certificate_renews_itself(separate: Lab, short_lived: Path) -> None:
    """With a third of its life left, on the cluster alone; it is served, and nobody's connection breaks."""
    before, services = served(), separate.docker("service", "inspect", PROXY, HUB, "--format", "{{.Version.Index}}")
    separate.wait(lambda: served() != before, 2 * topology.SHORT_SECONDS, "no other certificate is served")
    assert separate.docker("service", "inspect", PROXY, HUB, "--format", "{{.Version.Index}}") == services


def test_a_renewal_that_fails_keeps_the_certificate_and_is_told(separate: Lab, short_lived: Path) -> None:
    """By doctor and status, with the reason; it is tried again, and when that goes well nothing is told any more."""
    separate.docker("service", "scale", "--detach", f"{PROXY}=0")
    try:
        separate.wait(lambda: failed_renewals(separate, short_lived), 2 * topology.SHORT_SECONDS, "status does not tell")
        doctor = json.loads(separate.fab("doctor", "--json", hosts=short_lived).out)
        told = [one for one in doctor["findings"] if one["check"] == "certificate" and "renewal has failed" in one["text"]]
        assert [(one["host"], one["level"]) for one in told] == [(MANAGER, "failure")], doctor
        assert separate.on(MANAGER, "cat", f"/etc/letsencrypt/live/{topology.DOMAIN}/fullchain.pem")
    finally:
        separate.docker("service", "scale", "--detach", f"{PROXY}=1")
    separate.wait(lambda: not failed_renewals(separate, short_lived), 2 * topology.SHORT_SECONDS, "it is not renewed")


def failed_renewals(lab: Lab, hosts: Path) -> int:
    """Return how often the renewal has failed in a row, as status says."""
    return int(json.loads(lab.fab("status", "--json", hosts=hosts).out)["certificate"]["failed_renewals"])


def test_a_proxy_without_a_certificate_is_given_one(separate: Lab, hosts: Path) -> None:
    """Once the files are gone, and the proxy has been started anew without them, it answers the authority that gives others."""
    forget_certificate(separate)
    label = f"label=com.docker.swarm.service.name={PROXY}"
    before = separate.docker("ps", "-q", "--filter", label)
    separate.docker("kill", before)
    separate.wait(lambda: separate.docker("ps", "-q", "--filter", label) not in ("", before), 60, "no new proxy starts")
    done = separate.fab("deploy", hosts=hosts)
    assert done.code == 0, done.text
    assert f"issue staging certificate for {topology.DOMAIN}" in done.out
    separate.wait(answers, 10, "the certificate is not served")


def test_the_hub_can_run_it_again(separate: Lab) -> None:
    """An ordinary deploy with the setting off takes the service away, and the hub publishes the port."""
    done = separate.fab("deploy")
    assert done.code == 0, done.text
    assert separate.docker("service", "ls", "--quiet", "--filter", f"name={PROXY}") == ""
