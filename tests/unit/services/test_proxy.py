"""The proxy as a service of its own: its spec, and the way there and back."""

from typing import Any

import pytest

from swarmhub.plan.plans import Change, Cost
from swarmhub.services import network, proxy
from swarmhub.services.hub import service as hub_service
from swarmhub.services.hub.service import Parts
from swarmhub.settings import Settings
from swarmhub.settings.schema.model import PROXY_TOKEN
from tests.unit.support.cluster import SECRETS, as_kept
from tests.unit.support.fakes import MANAGER, NOTEBOOK, alone, settings

TOKEN = "jupyterhub-proxy_token"
INNER = ("jupyterhub-proxy:1", "inner", "10.0.9.0/24", TOKEN)
PARTS = Parts("n1", "net", "jupyterhub:1", {NOTEBOOK: "x@sha256:a"}, "c0ffee", "cluster", *INNER)


def given(**table: Any) -> Settings:
    """Return settings with a separate proxy."""
    return settings(proxy={"separate": True, **table}, certs={"staging": False})


def desired(**table: Any) -> dict[str, Any]:
    """Return its spec."""
    return proxy.desired(given(**table), SECRETS, PARTS)


def of_hub(**table: Any) -> dict[str, Any]:
    """Return the hub's spec beside it."""
    return hub_service.desired(settings(proxy={"separate": True, **table}), SECRETS, PARTS)


def kept(spec: dict[str, Any]) -> dict[str, Any]:
    """Return a service as an engine answers it."""
    names = hub_service.secret_names(given(), SECRETS, "cluster", TOKEN).values()
    return {"ID": "s1", "Version": {"Index": 1}, "Spec": as_kept(spec, {name: f"id-of-{name}" for name in names})}


def planned(found: dict[str, Any] | None, hub: dict[str, Any] | None = None) -> list[Change]:
    """Return the changes."""
    return proxy.changes(desired(), found, hub, MANAGER)


def environment(spec: dict[str, Any]) -> dict[str, str]:
    """Return the variables of a spec's container."""
    return dict(line.split("=", 1) for line in spec["TaskTemplate"]["ContainerSpec"]["Env"])


@pytest.mark.parametrize(("http_port", "published"), [(80, [443, 80]), (8080, [443, 8080]), (0, [443])])
def test_it_publishes_both_ports(http_port: int, published: list[int]) -> None:
    """Plain HTTP only where that is wanted."""
    ports = desired(http_port=http_port)["EndpointSpec"]["Ports"]
    assert [one["PublishedPort"] for one in ports] == published


def test_the_hub_beside_it_publishes_nothing() -> None:
    """And has neither certificate nor key."""
    spec = of_hub()
    container = spec["TaskTemplate"]["ContainerSpec"]
    assert "Ports" not in spec["EndpointSpec"]
    assert (container["Labels"], {"SSL_KEY", "SSL_CERT"} & set(environment(spec))) == ({}, set())
    assert "/etc/letsencrypt" not in [mount["Source"] for mount in container["Mounts"]]


def test_its_api_has_a_name_on_the_inner_network_only() -> None:
    """By which the hub asks for it."""
    networks = desired()["TaskTemplate"]["Networks"]
    assert networks == [{"Target": "net"}, {"Target": "inner", "Aliases": ["jupyterhub-proxy-api"]}]
    assert environment(of_hub())["PROXY_API_URL"] == "http://jupyterhub-proxy-api:8001"


def test_the_token_is_a_secret_of_both() -> None:
    """The same one."""
    hub, front = of_hub(), desired()
    names = [
        {one["SecretName"] for one in spec["TaskTemplate"]["ContainerSpec"]["Secrets"] if one["File"]["Name"] == PROXY_TOKEN}
        for spec in (hub, front)
    ]
    assert names == [{TOKEN}] * 2


@pytest.mark.parametrize("is_on", [True, False])
def test_the_settings_reach_its_environment(is_on: bool) -> None:
    """HTTPS binds browsers by a real certificate only; it routes by domain where users have one, as the hub tells it."""
    hub = {"domain": "hub.example.org", "subdomains": is_on}
    spec = proxy.desired(settings(proxy={"separate": True}, certs={"staging": not is_on}, hub=hub), SECRETS, PARTS)
    assert (environment(spec)["HSTS"], environment(spec)["SUBDOMAINS"]) == (str(int(is_on)),) * 2


def test_addresses_of_clients_are_known_without_the_routing_mesh() -> None:
    """That puts its own address in the place of theirs, so nothing is bounded for each."""
    meshed = settings(proxy={"separate": True}, hub={"publish": "ingress"}, network={"endpoint_mode": "vip"})
    told = [environment(spec)["CLIENTS"] for spec in (desired(), proxy.desired(meshed, SECRETS, PARTS))]
    assert told == ["1", "0"]


def test_forms_lead_to_users_domains_and_to_services_that_ask_who_somebody_is() -> None:
    """The page that asks a user whether a service may know leads back to it."""
    asking = [{"name": "wiki", "oauth_redirect_uri": "https://wiki.example.org/back"}, {"name": "culler"}]
    hub = {"domain": "hub.example.org", "subdomains": True}
    given = settings(proxy={"separate": True}, hub=hub, jupyterhub={"JupyterHub": {"services": asking}})
    domain = SECRETS["OAUTH_CALLBACK_URL"].get_secret_value().split("/")[2]
    assert environment(proxy.desired(given, SECRETS, PARTS))["FORMS"] == f"https://*.{domain} https://wiki.example.org"


def test_what_is_as_wanted_is_left_alone() -> None:
    """A second deploy cuts nobody off."""
    assert planned(kept(desired()), kept(of_hub())) == []


def test_a_change_of_it_is_told_with_its_price() -> None:
    """Connections break, and the hub goes on."""
    (change,) = planned(kept(desired(http_port=8080)), kept(of_hub()))
    assert (change.verb, change.cost) == ("update", Cost.RECONNECT)


def test_a_hub_that_has_the_port_gives_it_up_first() -> None:
    """Both on one port would never come up."""
    by_itself = hub_service.desired(alone(), SECRETS, PARTS)
    changes = planned(None, kept(by_itself))
    assert [change.sentence for change in changes] == [
        f"update service jupyterhub on {MANAGER}",
        f"create service jupyterhub-proxy on {MANAGER}",
    ]
    assert {item.path.partition("[")[0] for item in changes[0].differences} == {"EndpointSpec.Ports"}


@pytest.mark.parametrize(("found", "verbs"), [(None, []), ({"ID": "s1", "Spec": {"Name": "jupyterhub-proxy"}}, ["remove"])])
def test_where_the_hub_runs_it_there_is_none(found: dict[str, Any] | None, verbs: list[str]) -> None:
    """One from before goes first: the hub needs its port."""
    assert [change.verb for change in proxy.removal(found, MANAGER)] == verbs


@pytest.mark.parametrize(("port", "answers"), [(80, True), (8080, False)])
def test_authorities_are_answered_on_port_80(port: int, answers: bool) -> None:
    """Elsewhere they do not ask; without a proxy certbot answers by itself."""
    assert (proxy.answers_http(kept(desired(http_port=port))), proxy.answers_http(None)) == (answers, False)


def test_the_inner_network_is_as_safe_as_the_other() -> None:
    """Encrypted where that is; nobody else can join it."""
    wanted = network.of_proxy(settings(network={"encrypted": True, "attachable": True, "subnet": "10.9.0.0/16"}))
    assert (wanted["Name"], wanted["Attachable"], wanted["Options"]) == ("jupyter-proxy", False, {"encrypted": ""})
    assert wanted["IPAM"]["Config"] == []


def test_the_proxy_keeps_what_makes_its_workers_another_user() -> None:
    """And what ends the one that it has become; no other capability, and none can be gained."""
    container = desired()["TaskTemplate"]["ContainerSpec"]
    assert container["CapabilityDrop"] == ["ALL"]
    assert container["CapabilityAdd"] == ["CAP_CHOWN", "CAP_KILL", "CAP_SETGID", "CAP_SETUID"]
    assert container["Privileges"] == {"NoNewPrivileges": True}


@pytest.mark.parametrize(
    ("mounted", "there", "name"),
    [
        ("", [], TOKEN),
        ("", [TOKEN], TOKEN),
        ("", [f"{TOKEN}-57c024207a18", "jupyterhub-github_client_id-1"], f"{TOKEN}-57c024207a18"),
        (f"{TOKEN}-2", [f"{TOKEN}-1", f"{TOKEN}-2"], f"{TOKEN}-2"),
        (f"{TOKEN}-2", [f"{TOKEN}-1"], f"{TOKEN}-1"),
    ],
    ids=["none is there", "it is there", "one of an earlier release", "several", "the one in use is gone"],
)
def test_a_token_that_is_there_stays(mounted: str, there: list[str], name: str) -> None:
    """Another one would break every connection; so that of a release in which it followed from the other secrets is kept."""
    container = {"Secrets": [{"SecretName": mounted, "File": {"Name": PROXY_TOKEN}}] if mounted else []}
    found = {"Spec": {"TaskTemplate": {"ContainerSpec": container}}}
    assert proxy.token_name("jupyterhub", found, there) == name


def test_behind_a_proxy_that_takes_tls_it_needs_no_certificate() -> None:
    """It publishes plain HTTP alone, and no folder of certificates has to be on the node."""
    given = settings(proxy={"behind": ["10.1.2.3"], "speaks": "http", "http_port": 8080}, certs={})
    spec = proxy.desired(given, SECRETS, PARTS)
    ports = [(one["TargetPort"], one["PublishedPort"]) for one in spec["EndpointSpec"]["Ports"]]
    assert (ports, spec["TaskTemplate"]["ContainerSpec"]["Mounts"]) == ([(80, 8080)], [])
    told = environment(spec)
    assert (told["BEHIND"], told["SPEAKS"], told["HSTS"]) == ("10.1.2.3/32", "http", "1")


def test_it_may_have_many_files_open() -> None:
    """Whatever the engine's default is."""
    assert desired()["TaskTemplate"]["ContainerSpec"]["Ulimits"] == [{"Name": "nofile", "Soft": 16384, "Hard": 16384}]
