"""The HTTP proxy of hosts.toml: an address, or a secret that has one."""

from typing import Any

import pytest
from pydantic import ValidationError

from swarmhub.settings.schema.http_proxy import HttpProxy, address


@pytest.mark.parametrize(
    ("table", "url", "is_for_notebooks"),
    [
        ({}, None, False),
        ({"url": "http://proxy.example.org:3128/"}, "http://proxy.example.org:3128", True),
        ({"url": "https://10.1.2.3", "notebooks": False}, "https://10.1.2.3", False),
        ({"url": {"secret": "NAME"}}, {"secret": "NAME"}, False),
        ({"no_proxy": ["10.0.0.0/8", ".example.org", "git", "fd00::/8"]}, None, False),
    ],
)
def test_a_proxy_is_an_address_or_a_secret(table: dict[str, Any], url: object, is_for_notebooks: bool) -> None:
    """Servers are told of what everybody may read."""
    found = HttpProxy.model_validate(table)
    assert (found.url, found.is_for_notebooks) == (url, is_for_notebooks)


@pytest.mark.parametrize(
    ("table", "wrong"),
    [
        ({"url": "proxy.example.org:3128"}, "is not the address of an HTTP proxy"),
        ({"url": "http://jane:hush@proxy.example.org"}, "could be read in a Swarm config"),
        ({"url": 3128}, "is no address"),
        ({"url": ["http://jane:hush@proxy.example.org"]}, "is no address"),
        ({"url": "http://proxy.example.org:99999"}, "is not the address of an HTTP proxy"),
        ({"url": "socks5://proxy.example.org"}, "is not the address of an HTTP proxy"),
        ({"no_proxy": ["*.example.org"]}, "such as intranet.example.org, .example.org or 10.0.0.0/8"),
        ({"url": {"file": "x"}}, "is no address"),
        ({"no_proxy": ["10.0.0.0/8 "]}, "is no name, domain or network"),
        ({"url": {"secret": "NAME"}, "notebooks": True}, "everybody could read it"),
    ],
)
def test_what_is_none_is_refused(table: dict[str, Any], wrong: str) -> None:
    """With what would be right; a password is not repeated."""
    with pytest.raises(ValidationError) as error:
        HttpProxy.model_validate(table)
    assert wrong in str(error.value.errors()[0]["msg"])
    assert "hush" not in str(error.value.errors()[0]["msg"])


def test_a_secrets_address_may_have_a_password() -> None:
    """What is none is not repeated."""
    assert address("http://jane:a%25b@10.1.2.3:3128/") == "http://jane:a%25b@10.1.2.3:3128"
    with pytest.raises(ValueError, match="is not the address") as error:
        address("jane:hush@10.1.2.3")
    assert "hush" not in str(error.value)
