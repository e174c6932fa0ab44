"""The nodes' tasks as they are typed, on a cluster in memory."""

from pathlib import Path
from typing import Any

import pytest
from invoke.exceptions import Exit

from swarmhub.host import EngineError
from swarmhub.run import task
from tests.unit.support.cluster import LABELS, NODES, Hosts, Type, changes
from tests.unit.support.fakes import DOMAIN, EXTRA, MANAGER, WORKER1, WORKER2, Request, in_turn, server_of
from tests.unit.tasks.test_steps import IMAGE, lacking

HERS = {
    "ID": "t2",
    "ServiceID": "s2",
    "NodeID": NODES[WORKER1],
    "CreatedAt": "2026-11-15T10:00:00Z",
    "DesiredState": "running",
    "Status": {"State": "running", "Timestamp": "2026-11-15T10:00:00Z"},
}


def spec(**changed: Any) -> dict[str, Any]:
    """Return a node as a manager gives it."""
    return {
        "Version": {"Index": 3},
        "Spec": {"Role": "worker", "Availability": "active"} | changed,
        "Status": {"State": "ready"},
    }


@pytest.fixture
def manager(hosts: Hosts) -> dict[str, Any]:
    """Return the manager's answers, which know the swarm's tokens."""
    answers = hosts[MANAGER].engine.answers
    answers["GET /swarm"] |= {"JoinTokens": {"Manager": "secret-manager", "Worker": "secret-worker"}}
    answers["GET /info"]["Swarm"]["RemoteManagers"] = [{"Addr": "10.0.0.11:2377"}]
    answers |= {f"GET /nodes/{id_}": spec() for id_ in NODES.values()}
    answers |= {"GET /tasks": []}
    return answers


@pytest.fixture
def ada(manager: dict[str, Any]) -> None:
    """Let Ada work on the first worker until it is drained."""
    state = {"State": "running"}

    def tasks(_: Request) -> list[Any]:
        return [{**HERS, "Status": {**HERS["Status"], **state}}]  # type: ignore[dict-item]

    def drained(request: Request) -> None:
        state["State"] = "shutdown" if request.body["Availability"] == "drain" else "running"

    manager |= {
        "GET /services": [server_of("ada", id_="s2")],
        "GET /tasks": tasks,
        f"POST /nodes/{NODES[WORKER1]}/update": drained,
    }


@pytest.mark.usefixtures("manager")
def test_a_host_that_is_missing_joins_and_waits(type_: Type, hosts: Hosts, capsys: pytest.CaptureFixture[str]) -> None:
    """It joins by itself, is marked by the manager, and no token is printed; a swarm as wanted is left alone."""
    outside = {"ServerVersion": "29.0.1", "Swarm": {"NodeID": "", "LocalNodeState": "inactive", "ControlAvailable": False}}
    inside = hosts[WORKER2].engine.answers["GET /info"]

    def joined(_: Request) -> None:
        hosts[WORKER2].engine.answers["GET /info"] = inside

    hosts[WORKER2].engine.answers |= {"GET /info": outside, "POST /swarm/join": joined}
    type_("swarm-init")
    done = changes(hosts)
    assert done == [f"{MANAGER}: POST /nodes/{NODES[WORKER2]}/update", f"{WORKER2}: POST /swarm/join"]
    assert "secret" not in capsys.readouterr().out
    type_("swarm-init")
    assert changes(hosts) == done


def test_a_swarm_is_made_where_there_is_none(type_: Type, hosts: Hosts, manager: dict[str, Any]) -> None:
    """The lock and the entry need a swarm: the run takes them when it has made one."""
    inside = {name: host.engine.answers["GET /info"] for name, host in hosts.items()}
    outside = {"ServerVersion": "29.0.1", "Swarm": {"NodeID": "", "LocalNodeState": "inactive", "ControlAvailable": False}}
    for name, host in hosts.items():

        def enter(_: Request, name: str = name) -> None:
            hosts[name].engine.answers["GET /info"] = inside[name]

        host.engine.answers |= {"GET /info": outside, "POST /swarm/init": enter, "POST /swarm/join": enter}
    there = hosts[MANAGER].engine.answers["GET /networks"]
    hosts[MANAGER].engine.answers["GET /networks"] = in_turn([], there)
    type_("swarm-init")
    assert changes(hosts)[0] == f"{MANAGER}: POST /swarm/init"
    assert [call for call in changes(hosts) if "join" in call] == [
        f"{WORKER1}: POST /swarm/join",
        f"{WORKER2}: POST /swarm/join",
    ]


LOST = "rpc error: code = Unknown desc = The swarm does not have a leader. Make sure more than half of the managers are online."


@pytest.fixture
def quorum(hosts: Hosts, manager: dict[str, Any]) -> dict[str, Any]:
    """Let the swarm lose its quorum until the manager goes on alone; it lists another one, which is away."""
    own = manager["GET /info"]["Swarm"]
    own |= {
        "Error": LOST,
        "RemoteManagers": [{"NodeID": "n1", "Addr": "10.0.0.11:2377"}, {"NodeID": "n9", "Addr": "10.0.0.9:1"}],
    }
    manager |= {f"GET /{one}": EngineError(MANAGER, 503, LOST) for one in ("services", "nodes", "configs", "tasks")}
    listed = [{"ID": id_, "Description": {"Hostname": name}, **spec()} for name, id_ in NODES.items()]
    listed[0] |= {"ManagerStatus": {"Leader": True, "Reachability": "reachable"}}
    listed[0]["Spec"] = {"Role": "manager", "Availability": "active"}
    gone = {"ID": "n9", "Description": {"Hostname": "gone"}, **spec(Role="manager"), "Status": {"State": "down"}}
    kept = {**manager, "GET /nodes": listed, "GET /services": [], "GET /tasks": []}

    def alone(_: Request) -> None:
        own.pop("Error", None)
        manager.pop("GET /configs")
        manager.update(
            {call: kept[call] for call in ("GET /nodes", "GET /services", "GET /tasks")}
            | {
                "GET /info": {**manager["GET /info"], "Swarm": own},
                "GET /nodes/n1": listed[0],
                "GET /nodes/n9": gone,
            }
        )
        manager["GET /nodes"] = [*listed, gone]

    manager["POST /swarm/init"] = alone
    return manager


@pytest.mark.usefixtures("quorum")
def test_without_a_quorum_every_task_names_the_way_back(type_: Type, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is tried; the same line, whatever was typed."""
    for name in ("nodes", "users", "status", "releases", "drain"):
        task._current.clear()
        with pytest.raises(Exit, match=r"lost its quorum.*fab recover-quorum") as raised:
            type_(name, **({"host": WORKER1} if name == "drain" else {}))
        assert "\n" not in str(raised.value)


def test_a_quorum_is_recovered_when_somebody_agrees(type_: Type, hosts: Hosts, quorum: dict[str, Any]) -> None:
    """Unasked nothing is done; then the manager goes on, and the one that is away may come back."""
    with pytest.raises(Exit, match="really not be brought back"):
        type_("recover-quorum")
    assert changes(hosts) == []
    type_("recover-quorum", yes=True)
    assert [one for one in changes(hosts) if "lock" not in one] == [
        f"{MANAGER}: POST /swarm/init",
    ]


@pytest.mark.usefixtures("waiting")
def test_a_node_that_waits_is_opened_when_it_has_its_image(type_: Type, hosts: Hosts, manager: dict[str, Any]) -> None:
    """`prepull-all` pulls, looks whether all hold the same, and opens the node."""
    manager[f"GET /nodes/{NODES[WORKER2]}"] = spec(Availability="pause", Labels={"swarmhub.waits": "image"})
    lacking(hosts, WORKER2)
    type_("prepull-all")
    sent = hosts[MANAGER].engine.sent(f"POST /nodes/{NODES[WORKER2]}/update").body
    assert (sent["Availability"], sent["Labels"]) == ("active", LABELS)


def test_a_node_has_no_label_while_its_image_is_pulled(type_: Type, hosts: Hosts) -> None:
    """A server that is placed there then would wait, or fail; afterwards it is as it was."""
    lacking(hosts, WORKER2)
    type_("prepull", WORKER2)
    updates = [one for one in hosts[MANAGER].engine.requests if str(one) == f"POST /nodes/{NODES[WORKER2]}/update"]
    assert [one.body["Labels"] for one in updates] == [{}, LABELS]


@pytest.fixture
def waiting(manager: dict[str, Any]) -> None:
    """Let the second worker wait for its image."""
    listed = next(one for one in manager["GET /nodes"] if one["ID"] == NODES[WORKER2])
    listed["Spec"] |= {"Availability": "pause", "Labels": {"swarmhub.waits": "image"}}


@pytest.mark.usefixtures("waiting")
def test_a_node_that_waits_stays_closed_if_the_pull_fails(type_: Type, hosts: Hosts) -> None:
    """Without its image no notebook is placed there."""
    del hosts[WORKER2].engine.answers[IMAGE]
    with pytest.raises(Exit):
        type_("prepull-all")
    assert f"POST /nodes/{NODES[WORKER2]}/update" not in hosts[MANAGER].engine.asked()


def test_a_node_that_lacks_an_image_is_not_undrained(type_: Type, hosts: Hosts) -> None:
    """Whichever of the images it is: every one of them may be chosen there."""
    hosts[MANAGER].engine.answers["GET /nodes"][2]["Spec"]["Availability"] = "drain"
    file = Path("hosts.toml")
    file.write_text(f'{file.read_text()}\n[[profiles]]\nname = "Extra"\nimage = "{EXTRA}"\n')
    hosts[WORKER1].engine.answers[f"GET /images/{EXTRA}/json"] = {"Id": "sha256:x", "RepoDigests": []}
    with pytest.raises(Exit, match=f"{WORKER2}: undrain: does not hold {EXTRA} as the others do"):
        type_("undrain", host=WORKER2)


@pytest.mark.usefixtures("ada")
def test_a_drain_asks_before_it_stops_servers(type_: Type, hosts: Hosts, capsys: pytest.CaptureFixture[str]) -> None:
    """People are named in a table and in the question; without an answer nothing happens."""
    with pytest.raises(Exit, match=f"ada works on {WORKER1}") as ended:
        type_("drain", host=WORKER1)
    assert (ended.value.code, changes(hosts)) == (2, [])
    assert "ada   2026-11-15 10:00 UTC  running" in capsys.readouterr().out


@pytest.mark.usefixtures("ada", "clock")
@pytest.mark.parametrize(("wait", "sent"), [(0, ["drain"]), (5, ["pause", "drain"])])
def test_a_drain_that_was_agreed_to_stops_them(
    type_: Type,
    hosts: Hosts,
    wait: int,
    sent: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With `--wait` the node takes no new servers first."""
    monkeypatch.setattr("swarmhub.run.run.Run.says_yes", True)
    type_("drain", host=WORKER1, wait=wait)
    updates = [one for one in hosts[MANAGER].engine.requests if one.path == f"/nodes/{NODES[WORKER1]}/update"]
    assert [one.body["Availability"] for one in updates] == sent


@pytest.mark.parametrize("name", ["drain", "undrain", "remove-node", "trust"])
def test_a_host_that_is_not_known_is_wrong_usage(type_: Type, hosts: Hosts, name: str) -> None:
    """Before anything is asked."""
    with pytest.raises(Exit, match=f"did you mean {WORKER2}") as ended:
        type_(name, host="swarm-worker3")
    assert (ended.value.code, [host for host in hosts.values() if host.engine.requests]) == (2, [])


@pytest.mark.usefixtures("manager")
def test_a_node_is_removed_through_the_manager(type_: Type, hosts: Hosts) -> None:
    """The node itself only leaves."""
    info = hosts[WORKER2].engine.answers
    info |= {"GET /containers/json": [], "GET /volumes": {"Volumes": []}}
    hosts[MANAGER].engine.answers[f"GET /nodes/{NODES[WORKER2]}"] = spec() | {"Status": {"State": "down"}}
    type_("remove-node", host=WORKER2)
    assert changes(hosts) == [
        f"{MANAGER}: POST /nodes/{NODES[WORKER2]}/update",
        f"{MANAGER}: DELETE /nodes/{NODES[WORKER2]}",
        f"{WORKER2}: POST /swarm/leave",
    ]


@pytest.fixture
def bare(hosts: Hosts, manager: dict[str, Any]) -> None:
    """Let every node say what it keeps: a volume on the manager."""
    for host in hosts.values():
        host.engine.answers |= {"GET /containers/json": [], "GET /volumes": {"Volumes": []}, "GET /images/json": []}
    manager |= {"GET /volumes": {"Volumes": [{"Name": "jupyterhub-data", "Labels": None}]}, "GET /secrets": []}


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "Remove all this.*To answer yes: --yes"),
        ({"with_data": True, "yes": True}, "To answer: --name"),
        ({"with_data": True, "yes": True, "name": "hub.example.com"}, "is not the cluster's name"),
    ],
)
def test_a_teardown_is_not_begun_by_mistake(
    type_: Type,
    hosts: Hosts,
    options: dict[str, Any],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is asked for, and data by the cluster's name."""
    monkeypatch.setattr("swarmhub.run.run.Run.says_yes", options.get("yes", False))
    with pytest.raises(Exit, match=said):
        type_("teardown", **options)
    assert changes(hosts) == []


@pytest.mark.usefixtures("bare")
def test_a_teardown_leaves_no_entry_and_no_lock(
    type_: Type,
    hosts: Hosts,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What a run leaves on the cluster would be something of ours."""
    monkeypatch.setattr("swarmhub.run.run.Run.says_yes", True)
    type_("teardown", with_data=True, name=DOMAIN)

    task.finish(None)
    assert f"{MANAGER}: DELETE /volumes/jupyterhub-data" in changes(hosts)
    assert hosts[MANAGER].engine.configs.kept == {}
