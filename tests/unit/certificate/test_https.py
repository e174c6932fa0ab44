"""One HTTPS request, with a choice of whom to trust."""

import socket
import ssl
from datetime import UTC, datetime, timedelta

import pytest

from swarmhub.certificate import https
from swarmhub.certificate.https import Route
from tests.unit.support.authority import Authority, serving
from tests.unit.support.fakes import FakeHost

HUB = "hub.localhost"
YESTERDAY = datetime.now(UTC) - timedelta(days=1)


def trusting(authority: Authority) -> ssl.SSLContext:
    """Return a context that trusts this authority only."""
    return ssl.create_default_context(cadata=authority.pem)


def test_status_and_body_are_returned(authority: Authority) -> None:
    """An answer is returned as it is, whatever its status."""
    with serving(*authority.issue(HUB, start=YESTERDAY), status=503, body="starting: ") as port:
        assert https.get(HUB, port, "/hub/health", trusting(authority)) == (503, "starting: /hub/health")


def test_of_a_body_that_does_not_end_the_beginning_is_enough(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    """What answers may be no hub."""
    monkeypatch.setattr(https, "MOST", 8)
    with serving(*authority.issue(HUB, start=YESTERDAY), body="starting: ") as port:
        assert https.get(HUB, port, "/hub/health", trusting(authority)) == (200, "starting")


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


class Manager(FakeHost):
    """A manager from which some addresses are reached."""

    def __init__(self, *reached: tuple[str, int], at: int = 0) -> None:
        super().__init__()
        self.reached, self.at = reached, at
        self.asked: list[tuple[str, int]] = []

    def tunnel(self, address: str, port: int, seconds: float) -> socket.socket:
        self.asked.append((address, port))
        if (address, port) not in self.reached:
            return super().tunnel(address, port, seconds)
        return socket.create_connection(("127.0.0.1", self.at), seconds)


@pytest.mark.parametrize("reached", [("hub.invalid", 443), ("127.0.0.1", 8443)], ids=["by name", "by its own port"])
def test_a_hub_out_of_reach_is_asked_by_its_manager(authority: Authority, reached: tuple[str, int]) -> None:
    """With the same check of its certificate; from then on at once, since a wait for this machine may be long."""
    with serving(*authority.issue("hub.invalid", start=YESTERDAY)) as port:
        manager = Manager(reached, at=port)
        route = Route(manager, 8443)
        for _ in range(2):
            assert https.get("hub.invalid", 443, "/", trusting(authority), route=route)[0] == 200
        with pytest.raises(ssl.SSLCertVerificationError):
            https.get("hub.invalid", 443, "/", trusting(Authority.make("Another CA")), route=route)
    assert route.is_by_manager


def test_a_hub_in_reach_is_asked_from_here(authority: Authority) -> None:
    """That is how people reach it."""
    manager = Manager()
    with serving(*authority.issue(HUB, start=YESTERDAY)) as port:
        assert https.get(HUB, port, "/", trusting(authority), route=(route := Route(manager, 443)))[0] == 200
    assert (manager.asked, route.is_by_manager) == ([], False)


def test_where_no_way_is_open_this_machines_own_error_is_told(authority: Authority) -> None:
    """The manager's would lead away from the cause."""
    with pytest.raises(socket.gaierror):
        https.get("hub.invalid", 443, "/", trusting(authority), route=Route(Manager(), 443))
