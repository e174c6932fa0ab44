"""Certbot in its container: what it is told, what it is given, and what its failures mean."""

import io
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from swarmhub.certificate import certbot, certs
from swarmhub.certificate.certbot import Certbot, CertificateRequest
from swarmhub.errors import StepError
from swarmhub.host import EngineError, Output
from tests.unit.support.fakes import DOMAIN, MANAGER, FakeHost, FakeProgress, in_turn, settings

STAGING = "https://acme-staging-v02.api.letsencrypt.org/directory"
PRODUCTION = "https://acme-v02.api.letsencrypt.org/directory"


def wanted(**table: Any) -> CertificateRequest:
    """Return the certificate that hosts.toml asks for."""
    return certs.desired(settings(certs=table))


def test_certbot_is_asked_for_the_domain_and_nothing_is_asked_back() -> None:
    """Certbot's arguments are those of its present version, for one domain, by HTTP on its own server."""
    assert certbot.arguments(wanted(email="ops@example.org"), PRODUCTION, force=False) == [
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
def by_dns(tmp_path: Path) -> CertificateRequest:
    """Return a wildcard to have, by DNS."""
    (tmp_path / "rfc2136.ini").write_text("dns_rfc2136_secret = hush\n")
    return wanted(dns="rfc2136", dns_credentials=str(tmp_path / "rfc2136.ini"), dns_propagation=10, wildcard=True)


def test_by_dns_certbot_is_told_its_plugin_and_both_names(by_dns: CertificateRequest) -> None:
    """And where the credentials are; nothing listens on a port, and the proxy's is not asked."""
    given = certbot.arguments(replace(by_dns, by_proxy=True), PRODUCTION, force=False)
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
    assert certbot.container(by_dns, PRODUCTION, force=False)["HostConfig"] == {"Binds": ["/etc/letsencrypt:/etc/letsencrypt"]}


def test_credentials_for_dns_reach_certbot_by_a_file_that_only_root_reads(by_dns: CertificateRequest) -> None:
    """They are in no argument, no environment and no plan; port 80 is not looked at."""
    host = manager(listening="LISTEN 0 511 0.0.0.0:80 0.0.0.0:*\n")
    host.engine.answers["GET /images/certbot/dns-rfc2136:v5.1.0/json"] = {"Id": "sha256:d"}
    Certbot(by_dns, STAGING, force=False)(host, FakeProgress())
    with tarfile.open(fileobj=io.BytesIO(host.engine.sent("PUT /containers/c1/archive").body)) as tar:
        (file,) = tar
        content = tar.extractfile(file)
        assert content is not None
        assert (file.name, file.mode, content.read()) == ("swarmhub-dns-credentials", 0o600, b"dns_rfc2136_secret = hush\n")
    assert "hush" not in str(host.engine.sent("POST /containers/create").body) + repr(Certbot(by_dns, STAGING, force=False))


@pytest.mark.parametrize(
    ("said", "remedy"),
    [
        ("The record is not there", r"Are certs\.dns_credentials those of the domain's zone"),
        (
            "certbot: error: unrecognized arguments: --dns-rfc2136-credentials /x",
            "dns-rfc2136:v5.1.0 has no plugin dns-rfc2136",
        ),
        ("The requested dns-rfc2136 plugin does not appear to be installed", r"name an image with it: certs\.image"),
    ],
)
def test_a_failure_by_dns_asks_about_dns(by_dns: CertificateRequest, said: str, remedy: str) -> None:
    """Port 80 is not to blame."""
    host = manager(said, code=1)
    with pytest.raises(StepError, match=remedy):
        Certbot(by_dns, STAGING, force=False)(host, FakeProgress())


def test_certbots_container_has_port_80_and_the_folder_and_no_more() -> None:
    """No environment; what is forced is not kept, and without an address an account without one is made, said explicitly."""
    body = certbot.container(wanted(email=None), STAGING, force=True)
    assert body["HostConfig"] == {
        "Binds": ["/etc/letsencrypt:/etc/letsencrypt"],
        "PortBindings": {"80/tcp": [{"HostPort": "80"}]},
    }
    assert body["Env"] == []
    given = certbot.arguments(wanted(email=None), STAGING, force=True)
    assert ({"--force-renewal", "--register-unsafely-without-email"} - {*given}, "--email" in given) == (set(), False)
    assert "--keep-until-expiring" not in given


@pytest.mark.parametrize(("is_there", "words"), [(True, ["--account", "abc"]), (False, [])])
def test_the_account_of_the_certificate_before_is_named(is_there: bool, words: list[str]) -> None:
    """Of several certbot would ask; one that was removed there is none, and certbot makes another."""
    host = manager(*SUCCESS)
    file = "/etc/letsencrypt/accounts/acme-staging-v02.api.letsencrypt.org/directory/abc/regr.json"
    host.commands[f"stat -Lc %s {file}"] = Output(0, "80\n", "") if is_there else Output(1, "", "No such file or directory")
    Certbot(wanted(), STAGING, force=True, account="abc")(host, FakeProgress())
    (body,) = (one.body for one in host.engine.requests if str(one) == "POST /containers/create")
    assert [word for word in body["Cmd"] if word in ("--account", "abc")] == words


SS = "ss -Hltnp sport = :80"


SUCCESS = [
    "Saving debug log to /var/log/letsencrypt/letsencrypt.log",
    f"Requesting a certificate for {DOMAIN}",
    "",
    "Successfully received certificate.",
    "NEXT STEPS:",
    "- The certificate will need to be renewed before it expires.",
]


def manager(*said: str, code: int = 0, listening: str = "", answers: dict[str, Any] | None = None) -> FakeHost:
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
    Certbot(wanted(**table), STAGING, force=False)(host, progress or FakeProgress())


def test_certbots_container_is_made_run_followed_and_removed() -> None:
    """In this order, with no pull of an image that is there; its log is shown without its file, empty lines and next steps."""
    host, progress = manager(), FakeProgress()
    get_certificate(host, progress)
    assert host.engine.asked()[2:] == [
        "POST /containers/create",
        "POST /containers/c1/start",
        "GET /containers/c1/logs",
        "POST /containers/c1/wait",
        "DELETE /containers/c1",
    ]
    assert host.engine.sent("GET /containers/c1/logs").params == {"follow": True}
    assert progress.lines == [
        (MANAGER, f"Requesting a certificate for {DOMAIN}"),
        (MANAGER, "Successfully received certificate."),
    ]


def test_a_private_authoritys_ca_reaches_certbot(tmp_path: Path) -> None:
    """The CA file is put into the container before it starts, where its environment points."""
    (tmp_path / "ca.pem").write_text("-----BEGIN CERTIFICATE-----")
    host = manager()
    get_certificate(host, ca=str(tmp_path / "ca.pem"))
    put = host.engine.sent("PUT /containers/c1/archive")
    with tarfile.open(fileobj=io.BytesIO(put.body)) as tar:
        (name,) = tar.getnames()
    asked = host.engine.asked()
    assert host.engine.sent("POST /containers/create").body["Env"] == [f"REQUESTS_CA_BUNDLE={put.params['path']}{name}"]
    assert asked.index("PUT /containers/c1/archive") < asked.index("POST /containers/c1/start")


def test_certbots_image_is_pulled_if_it_is_missing() -> None:
    """A manager without the image pulls it first."""
    host = manager(answers={"GET /images/certbot/certbot:v5.1.0/json": EngineError(MANAGER, 404, "No such image")})
    get_certificate(host)
    assert host.engine.sent("POST /images/create").params == {"fromImage": "certbot/certbot", "tag": "v5.1.0"}


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
        (
            ["Failed to renew certificate hub with error: no such record", "1 renew failure(s), 0 parse failure(s)"],
            "failed: no such record",
            "Does ",
        ),
        (
            ["Missing property in the file:", ' * Property "dns_server" not found.'],
            'failed: Property "dns_server" not',
            "Does ",
        ),
    ],
    ids=["detail", "last line", "untrusted server", "rate limit", "silence", "renewal", "item of a list"],
)
def test_a_failure_of_certbot_says_why_and_what_helps(said: list[str], cause: str, remedy: str) -> None:
    """The authority's own detail, or else certbot's last line, and what helps; another try would only burn the rate limit."""
    host = manager(*said, code=1)
    with pytest.raises(StepError) as failed:
        get_certificate(host)
    assert (cause in failed.value.cause, remedy in failed.value.remedy) == (True, True)
    assert host.engine.asked().count("POST /containers/create") == 1


def test_certbots_container_goes_even_if_it_fails() -> None:
    """A container that could not be started is removed all the same: it would keep port 80."""
    host = manager(answers={"POST /containers/c1/start": EngineError(MANAGER, 500, "cannot start")})
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
    host = manager(listening=listening, answers={"GET /containers/json": containers})
    with pytest.raises(StepError, match=f"port 80 is taken by {holder}; .* Stop it for the moment"):
        get_certificate(host)
    assert "POST /containers/create" not in host.engine.asked()


@pytest.mark.parametrize("containers", [[], [container("website", 8080)]])
def test_a_free_port_80_is_not_refused(containers: list[dict[str, Any]]) -> None:
    """A container whose own port 80 is published elsewhere does not hold the host's."""
    host = manager(answers={"GET /containers/json": containers})
    get_certificate(host)
    assert "POST /containers/c1/start" in host.engine.asked()


NONCE = "JWS has an invalid anti-replay nonce: q5TPYUt6kG0-eba_GDrFmg"


def test_a_nonce_that_is_refused_is_asked_for_again() -> None:
    """Authorities refuse one now and then, as RFC 8555 lets them; certbot alone gives up after the second."""
    host = manager(NONCE, answers={"POST /containers/c1/wait": in_turn({"StatusCode": 1}, {"StatusCode": 0})})
    get_certificate(host)
    assert host.engine.asked().count("POST /containers/create") == 2


def test_an_authority_that_always_refuses_nonces_is_told() -> None:
    """The third time is the last."""
    host = manager(NONCE, code=1)
    with pytest.raises(StepError, match="anti-replay nonce"):
        get_certificate(host)
    assert host.engine.asked().count("POST /containers/create") == 3


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Pass the time at once, and return what was waited."""
    waited: list[float] = []
    monkeypatch.setattr("swarmhub.certificate.certbot.time.sleep", waited.append)
    return waited


def test_another_certbot_on_the_manager_is_waited_for(slept: list[float]) -> None:
    """The renewal on the cluster asks twice a day, and certbot does not run twice at once."""
    ends = in_turn({"StatusCode": 1}, {"StatusCode": 0})
    logs = in_turn([certbot.BUSY], SUCCESS)
    get_certificate(manager(answers={"POST /containers/c1/wait": ends, "GET /containers/c1/logs": logs}))
    assert slept == [certbot.BUSY_SECONDS]


def test_another_certbot_that_goes_on_is_told(slept: list[float]) -> None:
    """After two minutes."""
    with pytest.raises(StepError, match=r"already running\. That is usually the renewal on the cluster"):
        get_certificate(manager(certbot.BUSY, code=1))
    assert sum(slept) == 120


def test_certbot_goes_by_an_http_proxy_whose_password_the_engine_does_not_show() -> None:
    """It is in a file that only root reads; without a proxy the image's own command runs."""
    variables = {"HTTPS_PROXY": SecretStr("http://jane:it's@proxy:3128")}
    body = certbot.container(replace(wanted(), variables=variables), PRODUCTION, force=False)
    assert (body["Entrypoint"][0], "jane" in str(body)) == ("sh", False)
    answers = {"POST /containers/create": {"Id": "c1"}, "POST /containers/c1/wait": {"StatusCode": 0}}
    host = FakeHost(answers={**answers, "GET /containers/c1/logs": []})
    Certbot(replace(wanted(), variables=variables, by_proxy=True), PRODUCTION, force=False)(host, FakeProgress())
    with tarfile.open(fileobj=io.BytesIO(host.engine.sent("PUT /containers/c1/archive").body)) as tar:
        (file,) = [one for one in tar if one.name == "swarmhub-variables"]
        content = tar.extractfile(file)
    assert (file.mode, content and content.read()) == (0o600, b"HTTPS_PROXY='http://jane:it'\"'\"'s@proxy:3128'\n")
    assert "Entrypoint" not in certbot.container(wanted(), PRODUCTION, force=False)
