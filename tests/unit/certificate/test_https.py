"""One HTTPS request, with a choice of whom to trust."""

import ssl
from datetime import UTC, datetime, timedelta

import pytest

from swarmhub.certificate import https
from tests.unit.support.authority import Authority, serving

HUB = "hub.localhost"
YESTERDAY = datetime.now(UTC) - timedelta(days=1)


def trusting(authority: Authority) -> ssl.SSLContext:
    """Return a context that trusts this authority only."""
    return ssl.create_default_context(cadata=authority.pem)


def test_status_and_body_are_returned(authority: Authority) -> None:
    """An answer is returned as it is, whatever its status."""
    with serving(*authority.issue(HUB, start=YESTERDAY), status=503, body="starting: ") as port:
        assert https.get(HUB, port, "/hub/health", trusting(authority)) == (503, "starting: /hub/health")


def test_the_address_to_connect_to_may_be_another_than_the_name(authority: Authority) -> None:
    """The certificate is checked for the name, also where the connection goes to an address that DNS does not know."""
    with serving(*authority.issue("hub.example.org", start=YESTERDAY)) as port:
        assert https.get("hub.example.org", port, "/", trusting(authority), address="127.0.0.1")[0] == 200


def test_a_certificate_of_an_unknown_authority_is_refused(authority: Authority) -> None:
    """A server that shows what nobody trusted has signed is not spoken to."""
    with serving(*Authority.make("Another CA").issue(HUB, start=YESTERDAY)) as port:
        with pytest.raises(ssl.SSLCertVerificationError):
            https.get(HUB, port, "/", trusting(authority))


@pytest.mark.parametrize(("name", "days"), [("other.localhost", 90), (HUB, 0)], ids=["another name", "expired"])
def test_a_certificate_that_does_not_fit_is_refused(authority: Authority, name: str, days: int) -> None:
    """A trusted authority's certificate for another name, or past its end, is refused."""
    with serving(*authority.issue(name, start=YESTERDAY, days=days)) as port:
        with pytest.raises(ssl.SSLCertVerificationError):
            https.get(HUB, port, "/", trusting(authority))


def test_what_is_connected_to_may_be_a_name(authority: Authority) -> None:
    """One below "localhost" is this machine, whatever the resolver knows."""
    with serving(*authority.issue("ada.hub.example.org", start=YESTERDAY)) as port:
        assert https.get("ada.hub.example.org", port, "/", trusting(authority), address=HUB)[0] == 200
