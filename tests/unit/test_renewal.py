"""The service that renews the certificate, and what it says of itself."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from swarmhub import certs, renewal, swarm_config
from swarmhub.host import Output
from swarmhub.plan import Cost
from swarmhub.renewal import State
from swarmhub.settings import Settings
from tests.unit.fakes import MANAGER, FakeHost, FakeProgress, settings

CA = "-----BEGIN CERTIFICATE-----"


def given(**table: Any) -> Settings:
    """Return settings with a separate proxy."""
    return settings(proxy={"separate": True, **table})


def wanted(ca: str | None = None) -> certs.Wanted:
    """Return the certificate to have."""
    return replace(certs.desired(given()), by_proxy=True, ca=ca)


def desired(ca: str | None = None) -> dict[str, Any]:
    """Return the service's spec."""
    return renewal.desired(given(), wanted(ca), "https://acme.example.org/dir", "n1")


def found(spec: dict[str, Any]) -> dict[str, Any]:
    """Return a service as an engine answers it."""
    return {"ID": "s1", "Version": {"Index": 1}, "Spec": spec}


@pytest.mark.parametrize(
    ("table", "is_wanted"), [({}, True), ({"separate": False}, False), ({"http_port": 8080}, False), ({"http_port": 0}, False)]
)
def test_it_needs_somebody_who_answers_on_port_80(table: dict[str, Any], is_wanted: bool) -> None:
    """Certbot's own server would stop at the proxy's port, or restart the hub."""
    assert renewal.is_wanted(given(**table)) == is_wanted


def test_it_asks_by_way_of_the_proxy() -> None:
    """And for one in any case: that it is due, the script has found."""
    command = desired()["TaskTemplate"]["ContainerSpec"]["Command"]
    assert command[:3] == ["python3", "/swarmhub-renew.py", "certbot"]
    assert {"--webroot", "--force-renewal", "https://acme.example.org/dir"} <= set(command)


def test_a_private_authority_is_trusted() -> None:
    """Its certificate is a file beside the script."""
    container = desired(CA)["TaskTemplate"]["ContainerSpec"]
    assert [one["File"]["Name"] for one in container["Configs"]] == [renewal.IN_CONTAINER, certs.CA_IN_CONTAINER]
    assert f"REQUESTS_CA_BUNDLE={certs.CA_IN_CONTAINER}" in container["Env"]


def test_what_is_as_wanted_is_left_alone() -> None:
    """A second deploy changes nothing; ids of configs are no difference."""
    spec = desired()
    kept = desired()
    for one in kept["TaskTemplate"]["ContainerSpec"]["Configs"]:
        one["ConfigID"] = "c1"
    assert renewal.changes(given(), wanted(), spec, found(kept), MANAGER) == []


@pytest.mark.parametrize(("before", "verb"), [(None, "create"), (found(desired(CA)), "update")])
def test_a_change_costs_nobody_anything(before: dict[str, Any] | None, verb: str) -> None:
    """Its files are made first."""
    files, service = renewal.changes(given(), wanted(), desired(), before, MANAGER)
    assert (files.verb, service.verb, service.cost) == ("keep", verb, Cost.NOTHING)


def test_its_files_are_made_once() -> None:
    """They are named by their content: those that are there are the same."""
    manager = FakeHost()
    files, _ = renewal.changes(given(), wanted(CA), desired(CA), None, MANAGER)
    for _ in range(2):
        files.apply(manager, FakeProgress())
    assert set(swarm_config.ids(manager)) == {name for name, _ in renewal.files(given(), wanted(CA)).values()}


@pytest.mark.parametrize(("before", "verbs"), [(None, []), (found({"Name": "jupyterhub-renewal"}), ["remove"])])
def test_where_it_is_not_wanted_it_goes(before: dict[str, Any] | None, verbs: list[str]) -> None:
    """One from before would fail for ever."""
    assert [change.verb for change in renewal.removal(before, MANAGER)] == verbs


@pytest.mark.parametrize(
    ("said", "state"),
    [
        (Output(1, "", "No such file or directory"), None),
        (Output(0, "{half", ""), None),
        (Output(0, '{"failures": 0, "said": "", "tried": "2026-11-15T12:00:00+00:00", "next": ""}', ""), State(0, "", None)),
        (
            Output(0, '{"failures": 2, "said": "x\\n  Detail: refused", "tried": "", "next": "2026-11-15T12:30:00+00:00"}', ""),
            State(2, "refused", datetime(2026, 11, 15, 12, 30, tzinfo=UTC)),
        ),
    ],
)
def test_how_it_stands_is_read_off_its_file(said: Output, state: State | None) -> None:
    """Before the first try there is none."""
    assert renewal.observe(FakeHost(commands={f"cat {renewal.STATE}": said})) == state


@pytest.mark.parametrize(
    ("state", "told"),
    [
        (State(1, "refused", None), "once: refused"),
        (
            State(3, "refused", datetime(2026, 11, 15, 12, 30, tzinfo=UTC)),
            "3 times: refused; it is tried again at 2026-11-15 12:30 UTC",
        ),
    ],
)
def test_a_failure_is_told_with_its_reason(state: State, told: str) -> None:
    """And when it is tried again."""
    assert state.told == told


def test_by_port_80_no_certificate_for_subdomains_is_renewed() -> None:
    """The authority would give one without them, and it would take the place of the one that covers them."""
    both = settings(proxy={"separate": True}, hub={"domain": "hub.example.org", "subdomains": True})
    assert renewal.is_wanted(both) is False
