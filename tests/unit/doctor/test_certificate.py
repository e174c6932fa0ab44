"""How the certificate stands."""

from datetime import datetime, timedelta

import pytest

from swarmhub.certs import parse
from swarmhub.doctor import certificate
from swarmhub.settings.model import LETS_ENCRYPT, LETS_ENCRYPT_STAGING
from tests.unit.authority import NOW, Authority
from tests.unit.fakes import DOMAIN, MANAGER, settings


@pytest.mark.parametrize(
    ("name", "directory", "now", "expected"),
    [
        (DOMAIN, LETS_ENCRYPT, NOW, ["ok: hub.example.org, 89 days left"]),
        (DOMAIN, LETS_ENCRYPT, NOW + timedelta(days=70), ["warning: it expires in 19 days"]),
        (DOMAIN, LETS_ENCRYPT, NOW + timedelta(days=92), ["failure: it expired 3 days ago"]),
        ("other.example.org", LETS_ENCRYPT, NOW, ["failure: it is for other.example.org, not for hub.example.org"]),
        (DOMAIN, LETS_ENCRYPT_STAGING, NOW, ["warning: it is a staging certificate, which browsers refuse"]),
        (
            DOMAIN,
            LETS_ENCRYPT_STAGING,
            NOW + timedelta(days=70),
            ["warning: it expires in 19 days", "warning: it is a staging certificate"],
        ),
    ],
)
def test_certificate_is_judged(authority: Authority, name: str, directory: str, now: datetime, expected: list[str]) -> None:
    """Each of what is wrong with it is a line."""
    found = parse(authority.issue(name)[0], directory)
    said = [f"{one.level}: {one.text}" for one in certificate.judge(found, settings(), MANAGER, now)]
    assert [line.startswith(start) for line, start in zip(said, expected, strict=True)] == [True] * len(expected), said


def test_one_without_the_subdomains_is_a_failure(authority: Authority) -> None:
    """And no `fab certs` would get another one."""
    found = parse(authority.issue(DOMAIN)[0], LETS_ENCRYPT)
    given = settings(hub={"domain": DOMAIN, "subdomains": True})
    (said,) = certificate.judge(found, given, MANAGER, NOW)
    assert (said.level, said.text) == ("failure", f"it is for {DOMAIN}, not for *.{DOMAIN}")
    assert "certs.certificate" in said.remedy


def test_none_yet_is_a_warning() -> None:
    """Before the first deploy there is none."""
    (found,) = certificate.judge(None, settings(), MANAGER, NOW)
    assert (found.level, found.remedy) == ("warning", "Get it: fab certs")
