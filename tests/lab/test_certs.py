"""The certificate, from a real ACME server over port 80."""

import re
from collections.abc import Iterator

import pytest
from cryptography import x509

from lab import topology
from swarmhub.certificate import health
from tests.lab.support import Done, Lab, Settings, variant
from tests.lab.test_proxy import told_of_https

MANAGER = topology.MANAGER.name
LIVE = f"/etc/letsencrypt/live/{topology.DOMAIN}"
PRODUCTION = ("staging = true", "staging = false")


def certificate(lab: Lab) -> x509.Certificate:
    """Return the certificate on the manager."""
    return x509.load_pem_x509_certificate(lab.on(MANAGER, "cat", f"{LIVE}/fullchain.pem").encode())


def test_certificate_that_holds_is_kept(deployed: Lab) -> None:
    """`certs` with a certificate that has most of its life left asks nobody for another one."""
    before = certificate(deployed).serial_number
    done = deployed.fab("certs")
    assert done.code == 0, done.text
    assert re.search(r"certs +staging certificate for hub\.localhost: 8\d days left", done.out)
    assert certificate(deployed).serial_number == before


def test_domain_that_leads_elsewhere_is_explained(deployed: Lab, settings: Settings) -> None:
    """A domain that the ACME server cannot reach on port 80 fails with its own reason and what to look at."""
    hosts = settings(('domain = "hub.localhost"', 'domain = "nowhere.localhost"'))
    done = deployed.fab("certs", hosts=hosts)
    assert done.code == 1
    assert f"{MANAGER}: certs: certbot failed: " in done.err
    assert "Does nowhere.localhost lead to this manager" in done.err
    assert not deployed.docker("ps", "--all", "--quiet", "--filter", "label=swarmhub=certs")


def test_untrusted_acme_server_is_explained(deployed: Lab, settings: Settings) -> None:
    """An ACME server with a private CA and no certs.ca: the line says which setting helps."""
    hosts = settings(('ca = "state/acme-ca.crt"\n', ""), PRODUCTION)
    done = deployed.fab("certs", hosts=hosts)
    assert done.code == 1
    assert "certs.ca" in done.err


def test_public_url_is_verified(deployed: Lab) -> None:
    """The health check of a deploy is refused where the certificate is not the manager's own."""
    import ssl

    from swarmhub.errors import StepError

    with pytest.raises(StepError, match="not trusted"):
        health.check(topology.HUB_URL, ssl.create_default_context())


@pytest.fixture(scope="module")
def real_certificate(settled: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Done]:
    """Deploy with staging = false; at the end the certificate is gone and the staging one can come back."""
    yield settled.fab("deploy", hosts=variant(tmp_path_factory.mktemp("production"), PRODUCTION))
    settled.forget_certificate()


def test_staging_certificate_is_replaced_when_staging_ends(settled: Lab, real_certificate: Done, settings: Settings) -> None:
    """With staging off the certificate comes from the other server, the hub serves it, and the next deploy changes nothing."""
    assert real_certificate.code == 0, real_certificate.text
    assert "replace certificate for hub.localhost" in real_certificate.out
    assert "nothing to change" in settled.fab("deploy", hosts=settings(PRODUCTION)).out
    renewal = settled.on(MANAGER, "cat", f"/etc/letsencrypt/renewal/{topology.DOMAIN}.conf")
    assert f"server = {topology.ACME_PRODUCTION}" in renewal


def test_browsers_are_told_to_come_by_https_only(settled: Lab, real_certificate: Done) -> None:
    """With a real certificate; who was told so by a staging one could not get past it any more."""
    assert real_certificate.code == 0, real_certificate.text
    assert told_of_https() == "max-age=31536000"


def test_real_certificate_outlives_a_return_to_staging(settled: Lab, real_certificate: Done) -> None:
    """Staging set again by mistake does not put a certificate that browsers refuse in a real one's place."""
    assert real_certificate.code == 0, real_certificate.text
    before = certificate(settled).serial_number
    assert settled.fab("certs").code == 0
    assert certificate(settled).serial_number == before
