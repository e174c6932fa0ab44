"""What one value demands of another: secrets in tables that people write freely."""

from typing import Any

import pytest

from swarmhub.settings.schema.clashes import clashes

NAMED = {"secret": "NAME"}


@pytest.mark.parametrize(
    ("options", "refused"),
    [
        ({"client_secret": "s3cret"}, ["client_secret"]),
        ({"client_secret": NAMED}, []),
        ({"client_secret": ""}, []),
        ({"bind_dn_password": "x", "api_key": "x", "oauth_token": "x"}, ["bind_dn_password", "api_key", "oauth_token"]),
        ({"token_url": "https://x", "username_key": "sub", "userdata_from_id_token": True, "authorize_url": "x"}, []),
        ({"extra": [{"Password": "x"}, {"password": NAMED}]}, ["extra.0.Password"]),
    ],
)
def test_a_secret_in_plain_text_is_refused(options: dict[str, Any], refused: list[str]) -> None:
    """By its name: it would be readable in a Swarm config. In [jupyterhub], too."""
    data = {"secrets": {"names": ["NAME"]}}
    found = [".".join(map(str, key)) for key, _ in clashes({**data, "access": {"options": options}})]
    assert found == [f"access.options.{key}" for key in refused]
    found = [".".join(map(str, key)) for key, _ in clashes({**data, "jupyterhub": {"Class": options}})]
    assert found == [f"jupyterhub.Class.{key}" for key in refused]


@pytest.mark.parametrize(
    ("data", "refused"),
    [
        ({"proxy": {"behind": ["10.1.2.3"]}, "hub": {"publish": "host"}}, []),
        (
            {"proxy": {"behind": ["10.1.2.3"]}, "hub": {"publish": "ingress"}, "network": {"endpoint_mode": "vip"}},
            ["proxy.behind"],
        ),
        ({"proxy": {"speaks": "http"}, "certs": {"email": "a@b.org", "ca": "x"}}, ["certs.email"]),
        ({"proxy": {"speaks": "http"}, "hub": {"subdomains": True}}, []),
        ({"hub": {"subdomains": True, "base_url": "/x/"}, "certs": {"dns": "route53"}}, ["hub.base_url"]),
        ({"http_proxy": {"url": {"secret": "NONE"}}}, ["http_proxy.url"]),
    ],
)
def test_what_does_not_go_with_a_proxy_in_front_or_a_path_is_refused(data: dict[str, Any], refused: list[str]) -> None:
    """Before anything is connected to."""
    assert [".".join(map(str, key)) for key, _ in clashes(data)] == refused
