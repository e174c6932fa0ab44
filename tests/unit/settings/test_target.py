"""What may be denied to notebooks, as `firewall.deny` writes it."""

import pytest

from swarmhub.settings.target import target


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("10.0.0.5", ("10.0.0.5/32", None)),
        ("10.0.0.0/8", ("10.0.0.0/8", None)),
        ("10.0.0.0/8:5432", ("10.0.0.0/8", 5432)),
        ("fd00::1", ("fd00::1/128", None)),
        ("[fd00::/8]", ("fd00::/8", None)),
        ("[fd00::1]:443", ("fd00::1/128", 443)),
    ],
)
def test_a_target_is_an_address_or_a_network_and_perhaps_a_port(text: str, found: tuple[str, int | None]) -> None:
    """IPv6 with a port stands in brackets."""
    assert target(text) == found


WRONG = [
    "",
    "db.example.org",
    "10.0.0.5:",
    "10.0.0.5:0",
    "10.0.0.5:65536",
    "10.0.0.1/8",
    "[fd00::1",
    "[fd00::1]x",
    "10.0.0.5:http",
]


@pytest.mark.parametrize("text", WRONG)
def test_what_is_no_target_is_refused(text: str) -> None:
    """Names are: they may lead elsewhere tomorrow."""
    with pytest.raises(ValueError, match=r"\S"):
        target(text)
