"""A certificate by DNS: certbot writes the proof into a real name server, and so does the renewal on the cluster."""

import base64
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509

from lab import keys, topology
from tests.lab.support import HUB, PROXY, Done, Lab, variant
from tests.lab.test_proxy import served, served_certificate

MANAGER, NAMES = topology.MANAGER.name, {topology.DOMAIN, f"*.{topology.DOMAIN}"}
RENEWAL = f"{HUB}-renewal"
CREDENTIALS = "/swarmhub-dns-credentials"
SHORT = ('staging_server = "https://acme-staging.lab:14000/dir"', f'staging_server = "{topology.ACME_SHORT}"')
WRONG = base64.b64encode(bytes(32)).decode()
# What each process on a node was started with: containers' processes are among them.
PROCESSES = r"cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2> /dev/null | tr '\0' '\n' | tr -cd '\n[:print:]'"


def by_dns(folder: Path, credentials: Path, *replaced: tuple[str, str]) -> Path:
    """Write a hosts.toml that has the domain proved by DNS; certbot waits for long enough to be looked at."""
    table = f'dns = "rfc2136"\ndns_credentials = "{credentials}"\ndns_propagation = 3\nwildcard = true\n'
    return variant(folder, ("[certs]\n", f"[certs]\n{table}"), *replaced)


def names(certificate: x509.Certificate) -> set[str]:
    """Return the domains that a certificate is for."""
    extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return set(extension.get_values_for_type(x509.DNSName))


@pytest.fixture(scope="module")
def secret() -> str:
    """Return what the name server takes updates with."""
    found = re.search(r"^dns_rfc2136_secret = (\S+)$", (topology.STATE / keys.DNS_CREDENTIALS).read_text(), re.MULTILINE)
    assert found
    return found[1]


@dataclass(frozen=True)
class Watched:
    """A deploy, and what the manager's engine and its kernel said while certbot ran."""

    done: Done
    container: str
    processes: str


@pytest.fixture(scope="module")
def watched(settled: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """Deploy with a wildcard that holds for half a minute, and look while certbot waits for the record to be everywhere."""
    hosts = by_dns(tmp_path_factory.mktemp("dns"), topology.STATE / keys.DNS_CREDENTIALS, SHORT)
    deploy = settled.started("deploy", "--yes", until="DNS changes to propagate", hosts=hosts)
    containers = settled.docker("ps", "--quiet", "--filter", "label=swarmhub=certs").split()
    seen = settled.docker("inspect", *containers) if containers else ""
    processes = settled.on(MANAGER, "sh", "-c", PROCESSES)
    yield Watched(deploy.end(120), seen, processes)
    settled.forget_certificate()


@pytest.fixture
def lab_by_dns(settled: Lab, watched: Watched) -> Lab:
    """Give a test the lab with a certificate by DNS."""
    assert watched.done.code == 0, watched.done.text
    return settled


def test_credentials_that_are_refused_are_told_and_the_certificate_stays(deployed: Lab, secret: str, tmp_path: Path) -> None:
    """In one line, with the name server's reason and what to look at."""
    (tmp_path / "wrong.ini").write_text((topology.STATE / keys.DNS_CREDENTIALS).read_text().replace(secret, WRONG))
    before = deployed.on(MANAGER, "cat", f"/etc/letsencrypt/live/{topology.DOMAIN}/fullchain.pem")
    done = deployed.fab("certs", hosts=by_dns(tmp_path, tmp_path / "wrong.ini"))
    assert (done.code, done.err.splitlines()) == (
        1,
        [
            f"{MANAGER}: certs: certbot failed: Encountered error adding TXT record: The peer didn't like the signature we "
            "sent. Are certs.dns_credentials those of the domain's zone, and is certs.dns_propagation long enough?"
        ],
    )
    assert WRONG not in done.text
    assert deployed.on(MANAGER, "cat", f"/etc/letsencrypt/live/{topology.DOMAIN}/fullchain.pem") == before
    assert served() == x509.load_pem_x509_certificate(before.encode()).serial_number


def test_a_wildcard_is_got_and_served(lab_by_dns: Lab, watched: Watched) -> None:
    """From Pebble, which proves one by DNS only; nobody at work is disturbed."""
    assert f"replace staging certificate for {topology.DOMAIN} on {MANAGER}" in watched.done.out
    assert "hub restarts" not in watched.done.out
    lab_by_dns.wait(lambda: names(served_certificate()) == NAMES, 10, "the wildcard is not served")
    assert "Pebble" in served_certificate().issuer.rfc4514_string()


def test_the_credentials_are_a_file_and_nothing_else(lab_by_dns: Lab, watched: Watched, secret: str) -> None:
    """In no argument and no environment of a process, in nothing that Docker tells, and in nothing that is said."""
    service = lab_by_dns.docker("service", "inspect", RENEWAL)
    running = lab_by_dns.container(RENEWAL)
    told = {
        "certbot's container": watched.container,
        "the processes while it ran": watched.processes,
        "the renewal's service": service,
        "the renewal's container": lab_by_dns.docker("inspect", running),
        "the processes now": lab_by_dns.on(MANAGER, "sh", "-c", PROCESSES),
    }
    assert [where for where, text in told.items() if f"--dns-rfc2136-credentials\n{CREDENTIALS}\n" not in words(text)] == []
    told["the deploy, with its plan"] = watched.done.text
    told["certbot's files"] = lab_by_dns.on(MANAGER, "find", "/etc/letsencrypt", "-type", "f", "-exec", "cat", "{}", "+")
    assert [where for where, text in told.items() if secret in text] == []
    (mounted,) = json.loads(service)[0]["Spec"]["TaskTemplate"]["ContainerSpec"]["Secrets"]
    assert mounted["File"] == {"Name": CREDENTIALS, "UID": "0", "GID": "0", "Mode": 0o400}
    assert secret in lab_by_dns.docker("exec", running, "cat", CREDENTIALS)


def words(text: str) -> str:
    """Return a text of a list in JSON as one word a line, as processes have them."""
    return re.sub(r'"|,|^ +', "", text, flags=re.MULTILINE)


def test_it_renews_itself_by_dns(lab_by_dns: Lab) -> None:
    """When certbot finds it due, on the cluster alone; it is for the same names, and no service is touched."""
    before, services = served(), [lab_by_dns.service_version(name) for name in (HUB, PROXY, RENEWAL)]
    lab_by_dns.wait(lambda: served() != before, 2 * topology.SHORT_SECONDS, "no other certificate is served")
    assert names(served_certificate()) == NAMES
    assert [lab_by_dns.service_version(name) for name in (HUB, PROXY, RENEWAL)] == services
