"""What [certs] may say: files of one's own, or certbot, which asks by HTTP or by DNS."""

from typing import Any

import pytest
from pydantic import ValidationError

from swarmhub.settings.schema.certs import OF_CERTBOT, Certs

OWN = {"certificate": "tls/fullchain.pem", "key": "tls/privkey.pem"}
DNS = {"dns": "cloudflare", "dns_credentials": "cloudflare.ini"}
OF_EACH = {
    "email": "ops@example.org",
    "staging": False,
    "server": "https://acme.example.org/dir",
    "staging_server": "https://acme.example.org/dir",
    "image": "certbot/certbot:v5.1.0",
    "wildcard": True,
    "dns_propagation": 30,
    **DNS,
}


def certs(**table: Any) -> Certs:
    """Return the table."""
    return Certs.model_validate(table)


@pytest.mark.parametrize(
    ("table", "is_own", "is_staging", "is_by_http"),
    [({}, False, True, True), ({"staging": False}, False, False, True), (DNS, False, True, False), (OWN, True, False, False)],
)
def test_what_follows_from_where_it_comes_from(table: dict[str, Any], is_own: bool, is_staging: bool, is_by_http: bool) -> None:
    """Files of one's own are no staging certificate, and nobody asks on port 80 for them."""
    found = certs(**table)
    assert (found.is_own, found.is_staging, found.is_by_http) == (is_own, is_staging, is_by_http)


@pytest.mark.parametrize(
    ("table", "image"),
    [
        ({}, "certbot/certbot:v5.1.0"),
        (DNS, "certbot/dns-cloudflare:v5.1.0"),
        (DNS | {"image": "registry.example.org/certbot:1"}, "registry.example.org/certbot:1"),
    ],
)
def test_certbots_image_has_the_plugin(table: dict[str, Any], image: str) -> None:
    """There is one a plugin, of the same version; another one can be named."""
    assert certs(**table).certbot == image


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"certificate": "a.pem"}, "is missing: certs.certificate needs it"),
        ({"key": "a.pem"}, "is missing: certs.key needs it"),
        ({"wildcard": True}, "needs certs.dns"),
        ({"dns": "cloudflare"}, "is missing: certs.dns needs it"),
        ({"dns_credentials": "a.ini"}, "does not go without certs.dns"),
        ({"dns_propagation": 30}, "does not go without certs.dns"),
        (DNS | {"dns": "--standalone"}, "is not the name of a certbot DNS plugin"),
        (DNS | {"dns_propagation": 0}, "greater than or equal to 1"),
    ],
)
def test_what_does_not_go_together_is_refused(table: dict[str, Any], said: str) -> None:
    """With what would be right."""
    with pytest.raises(ValidationError, match=said):
        certs(**table)


@pytest.mark.parametrize("key", OF_CERTBOT)
def test_what_is_certbots_does_not_go_with_files_of_ones_own(key: str) -> None:
    """It would be read by nobody."""
    with pytest.raises(ValidationError, match="is certbot's, and does not go with a certificate of your own"):
        certs(**OWN, **{key: OF_EACH[key]})
