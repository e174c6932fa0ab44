"""The service that renews the certificate, and what it says of itself."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import SecretStr

from swarmhub.certificate import certbot, certs
from swarmhub.certificate.certbot import CertificateRequest
from swarmhub.certificate.dns_challenge import CREDENTIALS, Dns
from swarmhub.engine.swarm import configs
from swarmhub.host import Output
from swarmhub.plan.plans import Cost, Plan, as_values
from swarmhub.services import renewal
from swarmhub.services.hub import service as hub_service
from swarmhub.services.hub.service import Parts
from swarmhub.services.renewal import ExistingRenewal, RenewalState
from swarmhub.settings import Settings
from tests.unit.support.cluster import stored
from tests.unit.support.fakes import DOMAIN, MANAGER, FakeHost, FakeProgress, settings

PARTS = Parts("n1", "net", "jupyterhub:1", {}, "c0ffee", "cluster")
DNS = Dns("rfc2136", SecretStr("dns_rfc2136_secret = hush"), 10)
CA = "-----BEGIN CERTIFICATE-----"


def given(**table: Any) -> Settings:
    """Return settings with a separate proxy."""
    return settings(proxy={"separate": True, **table})


def wanted(ca: str | None = None, dns: Dns | None = None) -> CertificateRequest:
    """Return the certificate to have."""
    return replace(certs.desired(given()), by_proxy=True, ca=ca, dns=dns)


def desired(ca: str | None = None, dns: Dns | None = None) -> dict[str, Any]:
    """Return the service's spec."""
    return renewal.desired(given(), wanted(ca, dns), PARTS)


def found(spec: dict[str, Any] | None = None, *secrets: str) -> ExistingRenewal:
    """Return a service as an engine answers it, with the secrets that the hub and what stands beside it have."""
    there = {"ID": "s1", "Version": {"Index": 1}, "Spec": spec} if spec else None
    return ExistingRenewal(there, {name: f"id-of-{name}" for name in secrets})


@pytest.mark.parametrize(
    ("table", "is_wanted"), [({}, True), ({"separate": False}, False), ({"http_port": 8080}, False), ({"http_port": 0}, False)]
)
def test_it_needs_somebody_who_answers_on_port_80(table: dict[str, Any], is_wanted: bool) -> None:
    """Certbot's own server would stop at the proxy's port, or restart the hub."""
    assert renewal.is_wanted(given(**table)) == is_wanted


@pytest.mark.parametrize(
    ("table", "is_wanted"),
    [
        ({"separate": True, "http_port": 0}, True),
        ({"separate": False}, False),
    ],
)
def test_by_dns_it_needs_no_port_but_a_proxy_of_its_own(table: dict[str, Any], is_wanted: bool) -> None:
    """The hub's own would not serve what it gets before it restarts: that stays a deploy's matter."""
    by_dns = {"dns": "rfc2136", "dns_credentials": "rfc2136.ini"}
    assert renewal.is_wanted(settings(proxy=table, certs=by_dns)) == is_wanted


def test_it_asks_by_way_of_the_proxy() -> None:
    """Certbot decides whether the certificate is due, and takes its server and its names from what it has saved with it."""
    command = desired()["TaskTemplate"]["ContainerSpec"]["Command"]
    assert command[:3] == ["python3", "/swarmhub-renew.py", "certbot"]
    assert command[3:] == [
        "renew",
        "--non-interactive",
        "--no-random-sleep-on-renew",
        "--cert-name",
        DOMAIN,
        "--authenticator",
        "webroot",
        "--webroot-path",
        "/etc/letsencrypt",
        "--preferred-challenges=http",
    ]


@pytest.mark.parametrize(("dns", "seconds"), [(None, 600), (DNS, 610)])
def test_a_run_of_certbot_has_a_time_limit(dns: Dns | None, seconds: int) -> None:
    """By DNS it waits for the record to spread."""
    assert f"LIMIT={seconds}" in desired(dns=dns)["TaskTemplate"]["ContainerSpec"]["Env"]


def test_a_private_authority_is_trusted() -> None:
    """Its certificate is a file beside the script."""
    container = desired(CA)["TaskTemplate"]["ContainerSpec"]
    assert [one["File"]["Name"] for one in container["Configs"]] == [renewal.IN_CONTAINER, certbot.CA_IN_CONTAINER]
    assert f"REQUESTS_CA_BUNDLE={certbot.CA_IN_CONTAINER}" in container["Env"]


def test_what_is_as_wanted_is_left_alone() -> None:
    """A second deploy changes nothing; ids of configs are no difference."""
    spec = desired()
    kept = desired()
    for one in kept["TaskTemplate"]["ContainerSpec"]["Configs"]:
        one["ConfigID"] = "c1"
    assert renewal.changes(given(), wanted(), spec, found(kept), MANAGER) == []


def test_files_of_an_earlier_release_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their names end in fewer digits; the service is not replaced for that."""
    with monkeypatch.context() as earlier:
        earlier.setattr(configs, "DIGITS", configs.FORMER_DIGITS)
        before = configs.bare(desired())
    assert before != configs.bare(desired())
    assert renewal.changes(given(), wanted(), desired(), found(before), MANAGER) == []


@pytest.mark.parametrize(("before", "verb"), [(found(), "create"), (found(desired(CA)), "update")])
def test_a_change_costs_nobody_anything(before: ExistingRenewal, verb: str) -> None:
    """Nobody but certbot notices."""
    (service,) = renewal.changes(given(), wanted(), desired(), before, MANAGER)
    assert (service.verb, service.cost) == (verb, Cost.NOTHING)


def test_its_files_come_and_go_with_it() -> None:
    """What is there is not made twice, and an authority that is not asked any more leaves nothing."""
    running = {"ID": "t1", "CreatedAt": "1", "DesiredState": "running", "Status": {"State": "running"}, "Spec": {}}
    manager = FakeHost(
        MANAGER, {"GET /tasks": [running], "GET /services/jupyterhub-renewal": {"ID": "s1", "Spec": {"TaskTemplate": {}}}}
    )
    for ca in (CA, CA, "another"):
        (change,) = renewal.changes(given(), wanted(ca), desired(ca), found(), MANAGER)
        change.apply(manager, FakeProgress())
        assert manager.engine.configs.names == sorted(stored(desired(ca)))


@pytest.mark.parametrize(
    ("before", "gone"),
    [
        (found(), []),
        (found({"Name": "jupyterhub-renewal"}), ["service jupyterhub-renewal"]),
        (
            found({"Name": "jupyterhub-renewal"}, "jupyterhub-dns-credentials-0", "jupyterhub-github_client_id-1"),
            ["service jupyterhub-renewal", "secret jupyterhub-dns-credentials-0"],
        ),
    ],
)
def test_where_it_is_not_wanted_it_goes(before: ExistingRenewal, gone: list[str]) -> None:
    """One from before would fail for ever; its secret goes with it, and no other one."""
    assert [(change.verb, change.what) for change in renewal.removal(given(), before, MANAGER)] == [
        ("remove", one) for one in gone
    ]


NAME = renewal.secret_name(given(), DNS, "cluster")


def test_credentials_for_dns_are_a_secret_of_the_service() -> None:
    """Certbot's arguments name the file, and nothing else of the spec holds what is in it."""
    spec = desired(dns=DNS)
    (mounted,) = spec["TaskTemplate"]["ContainerSpec"]["Secrets"]
    assert (mounted["SecretName"], mounted["File"]["Name"], mounted["File"]["Mode"]) == (NAME, CREDENTIALS, 0o400)
    assert CREDENTIALS in spec["TaskTemplate"]["ContainerSpec"]["Command"]
    assert "hush" not in str(spec)


@pytest.mark.parametrize(
    ("before", "said"),
    [
        (found(), [f"create secret {NAME}", "create service jupyterhub-renewal"]),
        (found(desired(dns=DNS), NAME), []),
        (
            found(desired(), "jupyterhub-dns-credentials-old"),
            [
                f"create secret {NAME}",
                "update service jupyterhub-renewal",
                "remove secret jupyterhub-dns-credentials-old",
            ],
        ),
    ],
    ids=["none", "as wanted", "others"],
)
def test_a_secret_comes_before_the_service_and_an_old_one_goes_after_it(before: ExistingRenewal, said: list[str]) -> None:
    """Its name changes with the credentials."""
    changes = renewal.changes(given(), wanted(dns=DNS), desired(dns=DNS), before, MANAGER)
    assert [f"{one.verb} {one.what}" for one in changes] == said


def test_no_plan_shows_the_credentials() -> None:
    """Neither as JSON nor in a traceback."""
    changes = renewal.changes(given(), wanted(dns=DNS), desired(dns=DNS), found(), MANAGER)
    plan = Plan("proxy", "", tuple(changes))
    assert "hush" not in str(as_values([plan])) + repr(plan) + repr([one.apply for one in changes]) + repr(DNS)


def test_the_hub_does_not_see_it_among_its_own() -> None:
    """It would remove it as one left over."""
    hub = hub_service.ExistingHub(None, {NAME: "d1", "jupyterhub-github_client_id-1": "g1"})
    assert renewal.without_its_own(given(), hub).secrets == {"jupyterhub-github_client_id-1": "g1"}


@pytest.mark.parametrize(
    ("said", "state"),
    [
        (Output(1, "", "No such file or directory"), None),
        (Output(0, "{half", ""), None),
        (
            Output(0, '{"failures": 0, "said": "", "tried": "2026-11-15T12:00:00+00:00", "next": ""}', ""),
            RenewalState(0, "", None),
        ),
        (
            Output(0, '{"failures": 2, "said": "x\\n  Detail: refused", "tried": "", "next": "2026-11-15T12:30:00+00:00"}', ""),
            RenewalState(2, "refused", datetime(2026, 11, 15, 12, 30, tzinfo=UTC)),
        ),
    ],
)
def test_how_it_stands_is_read_off_its_file(said: Output, state: RenewalState | None) -> None:
    """Before the first try there is none."""
    assert (
        renewal.observe(FakeHost(commands={"cat /etc/letsencrypt/swarmhub-renewal-jupyterhub.json": said}), settings()) == state
    )


@pytest.mark.parametrize(
    ("state", "told"),
    [
        (RenewalState(1, "refused", None), "once: refused"),
        (
            RenewalState(3, "refused", datetime(2026, 11, 15, 12, 30, tzinfo=UTC)),
            "3 times: refused; the next try is at 2026-11-15 12:30 UTC",
        ),
    ],
)
def test_a_failure_is_told_with_its_reason(state: RenewalState, told: str) -> None:
    """And when it is tried again."""
    assert state.told == told


def test_the_renewal_has_no_capability() -> None:
    """Certbot writes what is root's."""
    container = desired()["TaskTemplate"]["ContainerSpec"]
    assert (container["CapabilityDrop"], "CapabilityAdd" in container) == (["ALL"], False)
    assert container["Privileges"] == {"NoNewPrivileges": True}


def test_it_goes_by_an_http_proxy() -> None:
    """Whose address is in its variables, or in the secret that the hub has, too."""
    variables = {"HTTPS_PROXY": SecretStr("http://jane:hush@proxy:3128")}
    named = settings(http_proxy={"url": {"secret": "NAME"}}, secrets={"names": ["NAME"]})
    container = renewal.desired(named, replace(wanted(), variables=variables), PARTS)["TaskTemplate"]["ContainerSpec"]
    assert ("HTTP_PROXY_FILE=/run/secrets/NAME" in container["Env"], "hush" in str(container)) == (True, False)
    assert [one["File"]["Name"] for one in container["Secrets"]] == ["NAME"]
    plain = settings(http_proxy={"url": "http://proxy:3128"})
    container = renewal.desired(plain, replace(wanted(), variables=variables), PARTS)["TaskTemplate"]["ContainerSpec"]
    assert (container["Secrets"], "HTTPS_PROXY=http://jane:hush@proxy:3128" in container["Env"]) == ([], True)


def test_behind_a_proxy_that_takes_tls_nothing_is_renewed() -> None:
    """There is no certificate."""
    assert not renewal.is_wanted(settings(proxy={"behind": ["10.1.2.3"], "speaks": "http"}, certs={}))
