"""What goes by an HTTP proxy and what goes past it, and who is told of it."""

from typing import Any

import pytest

from hub.shared import http_proxy

URL = "http://proxy.example.org:3128"


@pytest.mark.parametrize(
    ("host", "is_past"),
    [
        ("jupyterhub", True),
        ("10.1.2.3", True),
        ("10.2.0.1", False),
        ("git.example.org", True),
        ("a.git.example.org", True),
        ("notgit.example.org", False),
        ("example.org", False),
        ("a.intranet", True),
        ("localhost", True),
        ("github.localhost", False),
        ("::1", True),
    ],
)
def test_our_own_goes_past_it(host: str, is_past: bool) -> None:
    """Names, networks, and what is in a domain; a single word is no domain."""
    no_proxy = ["localhost", "::1", "jupyterhub", "10.1.0.0/16", "git.example.org", ".intranet"]
    assert http_proxy.goes_past(host, no_proxy) is is_past


@pytest.mark.parametrize(
    ("table", "told"),
    [
        (None, None),
        ({"no_proxy": [], "notebooks": False}, None),
        ({"url": URL, "no_proxy": ["a", "b"], "notebooks": True}, URL),
        ({"url": URL, "no_proxy": [], "notebooks": False}, None),
        ({"url": {"secret": "NAME"}, "no_proxy": [], "notebooks": True}, None),
    ],
)
def test_servers_are_told_what_everybody_may_read(table: dict[str, Any] | None, told: str | None) -> None:
    """Not of a secret, and not by an earlier release's settings."""
    found = http_proxy.of_servers({} if table is None else {"http_proxy": table})
    assert (found.get("HTTPS_PROXY"), found.get("https_proxy")) == (told, told)
    assert not found or found["no_proxy"] == "a,b"
