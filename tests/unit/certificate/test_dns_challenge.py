"""The proof of a domain by DNS: what certbot's plugins are told, and never the credentials themselves."""

from pathlib import Path

import pytest

from swarmhub.certificate import dns_challenge
from swarmhub.certificate.dns_challenge import Dns
from swarmhub.errors import SettingsError
from tests.unit.support.fakes import settings


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a file with credentials."""
    (tmp_path / "dns.ini").write_text("dns_token = hush\n")
    return tmp_path / "dns.ini"


def desired(plugin: str, file: Path) -> Dns:
    """Return what the settings say of a plugin."""
    found = dns_challenge.desired(settings(certs={"dns": plugin, "dns_credentials": str(file), "dns_propagation": 20}))
    assert found is not None
    return found


def test_a_plugin_is_told_where_the_credentials_are_and_how_long_to_wait(file: Path) -> None:
    """By the options that all plugins have; what is in the file stays there."""
    found = desired("cloudflare", file)
    assert found.arguments == [
        "--authenticator",
        "dns-cloudflare",
        "--dns-cloudflare-credentials",
        dns_challenge.CREDENTIALS,
        "--dns-cloudflare-propagation-seconds",
        "20",
    ]
    assert (found.environment, found.credentials.get_secret_value(), "hush" in repr(found)) == ({}, "dns_token = hush\n", False)


def test_route53_takes_its_credentials_as_awss_tools_do(file: Path) -> None:
    """Its plugin has no options; it waits for the record by itself."""
    found = desired("route53", file)
    assert found.arguments == ["--authenticator", "dns-route53"]
    assert found.environment == {"AWS_SHARED_CREDENTIALS_FILE": dns_challenge.CREDENTIALS}


def test_credentials_that_are_not_there_are_a_mistake_of_the_settings(tmp_path: Path) -> None:
    """Named with their key, before anything is connected to."""
    with pytest.raises(SettingsError, match=r"nothere\.ini:1: no such file or directory; certs\.dns_credentials names it"):
        desired("rfc2136", tmp_path / "nothere.ini")
