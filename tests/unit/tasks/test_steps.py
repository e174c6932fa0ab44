"""The steps as they are typed, on a cluster in memory."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from invoke.config import Config
from invoke.context import Context
from invoke.exceptions import Exit
from pydantic import SecretStr

from swarmhub import health, https
from swarmhub import run as runs
from swarmhub import settings as settings_file
from swarmhub.errors import StepError
from swarmhub.host import EngineError
from swarmhub.run import Run
from tasks import ns
from tests.unit import cluster
from tests.unit.authority import Authority
from tests.unit.cluster import DIGEST
from tests.unit.fakes import CALLBACK, DOMAIN, MANAGER, NOTEBOOK, WORKER1, WORKER2, Clock, FakeHost, Request

HOSTS = f"""[hosts]
managers = ["{MANAGER}"]
workers = ["{WORKER1}", "{WORKER2}"]
[hub]
domain = "{DOMAIN}"
userlist = "users"
[notebook]
image = "{NOTEBOOK}"
"""
SECRETS = {"GITHUB_CLIENT_ID": "id", "GITHUB_CLIENT_SECRET": "hush", "OAUTH_CALLBACK_URL": CALLBACK}
IMAGE = f"GET /images/{NOTEBOOK}/json"
MANAGERS_STEPS = ("check", "nodes", "network", "volume", "certs", "prepull-all", "build-hub", "service", "deploy")

Hosts = dict[str, FakeHost]
Type = Callable[..., None]


@pytest.fixture
def hosts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, authority: Authority, clock: Clock) -> Hosts:
    """Return a cluster on which all is done, and stand in the folder of its settings."""
    (tmp_path / "hosts.toml").write_text(HOSTS)
    (tmp_path / "users").write_text("ada admin\n")
    monkeypatch.chdir(tmp_path)
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    # Its own certificate would have to be one that holds on the day of the test.
    monkeypatch.setattr("swarmhub.certs.Certificate.is_due", lambda *_: False)
    secrets = {name: SecretStr(value) for name, value in SECRETS.items()}
    return cluster.deployed(settings_file.load(tmp_path / "hosts.toml"), secrets, authority)


@pytest.fixture
def type_(hosts: Hosts) -> Type:
    """Return what runs a step, with -H if hosts are named, and its dependencies before it."""

    def run_step(name: str, /, *named: str, **arguments: Any) -> None:
        context = Context(Config(overrides={"swarmhub_hosts": list(named)}))
        if not runs._current:
            runs._current.append(Run(context))
        # What a run would have made of hosts.toml: connections, which nothing here may open.
        runs._current[0].__dict__["hosts"] = hosts
        for call in ns[name].pre:
            call(context)
        ns[name](context, **arguments)

    return run_step


def changes(hosts: Hosts) -> list[str]:
    """Return all that was asked of the hosts, is no question, and no note of who has changed what."""
    asked = ((host, request) for host, fake in hosts.items() for request in fake.engine.requests)
    return [f"{host}: {one}" for host, one in asked if one.method != "GET" and not one.path.startswith("/configs")]


@pytest.mark.parametrize("name", [*(name for name in MANAGERS_STEPS if name != "deploy"), "prepull"])
def test_a_step_with_nothing_to_do_changes_nothing(type_: Type, hosts: Hosts, name: str) -> None:
    """On a cluster that is as wanted, each step only asks."""
    type_(name)
    assert changes(hosts) == []


def test_a_deploy_with_nothing_to_do_says_so(
    type_: Type, hosts: Hosts, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A second deploy asks, changes nothing, and ends with the hub's own word that it is well."""
    monkeypatch.setattr(https, "get", lambda *_: (200, "{}"))
    type_("deploy")
    said = capsys.readouterr().out.splitlines()
    assert (changes(hosts), said[-2]) == ([], f"health     https://{DOMAIN} answers over verified TLS")
    assert said[-1].startswith("done       nothing to change")


def test_a_deploy_fails_if_the_hub_does_not_answer(type_: Type, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that runs is not enough: the public address has to answer."""
    monkeypatch.setattr(https, "get", lambda *_: (503, ""))
    with pytest.raises(Exit) as ended:
        type_("deploy")
    assert (f"https://{DOMAIN}/hub/health does not answer: HTTP status 503" in str(ended.value.message), ended.value.code) == (
        True,
        1,
    )


@pytest.mark.parametrize("name", MANAGERS_STEPS)
def test_a_worker_given_to_a_managers_step_is_refused_before_any_connection(type_: Type, hosts: Hosts, name: str) -> None:
    """A worker given with -H to a manager's step ends it with 2, and no host has been asked anything."""
    with pytest.raises(Exit) as ended:
        type_(name, WORKER1)
    assert (ended.value.message, ended.value.code) == (
        f"-H {WORKER1}: that is a worker; this step takes a manager: -H {MANAGER}",
        2,
    )
    assert [host for host in hosts.values() if host.engine.requests or host.ran] == []


def test_a_host_that_hosts_toml_does_not_name_is_refused(type_: Type) -> None:
    """A node's step as well takes only hosts of hosts.toml."""
    with pytest.raises(Exit) as ended:
        type_("prepull", "swarm-worker9")
    assert ended.value.code == 2


@pytest.mark.parametrize(
    ("name", "named", "pulled"),
    [
        ("prepull", (WORKER2,), [WORKER2]),
        ("prepull", (WORKER1, WORKER2), [WORKER1, WORKER2]),
        ("prepull", (), [WORKER1, WORKER2]),
        ("prepull-all", (), [WORKER1, WORKER2]),
        ("prepull-all", (MANAGER,), [WORKER1, WORKER2]),
    ],
)
def test_an_image_is_pulled_on_the_nodes_that_are_named(
    type_: Type, hosts: Hosts, name: str, named: tuple[str, ...], pulled: list[str]
) -> None:
    """Prepull acts on the nodes that -H names, or on all; prepull-all always on all; both only where the image is missing."""
    for worker in (WORKER1, WORKER2):
        held = hosts[worker].engine.answers.pop(IMAGE)
        hosts[worker].engine.answers["POST /images/create"] = hosted(hosts[worker], held)
    type_(name, *named)
    assert [host for host, fake in hosts.items() if "POST /images/create" in fake.engine.asked()] == pulled


def hosted(host: FakeHost, image: Any) -> Callable[[Any], list[Any]]:
    """Return how a host answers a pull: it has the image from then on."""

    def pull(_: Any) -> list[Any]:
        host.engine.answers[IMAGE] = image
        return []

    return pull


def test_a_worker_pulls_what_the_others_hold(type_: Type, hosts: Hosts) -> None:
    """A tag that has moved in its registry meanwhile does not give one node another image."""
    held = hosts[WORKER2].engine.answers.pop(IMAGE)
    hosts[WORKER2].engine.answers["POST /images/create"] = hosted(hosts[WORKER2], held)
    type_("prepull", WORKER2)
    assert hosts[WORKER2].engine.sent("POST /images/create").params["tag"] == DIGEST


def test_an_image_that_nobody_holds_is_the_one_that_the_registry_has(type_: Type, hosts: Hosts) -> None:
    """The first pull asks the registry once, through the manager, and pulls that digest on every node."""
    for host in hosts.values():
        held = host.engine.answers.pop(IMAGE)
        host.engine.answers["POST /images/create"] = hosted(host, held)
    hosts[MANAGER].engine.answers[f"GET /distribution/{NOTEBOOK}/json"] = {"Descriptor": {"digest": DIGEST}}
    type_("prepull-all")
    assert {host.engine.sent("POST /images/create").params["tag"] for host in hosts.values()} == {DIGEST}


def test_a_node_that_cannot_pull_fails_the_step_and_the_others_have_pulled(type_: Type, hosts: Hosts) -> None:
    """The node and its engine's words are told; what the other node has pulled stays."""
    for worker in (WORKER1, WORKER2):
        held = hosts[worker].engine.answers.pop(IMAGE)
        hosts[worker].engine.answers["POST /images/create"] = hosted(hosts[worker], held)
    hosts[WORKER1].engine.answers["POST /images/create"] = EngineError(WORKER1, 500, "no space left on device")
    with pytest.raises(Exit) as ended:
        type_("prepull-all")
    assert str(ended.value.message).startswith(f"{WORKER1}: prepull-all: cannot pull {NOTEBOOK}: no space left on device. ")
    assert IMAGE in hosts[WORKER2].engine.answers


def test_a_node_that_cannot_be_reached_fails_the_step_after_the_others_have_pulled(type_: Type, hosts: Hosts) -> None:
    """One host that is down does not keep the others from getting the image, and is not passed over."""
    hosts[WORKER1].engine.answers[IMAGE] = StepError(WORKER1, "cannot reach it", "Is it up?")
    held = hosts[WORKER2].engine.answers.pop(IMAGE)
    hosts[WORKER2].engine.answers["POST /images/create"] = hosted(hosts[WORKER2], held)
    with pytest.raises(Exit, match=f"{WORKER1}: prepull-all: cannot reach it. Is it up?"):
        type_("prepull-all")
    assert IMAGE in hosts[WORKER2].engine.answers


@pytest.mark.parametrize("named", [(), (MANAGER,)])
def test_nodes_that_are_not_ready_end_the_step_with_what_to_do(
    type_: Type, hosts: Hosts, capsys: pytest.CaptureFixture[str], named: tuple[str, ...]
) -> None:
    """The table is shown whole, the remedy below it, and the step fails for the hosts that block."""
    hosts[WORKER1].engine.answers["GET /info"] = StepError(WORKER1, "cannot reach it", "Is it up?")
    with pytest.raises(Exit, match=f"not ready: {WORKER1}. What to do stands above"):
        type_("nodes", *named)
    said = capsys.readouterr().out
    assert (f"{WORKER1}: cannot reach it. Is it up?" in said, WORKER2 in said) == (True, True)


def test_a_missing_network_is_made_by_its_step(type_: Type, hosts: Hosts) -> None:
    """`network` makes the overlay on the manager and touches no other host."""
    hosts[MANAGER].engine.answers["GET /networks"] = []
    type_("network")
    assert changes(hosts) == [f"{MANAGER}: POST /networks/create"]


def drifted(hosts: Hosts) -> None:
    """Make the network differ, with the hub on it."""
    manager = hosts[MANAGER].engine
    manager.answers["GET /networks"][0]["Attachable"] = True
    target = {"Networks": [{"Target": cluster.NETWORK}]}
    manager.answers["GET /services"] = [{"ID": "s1", "Spec": {"Name": "jupyterhub", "TaskTemplate": target}}]
    manager.answers["GET /tasks"] = []


def test_a_network_in_use_is_not_replaced_unless_the_flag_is_given(type_: Type, hosts: Hosts) -> None:
    """`network` refuses to stop services, and names them and the flag."""
    drifted(hosts)
    with pytest.raises(Exit, match=r"in use by jupyterhub\. .*fab network --recreate"):
        type_("network")
    assert changes(hosts) == []


def test_with_the_flag_the_network_is_replaced(type_: Type, hosts: Hosts) -> None:
    """`network --recreate` stops the services on it and makes it anew."""
    drifted(hosts)
    type_("network", recreate=True)
    assert changes(hosts) == [
        f"{MANAGER}: DELETE /services/jupyterhub",
        f"{MANAGER}: DELETE /networks/{cluster.NETWORK}",
        f"{MANAGER}: POST /networks/create",
    ]


def test_a_missing_volume_is_made_by_its_step(type_: Type, hosts: Hosts) -> None:
    """`volume` makes the volume on the manager and touches no other host."""
    del hosts[MANAGER].engine.answers["GET /volumes/jupyterhub-data"]
    type_("volume")
    assert changes(hosts) == [f"{MANAGER}: POST /volumes/create"]


def test_a_changed_userlist_is_another_image(type_: Type, hosts: Hosts, tmp_path: Path) -> None:
    """`build-hub` builds on the manager when what goes into the image has changed, and not otherwise."""
    (tmp_path / "users").write_text("ada admin\ngrace\n")
    type_("build-hub")
    assert changes(hosts) == [f"{MANAGER}: POST /build"]


def test_a_service_without_what_it_stands_on_names_the_step(type_: Type, hosts: Hosts) -> None:
    """`service` alone says which step comes first, and changes nothing."""
    del hosts[MANAGER].engine.answers["GET /volumes/jupyterhub-data"]
    with pytest.raises(Exit, match=r"service: there is no volume jupyterhub-data\. Create it first: fab volume"):
        type_("service")
    assert changes(hosts) == []


@pytest.mark.parametrize("name", ["check", "service", "deploy"])
def test_secrets_are_missed_before_anything_is_changed(
    type_: Type, hosts: Hosts, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A deploy without its secrets ends with 2 at once, and has asked no host anything."""
    monkeypatch.delenv("GITHUB_CLIENT_SECRET")
    with pytest.raises(Exit) as ended:
        type_(name)
    assert (ended.value.code, [host for host in hosts.values() if host.engine.requests]) == (2, [])


def test_the_check_says_which_manager_it_would_be(type_: Type, capsys: pytest.CaptureFixture[str]) -> None:
    """`check` reads the files, connects to nothing, and names the manager that a deploy would use."""
    type_("check")
    assert capsys.readouterr().out == (f"check      settings, userlist and secrets are in order; the manager is {MANAGER}\n")


def test_no_secret_is_printed_by_a_deploy(
    type_: Type, hosts: Hosts, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What a first deploy prints holds no secret's value."""
    monkeypatch.setenv("GITHUB_CLIENT_SECRET", "a-value-that-nobody-may-see")
    monkeypatch.setattr(https, "get", lambda *_: (200, "{}"))
    monkeypatch.setattr(health, "SECONDS", 0)
    manager = hosts[MANAGER].engine
    known = manager.answers["GET /secrets"]

    def made(_: Request) -> list[dict[str, Any]]:
        names = [request.body["Name"] for request in manager.requests if str(request) == "POST /secrets/create"]
        return [*known, *({"ID": "new", "Spec": {"Name": name}} for name in names)]

    manager.answers["GET /secrets"] = made
    type_("deploy")
    said = capsys.readouterr()
    assert ("create secret" in said.out, "a-value-that-nobody-may-see" in said.out + said.err) == (True, False)
