"""The hub's service: its spec, what counts as a difference, and how it is created and updated."""

import base64
import copy
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
from pydantic import SecretStr

from hub import FOLDER
from swarmhub.engine.swarm import configs, replicated, specs
from swarmhub.engine.swarm.configs import StoredFile
from swarmhub.errors import StepError
from swarmhub.host import EngineError
from swarmhub.plan.differences import Difference
from swarmhub.plan.plans import Change, Cost, Plan
from swarmhub.services.hub import service as hub_service
from swarmhub.services.hub.service import ExistingHub, Parts
from swarmhub.settings.secrets import Secrets
from tests.unit.support.cluster import as_kept, stored
from tests.unit.support.fakes import (
    CALLBACK,
    DOMAIN,
    MANAGER,
    NOTEBOOK,
    Clock,
    FakeHost,
    FakeProgress,
    alone,
    in_turn,
    settings,
)

SECRETS: dict[str, SecretStr] = {
    "GITHUB_CLIENT_ID": SecretStr("Iv1.8a61f9b3a7aba766"),
    "GITHUB_CLIENT_SECRET": SecretStr("hush-4f1e-$(id)"),
    "OAUTH_CALLBACK_URL": SecretStr(CALLBACK),
}
PARTS = Parts(
    node="n1",
    network="u1k9xd2mzbq1",
    hub_image="jupyterhub:0123456789ab",
    images={NOTEBOOK: f"quay.io/jupyter/base-notebook@sha256:{'a' * 64}"},
    certificate="c0ffee",
    cluster="cluster",
)
NAMES = hub_service.secret_names(settings(), SECRETS, PARTS.cluster)
OWN = {"certificate": "chain.pem", "key": "key.pem"}


def desired(secrets: Secrets = SECRETS, parts: Parts = PARTS, **tables: dict[str, Any]) -> dict[str, Any]:
    """Return the wanted spec."""
    return hub_service.desired(alone(**tables), secrets, parts)


def test_the_images_of_other_hubs_are_known() -> None:
    """By what their services hand out; one without such a document, from before profiles, has none."""
    other = hub_service.desired(settings(hub={"domain": DOMAIN, "service": "other"}), SECRETS, PARTS)
    mine = desired(parts=replace(PARTS, images={NOTEBOOK: f"quay.io/x@sha256:{'b' * 64}"}))
    old = {"Name": "old", "TaskTemplate": {"ContainerSpec": {"Env": ["DOCKER_NOTEBOOK_IMAGE=quay.io/x:1"]}}}
    host = FakeHost(answers={"GET /services": [{"Spec": spec} for spec in (mine, other, old)]})
    assert hub_service.images_of_others(host, settings()) == {"a" * 12}
    assert host.engine.sent("GET /services").params == {"filters": {"label": ["swarmhub.service"]}}


@pytest.mark.parametrize(
    ("ours", "theirs", "told"),
    [
        ("jupyterhub-user-{username}", "jupyterhub-user-{username}", "other"),
        ("jupyterhub-user-{username}", "other-user-{username}", ""),
        ("{username}", "{username}", ""),
    ],
    ids=["the same", "others", "behind each hub's name"],
)
def test_another_hub_with_the_same_homes_is_found(ours: str, theirs: str, told: str) -> None:
    """Its users' files would be those of this hub's users of the same names."""
    another = settings(hub={"domain": DOMAIN, "service": "other"}, home={"name": theirs})
    specs_of = [hub_service.desired(one, SECRETS, PARTS) for one in (another, settings(home={"name": ours}))]
    host = FakeHost(answers={"GET /services": [{"Spec": spec} for spec in specs_of]})
    for spec in specs_of:
        configs.ensure(host, spec, {"swarmhub.service": spec["Name"]})
    assert hub_service.with_same_homes(host, settings(home={"name": ours})) == told


def container(spec: dict[str, Any]) -> dict[str, Any]:
    """Return the container's part of a spec."""
    part: dict[str, Any] = spec["TaskTemplate"]["ContainerSpec"]
    return part


def environment(spec: dict[str, Any]) -> dict[str, str]:
    """Return the container's environment."""
    return dict(line.split("=", 1) for line in container(spec)["Env"])


def kept(spec: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return what an engine answers for a service that was made with this spec."""
    return {
        "ID": "s1",
        "Version": {"Index": 42},
        "CreatedAt": "2026-11-15T10:00:00Z",
        "UpdatedAt": "2026-11-15T10:00:00Z",
        "Spec": as_kept(spec or desired(), {name: f"id-of-{name}" for name in NAMES.values()}),
        "Endpoint": {"Spec": {"Mode": "dnsrr"}},
    }


def planned(
    found: dict[str, Any] | None, wanted: dict[str, Any] | None = None, secrets: Mapping[str, str] | None = None
) -> Plan:
    """Return the plan from the service as found to the wanted one."""
    in_swarm = dict.fromkeys(NAMES.values(), "id") if secrets is None else secrets
    return hub_service.plan(wanted or desired(), ExistingHub(found, in_swarm), NAMES, MANAGER)


def test_settings_that_no_release_needs_go() -> None:
    """What a failed deploy has left; other services' files are theirs."""
    specs_ = [desired(hub={"domain": DOMAIN}, culling={"idle": idle}) for idle in ("1h", "2h", "3h")]
    files = stored(*specs_) | {"jupyterhub-policies-1": StoredFile("p", "/srv/jupyterhub/policies.json", "[]")}
    now, old, left = (hub_service.settings_files(spec)[0] for spec in specs_)
    found = ExistingHub(kept(specs_[0]), dict.fromkeys(NAMES.values(), "id"), files)
    plan = hub_service.plan(specs_[0], found, NAMES, MANAGER, kept={old})
    assert (sentences(plan), now in files) == ([f"remove config {left}"], True)


def sentences(plan: Plan) -> list[str]:
    """Return the plan's changes as words."""
    return [f"{change.verb} {change.what}" for change in plan.changes]


def test_no_secret_is_in_the_spec() -> None:
    """What `docker service inspect` shows holds neither client id nor client secret; the callback's address is public."""
    shown = json.dumps(desired())
    assert [name for name in NAMES if SECRETS[name].get_secret_value() in shown] == []
    assert (environment(desired())["OAUTH_CALLBACK_URL"], "OAUTH_CALLBACK_URL" in NAMES) == (CALLBACK, False)


def test_secrets_are_mounted_for_the_hub_alone() -> None:
    """Each is a file of its plain name for root's group, in which the hub runs: Swarm's own default is everybody."""
    files = {one["SecretName"]: one["File"] for one in container(desired())["Secrets"]}
    assert files == {in_swarm: {"Name": name, "UID": "0", "GID": "0", "Mode": 0o440} for name, in_swarm in NAMES.items()}


SEPARATE: dict[str, Any] = {"hub": {"engine": "filter"}, "proxy": {"separate": True}}


@pytest.mark.parametrize(
    ("tables", "user"),
    [
        (SEPARATE, hub_service.USER),
        (SEPARATE | {"home": {"keep": False}}, hub_service.USER),
        (SEPARATE | {"hub": {"engine": "socket"}}, None),
        (SEPARATE | {"proxy": {"separate": False}}, None),
        (SEPARATE | {"home": {"type": "path", "path": "/srv/homes"}}, None),
    ],
    ids=["the defaults", "no homes", "Docker's socket", "the certificate's key", "folders to give away"],
)
def test_the_hub_is_root_only_where_it_has_to_be(tables: dict[str, Any], user: str | None) -> None:
    """Else it has a user of its own, in root's group."""
    spec = hub_service.desired(settings(**tables), SECRETS, PARTS)
    assert container(spec).get("User") == user


def test_the_images_user_is_the_services() -> None:
    """By its number: so the container has a name and a home for it."""
    number, group = hub_service.USER.split(":")
    assert f"'hub:x:{number}:{group}:" in (FOLDER / "Dockerfile").read_text()


def test_the_hub_runs_where_its_data_is() -> None:
    """The one replica is pinned to the manager that has the volume, the certificate and the image."""
    spec = desired()
    assert spec["TaskTemplate"]["Placement"]["Constraints"] == ["node.role==manager", "node.id==n1"]
    assert spec["Mode"] == {"Replicated": {"Replicas": 1}}


def test_the_mounts_are_the_certificates_the_data_and_the_engine() -> None:
    """Certificates are read-only, and the volume is the one that hosts.toml names."""
    assert container(desired(volume={"name": "data"}))["Mounts"] == [
        {"Type": "bind", "Source": "/etc/letsencrypt", "Target": "/etc/letsencrypt", "ReadOnly": True},
        {"Type": "volume", "Source": "data", "Target": "/data"},
        {"Type": "bind", "Source": "/var/run/docker.sock", "Target": "/var/run/docker.sock"},
    ]


@pytest.mark.parametrize(
    ("tables", "mode", "port", "publish"),
    [
        ({}, "dnsrr", 443, "host"),
        ({"hub": {"publish": "ingress"}, "network": {"endpoint_mode": "vip"}}, "vip", 443, "ingress"),
        ({"hub": {"port": 8443}, "network": {"endpoint_mode": "vip"}}, "vip", 8443, "host"),
        ({"hub": {"publish": "host"}, "network": {"endpoint_mode": "dnsrr"}}, "dnsrr", 443, "host"),
    ],
)
def test_the_port_is_published_as_hosts_toml_says(tables: dict[str, Any], mode: str, port: int, publish: str) -> None:
    """Port, publish mode and endpoint mode are settings; the container listens on 443."""
    published = {"Protocol": "tcp", "TargetPort": 443, "PublishedPort": port, "PublishMode": publish}
    assert desired(**tables)["EndpointSpec"] == {"Mode": mode, "Ports": [published]}


@pytest.mark.parametrize(
    ("tables", "name", "value"),
    [
        ({}, "SSL_KEY", f"/etc/letsencrypt/live/{DOMAIN}/privkey.pem"),
        ({}, "SSL_CERT", f"/etc/letsencrypt/live/{DOMAIN}/fullchain.pem"),
        ({"certs": OWN}, "SSL_KEY", f"/etc/letsencrypt/own/{DOMAIN}/current/privkey.pem"),
        ({"certs": OWN}, "SSL_CERT", f"/etc/letsencrypt/own/{DOMAIN}/current/fullchain.pem"),
        ({"network": {"name": "notebooks"}}, "DOCKER_NETWORK_NAME", "notebooks"),
        ({"hub": {"service": "hub"}}, "DOCKER_SERVICE_NAME", "hub"),
        ({}, "DOCKER_ENDPOINT_MODE", "dnsrr"),
        ({}, "GITHUB_URL", "https://github.com"),
        ({}, "GITHUB_API", "https://api.github.com"),
        ({"github": {"url": "https://git.example.org"}}, "GITHUB_API", "https://git.example.org/api/v3"),
    ],
)
def test_the_hub_learns_what_the_deployment_decides(tables: dict[str, Any], name: str, value: str) -> None:
    """Each variable that the hub reads holds what the settings and the steps before it say."""
    assert environment(desired(**tables))[name] == value


def test_the_old_hub_stops_before_the_new_one_starts() -> None:
    """Two hubs never have the database open, and a failed update is rolled back once."""
    spec = desired()
    assert (spec["UpdateConfig"]["Order"], spec["RollbackConfig"]["Order"]) == ("stop-first", "stop-first")
    assert (spec["UpdateConfig"]["FailureAction"], spec["RollbackConfig"]["FailureAction"]) == ("rollback", "pause")


@pytest.mark.parametrize("count", [0, 3])
def test_a_service_as_an_engine_keeps_it_is_no_difference(count: int) -> None:
    """What an engine fills in by itself gives nothing to do, nor does what `docker service update --force` counts."""
    found = kept()
    found["Spec"]["TaskTemplate"]["ForceUpdate"] = count
    plan = planned(found)
    assert (plan.changes, plan.summary) == ((), "jupyterhub: jupyterhub:0123456789ab, as wanted")


TEMPLATE, INSIDE = "TaskTemplate", "TaskTemplate.ContainerSpec"


def drift(change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    """Return the service after somebody changed its container by hand."""
    found = kept()
    change(container(found["Spec"]))
    return found


ANOTHER = drift(lambda inside: inside.update(Image="jupyterhub:other"))


@pytest.mark.parametrize(
    ("change", "paths"),
    [
        (lambda inside: inside.update(Image="jupyterhub:other"), ["Image"]),
        (lambda inside: inside["Env"].append("DEBUG=1"), ["Env.DEBUG"]),
        (
            lambda inside: inside.update(Env=[line.replace("github.com", "evil.example") for line in inside["Env"]]),
            ["Env.GITHUB_URL", "Env.GITHUB_API"],
        ),
        (lambda inside: inside["Mounts"].append({"Type": "bind", "Source": "/", "Target": "/host"}), ["Mounts"]),
        (lambda inside: inside["Mounts"][0].pop("ReadOnly"), ["Mounts[1].ReadOnly"]),
        (lambda inside: inside.update(User="nobody"), ["User"]),
        (lambda inside: inside["Secrets"].pop(), ["Secrets"]),
        (lambda inside: inside["Secrets"][0]["File"].update(Mode=0o444), ["Secrets[0].File.Mode"]),
        (lambda inside: inside.update(Labels={"swarmhub.certificate": "older"}), ["Labels.swarmhub.certificate"]),
        (lambda inside: inside.pop("Healthcheck"), ["Healthcheck"]),
    ],
)
def test_drift_of_the_container_restarts_the_hub(change: Callable[[dict[str, Any]], object], paths: list[str]) -> None:
    """What somebody changed by hand is named by its field and put right."""
    plan = planned(drift(change))
    assert (sentences(plan), plan.changes[0].cost) == (["update service jupyterhub"], Cost.HUB_RESTART)
    assert [item.path for item in plan.changes[0].differences] == [f"{INSIDE}.{path}" for path in paths]


@pytest.mark.parametrize(
    ("change", "path", "cost"),
    [
        ({"Placement": {"Constraints": ["node.id==n1", "gpu"]}}, f"{TEMPLATE}.Placement.Constraints", Cost.HUB_RESTART),
        ({"Resources": {"Limits": {"MemoryBytes": 1 << 30}}}, f"{TEMPLATE}.Resources", Cost.HUB_RESTART),
        ({"LogDriver": {"Name": "none"}}, f"{TEMPLATE}.LogDriver", Cost.HUB_RESTART),
        ({"RestartPolicy": {"Condition": "none"}}, f"{TEMPLATE}.RestartPolicy", Cost.HUB_RESTART),
        ({"Networks": []}, f"{TEMPLATE}.Networks", Cost.HUB_RESTART),
        ({"Mode": {"Replicated": {"Replicas": 0}}}, "Mode.Replicated.Replicas", Cost.HUB_RESTART),
        ({"EndpointSpec": {"Mode": "dnsrr"}}, "EndpointSpec.Ports", Cost.HUB_RESTART),
        ({"UpdateConfig": None}, "UpdateConfig", Cost.NOTHING),
        ({"Labels": {}}, "Labels.swarmhub.service", Cost.NOTHING),
    ],
)
def test_drift_is_seen_field_by_field(change: dict[str, Any], path: str, cost: Cost) -> None:
    """Only what restarts the hub costs that."""
    found = kept()
    table = found["Spec"] if set(change) <= set(found["Spec"]) else found["Spec"][TEMPLATE]
    table |= change
    (update,) = planned(found).changes
    assert ({item.path.startswith(path) for item in update.differences}, update.cost) == ({True}, cost)


@pytest.mark.parametrize(
    "shuffle",
    [
        lambda inside: inside["Env"].reverse(),
        lambda inside: inside["Mounts"].reverse(),
        lambda inside: inside["Secrets"].reverse(),
    ],
    ids=["env", "mounts", "secrets"],
)
def test_an_order_that_means_nothing_is_no_difference(shuffle: Any) -> None:
    """Environment, mounts and secrets may come in any order."""
    found = kept()
    shuffle(container(found["Spec"]))
    assert planned(found).changes == ()


@pytest.mark.parametrize("limits", [{}, {"MemoryBytes": 0}], ids=["tables", "zeros"])
def test_empty_tables_inside_one_another_are_no_difference(limits: dict[str, Any]) -> None:
    """A reservation that was set and taken away again leaves empty tables, which reserve nothing."""
    found = kept()
    found["Spec"]["TaskTemplate"]["Resources"] |= {"Reservations": {**limits, "GenericResources": None}}
    assert planned(found).changes == ()


@pytest.mark.parametrize(
    ("driver", "kept_by"), [("json-file", "json-file"), ("local", "local"), ("journald", ""), ("fluentd", ""), ("", "")]
)
def test_a_log_in_files_is_rotated(driver: str, kept_by: str) -> None:
    """What an operator has chosen to collect logs by has no such options, and goes on."""
    told = desired(parts=replace(PARTS, logs=driver))[TEMPLATE].get("LogDriver", {})
    assert (told.get("Name", ""), told.get("Options", {})) == (kept_by, {"max-size": "20m", "max-file": "5"} if kept_by else {})


def test_the_hub_has_the_memory_that_the_settings_say() -> None:
    """What takes more is ended, and not the engine."""
    assert desired(hub={"domain": DOMAIN, "memory_limit": "512M"})[TEMPLATE]["Resources"] == {"Limits": {"MemoryBytes": 2**29}}


def test_planning_changes_neither_side() -> None:
    """Comparing leaves the wanted spec and the one found as they were."""
    wanted, found = desired(), kept()
    before = copy.deepcopy((wanted, found))
    planned(found, wanted)
    assert (wanted, found) == before


def test_a_hub_is_not_moved_to_another_manager() -> None:
    """A service pinned to another node is not taken along: its database and certificate are there."""
    with pytest.raises(StepError) as refused:
        planned(kept(desired(parts=Parts(**(vars(PARTS) | {"node": "n7"})))))
    assert "runs on another node (node.id==n7), where its database and certificate are" in refused.value.cause


def test_a_service_without_a_pin_is_taken_over() -> None:
    """A service that was made by hand as the document says has no node's id in its constraints, and is updated."""
    by_hand = desired()
    by_hand["TaskTemplate"]["Placement"]["Constraints"] = ["node.role==manager"]
    assert sentences(planned(kept(by_hand))) == ["update service jupyterhub"]


def lacking(*there: str) -> list[Change]:
    """Return what makes the secrets that are missing besides these."""
    return hub_service.missing(ExistingHub(None, dict.fromkeys(there, "id")), SECRETS, NAMES, "jupyterhub", MANAGER)


def test_secrets_that_are_missing_are_made() -> None:
    """Those that are there stay as they are."""
    made = lacking(NAMES["GITHUB_CLIENT_ID"])
    assert [change.sentence for change in made] == [f"create secret {NAMES['GITHUB_CLIENT_SECRET']} on {MANAGER}"]


def test_the_proxys_token_is_a_new_one_each_time_it_is_made() -> None:
    """It follows from nothing: no other secret's change makes it another."""
    host, names = FakeHost(), {"PROXY_TOKEN": "jupyterhub-proxy_token"}
    made = [hub_service.missing(ExistingHub(None, {}), SECRETS, names, "jupyterhub", MANAGER)[0] for _ in "12"]
    for change in made:
        change.apply(host, FakeProgress())
    values = [request.body["Data"] for request in host.engine.requests]
    assert (len(set(values)), {len(value) for value in values}) == (2, {88})


def test_a_changed_secret_is_switched_to_and_the_old_one_removed() -> None:
    """Swarm secrets cannot change: the update mounts the new one, then the old one goes."""
    changed = SECRETS | {"GITHUB_CLIENT_SECRET": SecretStr("new")}
    names = hub_service.secret_names(settings(), changed, PARTS.cluster)
    found = ExistingHub(kept(), {name: f"id-of-{name}" for name in NAMES.values()})
    plan = hub_service.plan(desired(changed), found, names, MANAGER)
    assert sentences(plan) == [
        "update service jupyterhub",
        f"remove secret {NAMES['GITHUB_CLIENT_SECRET']}",
    ]


@pytest.mark.parametrize("found", [kept(), None], ids=["service", "no service"])
def test_a_secret_that_is_left_over_is_removed(found: dict[str, Any] | None) -> None:
    """One that an interrupted run left behind goes by its id with the next one, whether there is a service or not."""
    plan, host = planned(found, secrets=dict.fromkeys(NAMES.values(), "id") | {"jupyterhub-old": "s9"}), FakeHost()
    assert sentences(plan)[-1] == "remove secret jupyterhub-old"
    plan.changes[-1].apply(host, FakeProgress())
    assert host.engine.asked() == ["DELETE /secrets/s9"]


def test_the_service_and_its_own_secrets_are_observed() -> None:
    """Secrets are found by the label with the service's name, and keyed by their name."""
    host = FakeHost(answers={"GET /secrets": [{"ID": "s1", "Spec": {"Name": "one"}}], "GET /services/jupyterhub": kept()})
    assert hub_service.observe(host, "jupyterhub") == ExistingHub(kept(), {"one": "s1"})
    assert host.engine.sent("GET /secrets").params == {"filters": {"label": ["swarmhub.service=jupyterhub"]}}


def running(**more: Any) -> FakeHost:
    """Return a manager on which the service comes up at once."""
    task = {"ID": "t1", "CreatedAt": "2026-11-15T10:00:01Z", "DesiredState": "running", "Status": {"State": "running"}}
    secrets = [{"ID": f"id-of-{name}", "Spec": {"Name": name}} for name in NAMES.values()]
    return FakeHost(
        answers={
            "GET /secrets": secrets,
            "GET /services/jupyterhub": kept(),
            "GET /tasks": [task | {"Spec": kept()["Spec"]["TaskTemplate"]}],
        }
        | more
    )


def applied(plan: Plan, host: FakeHost, what: str) -> Change:
    """Apply the one change of the plan that is about `what`."""
    (change,) = [one for one in plan.changes if one.what.startswith(what)]
    change.apply(host, FakeProgress())
    return change


def test_a_secret_travels_in_the_body_encoded() -> None:
    """The value goes base64-encoded in the request's body, under the service's label."""
    host = FakeHost()
    (change,) = lacking(NAMES["GITHUB_CLIENT_ID"])
    change.apply(host, FakeProgress())
    name = NAMES["GITHUB_CLIENT_SECRET"]
    data = base64.b64encode(b"hush-4f1e-$(id)").decode()
    body = {"Name": name, "Data": data, "Labels": {"swarmhub.service": "jupyterhub"}}
    assert host.engine.sent("POST /secrets/create").body == body


def test_a_change_shows_no_secret() -> None:
    """The repr of a plan, which a traceback may show, hides the secrets' values."""
    shown = repr(lacking()) + "".join(repr(change.apply) for change in lacking())
    assert [name for name, value in SECRETS.items() if name in NAMES and value.get_secret_value() in shown] == []


def test_a_service_is_created_with_the_ids_of_its_secrets(clock: Clock) -> None:
    """The ids, which exist only after the secrets do, are filled in when the spec is sent."""
    host = running()
    applied(planned(None), host, "service")
    sent = container(host.engine.sent("POST /services/create").body)["Secrets"]
    assert [one["SecretID"] for one in sent] == [f"id-of-{name}" for name in NAMES.values()]


def test_an_update_sends_the_whole_spec_and_keeps_the_count_of_forced_restarts(clock: Clock) -> None:
    """On the version it was planned on: nobody's update in between is lost; a lower count would restart the hub once more."""
    found = copy.deepcopy(ANOTHER)
    found["Spec"]["TaskTemplate"]["ForceUpdate"] = 3
    host = running(**{"GET /services/jupyterhub": kept() | {"Version": {"Index": 99}}})
    applied(planned(found), host, "service")
    sent = host.engine.sent("POST /services/s1/update")
    assert (sent.params, sent.body["TaskTemplate"]["ForceUpdate"], specs.compare(desired(), sent.body)) == (
        {"version": 42},
        3,
        (),
    )


@pytest.mark.parametrize("found", [None, ANOTHER], ids=["create", "update"])
def test_a_service_is_followed_until_it_runs(clock: Clock, found: dict[str, Any] | None) -> None:
    """Sending the spec is not the end: a service that does not come up fails the step."""
    rejected = {"State": "rejected", "Err": "No such image: jupyterhub:0123456789ab"}
    tasks = [
        {"ID": f"t{n}", "CreatedAt": f"2026-11-15T10:00:0{n}Z", "DesiredState": "shutdown", "Status": rejected}
        for n in range(3)
    ]
    with pytest.raises(StepError, match="service jupyterhub does not run: No such image"):
        applied(planned(found), running(**{"GET /tasks": tasks}), "service")


def test_an_engine_that_refuses_the_update_is_not_waited_for(clock: Clock) -> None:
    """Where somebody else's update came first, the engine's refusal ends the change."""
    late = EngineError(MANAGER, 500, "rpc error: code = Unknown desc = update out of sequence")
    with pytest.raises(EngineError, match="update out of sequence"):
        applied(planned(ANOTHER), running(**{"POST /services/s1/update": late}), "service")
    assert clock.slept == []


def test_a_hub_that_is_stopped_keeps_its_service(clock: Clock) -> None:
    """The spec stays as it is but for the number of replicas, on the version that it was planned on."""
    host = running(**{"GET /tasks": []})
    change = replicated.stop(kept(), MANAGER)
    change.apply(host, FakeProgress())
    assert (change.cost, change.command) == (Cost.HUB_RESTART, "docker service scale jupyterhub=0")
    sent = host.engine.sent("POST /services/s1/update")
    assert (sent.params, sent.body) == ({"version": 42}, kept()["Spec"] | {"Mode": {"Replicated": {"Replicas": 0}}})


def test_a_stop_is_over_when_no_task_holds_the_data(clock: Clock) -> None:
    """The database must not be replaced under a hub that is still shutting down."""
    tasks = [[{"Status": {"State": state}}] for state in ("running", "starting", "shutdown")]
    host = running(**{"GET /tasks": in_turn(*tasks)})
    replicated.stop(kept(), MANAGER).apply(host, FakeProgress())
    assert host.engine.asked().count("GET /tasks") == 3


def test_a_hub_that_does_not_stop_is_an_error(clock: Clock) -> None:
    """After a while, with what shows why."""
    host = running(**{"GET /tasks": [{"Status": {"State": "running"}}]})
    with pytest.raises(StepError, match=r"service jupyterhub does not stop\. docker service ps jupyterhub"):
        replicated.stop(kept(), MANAGER).apply(host, FakeProgress())


def test_an_update_after_a_stop_is_on_the_version_of_now(clock: Clock) -> None:
    """The stop has made another version of the service than the one that the way back was planned on."""
    host = running(**{"GET /services/jupyterhub": kept() | {"Version": {"Index": 43}}})
    configs.ensure(host, desired(), {})
    replicated.update(desired(), kept(), MANAGER, (), again=True).apply(host, FakeProgress())
    assert host.engine.sent("POST /services/s1/update").params == {"version": 43}


@pytest.mark.parametrize(
    ("paths", "cost"),
    [
        ((), Cost.NOTHING),
        (("Labels.a", "UpdateConfig.Order"), Cost.NOTHING),
        (("Labels.a", "TaskTemplate.ContainerSpec.Image"), Cost.HUB_RESTART),
        (("EndpointSpec.Mode",), Cost.HUB_RESTART),
        (("Mode.Replicated.Replicas",), Cost.HUB_RESTART),
    ],
)
def test_an_update_costs_a_restart_only_where_the_task_changes(paths: tuple[str, ...], cost: Cost) -> None:
    """A label of the service makes no new task."""
    differs = tuple(Difference(path, "a", "b") for path in paths)
    assert replicated.update(desired(), kept(), MANAGER, differs).cost is cost


def test_a_first_deploy_shows_the_whole_service() -> None:
    """Every field that is sent, and no secret's value."""
    (create,) = [change for change in planned(None).changes if change.what == "service jupyterhub"]
    shown = {item.path: item.wanted for item in create.differences}
    assert (shown["TaskTemplate.ContainerSpec.Image"], shown["EndpointSpec.Ports[0].PublishedPort"]) == (PARTS.hub_image, 443)


@pytest.mark.parametrize("found", [None, ANOTHER, kept()], ids=["first", "update", "left over"])
def test_no_command_has_a_secrets_value(found: dict[str, Any] | None) -> None:
    """What is pasted into a shell and kept in its history names the secrets only."""
    changes = planned(found, secrets={"old": "s9"}).changes
    values = [SECRETS[name].get_secret_value() for name in NAMES]
    commands = [change.command for change in changes]
    assert (any(commands), [one for one in commands if any(value in one for value in values)]) == (True, [])


@pytest.mark.parametrize(
    ("home", "kept"),
    [({}, None), ({"type": "path", "path": "/srv/homes"}, ["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER"])],
)
def test_the_hub_has_no_capability_but_what_making_homes_takes(home: dict[str, Any], kept: list[str] | None) -> None:
    """Where it is root and makes no folders for people, that gives it nothing; and it gains nothing."""
    container = desired(home=home)["TaskTemplate"]["ContainerSpec"]
    assert (container["CapabilityDrop"], container.get("CapabilityAdd")) == (["ALL"], kept)
    assert container["Privileges"] == {"NoNewPrivileges": True}
