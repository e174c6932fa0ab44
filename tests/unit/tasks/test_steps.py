"""The steps as they are typed, on a cluster in memory."""

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from invoke.exceptions import Exit

from swarmhub import settings as settings_file
from swarmhub.certificate import health, https
from swarmhub.errors import StepError
from swarmhub.firewall import image as firewall_image
from swarmhub.host import EngineError
from swarmhub.images import bundle
from swarmhub.images.hub import build
from swarmhub.run.report import Report
from swarmhub.settings import Settings
from tests.unit.support import cluster
from tests.unit.support.cluster import DIGEST, Hosts, Type
from tests.unit.support.fakes import DOMAIN, MANAGER, NOTEBOOK, WORKER1, WORKER2, FakeHost, Request

IMAGE = f"GET /images/{NOTEBOOK}/json"
MANAGERS_STEPS = ("check", "nodes", "network", "volume", "certs", "prepull-all", "firewall", "build-hub", "service", "deploy")
pytestmark = pytest.mark.usefixtures("clock")


@pytest.mark.parametrize("name", [*(name for name in MANAGERS_STEPS if name != "deploy"), "prepull"])
def test_a_step_with_nothing_to_do_changes_nothing(type_: Type, hosts: Hosts, name: str) -> None:
    """On a cluster that is as wanted, each step only asks."""
    type_(name)
    assert cluster.changes(hosts) == []


def test_a_deploy_with_nothing_to_do_says_so(
    type_: Type, hosts: Hosts, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A second deploy asks, changes nothing, and ends with the hub's own word that it is well."""
    monkeypatch.setattr(https, "get", lambda *_, **__: (200, "{}"))
    type_("deploy")
    said = capsys.readouterr().out.splitlines()
    assert (cluster.changes(hosts), said[-3]) == ([], f"health     https://{DOMAIN} answers over verified TLS")
    assert said[-2].startswith("done       nothing to change")
    assert said[-1].split() == [f"https://{DOMAIN}"]


def test_a_deploy_fails_if_the_hub_does_not_answer(type_: Type, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that runs is not enough: the public address has to answer."""
    monkeypatch.setattr(https, "get", lambda *_, **__: (503, ""))
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
    lacking(hosts, WORKER1, WORKER2)
    type_(name, *named)
    assert [host for host, fake in hosts.items() if "POST /images/create" in fake.engine.asked()] == pulled


def hosted(host: FakeHost, image: Any) -> Callable[[Any], list[Any]]:
    """Return how a host answers a pull: it has the image from then on."""

    def pull(_: Any) -> list[Any]:
        host.engine.answers[IMAGE] = image
        return []

    return pull


def lacking(hosts: Hosts, *names: str) -> None:
    """Take the image off hosts, which have it again when they have pulled it."""
    for host in (hosts[name] for name in names):
        host.engine.answers["POST /images/create"] = hosted(host, host.engine.answers.pop(IMAGE))


def test_a_worker_pulls_what_the_others_hold(type_: Type, hosts: Hosts) -> None:
    """A tag that has moved in its registry meanwhile does not give one node another image."""
    lacking(hosts, WORKER2)
    type_("prepull", WORKER2)
    assert hosts[WORKER2].engine.sent("POST /images/create").params["tag"] == DIGEST


def test_an_image_that_nobody_holds_is_the_one_that_the_registry_has(type_: Type, hosts: Hosts) -> None:
    """The first pull asks the registry once, through the manager, and pulls that digest on every node."""
    lacking(hosts, *hosts)
    hosts[MANAGER].engine.answers[f"GET /distribution/{NOTEBOOK}/json"] = {"Descriptor": {"digest": DIGEST}}
    type_("prepull-all")
    assert {host.engine.sent("POST /images/create").params["tag"] for host in hosts.values()} == {DIGEST}


def test_a_node_that_cannot_pull_fails_the_step_and_the_others_have_pulled(type_: Type, hosts: Hosts) -> None:
    """The node and its engine's words are told; what the other node has pulled stays."""
    lacking(hosts, WORKER1, WORKER2)
    hosts[WORKER1].engine.answers["POST /images/create"] = EngineError(WORKER1, 500, "no space left on device")
    with pytest.raises(Exit) as ended:
        type_("prepull-all")
    assert str(ended.value.message).startswith(f"{WORKER1}: prepull-all: cannot pull {NOTEBOOK}: no space left on device. ")
    assert IMAGE in hosts[WORKER2].engine.answers


def test_a_node_that_cannot_be_reached_fails_the_step_after_the_others_have_pulled(type_: Type, hosts: Hosts) -> None:
    """One host that is down does not keep the others from getting the image, and is not passed over."""
    hosts[WORKER1].engine.answers[IMAGE] = StepError(WORKER1, "cannot reach it", "Is it up?")
    lacking(hosts, WORKER2)
    with pytest.raises(Exit, match=f"{WORKER1}: prepull-all: cannot reach it. Is it up?"):
        type_("prepull-all")
    assert IMAGE in hosts[WORKER2].engine.answers


def test_a_node_that_is_named_and_away_is_told_with_its_own_error(type_: Type, hosts: Hosts) -> None:
    """A deploy leaves it out; a step that is for just this node cannot."""
    error = StepError(WORKER1, "the Docker Engine does not run", "Start it there")
    hosts[WORKER1].engine.answers |= dict.fromkeys(hosts[WORKER1].engine.answers, error)
    with pytest.raises(Exit, match=f"{WORKER1}: prepull: the Docker Engine does not run. Start it there"):
        type_("prepull", WORKER1)


@pytest.mark.parametrize("named", [(), (MANAGER,)])
def test_nodes_that_are_not_ready_end_the_step_with_what_to_do(
    type_: Type, hosts: Hosts, capsys: pytest.CaptureFixture[str], named: tuple[str, ...]
) -> None:
    """The table is shown whole, the remedy below it, and the step fails for the hosts that block, not for one that is away."""
    hosts[WORKER1].engine.answers["GET /info"] = StepError(WORKER1, "cannot reach it", "Is it up?")
    hosts[WORKER2].engine.answers["GET /info"]["Swarm"] = {
        "NodeID": "",
        "LocalNodeState": "inactive",
        "ControlAvailable": False,
    }
    with pytest.raises(Exit, match=f"not ready: {WORKER2}. See above what to do"):
        type_("nodes", *named)
    said = capsys.readouterr().out
    assert f"{WORKER1}: cannot reach it. A deploy leaves it out; when it is back, deploy again. Is it up?" in said


def drifted(hosts: Hosts) -> None:
    """Make the network differ, with the hub on it."""
    manager = hosts[MANAGER].engine
    manager.answers["GET /networks"][0]["Attachable"] = True
    target = {"Networks": [{"Target": cluster.NETWORK}]}
    manager.answers["GET /services"] = [{"ID": "s1", "Spec": {"Name": "jupyterhub", "TaskTemplate": target}}]
    manager.answers["GET /tasks"] = []


def test_a_network_in_use_is_replaced_only_with_the_flag(type_: Type, hosts: Hosts) -> None:
    """`network` refuses to stop services, and names them and the flag; with it they stop, and the network is made again."""
    drifted(hosts)
    with pytest.raises(Exit, match=r"in use by jupyterhub\. .*fab network --recreate"):
        type_("network")
    assert cluster.changes(hosts) == []
    type_("network", recreate=True, yes=True)
    assert cluster.changes(hosts) == [
        f"{MANAGER}: DELETE /services/jupyterhub",
        f"{MANAGER}: DELETE /networks/{cluster.NETWORK}",
        f"{MANAGER}: POST /networks/create",
    ]


def test_a_network_on_which_somebody_has_begun_to_work_meanwhile_stays(
    type_: Type, hosts: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The people who stood in the question are the ones whose work may be stopped, and nobody else."""
    drifted(hosts)
    container = {"Env": ["JUPYTERHUB_USER=ada"]}
    ada = {"ID": "s2", "Spec": {"Name": "jupyter-ada", "Labels": {"swarmhub.notebooks": "jupyterhub"}}}
    ada["Spec"] |= {"TaskTemplate": {"ContainerSpec": container, "Networks": [{"Target": cluster.NETWORK}]}}  # type: ignore[operator]

    def ask(*_: Any) -> bool:
        hosts[MANAGER].engine.answers["GET /services"].append(ada)
        return True

    monkeypatch.setattr(Report, "is_terminal", True)
    monkeypatch.setattr(Report, "ask", ask)
    with pytest.raises(Exit, match="the cluster has changed since the plan was shown"):
        type_("network", recreate=True)
    assert cluster.changes(hosts) == []


@pytest.mark.parametrize(
    ("step", "missing", "made"),
    [("network", {"GET /networks": []}, "networks"), ("volume", {"GET /volumes/jupyterhub-data": None}, "volumes")],
)
def test_what_is_missing_is_made_by_its_step(type_: Type, hosts: Hosts, step: str, missing: dict[str, Any], made: str) -> None:
    """On the manager; no other host is touched."""
    hosts[MANAGER].engine.answers |= missing
    type_(step)
    assert cluster.changes(hosts) == [f"{MANAGER}: POST /{made}/create"]


def test_the_firewall_is_set_up_by_its_step_and_waited_for(type_: Type, hosts: Hosts) -> None:
    """Where every node has the image."""
    answers, call = hosts[MANAGER].engine.answers, "GET /services/jupyterhub_firewall"
    made = answers.pop(call)
    answers["POST /services/create"] = lambda _: answers.update({call: made})
    type_("firewall")
    assert cluster.changes(hosts) == [f"{MANAGER}: POST /services/create"]


def test_a_node_without_rules_ends_the_step(type_: Type, hosts: Hosts) -> None:
    """It is named, though there is nothing to change."""
    answers = hosts[MANAGER].engine.answers
    tasks = answers["GET /tasks"]
    answers["GET /tasks"] = lambda request: tasks(request)[:2]
    with pytest.raises(
        Exit, match=f"{WORKER2}: firewall: the firewall rules are not active: Swarm has given this node no task"
    ):
        type_("firewall")


def test_a_firewall_without_its_image_name_the_step(type_: Type, hosts: Hosts) -> None:
    """On the node that lacks it; `prepull` gives it the image."""
    call = f"GET /images/{firewall_image.tag('jupyterhub')}/json"
    engine, image = hosts[WORKER1].engine, hosts[WORKER1].engine.answers.pop(call)
    hosts[MANAGER].engine.answers.pop("GET /services/jupyterhub_firewall")
    with pytest.raises(Exit, match=f"{WORKER1}: firewall: has no image jupyterhub_firewall:.*First: fab prepull-all"):
        type_("firewall")
    engine.answers |= {"GET /version": {"Arch": "amd64"}, "POST /images/load": lambda _: engine.answers.update({call: image})}
    type_("prepull", WORKER1)
    assert cluster.changes(hosts) == [f"{WORKER1}: POST /images/load"]


def test_a_firewall_that_is_switched_off_goes(type_: Type, hosts: Hosts, folder: Path) -> None:
    """And no node is asked for its addresses."""
    with (folder / "hosts.toml").open("a") as file:
        file.write("\n[firewall]\nenabled = false\n")
    manager = hosts[MANAGER].engine
    manager.answers["GET /tasks"] = []
    type_("firewall")
    assert cluster.changes(hosts) == [f"{MANAGER}: DELETE /services/w1"]
    assert [host.ran for host in hosts.values()] == [[], [], []]


def test_a_changed_userlist_is_another_image(type_: Type, hosts: Hosts, tmp_path: Path) -> None:
    """`build-hub` builds on the manager when what goes into the image has changed, and not otherwise."""
    (tmp_path / "users").write_text("ada admin\ngrace\n")
    type_("build-hub")
    assert cluster.changes(hosts) == [f"{MANAGER}: POST {call}" for call in ("/images/create", "/build", "/build")]


BASE = "GET /distribution/debian:trixie-slim/json"


def test_fresh_images_are_built_on_the_newest_base_and_kept_for_the_next_deploy(
    type_: Type, hosts: Hosts, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By its digest, and told to the builder with the time; the file is read by the next plan, on any machine that has it."""
    hosts[MANAGER].engine.answers[BASE] = {"Descriptor": {"digest": DIGEST}}
    type_("build-hub", fresh=True)
    sent = next(
        one.params for one in hosts[MANAGER].engine.requests if one.params.get("t", "").startswith("jupyterhub-packages")
    )
    assert sent["buildargs"]["BASE"] == f"debian:trixie-slim@{DIGEST}"
    assert f'digest = "{DIGEST}"\nfresh = "{sent["buildargs"]["FRESH"]}"\n' in (folder / "base.lock").read_text()
    said = capsys.readouterr().out
    assert f"base.lock: debian:trixie-slim, {DIGEST[7:19]}, fresh on " in said
    (ground,) = build.grounds([build.desired(settings_file.load(folder / "hosts.toml"))])
    assert ground.tag == sent["t"]


def test_fresh_images_are_built_on_the_base_that_is_there_where_no_registry_answers(
    type_: Type, hosts: Hosts, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The line says why; without a base on the manager, nothing is built and nothing is kept."""
    hosts[MANAGER].engine.answers[BASE] = EngineError(MANAGER, 500, "no such host")
    with pytest.raises(Exit, match="build-hub: no such host"):
        type_("build-hub", fresh=True)
    assert (cluster.changes(hosts), (folder / "base.lock").exists()) == ([], False)
    hosts[MANAGER].engine.answers["GET /images/debian:trixie-slim/json"] = {"Id": "sha256:b"}
    type_("build-hub", fresh=True)
    said = capsys.readouterr().out
    assert f"its registry gives no newer debian:trixie-slim: no such host; it is built on the one that {MANAGER} has" in said
    sent = hosts[MANAGER].engine.sent("POST /build").params["buildargs"]
    assert (sent["BASE"], sent["BASE_DIGEST"]) == ("debian:trixie-slim", "sha256:b")
    assert 'digest = ""' in (folder / "base.lock").read_text()


def test_fresh_images_that_cannot_be_built_are_not_wanted(type_: Type, hosts: Hosts, folder: Path) -> None:
    """The next deploy has the images that it had."""
    hosts[MANAGER].engine.answers |= {
        BASE: {"Descriptor": {"digest": DIGEST}},
        "POST /build": EngineError(MANAGER, 500, "no space left on device"),
    }
    with pytest.raises(Exit, match="cannot build jupyterhub-packages:"):
        type_("build-hub", fresh=True)
    assert not (folder / "base.lock").exists()


def test_a_bundle_needs_neither_a_deployed_hub_nor_another_host(
    type_: Type, hosts: Hosts, given: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the manager lacks is pulled and built there; no worker is asked, and no secret is needed."""
    cluster.wipe(hosts, given)
    hub, manager = build.desired(given), hosts[MANAGER].engine
    tags = [NOTEBOOK, hub.tag, hub.ground.tag if hub.ground else "", given.certs.certbot]

    def pull(request: Request) -> list[Any]:
        if request.params["tag"] == DIGEST:
            manager.answers[f"GET /images/{NOTEBOOK}/json"] = HELD
        manager.answers[f"GET /images/{request.params['fromImage']}:{request.params['tag']}/json"] = HELD
        return []

    def built(request: Request) -> list[Any]:
        manager.answers[f"GET /images/{request.params['t']}/json"] = HELD
        return []

    manager.answers |= {"POST /images/create": pull, "POST /build": built, "GET /images/get": [archive(*tags)]}
    type_("bundle", out=str(tmp_path / "b.tar"))
    assert [one.name for one in bundle.read(tmp_path / "b.tar").images] == tags
    assert [request.params["t"] for request in manager.requests if str(request) == "POST /build"] == [tags[2], tags[1]]
    assert (hosts[WORKER1].engine.requests, hosts[WORKER2].engine.requests) == ([], [])
    assert "b.tar: 4 images for amd64" in capsys.readouterr().out


HELD = {"Id": "sha256:1", "RepoDigests": [f"{NOTEBOOK.partition(':')[0]}@{DIGEST}"], "RootFS": {"Layers": ["a"]}, "Size": 1}


def archive(*tags: str) -> bytes:
    """Return what an engine saves."""
    packed = io.BytesIO()
    content = json.dumps([{"Config": "c", "Layers": [], "RepoTags": [tag]} for tag in tags]).encode()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        entry = tarfile.TarInfo("manifest.json")
        entry.size = len(content)
        tar.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def test_without_packages_there_is_nothing_to_lock(type_: Type, hosts: Hosts) -> None:
    """`lock-hub` says so, and builds nothing."""
    with pytest.raises(Exit, match=r"hub\.packages in hosts\.toml names no package"):
        type_("lock-hub")
    assert cluster.changes(hosts) == []


def test_a_service_without_what_it_stands_on_names_the_step(type_: Type, hosts: Hosts) -> None:
    """`service` alone says which step comes first, and changes nothing."""
    del hosts[MANAGER].engine.answers["GET /volumes/jupyterhub-data"]
    with pytest.raises(Exit, match=r"service: there is no volume jupyterhub-data\. Create it first: fab volume"):
        type_("service")
    assert cluster.changes(hosts) == []


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
    monkeypatch.setattr(https, "get", lambda *_, **__: (200, "{}"))
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


def test_a_node_that_cannot_run_an_image_is_told_and_left_alone(
    type_: Type, hosts: Hosts, capsys: pytest.CaptureFixture[str]
) -> None:
    """`prepull` there ends well, with a line that says why nothing was pulled, also where the registry does not answer."""
    for name, host in hosts.items():
        host.engine.answers["GET /info"]["Architecture"] = "aarch64" if name == WORKER2 else "x86_64"
        host.engine.answers[IMAGE] = {**host.engine.answers[IMAGE], "Architecture": "amd64"}
    del hosts[WORKER2].engine.answers[IMAGE]
    hosts[MANAGER].engine.answers["GET /nodes"][2]["Spec"]["Labels"] = {}
    type_("prepull", WORKER2)
    assert f"{WORKER2} is aarch64, and {NOTEBOOK} is for amd64: no server with it is placed there." in capsys.readouterr().out
    assert cluster.changes(hosts) == []


def test_a_move_of_the_hub_is_asked_for(type_: Type, hosts: Hosts, capsys: pytest.CaptureFixture[str]) -> None:
    """Where the hub is already, nothing is asked, nothing changes, and where the domain has to lead is told."""
    with pytest.raises(Exit, match=f"{WORKER1} is a worker; the hub needs a manager"):
        type_("move-hub", host=WORKER1)
    type_("move-hub", host=MANAGER)
    assert cluster.changes(hosts) == []
    said = capsys.readouterr().out
    assert f"the hub is on {MANAGER}" in said
    assert f"now, let {DOMAIN} lead to {MANAGER}" in said
