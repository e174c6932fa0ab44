"""Ports 80 and the hub's: free, or ours."""

import pytest

from swarmhub.doctor.network import published
from swarmhub.engine.ports import PortHolder
from tests.unit.support.fakes import MANAGER, FakeHost, settings


@pytest.mark.parametrize(
    ("port", "holder", "level"),
    [
        (80, None, "ok"),
        (443, None, "ok"),
        (443, PortHolder("the container jupyterhub.1.x", service="jupyterhub"), "ok"),
        (443, PortHolder("the container jupyterhub-proxy.1.x", service="jupyterhub-proxy"), "ok"),
        (80, PortHolder("the container jupyterhub-proxy.1.x", service="jupyterhub-proxy"), "ok"),
        (80, PortHolder("the container happy_noyce", {"swarmhub": "certs"}), "ok"),
        (80, PortHolder("the process apache2 (pid 7)"), "failure"),
        (443, PortHolder("the container web", service="shop"), "failure"),
    ],
)
def test_port_is_free_or_ours(port: int, holder: PortHolder | None, level: str) -> None:
    """Anything else on it fails, by name."""
    (found,) = published.judge({port: holder}, settings(), MANAGER)
    assert (found.level, holder is None or level == "ok" or holder.name in found.text) == (level, True)


@pytest.mark.parametrize(
    ("certs", "ports"),
    [
        ({}, [80, 443]),
        ({"dns": "rfc2136", "dns_credentials": "rfc2136.ini"}, [443]),
        ({"certificate": "chain.pem", "key": "key.pem"}, [443]),
    ],
)
def test_port_80_is_looked_at_where_an_authority_asks_there(certs: dict[str, str], ports: list[int]) -> None:
    """Whoever proves the domain by DNS, or has a certificate, may have a web server on it."""
    host = FakeHost(answers={"GET /containers/json": []})
    assert list(published.observe(host, settings(certs=certs))) == ports
