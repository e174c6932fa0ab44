"""How the certificate stands."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from swarmhub.certificate.certs import parse
from swarmhub.doctor.hub import certificate
from swarmhub.settings.schema.certs import LETS_ENCRYPT, LETS_ENCRYPT_STAGING
from tests.unit.support.authority import NOW, Authority
from tests.unit.support.fakes import DOMAIN, MANAGER, settings


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


@pytest.mark.parametrize(
    ("is_own", "remedy"), [(False, "Get another one: fab certs"), (True, "Put a newer one at certs.certi")]
)
def test_what_helps_depends_on_where_it_comes_from(authority: Authority, is_own: bool, remedy: str) -> None:
    """Certbot gets another one; one's own is put at its place; before the first deploy there is none."""
    found = replace(parse(authority.issue(DOMAIN)[0], ""), is_own=is_own)
    said = certificate.judge(found, settings(), MANAGER, NOW + timedelta(days=70))
    assert [one.remedy.startswith(remedy) for one in said] == [True]
    (none,) = certificate.judge(None, settings(), MANAGER, NOW)
    assert (none.level, none.remedy) == ("warning", "Get it: fab certs")


@pytest.mark.parametrize(("names", "level"), [((DOMAIN,), "failure"), ((DOMAIN, f"*.{DOMAIN}"), "ok")])
@pytest.mark.parametrize(("wildcard", "subdomains"), [(True, False), (False, True)])
def test_a_wildcard_that_is_wanted_has_to_be_in_it(
    authority: Authority, names: tuple[str, ...], level: str, wildcard: bool, subdomains: bool
) -> None:
    """Beside the domain itself, for which it does not stand; users' own domains want one."""
    wanted = settings(
        hub={"domain": DOMAIN, "subdomains": subdomains},
        certs={"wildcard": wildcard, "dns": "rfc2136", "dns_credentials": "rfc2136.ini"},
    )
    (said,) = certificate.judge(parse(authority.issue(*names)[0], LETS_ENCRYPT), wanted, MANAGER, NOW)
    assert (said.level, f"not for *.{DOMAIN}" in said.text) == (level, level == "failure")
