"""Whether the hub answers on its public address, over TLS that is verified."""

import http.client
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from swarmhub.certificate import certs, health, https
from swarmhub.certificate.certbot import CertificateRequest
from swarmhub.errors import StepError
from tests.unit.support.authority import Authority, serving
from tests.unit.support.fakes import Clock, settings

HUB = "hub.localhost"
YESTERDAY = datetime.now(UTC) - timedelta(days=1)
ANY_TRUST = ssl.create_default_context()


@pytest.mark.parametrize("address", ["https://hub.example.org", "https://hub.localhost:8443"])
def test_the_address_is_the_callbacks(address: str) -> None:
    """The hub's public address is the callback's, with the port that it may name."""
    assert health.url(f"{address}/hub/oauth_callback") == address


PRODUCTION, STAGING = "https://acme.example.org/dir", "https://acme-staging.example.org/dir"


def wanted(ca: str | None = None) -> CertificateRequest:
    """Return a certificate to have."""
    return certs.desired(settings(hub={"domain": HUB}, certs={"server": PRODUCTION, "staging_server": STAGING, "ca": ca}))


def answered(chain: str, key: str, trust: ssl.SSLContext) -> int:
    """Return the status with which a server that shows this chain answers."""
    with serving(chain, key) as port:
        return https.get(HUB, port, "/hub/health", trust)[0]


def test_the_settings_ca_is_trusted(authority: Authority, tmp_path: Path) -> None:
    """A private ACME server's certificates are trusted if certs.ca names its CA."""
    chain, key = authority.issue(HUB, start=YESTERDAY)
    (tmp_path / "ca.pem").write_text(authority.pem)
    trust = health.trust(ssl.create_default_context(), wanted(str(tmp_path / "ca.pem")), certs.parse(chain, PRODUCTION))
    assert answered(chain, key, trust) == 200


def test_a_staging_certificate_is_trusted_if_it_is_the_one_on_the_manager(authority: Authority) -> None:
    """A staging certificate, whose root nobody trusts, is trusted because the manager holds the same one."""
    chain, key = authority.issue(HUB, start=YESTERDAY)
    leaf_alone = chain.removesuffix(authority.pem)
    trust = health.trust(ssl.create_default_context(), wanted(), certs.parse(leaf_alone, STAGING))
    assert answered(leaf_alone, key, trust) == 200


def test_a_staging_certificate_that_is_not_on_the_manager_is_not_trusted(authority: Authority) -> None:
    """That no public authority signs staging certificates does not make any certificate good."""
    ours, _ = authority.issue(HUB, start=YESTERDAY)
    theirs = Authority.make("Another CA").issue(HUB, start=YESTERDAY)
    with pytest.raises(ssl.SSLCertVerificationError):
        answered(*theirs, health.trust(ssl.create_default_context(), wanted(), certs.parse(ours, STAGING)))


@pytest.mark.parametrize("directory", [PRODUCTION, ""], ids=["production", "put there by hand"])
def test_the_chain_on_the_manager_is_no_proof_of_a_real_certificate(authority: Authority, directory: str) -> None:
    """But for the staging server's, only this machine's authorities and the settings' are trusted, as browsers do."""
    chain, key = authority.issue(HUB, start=YESTERDAY)
    with pytest.raises(ssl.SSLCertVerificationError):
        answered(chain, key, health.trust(ssl.create_default_context(), wanted(), certs.parse(chain, directory)))


def answers(monkeypatch: pytest.MonkeyPatch, *turns: int | Exception) -> list[tuple[Any, ...]]:
    """Let HTTPS requests answer in turn, the last one from then on; return what is asked."""
    left, asked = list(turns), []

    def get(*question: Any, route: Any, timeout: float) -> tuple[int, str]:
        asked.append(question)
        turn = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(turn, Exception):
            raise turn
        return turn, ""

    monkeypatch.setattr(https, "get", get)
    return asked


@pytest.mark.parametrize(("address", "port"), [("https://hub.example.org", 443), ("https://hub.example.org:8443", 8443)])
def test_the_hubs_own_health_page_is_asked(monkeypatch: pytest.MonkeyPatch, clock: Clock, address: str, port: int) -> None:
    """The health page is asked for at the address's port, or at 443."""
    asked = answers(monkeypatch, 200)
    health.check(address, ANY_TRUST)
    assert asked == [("hub.example.org", port, "/hub/health", ANY_TRUST)]


def test_a_hub_that_is_just_starting_is_waited_for(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    """A refused connection, an answer that is no HTTP and a bad gateway are asked again until it answers 200."""
    asked = answers(monkeypatch, ConnectionRefusedError(111, "Connection refused"), http.client.BadStatusLine(""), 502, 200)
    health.check("https://hub.example.org", ANY_TRUST)
    assert len(asked) == 4


@pytest.mark.parametrize(
    ("turn", "last"),
    [
        (503, "HTTP status 503"),
        (ConnectionRefusedError(111, "Connection refused"), "Connection refused"),
        (TimeoutError("timed out"), "timed out"),
    ],
)
def test_a_hub_that_stays_silent_is_an_error_that_says_the_last_answer(
    monkeypatch: pytest.MonkeyPatch, clock: Clock, turn: int | Exception, last: str
) -> None:
    """After three quarters of a minute the error names the address, what came last, and what to look at."""
    answers(monkeypatch, turn)
    with pytest.raises(StepError) as failed:
        health.check("https://hub.example.org:8443", ANY_TRUST)
    assert str(failed.value) == (
        f"hub.example.org: https://hub.example.org:8443/hub/health does not answer: {last}. "
        "Does hub.example.org lead to the manager, and is port 8443 open from here, or from there by SSH (AllowTcpForwarding)?"
    )
    assert sum(clock.slept) == pytest.approx(health.SECONDS, abs=1)


def test_a_certificate_that_is_not_trusted_is_not_waited_for(authority: Authority, clock: Clock) -> None:
    """A wrong certificate does not become right: the error comes at once and says why it is refused."""
    with serving(*authority.issue(HUB, start=YESTERDAY)) as port:
        with pytest.raises(StepError, match=r"shows a certificate that is not trusted: self-signed certificate .*fab certs"):
            health.check(f"https://{HUB}:{port}", ssl.create_default_context())
    assert clock.slept == []
