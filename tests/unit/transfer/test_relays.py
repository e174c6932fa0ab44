"""One transfer: what each node is told, what becomes of what they say, and that nothing is left."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from swarmhub.errors import StepError, StepErrors
from swarmhub.host import EngineError
from swarmhub.plan import plans
from swarmhub.transfer import layers, plan, program, relays
from swarmhub.transfer.layers import Image, Part, Store
from swarmhub.transfer.relays import Cluster, Load
from tests.unit.support.fakes import MANAGER, WORKER1, WORKER2, FakeHost, FakeJournal, FakeProgress

IMAGE = Image("sha256:1", ("a", "b"), 100, frozenset({"own:1"}))
HASH = "f" * 64
TAG = f"jupyterhub_transfer:{HASH[:12]}"
BASE = Image("sha256:0", ("a",), 60)
READY, LOADED = '{"state": "ready"}', '{"Id": "sha256:1", "RootFS": {"Layers": ["sha256:a", "sha256:b"]}}'
FOUND = json.loads(LOADED)


def node(name: str, *said: str, **answers: Any) -> FakeHost:
    """Return a node whose part says this."""
    known = {
        f"GET /images/{TAG}/json": {"Id": "sha256:python"},
        "GET /images/own:1/json": FOUND,
        "POST /containers/create": {"Id": "part"},
        "GET /containers/part/logs": list(said),
    }
    return FakeHost(name, {**known, **answers})


@pytest.fixture(autouse=True)
def packed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every node has the program's image: its own tests are elsewhere."""
    monkeypatch.setattr(program, "ensure", lambda manager, python, hub, hosts: {host.name: "sha256:python" for host in hosts})


def carried(*nodes: FakeHost, parts: Mapping[str, Part] | None = None) -> tuple[dict[str, StepError], FakeProgress]:
    """Bring the image from the first of the nodes to the others."""
    hosts = {one.name: one for one in nodes}
    cluster = Cluster(nodes[0], hosts, "jupyterhub", "jupyterhub:1", {})
    given = parts or {one.name: Part(("b",), BASE) for one in nodes[1:]}
    progress = FakeProgress()
    return relays.carry(cluster, Load("own:1", IMAGE, nodes[0].name, given), progress), progress


def test_nothing_is_left_when_all_have_the_image() -> None:
    """The network, each node's container and what it kept are removed."""
    nodes = [node(MANAGER, READY), node(WORKER1, '{"done": 7}', '{"state": "loading"}', READY)]
    failed, progress = carried(*nodes)
    assert failed == {}
    for one in nodes:
        assert one.engine.asked("DELETE")[-2:] != []
        assert {"DELETE /containers/part", "DELETE /volumes/jupyterhub_transfer"} <= {*one.engine.asked("DELETE")}
    assert nodes[0].engine.asked("DELETE")[0] == "DELETE /networks/jupyterhub_transfer"
    assert nodes[0].engine.asked("DELETE").count("DELETE /networks/jupyterhub_transfer") == 2
    assert progress.amounts == [(WORKER1, 7, 40), (WORKER1, 40, 40)]


def test_somebody_elses_network_of_its_name_stays() -> None:
    """The network `transfer` of a stack called like the hub."""
    manager = node(MANAGER, READY)
    manager.engine.answers["GET /networks/jupyterhub_transfer"] = {"Labels": {"com.docker.stack.namespace": "jupyterhub"}}
    with pytest.raises(StepError, match="somebody else has made the network jupyterhub_transfer"):
        carried(manager, node(WORKER1, READY))
    assert not manager.engine.asked("DELETE")


def test_a_node_that_fails_keeps_what_has_arrived_and_the_others_go_on() -> None:
    """One line with the host and what helps; the source keeps what it has made ready, too."""
    full = node(WORKER1, '{"error": "No space left on device"}')
    nodes = [node(MANAGER, READY), full, node(WORKER2, READY)]
    failed, _ = carried(*nodes)
    assert [str(error) for error in failed.values()] == [
        f"{WORKER1}: cannot keep the image: no space left on device. "
        "Free some disk there (docker system df) and run this again: what has arrived is not sent again"
    ]
    kept = [one.name for one in nodes if "DELETE /volumes/jupyterhub_transfer" not in one.engine.asked("DELETE")]
    assert kept == [MANAGER, WORKER1]


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        (["Traceback", "ImportError: no x"], "the program that brings it has ended: ImportError: no x"),
        ([], "the program that brings it has ended: it says nothing"),
        (["[]", '{"error": "layer b came no further than 2 MB"}'], "layer b came no further than 2 MB"),
    ],
)
def test_a_program_that_ends_says_why(said: list[str], cause: str) -> None:
    """A container that is gone has its last line."""
    failed, _ = carried(node(MANAGER, READY), node(WORKER1, *said))
    assert str(failed[WORKER1]) == f"{WORKER1}: {cause}. Run this again: what has arrived is not sent again"


def test_an_engine_that_refuses_the_container_is_told() -> None:
    """With the engine's own words."""
    refusing = node(WORKER1, **{"POST /containers/part/start": EngineError(WORKER1, 400, "could not attach to network")})
    failed, _ = carried(node(MANAGER, READY), refusing)
    assert failed[WORKER1].cause == "could not attach to network"
    assert "DELETE /containers/part" in refusing.engine.asked("DELETE")


def test_a_node_of_another_architecture_than_the_managers_is_told() -> None:
    """The program is the hub's Python, for the manager; another run would not help."""
    said = "failed to create task: exec /python: exec format error"
    failed, _ = carried(node(MANAGER, READY), node(WORKER1, **{"POST /containers/part/start": EngineError(WORKER1, 400, said)}))
    assert failed[WORKER1].cause.endswith("the manager's Python, which this processor cannot run")
    assert "docker save" in failed[WORKER1].remedy


def test_an_engine_that_has_taken_another_image_is_told() -> None:
    """Its own word that it has loaded something is not enough."""
    other = {"Id": "2", "RootFS": {"Layers": ["sha256:a"]}}
    failed, _ = carried(node(MANAGER, READY), node(WORKER1, READY, **{"GET /images/own:1/json": other}))
    assert failed[WORKER1].cause == "its engine has taken own:1, and has another image by that name"


def test_each_node_is_told_what_it_lacks_and_who_is_before_it() -> None:
    """The nearest first; the source has none before it, and gives all that one of them lacks."""
    load = Load("own:1", IMAGE, MANAGER, {WORKER1: Part(("b",), BASE), WORKER2: Part(("a", "b"))})
    order = [MANAGER, WORKER2, WORKER1]
    source, first, last = (relays.job(load, order, host, "hush", "net") for host in order)
    assert (source["before"], source["wanted"]) == ([], ["a", "b"])
    assert (first["before"], first["wanted"]) == ([["n0", MANAGER]], ["a", "b"])
    assert (last["before"], last["wanted"]) == ([["n1", WORKER2], ["n0", MANAGER]], ["b"])
    assert {one["config"] for one in (source, first, last)} == {"config-1"}


def test_an_engine_with_containerd_takes_what_it_has_from_itself() -> None:
    """It wants all layers again, and those that it has need not travel."""
    load = Load("own:1", IMAGE, MANAGER, {WORKER1: Part(("b",), BASE, in_containerd=True)})
    told = relays.job(load, [MANAGER, WORKER1], WORKER1, "hush", "net")
    assert (told["wanted"], told["own"], told["base"], told["base_layers"]) == (["b"], ["a"], "sha256:0", ["a"])


def test_a_layer_that_an_image_has_twice_comes_once() -> None:
    """Steps that change nothing all give the same one: below it is there, above it is lacking, and two would write one file."""
    image, base = Image("sha256:1", ("a", "e", "b", "e")), Image("sha256:0", ("a", "e"))
    load = Load("own:1", image, MANAGER, {WORKER1: Part(("b", "e"), base, in_containerd=True)})
    told = relays.job(load, [MANAGER, WORKER1], WORKER1, "hush", "net")
    assert (told["wanted"], told["own"]) == (["b", "e"], ["a"])


def test_the_token_is_in_a_file_that_only_root_reads() -> None:
    """In no argument, no variable and no label: all of those are listed by the engine."""
    nodes = [node(MANAGER, READY), node(WORKER1, READY)]
    carried(*nodes)
    sent = nodes[1].engine.sent("PUT /containers/part/archive").body
    token = json.loads(sent[sent.index(b'{"token"') :].split(b"\0", 1)[0])["token"]
    assert len(token) == 32
    body = nodes[1].engine.sent("POST /containers/create").body
    assert token not in json.dumps(body)
    assert (body["HostConfig"]["CapDrop"], "Binds" in body["HostConfig"]) == (["ALL"], False)


def planned(*nodes: FakeHost, stores: Mapping[str, Store]) -> plans.Plan:
    """Plan the image's way from the first node."""
    cluster = Cluster(nodes[0], {one.name: one for one in nodes}, "jupyterhub", "jupyterhub:1", {})
    return plan.plan(cluster, MANAGER, {"own:1": IMAGE}, stores)


def test_nodes_that_have_the_image_are_left_alone() -> None:
    """A node that has all layers by another name gets the tag."""
    stores = {
        MANAGER: Store("amd64", False, (IMAGE,)),
        WORKER1: Store("amd64", False, (IMAGE,)),
        WORKER2: Store("amd64", False, (Image("2", IMAGE.layers),)),
    }
    found = planned(node(MANAGER), stores=stores)
    assert [(one.sentence, one.gist) for one in found.changes] == [
        (f"bring image own:1 on {WORKER2}", f"0 of 2 layers from {MANAGER}")
    ]


def test_a_node_of_another_architecture_is_named() -> None:
    """And gets nothing; the others do."""
    stores = {WORKER1: Store("arm64", False, ()), WORKER2: Store("amd64", False, ())}
    refused, other = planned(node(MANAGER), stores=stores).changes
    with pytest.raises(StepError) as error:
        refused.apply(node(WORKER1), FakeProgress())
    assert str(error.value).startswith(f"{WORKER1}: is arm64, and own:1 is for amd64. ")
    assert other.sentence == f"bring image own:1 on {WORKER2}"


def test_one_transfer_serves_all_of_its_changes() -> None:
    """Each node's change ends as its own part has."""
    nodes = [node(MANAGER, READY), node(WORKER1, READY), node(WORKER2, '{"error": "broken"}')]
    found = planned(*nodes, stores={one.name: Store("amd64", False, ()) for one in nodes[1:]})
    journal = FakeJournal()
    with pytest.raises(StepErrors) as error:
        plans.apply(found, {one.name: one for one in nodes}, FakeProgress(), journal)
    assert [one.host for one in error.value.errors] == [WORKER2]
    assert [one.host for one in journal.made] == [WORKER1]
    assert nodes[0].engine.asked().count("POST /networks/create") == 1


def test_where_the_source_fails_each_node_says_that_it_goes_without(monkeypatch: pytest.MonkeyPatch) -> None:
    """And the first one says why."""
    monkeypatch.setattr(program, "ensure", lambda *_: {MANAGER: StepError(MANAGER, "no room", "Free some")})
    nodes = [node(MANAGER), node(WORKER1), node(WORKER2)]
    found = planned(*nodes, stores={one.name: Store("amd64", False, ()) for one in nodes[1:]})
    with pytest.raises(StepErrors) as error:
        plans.apply(found, {one.name: one for one in nodes}, FakeProgress(), FakeJournal())
    assert {str(one) for one in error.value.errors} & {f"{MANAGER}: no room. Free some"}
    assert any("has not got own:1, because of what failed before" in str(one) for one in error.value.errors)


def test_an_engine_that_makes_no_network_fails_every_change() -> None:
    """None of them is taken for done."""
    first = node(MANAGER, **{"POST /networks/create": EngineError(MANAGER, 500, "no address left")})
    nodes = [first, node(WORKER1), node(WORKER2)]
    found = planned(*nodes, stores={one.name: Store("amd64", False, ()) for one in nodes[1:]})
    journal = FakeJournal()
    with pytest.raises(StepErrors, match="no address left"):
        plans.apply(found, {one.name: one for one in nodes}, FakeProgress(), journal)
    assert journal.made == []


def test_a_source_without_the_image_is_an_error() -> None:
    """It may have lost it since it was asked."""
    cluster = Cluster(FakeHost(MANAGER), {MANAGER: FakeHost(MANAGER)}, "jupyterhub", "jupyterhub:1", {})
    with pytest.raises(StepError, match="holds no own:1"):
        plan.find(cluster, MANAGER, "own:1")
    assert layers.find(FakeHost(MANAGER), "own:1") is None


def test_a_node_that_goes_before_it_is_looked_at_fails_alone() -> None:
    """A build takes its time; the others get the image all the same."""
    there = {"GET /images/json": [], "GET /info": {}, "GET /version": {"Arch": "amd64"}}
    nodes = [node(MANAGER, READY), node(WORKER1, READY, **there), node(WORKER2, READY, **there)]
    nodes[2].engine.answers["GET /info"] = StepError(WORKER2, "does not answer", "Is it up?")
    cluster = Cluster(nodes[0], {one.name: one for one in nodes}, "jupyterhub", "jupyterhub:1", {})
    giver = plan.givers(cluster, {"own:1": MANAGER}, [WORKER1, WORKER2])["own:1"]
    with pytest.raises(StepError, match=f"^{WORKER2}: does not answer"):
        giver.bring(nodes[2], FakeProgress())
    giver.bring(nodes[1], FakeProgress())
    assert "POST /containers/part/start" in nodes[1].engine.asked()


@pytest.mark.parametrize("asked", ["own:1", "sha256:1"])
def test_what_nodes_lack_is_looked_at_when_the_first_is_to_get_the_image(asked: str) -> None:
    """Before that it may not have been built; asked for by its id, it comes under its tag."""
    taker = node(WORKER1, READY, **{"GET /images/json": [], "GET /info": {}, "GET /version": {"Arch": "amd64"}})
    nodes = [node(MANAGER, READY), taker]
    cluster = Cluster(nodes[0], {one.name: one for one in nodes}, "jupyterhub", "jupyterhub:1", {})
    giver = plan.givers(cluster, {asked: MANAGER}, [WORKER1])[asked]
    nodes[0].engine.answers[f"GET /images/{asked}/json"] = {**FOUND, "RepoTags": ["own:1"]}
    giver.bring(taker, FakeProgress())
    assert "GET /images/own:1/json" in taker.engine.asked()
    assert "POST /containers/part/start" in taker.engine.asked()
