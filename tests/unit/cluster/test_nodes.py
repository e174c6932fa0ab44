"""The swarm's nodes beside the hosts of hosts.toml: what each row says, and what stops a deploy."""

from dataclasses import replace
from typing import Any

import pytest

from swarmhub.cluster import nodes
from swarmhub.cluster.nodes import Member, Row, Swarm, SwarmNode
from swarmhub.engine import specs
from swarmhub.errors import StepError
from tests.unit.support.fakes import MANAGER, WORKER1, WORKER2, FakeHost, settings
from tests.unit.support.swarms import MEMBERS, WHOLE, member, node, with_nodes

CONTAINERD = {"DriverStatus": [["driver-type", "io.containerd.snapshotter.v1"]]}
INFO: dict[str, Any] = {
    "ID": "7TRN:IPZB:QYBB:VPBQ:UMPP:KARE:6ZNR:XE6T:7EWV:PKF4:ZOJD:TPYS",
    "ServerVersion": "29.0.1",
    "Swarm": {
        "NodeID": "n1",
        "NodeAddr": "10.0.0.11",
        "LocalNodeState": "active",
        "ControlAvailable": True,
        "Error": "",
        "RemoteManagers": [{"NodeID": "n1", "Addr": "10.0.0.11:2377"}],
    },
}


def listed(id_: str, hostname: str, role: str, **manager_status: object) -> dict[str, Any]:
    """Return what a manager lists of a node."""
    node = {
        "ID": id_,
        "Version": {"Index": 9},
        "Spec": {"Labels": {}, "Role": role, "Availability": "active"},
        "Description": {"Hostname": hostname, "Engine": {"EngineVersion": "29.0.1"}},
        "Status": {"State": "ready", "Addr": "10.0.0.11"},
    }
    return node | ({"ManagerStatus": manager_status} if manager_status else {})


def test_the_labels_of_a_node_say_what_it_holds() -> None:
    """Only with the value that servers are placed by."""
    labels = {"swarmhub.image.aaaaaaaaaaaa": "held", "swarmhub.image.bbbbbbbbbbbb": "no", "rack": "4", "swarmhub.host": "w1"}
    answer = listed("n2", WORKER1, "worker")
    answer["Spec"]["Labels"] = labels
    host = FakeHost(answers={"GET /nodes": [answer], "GET /swarm": {"ID": "cluster"}})
    (found,) = nodes.observe_swarm(host).nodes
    assert (found.images, found.host) == (frozenset({"a" * 12}), "w1")


@pytest.mark.parametrize(
    ("engines", "major"),
    [({"n1": "29.0.1", "n2": "20.10.24+dfsg1"}, 29), ({"n1": "29.0.1", "n3": "24.0.7-ce"}, 24), ({"n1": ""}, specs.KNOWN_FROM)],
    ids=["a worker is older", "another manager is older", "not known"],
)
def test_the_oldest_manager_says_what_the_swarm_keeps(engines: dict[str, str], major: int) -> None:
    """Each of them may become the leader; a worker keeps nothing."""
    answers = [listed(id_, id_, "worker" if id_ == "n2" else "manager") for id_ in engines]
    for answer in answers:
        answer["Description"]["Engine"]["EngineVersion"] = engines[answer["ID"]]
    host = FakeHost(answers={"GET /nodes": answers, "GET /swarm": {"ID": "cluster"}})
    assert nodes.observe_swarm(host).engine == major


def row(host: str, found: Swarm, **members: Member | StepError) -> Row:
    """Return the row of `host`."""
    rows = nodes.compare(settings(), MEMBERS | {name.replace("_", "-"): one for name, one in members.items()}, found, MANAGER)
    return next(one for one in rows if one.host == host)


def test_a_host_is_asked_about_itself() -> None:
    """Node id, state, whether it manages and the version come from the host's own engine."""
    seen = nodes.observe(FakeHost(answers={"GET /info": INFO}))
    assert (seen.node, seen.state, seen.is_manager, seen.version, seen.has_lost_quorum) == (
        "n1",
        "active",
        True,
        "29.0.1",
        False,
    )
    assert [nodes.observe(FakeHost(answers={"GET /info": one})).in_containerd for one in (INFO, INFO | CONTAINERD)] == [
        False,
        True,
    ]


def test_the_swarm_is_read_off_the_manager() -> None:
    """Sorted by name, with role, state, availability and which of them leads: an engine leaves `Leader` out for the others."""
    host = FakeHost(
        answers={
            "GET /nodes": [
                listed("n2", WORKER1, "worker"),
                listed("n1", MANAGER, "manager", Leader=True, Reachability="reachable"),
                listed("n4", "other", "manager", Reachability="reachable"),
            ],
            "GET /swarm": {"ID": "cluster"},
        }
    )
    first, second = node("n1", MANAGER, "manager", is_leader=True), node("n2", WORKER1)
    third = node("n4", "other", "manager")
    here = "10.0.0.11"
    assert nodes.observe_swarm(host) == Swarm(
        "cluster", tuple(replace(one, address=here, engine="29.0.1") for one in (third, first, second))
    )


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (member("", state="inactive"), r"is in no swarm \(its engine says: inactive\)\. .*fab swarm-init"),
        (member("", state="locked"), r"is in no swarm \(its engine says: locked\)"),
        (member("n1"), r"is a worker in the swarm, .* docker node promote swarm-manager1"),
    ],
)
def test_a_host_that_cannot_be_asked_about_the_swarm_is_refused(found: Member, said: str) -> None:
    """A manager of hosts.toml that is in no swarm, or a worker in it, is an error that says what to do."""
    with pytest.raises(StepError, match=said):
        nodes.check_manager(MANAGER, found)


def test_a_swarm_as_hosts_toml_says_has_no_problem() -> None:
    """Each host has a row in the order of hosts.toml, and none of them says a problem."""
    rows = nodes.compare(settings(), MEMBERS, WHOLE, MANAGER)
    assert [(one.host, one.expected, one.role, one.problem) for one in rows] == [
        (MANAGER, "manager", "leader", ""),
        (WORKER1, "worker", "worker", ""),
        (WORKER2, "worker", "worker", ""),
    ]


@pytest.mark.parametrize(
    ("found", "problem", "remedy", "blocks"),
    [
        (node("n2", WORKER1, state="down"), "is down", "sudo systemctl restart docker", False),
        (node("n2", WORKER1, state="down", availability="drain"), "is down", "sudo systemctl restart docker", False),
        (node("n2", WORKER1, "manager", state="down"), "is down", "sudo systemctl restart docker", False),
        (node("n2", WORKER1, availability="drain"), "is set to drain", f"fab undrain {WORKER1}", False),
        (node("n2", WORKER1, availability="pause"), "is set to pause", f"fab undrain {WORKER1}", False),
        (node("n2", WORKER1, availability="pause", waits=True), "waits for its image", "fab prepull-all", False),
        (node("n2", WORKER1, "manager"), "is a manager in the swarm", "To demote it: fab swarm-init", False),
        (node("n2", "ip-10-0-0-21"), "calls itself ip-10-0-0-21", "Nothing to do if you expect that name", False),
    ],
)
def test_what_is_wrong_with_a_worker_is_said_with_what_helps(found: SwarmNode, problem: str, remedy: str, blocks: bool) -> None:
    """None of it stops a deploy: the node is left out, or a notebook is."""
    seen = row(WORKER1, with_nodes(found))
    assert (seen.problem, remedy in seen.remedy, seen.blocks) == (problem, True, blocks)


def test_a_manager_that_is_a_worker_in_the_swarm_is_to_be_promoted() -> None:
    """A host under hosts.managers with a worker's role blocks, and the command that promotes it is named."""
    seen = row(MANAGER, with_nodes(node("n1", MANAGER, "worker")))
    assert (seen.blocks, "To promote it: fab swarm-init" in seen.remedy) == (True, True)


@pytest.mark.parametrize(
    ("found", "problem", "starts"),
    [
        (member("", state="inactive"), "is in no swarm", "Let it join: fab swarm-init"),
        (
            member("elsewhere"),
            "is in another swarm",
            "Let it leave that swarm, there: docker swarm leave; then: fab swarm-init",
        ),
    ],
)
def test_a_host_outside_the_swarm_blocks_and_is_told_how_to_join(found: Member, problem: str, starts: str) -> None:
    """A host whose engine is in no swarm, or in another one, cannot be deployed to."""
    seen = row(WORKER1, WHOLE, swarm_worker1=found)
    assert (seen.problem, seen.blocks, seen.remedy.startswith(starts)) == (problem, True, True)


def test_a_host_that_is_away_is_left_out_with_its_own_error() -> None:
    """A host that could not be asked shows why, and what the swarm knows of it."""
    error = StepError(WORKER1, "cannot reach root@10.0.0.21:22: no answer", "Is it up?")
    seen = row(WORKER1, with_nodes(node("n2", WORKER1, state="down")), swarm_worker1=error)
    told = (error.cause, "A deploy leaves it out; when it is back, deploy again. Is it up?")
    assert seen == Row(WORKER1, "worker", "worker", "down", "active", "-", *told, is_away=True)


def test_only_the_manager_in_use_has_to_answer() -> None:
    """Nothing can be asked without it."""
    seen = row(MANAGER, WHOLE, swarm_manager1=StepError(MANAGER, "no answer", "Is it up?"))
    assert (seen.blocks, seen.problem, seen.remedy) == (True, "no answer", "Is it up?")


def test_a_host_that_was_left_out_on_purpose_is_told_so() -> None:
    """It was not asked."""
    asked = {host: one for host, one in MEMBERS.items() if host != WORKER2}
    seen = next(one for one in nodes.compare(settings(), asked, WHOLE, MANAGER) if one.host == WORKER2)
    assert (seen.problem, seen.blocks, seen.role) == ("left out by --without", False, "worker")


def test_a_node_that_hosts_toml_does_not_name_is_listed_last() -> None:
    """A node of the swarm that no host of hosts.toml is has a row of its own, which blocks nothing."""
    rows = nodes.compare(settings(), MEMBERS, with_nodes(node("n9", "forgotten", state="down")), MANAGER)
    assert (rows[-1].host, rows[-1].expected, rows[-1].problem, rows[-1].blocks) == (
        "forgotten",
        "-",
        "is in the swarm, not in hosts.toml",
        False,
    )


def test_a_node_that_has_just_joined_is_called_by_its_id() -> None:
    """The swarm lists it before it has described itself."""
    node = {
        "ID": "n1",
        "Description": {},
        "Spec": {"Role": "worker", "Availability": "active"},
        "Status": {"State": "unknown"},
    }
    manager = FakeHost(MANAGER, {"GET /nodes": [node], "GET /swarm": {"ID": "cluster"}})
    (found,) = nodes.observe_swarm(manager).nodes
    assert (found.id, found.hostname) == ("n1", "n1")
