"""The certificate: what the manager holds, whether it still does, and how certbot is asked for another."""

import io
import tarfile
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from swarmhub import certs
from swarmhub.certs import Certificate, Wanted
from swarmhub.errors import SettingsError, StepError
from swarmhub.host import EngineError, Output
from swarmhub.plan import Cost, Plan
from tests.unit.authority import NOW, Authority
from tests.unit.fakes import DOMAIN, MANAGER, FakeHost, FakeProgress, in_turn, settings

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


def wanted(**table: Any) -> Wanted:
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
    assert wanted(**table).directory(found) == directory


def test_the_ca_file_is_read(tmp_path: Path) -> None:
    """The file that certs.ca names is read on this machine."""
    (tmp_path / "ca.pem").write_text("the CA")
    assert wanted(ca=str(tmp_path / "ca.pem")).ca == "the CA"


def test_a_ca_file_that_is_not_there_is_named_with_its_key(tmp_path: Path) -> None:
    """A missing CA file is a mistake of the settings, found before certbot runs."""
    with pytest.raises(SettingsError, match=r"nothere\.pem:1: no such file or directory; certs\.ca names it"):
        wanted(ca=str(tmp_path / "nothere.pem"))


def test_what_the_manager_holds_is_read_off_its_files(authority: Authority) -> None:
    """Names, issuer and life come from the chain, the ACME directory from certbot's renewal file."""
    chain, _ = authority.issue(DOMAIN, f"www.{DOMAIN}", days=90)
    host = FakeHost(commands={CHAIN: Output(0, chain, ""), RENEWAL: Output(0, RENEWAL_FILE, "")})
    found = certs.observe(host, settings())
    assert found is not None
    assert found.names == {DOMAIN, f"www.{DOMAIN}"}
    assert (found.issuer, found.directory, found.chain) == ("CN=Test CA", STAGING, chain)
    assert found.not_after - found.not_before == timedelta(days=90)


def test_a_manager_without_a_certificate_holds_none() -> None:
    """That the file is not there is no error."""
    assert certs.observe(FakeHost(), settings()) is None


def test_a_folder_that_may_not_be_read_is_an_error_and_not_a_missing_certificate() -> None:
    """A user without the right to read certbot's folder is told so; no second certificate is asked for."""
    host = FakeHost(commands={CHAIN: Output(1, "", f"{CHAIN[:3]}: {CHAIN[4:]}: Permission denied\n")})
    with pytest.raises(StepError, match=r"may not read /etc/letsencrypt\. Log in as root, or set ssh\.sudo = true"):
        certs.observe(host, settings())


def test_a_chain_without_a_renewal_file_has_no_directory(authority: Authority) -> None:
    """A certificate that was put there by hand is from no ACME directory."""
    chain, _ = authority.issue(DOMAIN)
    found = certs.observe(FakeHost(commands={CHAIN: Output(0, chain, "")}), settings())
    assert found is not None
    assert found.directory == ""


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


def test_a_certificate_that_is_required_and_there_is_returned(held: Certificate) -> None:
    """What the service stands on is passed on."""
    assert certs.require(held, MANAGER) is held


def test_a_certificate_that_is_required_and_missing_names_its_step() -> None:
    """Without a certificate the message says how to get one."""
    with pytest.raises(StepError, match=r"there is no certificate yet\. Get it first: fab certs"):
        certs.require(None, MANAGER)


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


def test_an_expired_certificate_is_due(held: Certificate) -> None:
    """A certificate past its end is renewed like one that is due."""
    assert [change.verb for change in planned(held, now=NOW + timedelta(days=100)).changes] == ["renew"]


@pytest.mark.parametrize(
    ("case", "verb", "argument", "cost"),
    [
        ("missing", "issue", "--keep-until-expiring", Cost.NOTHING),
        ("another directory", "replace", "--force-renewal", Cost.HUB_RESTART),
        ("another name", "replace", "--force-renewal", Cost.HUB_RESTART),
        ("due", "renew", "--force-renewal", Cost.HUB_RESTART),
    ],
)
def test_what_is_done_about_a_certificate(
    authority: Authority, held: Certificate, case: str, verb: str, argument: str, cost: Cost
) -> None:
    """Another directory or name takes a certificate that certbot must be forced to get; what is due is renewed in its time."""
    wrong, _ = authority.issue("other.example.org")
    found = {"missing": None, "another name": certs.parse(wrong, STAGING)}.get(case, held)
    (change,) = planned(
        found, now=NOW + timedelta(days=60 if case == "due" else 0), staging=case != "another directory"
    ).changes
    host = certbot()
    change.apply(host, FakeProgress())
    assert (change.verb, change.cost) == (verb, cost)
    assert argument in host.engine.sent("POST /containers/create").body["Cmd"]


def test_certbot_is_asked_for_the_domain_and_nothing_is_asked_back() -> None:
    """Certbot's arguments are those of its present version, for one domain, by HTTP on its own server."""
    assert certs.arguments(wanted(email="ops@example.org"), PRODUCTION, force=False) == [
        "certonly",
        "--non-interactive",
        "--standalone",
        "--preferred-challenges=http",
        "--agree-tos",
        "--server",
        PRODUCTION,
        "--cert-name",
        DOMAIN,
        "--domain",
        DOMAIN,
        "--email",
        "ops@example.org",
        "--keep-until-expiring",
    ]


@pytest.fixture
def by_dns(tmp_path: Path) -> Wanted:
    """Return a wildcard to have, by DNS."""
    (tmp_path / "rfc2136.ini").write_text("dns_rfc2136_secret = hush\n")
    return wanted(dns="rfc2136", dns_credentials=str(tmp_path / "rfc2136.ini"), dns_propagation=10, wildcard=True)


def test_by_dns_certbot_is_told_its_plugin_and_both_names(by_dns: Wanted) -> None:
    """And where the credentials are; nothing listens on a port."""
    given = certs.arguments(by_dns, PRODUCTION, force=False)
    assert given[2:8] == [
        "--authenticator",
        "dns-rfc2136",
        "--dns-rfc2136-credentials",
        "/swarmhub-dns-credentials",
        "--dns-rfc2136-propagation-seconds",
        "10",
    ]
    assert [given[at + 1] for at, word in enumerate(given) if word == "--domain"] == [DOMAIN, f"*.{DOMAIN}"]
    assert ("--preferred-challenges=dns" in given, "--standalone" in given) == (True, False)
    assert certs.container(by_dns, PRODUCTION, force=False)["HostConfig"] == {"Binds": ["/etc/letsencrypt:/etc/letsencrypt"]}


def test_the_proxy_does_not_matter_where_dns_proves_the_domain(by_dns: Wanted) -> None:
    """Its port 80 is not asked."""
    assert certs.arguments(replace(by_dns, by_proxy=True), PRODUCTION, force=True) == certs.arguments(
        by_dns, PRODUCTION, force=True
    )


def test_credentials_for_dns_reach_certbot_by_a_file_that_only_root_reads(by_dns: Wanted) -> None:
    """They are in no argument, no environment and no plan; port 80 is not looked at."""
    host = certbot(listening="LISTEN 0 511 0.0.0.0:80 0.0.0.0:*\n")
    host.engine.answers["GET /images/certbot/dns-rfc2136:v5.1.0/json"] = {"Id": "sha256:d"}
    (change,) = certs.plan(by_dns, None, MANAGER, NOW).changes
    change.apply(host, FakeProgress())
    with tarfile.open(fileobj=io.BytesIO(host.engine.sent("PUT /containers/c1/archive").body)) as tar:
        (file,) = tar
        content = tar.extractfile(file)
        assert content is not None
        assert (file.name, file.mode, content.read()) == ("swarmhub-dns-credentials", 0o600, b"dns_rfc2136_secret = hush\n")
    assert (
        "hush" not in str(host.engine.sent("POST /containers/create").body) + repr(change) + repr(change.apply) + change.command
    )


def test_route53_takes_its_credentials_as_awss_tools_do(tmp_path: Path) -> None:
    """Its plugin has no options; it waits for the record by itself."""
    (tmp_path / "aws").write_text("[default]\n")
    by_aws = wanted(dns="route53", dns_credentials=str(tmp_path / "aws"))
    assert certs.arguments(by_aws, PRODUCTION, force=False)[2:5] == [
        "--authenticator",
        "dns-route53",
        "--preferred-challenges=dns",
    ]
    assert certs.container(by_aws, PRODUCTION, force=False)["Env"] == ["AWS_SHARED_CREDENTIALS_FILE=/swarmhub-dns-credentials"]


def test_credentials_that_are_not_there_are_a_mistake_of_the_settings(tmp_path: Path) -> None:
    """Named with their key, before anything is connected to."""
    with pytest.raises(SettingsError, match=r"nothere\.ini:1: no such file or directory; certs\.dns_credentials names it"):
        wanted(dns="rfc2136", dns_credentials=str(tmp_path / "nothere.ini"))


def test_a_failure_by_dns_asks_about_dns(by_dns: Wanted) -> None:
    """Port 80 is not to blame."""
    host = certbot("The record is not there", code=1)
    (change,) = certs.plan(by_dns, None, MANAGER, NOW).changes
    with pytest.raises(StepError, match=r"Are certs\.dns_credentials those of the domain's zone"):
        change.apply(host, FakeProgress())


@pytest.mark.parametrize(("names", "verbs"), [((DOMAIN,), ["replace"]), ((DOMAIN, f"*.{DOMAIN}"), [])])
def test_a_wildcard_that_is_missing_is_asked_for(
    authority: Authority, by_dns: Wanted, names: tuple[str, ...], verbs: list[str]
) -> None:
    """Beside the domain: one stands for names below it only."""
    found = certs.parse(authority.issue(*names)[0], STAGING)
    assert [change.verb for change in certs.plan(by_dns, found, MANAGER, NOW).changes] == verbs


@pytest.mark.parametrize("force", [True, False])
def test_certbot_is_never_told_to_renew_and_to_keep(force: bool) -> None:
    """Forcing a renewal and keeping what holds exclude each other."""
    given = set(certs.arguments(wanted(), STAGING, force=force))
    assert len(given & {"--force-renewal", "--keep-until-expiring"}) == 1


def test_without_an_address_certbot_registers_without_one() -> None:
    """No email in hosts.toml means an account without one, said explicitly."""
    given = certs.arguments(wanted(email=None), STAGING, force=False)
    assert ("--register-unsafely-without-email" in given, "--email" in given) == (True, False)


def test_certbots_container_has_port_80_and_the_folder_and_no_more() -> None:
    """The container gets the port the authority asks at and certbot's folder, and no environment."""
    body = certs.container(wanted(), STAGING, force=False)
    assert body["HostConfig"] == {
        "Binds": ["/etc/letsencrypt:/etc/letsencrypt"],
        "PortBindings": {"80/tcp": [{"HostPort": "80"}]},
    }
    assert body["Env"] == []


SS = "ss -Hltnp sport = :80"
SUCCESS = [
    "Saving debug log to /var/log/letsencrypt/letsencrypt.log",
    f"Requesting a certificate for {DOMAIN}",
    "",
    "Successfully received certificate.",
    "NEXT STEPS:",
    "- The certificate will need to be renewed before it expires.",
]


def certbot(*said: str, code: int = 0, listening: str = "", answers: dict[str, Any] | None = None) -> FakeHost:
    """Return a manager whose certbot says these lines and ends with this code."""
    image = "certbot/certbot:v5.1.0"
    return FakeHost(
        answers={
            "GET /containers/json": [],
            f"GET /images/{image}/json": {"Id": "sha256:c"},
            "POST /containers/create": {"Id": "c1", "Warnings": []},
            "GET /containers/c1/logs": list(said or SUCCESS),
            "POST /containers/c1/wait": {"StatusCode": code},
        }
        | (answers or {}),
        commands={SS: Output(0, listening, "")},
    )


def get_certificate(host: FakeHost, progress: FakeProgress | None = None, **table: Any) -> None:
    """Run certbot on the host, as if it had no certificate."""
    (change,) = planned(None, **table).changes
    change.apply(host, progress or FakeProgress())


def test_certbots_container_is_made_run_followed_and_removed() -> None:
    """The requests come in this order, and the log is followed until certbot ends."""
    host = certbot()
    get_certificate(host)
    assert host.engine.asked()[2:] == [
        "POST /containers/create",
        "POST /containers/c1/start",
        "GET /containers/c1/logs",
        "POST /containers/c1/wait",
        "DELETE /containers/c1",
    ]
    assert host.engine.sent("GET /containers/c1/logs").params == {"follow": True}


def test_certbots_own_advertising_is_not_repeated() -> None:
    """Progress shows what certbot does, without its log file, its empty lines and its next steps."""
    progress = FakeProgress()
    get_certificate(certbot(), progress)
    assert progress.lines == [
        (MANAGER, f"Requesting a certificate for {DOMAIN}"),
        (MANAGER, "Successfully received certificate."),
    ]


def test_a_private_authoritys_ca_reaches_certbot(tmp_path: Path) -> None:
    """The CA file is put into the container before it starts, where its environment points."""
    (tmp_path / "ca.pem").write_text("the CA")
    host = certbot()
    get_certificate(host, ca=str(tmp_path / "ca.pem"))
    put = host.engine.sent("PUT /containers/c1/archive")
    with tarfile.open(fileobj=io.BytesIO(put.body)) as tar:
        (name,) = tar.getnames()
    asked = host.engine.asked()
    assert host.engine.sent("POST /containers/create").body["Env"] == [f"REQUESTS_CA_BUNDLE={put.params['path']}{name}"]
    assert asked.index("PUT /containers/c1/archive") < asked.index("POST /containers/c1/start")


def test_certbots_image_is_pulled_if_it_is_missing() -> None:
    """A manager without the image pulls it first, with the login for its registry."""
    host = certbot(answers={"GET /images/certbot/certbot:v5.1.0/json": EngineError(MANAGER, 404, "No such image")})
    get_certificate(host)
    assert host.engine.sent("POST /images/create").params == {
        "image": "certbot/certbot:v5.1.0",
        "fromImage": "certbot/certbot",
        "tag": "v5.1.0",
    }


def test_certbots_image_is_not_pulled_twice() -> None:
    """A manager that holds the image pulls nothing."""
    host = certbot()
    get_certificate(host)
    assert "POST /images/create" not in host.engine.asked()


REFUSED = [
    f"Requesting a certificate for {DOMAIN}",
    "Certbot failed to authenticate some domains (authenticator: standalone). The Certificate Authority reported:",
    f"  Domain: {DOMAIN}",
    "  Type:   connection",
    "  Detail: 192.0.2.7: Fetching http://hub.example.org/.well-known/: Timeout during connect (likely firewall problem)",
    "",
    "Some challenges have failed.",
    "Ask for help or search for solutions at https://community.letsencrypt.org.",
    "See the logfile /var/log/letsencrypt/letsencrypt.log for more details.",
]


@pytest.mark.parametrize(
    ("said", "cause", "remedy"),
    [
        (
            REFUSED,
            "certbot failed: 192.0.2.7: Fetching http://hub.example.org/.well-known/: Timeout during connect",
            f"Does {DOMAIN} lead to this manager, and is port 80 open to the internet?",
        ),
        (["Some challenges have failed.", REFUSED[-2], ""], "certbot failed: Some challenges have failed", "Does "),
        (["An error: [SSL: CERTIFICATE_VERIFY_FAILED] self-signed"], "CERTIFICATE_VERIFY_FAILED", "set certs.ca to a file"),
        (
            ["urn:ietf:params:acme:error:rateLimited :: too many certificates already issued, retry after 2026-11-20"],
            "too many certificates already issued, retry after 2026-11-20",
            "That is a rate limit: wait as it says, and try with staging = true",
        ),
        ([""], "certbot failed: it says nothing", "Does "),
    ],
    ids=["detail", "last line", "untrusted server", "rate limit", "silence"],
)
def test_a_failure_of_certbot_says_why_and_what_helps(said: list[str], cause: str, remedy: str) -> None:
    """The error holds the authority's own detail, or else certbot's last line, and what helps against it."""
    with pytest.raises(StepError) as failed:
        get_certificate(certbot(*said, code=1))
    assert (cause in failed.value.cause, failed.value.remedy.startswith(remedy) or remedy in failed.value.remedy) == (
        True,
        True,
    )


def test_certbots_container_goes_even_if_it_fails() -> None:
    """A container that could not be started is removed all the same: it would keep port 80."""
    host = certbot(answers={"POST /containers/c1/start": EngineError(MANAGER, 500, "cannot start")})
    with pytest.raises(EngineError):
        get_certificate(host)
    assert host.engine.sent("DELETE /containers/c1").params == {"force": True, "v": True}


def container(name: str, port: int) -> dict[str, Any]:
    """Return what an engine lists of a container that publishes its port 80."""
    return {
        "Id": name,
        "Names": [f"/{name}"],
        "Ports": [{"IP": "::", "PrivatePort": 80, "PublicPort": port, "Type": "tcp"}],
    }


@pytest.mark.parametrize(
    ("containers", "listening", "holder"),
    [
        ([container("website", 80)], "", "the container website"),
        (
            [],
            'LISTEN 0 511 0.0.0.0:80 0.0.0.0:* users:(("nginx",pid=812,fd=6),("nginx",pid=811,fd=6))\n',
            r"the process nginx \(pid 812\)",
        ),
        ([], "LISTEN 0 511 0.0.0.0:80 0.0.0.0:*\n", r"a process that this user may not see \(try there: sudo ss -ltnp\)"),
    ],
)
def test_what_holds_port_80_is_named(containers: list[dict[str, Any]], listening: str, holder: str) -> None:
    """A port that is taken stops the step before certbot is asked, naming the container or process."""
    host = certbot(listening=listening, answers={"GET /containers/json": containers})
    with pytest.raises(StepError, match=f"port 80 is taken by {holder}; .* Stop it for the moment"):
        get_certificate(host)
    assert "POST /containers/create" not in host.engine.asked()


@pytest.mark.parametrize("containers", [[], [container("website", 8080)]])
def test_a_free_port_80_is_not_refused(containers: list[dict[str, Any]]) -> None:
    """A container whose own port 80 is published elsewhere does not hold the host's."""
    host = certbot(answers={"GET /containers/json": containers})
    get_certificate(host)
    assert "POST /containers/c1/start" in host.engine.asked()


@pytest.mark.parametrize(
    ("found", "paths"),
    [
        (lambda held: None, ["server", "names"]),
        (lambda held: replace(held, directory=PRODUCTION), []),
        (lambda held: replace(held, directory="https://acme.example.org"), ["server"]),
        (lambda held: replace(held, names=frozenset({"other.example.org"})), ["names"]),
        (lambda held: replace(held, not_before=NOW - timedelta(days=87), not_after=NOW + timedelta(days=3)), ["days left"]),
    ],
    ids=["none", "as wanted", "another server", "another name", "due"],
)
def test_a_plan_says_what_is_not_as_wanted(held: Certificate, found: Any, paths: list[str]) -> None:
    """The server, the names, or the days that are left."""
    assert [item.path for change in planned(found(held)).changes for item in change.differences] == paths


def test_only_a_first_certificate_costs_nothing(held: Certificate) -> None:
    """Another one reaches people when the hub has restarted."""
    due = replace(held, not_before=NOW - timedelta(days=87), not_after=NOW + timedelta(days=3))
    assert [planned(one).changes[0].cost for one in (None, due)] == [Cost.NOTHING, Cost.HUB_RESTART]


def test_a_person_can_type_certbots_command() -> None:
    """With the arguments that it gets here."""
    (change,) = planned(None).changes
    assert (change.command.startswith("docker run --rm "), f" --domain {DOMAIN} " in change.command) == (True, True)


NONCE = "JWS has an invalid anti-replay nonce: q5TPYUt6kG0-eba_GDrFmg"


def test_a_nonce_that_is_refused_is_asked_for_again() -> None:
    """Authorities refuse one now and then, as RFC 8555 lets them; certbot alone gives up after the second."""
    host = certbot(NONCE, answers={"POST /containers/c1/wait": in_turn({"StatusCode": 1}, {"StatusCode": 0})})
    get_certificate(host)
    assert host.engine.asked().count("POST /containers/create") == 2


def test_an_authority_that_always_refuses_nonces_is_told() -> None:
    """The third time is the last."""
    host = certbot(NONCE, code=1)
    with pytest.raises(StepError, match="anti-replay nonce"):
        get_certificate(host)
    assert host.engine.asked().count("POST /containers/create") == 3


def test_another_failure_is_not_tried_again() -> None:
    """It would only burn the rate limit."""
    host = certbot(*REFUSED, code=1)
    with pytest.raises(StepError):
        get_certificate(host)
    assert host.engine.asked().count("POST /containers/create") == 1
