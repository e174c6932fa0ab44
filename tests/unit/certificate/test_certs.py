"""The certificate: what the manager holds, whether it still does, and how certbot is asked for another."""

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from swarmhub.certificate import certbot, certs
from swarmhub.certificate.certbot import CertificateRequest
from swarmhub.certificate.certs import Certificate
from swarmhub.errors import SettingsError, StepError
from swarmhub.host import Output
from swarmhub.plan.plans import Cost, Plan
from tests.unit.support.authority import NOW, Authority
from tests.unit.support.fakes import DOMAIN, MANAGER, FakeHost, settings

STAGING = "https://acme-staging-v02.api.letsencrypt.org/directory"
PRODUCTION = "https://acme-v02.api.letsencrypt.org/directory"
CHAIN = f"cat /etc/letsencrypt/live/{DOMAIN}/fullchain.pem"
RENEWAL = f"cat /etc/letsencrypt/renewal/{DOMAIN}.conf"
RENEWAL_FILE = f"""# renew_before_expiry = 30 days
version = 5.1.0
archive_dir = /etc/letsencrypt/archive/{DOMAIN}
fullchain = /etc/letsencrypt/live/{DOMAIN}/fullchain.pem

[renewalparams]
account = 0123456789abcdef
authenticator = standalone
server = {STAGING}
key_type = ecdsa
"""


def wanted(**table: Any) -> CertificateRequest:
    """Return the certificate that hosts.toml asks for."""
    return certs.desired(settings(certs=table))


def planned(found: Certificate | None, *, now: datetime = NOW, **table: Any) -> Plan:
    """Return the plan for the certificate that hosts.toml asks for."""
    return certs.plan(wanted(**table), found, MANAGER, now)


@pytest.fixture(scope="module")
def held(authority: Authority) -> Certificate:
    """Return the staging server's certificate for the domain, a day old and good for 90."""
    chain, _ = authority.issue(DOMAIN)
    return certs.parse(chain, STAGING)


@pytest.mark.parametrize(
    ("table", "held_from", "directory"),
    [
        ({}, None, STAGING),
        ({}, STAGING, STAGING),
        ({}, "", STAGING),
        ({}, PRODUCTION, PRODUCTION),
        ({"staging": False}, None, PRODUCTION),
        ({"staging": False}, STAGING, PRODUCTION),
        ({"staging": False}, PRODUCTION, PRODUCTION),
        ({"staging_server": "https://acme.example.org/dir"}, None, "https://acme.example.org/dir"),
        ({"staging": False, "server": "https://acme.example.org/dir"}, STAGING, "https://acme.example.org/dir"),
    ],
)
def test_which_server_is_asked(held: Certificate, table: dict[str, Any], held_from: str | None, directory: str) -> None:
    """The staging server is asked unless hosts.toml says otherwise, and never again once there is a real certificate."""
    found = None if held_from is None else replace(held, directory=held_from)
    assert certs.directory_for(wanted(**table), found) == directory


def test_a_ca_file_that_is_not_there_is_named_with_its_key(tmp_path: Path) -> None:
    """The file that certs.ca names is read on this machine; a missing one is found before certbot runs."""
    (tmp_path / "ca.pem").write_text("-----BEGIN CERTIFICATE-----")
    assert wanted(ca=str(tmp_path / "ca.pem")).ca == "-----BEGIN CERTIFICATE-----"
    with pytest.raises(SettingsError, match=r"nothere\.pem:1: no such file or directory; certs\.ca names it"):
        wanted(ca=str(tmp_path / "nothere.pem"))


def test_what_the_manager_holds_is_read_off_its_files(authority: Authority) -> None:
    """Names, issuer and life come from the chain, the ACME directory and the account from certbot's file, if there is one."""
    chain, _ = authority.issue(DOMAIN, f"www.{DOMAIN}", days=90)
    host = FakeHost(commands={CHAIN: Output(0, chain, ""), RENEWAL: Output(0, RENEWAL_FILE, "")})
    found, by_hand = (
        certs.observe(host, settings()),
        certs.observe(FakeHost(commands={CHAIN: Output(0, chain, "")}), settings()),
    )
    assert found is not None
    assert by_hand == replace(found, directory="", account="")
    assert found.account == "0123456789abcdef"
    assert found.names == {DOMAIN, f"www.{DOMAIN}"}
    assert (found.issuer, found.directory, found.chain) == ("CN=Test CA", STAGING, chain)
    assert found.not_after - found.not_before == timedelta(days=90)


def test_a_manager_without_a_certificate_holds_none() -> None:
    """That the file is not there is no error."""
    assert certs.observe(FakeHost(), settings()) is None


def test_a_folder_that_may_not_be_read_is_an_error_and_not_a_missing_certificate() -> None:
    """Where neither the user nor a container may read certbot's folder, that is said; no second certificate is asked for."""
    host = FakeHost(commands={CHAIN: Output(1, "", f"{CHAIN[:3]}: {CHAIN[4:]}: Permission denied\n")})
    with pytest.raises(
        StepError, match=r"may not read /etc/letsencrypt, nor may a container: .*\. Log in as root, or set ssh\.sudo = true"
    ):
        certs.observe(host, settings())


@pytest.mark.parametrize(
    "content",
    ["", "this is not PEM\n", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"],
    ids=["empty", "no PEM", "cut short"],
)
def test_a_chain_that_is_damaged_is_an_error_of_the_step(content: str) -> None:
    """A file that was cut short by a full disk gives a line that names the host, not a traceback."""
    host = FakeHost(commands={CHAIN: Output(0, content, ""), RENEWAL: Output(0, RENEWAL_FILE, "")})
    with pytest.raises(StepError, match=MANAGER):
        certs.observe(host, settings())


def test_the_fingerprint_tells_one_certificate_from_the_next(authority: Authority) -> None:
    """Two certificates for the same name have different fingerprints: that restarts the hub."""
    fingerprints = {certs.parse(authority.issue(DOMAIN)[0], STAGING).fingerprint for _ in range(2)}
    assert len(fingerprints) == 2


def test_a_certificate_that_is_required_and_missing_names_its_step(held: Certificate) -> None:
    """Without a certificate the message says how to get one; one that is there is passed on."""
    assert certs.require(held, settings(), MANAGER) is held
    with pytest.raises(StepError, match=r"there is no certificate yet\. Get it first: fab certs"):
        certs.require(None, settings(), MANAGER)


@pytest.mark.parametrize(
    ("held", "names", "lacking"),
    [
        (["hub.org"], ["hub.org"], []),
        (["HUB.org"], ["hub.org"], []),
        (["hub.org", "*.hub.org"], ["hub.org", "*.hub.org"], []),
        (["*.hub.org"], ["hub.org", "ada.hub.org"], ["hub.org"]),
        (["*.hub.org"], ["a.ada.hub.org", "*.ada.hub.org"], ["a.ada.hub.org", "*.ada.hub.org"]),
        (["hub.org", "ada.hub.org"], ["hub.org", "*.hub.org"], ["*.hub.org"]),
        (["*.org"], ["hub.org", "*.hub.org"], ["*.hub.org"]),
        (["a*.hub.org"], ["ada.hub.org"], ["ada.hub.org"]),
    ],
)
def test_a_wildcard_stands_for_one_label(authority: Authority, held: list[str], names: list[str], lacking: list[str]) -> None:
    """As browsers take it: a whole one, and not for none."""
    assert certs.parse(authority.issue(*held)[0], "").lacking(names) == lacking


def test_a_certificate_that_holds_is_kept(held: Certificate) -> None:
    """With two thirds of its life left there is nothing to do, and the summary counts the days."""
    plan = planned(held)
    assert (plan.changes, plan.summary) == ((), f"staging certificate for {DOMAIN}: 89 days left")


@pytest.mark.parametrize(
    ("days", "left", "is_due"), [(90, 31, False), (90, 29, True), (45, 16, False), (45, 14, True), (6, 1, True)]
)
def test_a_certificate_is_due_when_a_third_of_its_life_is_left(
    authority: Authority, days: int, left: int, is_due: bool
) -> None:
    """The moment to renew follows the lifetime, which shrinks, and is no fixed number of days."""
    chain, _ = authority.issue(DOMAIN, start=NOW - timedelta(days=days - left), days=days)
    assert certs.parse(chain, STAGING).is_due(NOW) is is_due


@pytest.mark.parametrize(
    ("case", "verb", "argument", "cost", "paths"),
    [
        ("missing", "issue", "--keep-until-expiring", Cost.NOTHING, ["server", "names"]),
        ("another directory", "replace", "--force-renewal", Cost.HUB_RESTART, ["server"]),
        ("another name", "replace", "--force-renewal", Cost.HUB_RESTART, ["names"]),
        ("due", "renew", "--force-renewal", Cost.HUB_RESTART, ["days left"]),
        ("expired", "renew", "--force-renewal", Cost.HUB_RESTART, ["days left"]),
    ],
)
def test_what_is_done_about_a_certificate(
    held: Certificate, case: str, verb: str, argument: str, cost: Cost, paths: list[str]
) -> None:
    """Another directory or name takes one that certbot must be forced to get; the plan says what is not as wanted."""
    held = replace(held, account="abc")
    found = {"missing": None, "another name": replace(held, names=frozenset({"other.example.org"}))}.get(case, held)
    later = timedelta(days={"due": 60, "expired": 100}.get(case, 0))
    (change,) = planned(found, now=NOW + later, staging=case != "another directory").changes
    run: Any = change.apply
    given = certbot.arguments(run.wanted, run.directory, force=run.force)
    # An account is that of one directory.
    assert run.account == ("" if "server" in paths else "abc")
    assert (change.verb, change.cost, argument in given) == (verb, cost, True)
    assert [item.path for item in change.differences] == paths


@pytest.mark.parametrize(("names", "verbs"), [((DOMAIN,), ["replace"]), ((DOMAIN, f"*.{DOMAIN}"), [])])
def test_a_wildcard_that_is_missing_is_asked_for(authority: Authority, names: tuple[str, ...], verbs: list[str]) -> None:
    """Beside the domain: one stands for names below it only."""
    found = certs.parse(authority.issue(*names)[0], STAGING)
    assert [
        change.verb for change in certs.plan(replace(wanted(), names=(DOMAIN, f"*.{DOMAIN}")), found, MANAGER, NOW).changes
    ] == verbs
