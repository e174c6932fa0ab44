"""A swarm without its quorum: who goes on, who is taken out, who joins again, and what is left alone."""

from dataclasses import replace
from typing import Any

import pytest

from swarmhub.cluster import nodes, recovery
from swarmhub.cluster.nodes import Member, Swarm
from swarmhub.cluster.recovery import Recovery
from swarmhub.errors import StepError, StepErrors
from swarmhub.host import EngineError, Output
from swarmhub.plan.plans import Cost, Plan
from tests.unit.support.fakes import Clock, FakeHost, FakeProgress, in_turn, settings
from tests.unit.support.swarms import node

A, B, C, WORKER = "a", "b", "c", "w"
SAID = "rpc error: code = Unknown desc = The swarm does not have a leader. Make sure more than half of the managers are online."
ALL = frozenset({"na", "nb", "nc"})
THREE = settings(hosts={"managers": [A, B, C], "workers": [WORKER]})
GONE = StepError(B, "no answer", "Is it up?")


def manager(id_: str, **more: Any) -> Member:
    """Return a manager that has lost the others, unless `more` says otherwise."""
    made = Member(id_, "active", True, "29.0.1", address=f"10.0.0.1{id_}:2377", managers=ALL, fault=SAID)
    return replace(made, **more)


LOST: dict[str, Member | StepError] = {
    A: manager("na"),
    B: GONE,
    C: StepError(C, "no answer", "Is it up?"),
    WORKER: Member("nw", "active", False, "29.0.1", managers=ALL),
}


def sentences(plan: Plan) -> list[str]:
    """Return what a plan does."""
    return [change.sentence for change in plan.changes]


def test_the_manager_that_answers_goes_on() -> None:
    """The others are away, and are named with what must not happen to them."""
    found = recovery.choose(THREE, LOST, (), ())
    assert (found.survivor, found.is_lost, found.away) == (A, True, (B, C))
    told = "\n".join(recovery.told(found))
    assert "do not answer: b, c. A manager that is started again while that one runs finds it" in told
    assert f"Let {A} go on alone?" in recovery.question(found)


def test_of_several_the_hubs_goes_on_unless_another_is_named() -> None:
    """The hub's data are on its node; -H decides otherwise."""
    two = {**LOST, B: manager("nb")}
    assert recovery.choose(THREE, two, (), (B,)).survivor == B
    assert recovery.choose(THREE, two, (A,), (B,)).survivor == A


def test_a_swarm_that_answers_is_left_as_it_is() -> None:
    """Its manager is taken, though another one has the hub, or is named: that one alone would be a second swarm."""
    well = {**LOST, B: manager("nb", fault="")}
    for named in ((), (A,)):
        found = recovery.choose(THREE, well, named, (A,))
        assert (found.survivor, found.is_lost) == (B, False)
    assert recovery.told(found) == ["the swarm has its quorum: b answers"]


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (Member("", "inactive", False, "29"), "knows no swarm .* If no manager is left: fab swarm-init, then fab restore"),
        (Member("", "locked", False, "29"), "docker swarm unlock"),
    ],
)
def test_without_a_manager_that_knows_the_swarm_nothing_can_be_recovered(said: Member, message: str) -> None:
    """Each manager says why it is none, and the way on is named."""
    with pytest.raises(StepErrors, match=message) as raised:
        recovery.choose(THREE, {**LOST, A: said}, (), ())
    assert len(raised.value.errors) == 3


def test_it_goes_on_by_the_address_at_which_the_others_know_it(progress: FakeProgress, monkeypatch: pytest.MonkeyPatch) -> None:
    """The swarm is told so until it leads; on a machine with two networks Docker would choose another address, or none."""
    monkeypatch.setattr("swarmhub.wait.time", Clock())
    (change,) = recovery.plan_alone(recovery.choose(THREE, LOST, (), ()), ()).changes
    down, ready = {"Status": {"State": "down"}}, {"Status": {"State": "ready"}, "ManagerStatus": {"Leader": True}}
    host = FakeHost(A, {"GET /nodes/na": in_turn(EngineError(A, 503, SAID), down, ready)})
    change.apply(host, progress)
    wanted = {"ListenAddr": "0.0.0.0:2377", "AdvertiseAddr": "10.0.0.1na:2377", "ForceNewCluster": True}
    assert host.engine.sent("POST /swarm/init").body == wanted
    assert change.command == "docker swarm init --force-new-cluster --advertise-addr 10.0.0.1na:2377"
    silent = FakeHost(A, {"GET /nodes/na": EngineError(A, 503, SAID)})
    with pytest.raises(StepError, match=r"does not lead the swarm: .*Run this again: fab recover-quorum"):
        change.apply(silent, progress)


def test_what_ends_on_the_manager_that_goes_on_is_named() -> None:
    """Docker stops what Swarm runs there; a user's server is not started again."""
    (change,) = recovery.plan_alone(recovery.choose(THREE, LOST, (), ()), ("jupyterhub", "jupyterhub-ada")).changes
    assert change.cost is Cost.NOTEBOOKS_STOP
    assert change.gist == "what ends there, and but for users' servers starts again: jupyterhub, jupyterhub-ada"


def test_without_an_address_the_operator_gives_it() -> None:
    """A guess could cut the workers off."""
    found = Recovery(A, manager("na", address=""), is_lost=True)
    with pytest.raises(StepError, match=r"--force-new-cluster --advertise-addr ADDRESS"):
        recovery.plan_alone(found, ())


def test_who_cannot_come_back_by_itself_leaves_first() -> None:
    """One that was taken out since does, with what runs there named; another swarm's is left alone."""
    other = Member("nx", "active", True, "29", managers=frozenset({"nx", "ny"}))
    members = {**LOST, B: manager("nb"), C: other}
    found = recovery.choose(THREE, {**members, B: GONE}, (A,), ())
    forgotten = Swarm("cluster", (node("na", A, "manager", is_leader=True), node("nw", WORKER)))
    assert recovery.leaving(THREE, forgotten, members, found) == (B,)
    plan = recovery.plan_leaving({B: ("jupyterhub-ada",)})
    assert sentences(plan) == ["leave the swarm of before on b"]
    assert (plan.changes[0].cost, plan.changes[0].gist) == (Cost.NOTEBOOKS_STOP, "what ends there: jupyterhub-ada")
    assert recovery.leaving(THREE, forgotten, {**members, B: GONE}, found) == ()
    refused = Member("", "error", False, "29", fault="node is removed from the swarm")
    assert recovery.leaving(THREE, forgotten, {**members, B: refused, WORKER: refused}, found) == (B,)
    whole = Swarm("cluster", (*forgotten.nodes, node("nb", B, "manager", state="down")))
    assert recovery.leaving(THREE, whole, members, found) == ()  # it finds the swarm when it is back


def test_an_engine_that_keeps_the_gossip_port_is_to_be_restarted(
    progress: FakeProgress, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would have no overlay network in the next swarm; one that lets go joins."""
    monkeypatch.setattr("swarmhub.wait.time", Clock())
    (change,) = recovery.plan_leaving({B: ()}).changes
    host = FakeHost(B, {"POST /swarm/leave": in_turn(EngineError(B, 500, "context deadline exceeded"), None)})
    change.apply(host, progress)
    assert host.engine.asked("POST") == ["POST /swarm/leave"] * 2
    host.commands["ss -Hltnp sport = :7946"] = Output(0, "LISTEN 0 4096 *:7946 *:*", "")
    with pytest.raises(StepError, match="sudo systemctl restart docker; then: fab recover-quorum"):
        change.apply(host, progress)


def test_what_a_host_runs_is_told_by_its_own_engine() -> None:
    """The swarm cannot be asked."""
    label = {"com.docker.swarm.service.name": "jupyterhub-ada"}
    assert recovery.running(FakeHost(B, {"GET /containers/json": [{"Labels": label}]})) == ("jupyterhub-ada",)


def test_every_command_recognises_a_swarm_without_quorum() -> None:
    """The engine tells it when it is asked about itself, and the remedy names the way back."""
    swarm = {"NodeID": "na", "LocalNodeState": "active", "ControlAvailable": True, "Error": SAID}
    swarm["RemoteManagers"] = [{"NodeID": "na", "Addr": "10.0.0.11:2377"}, {"NodeID": "nb", "Addr": "10.0.0.12:2377"}]
    seen = nodes.observe(FakeHost(A, {"GET /info": {"ServerVersion": "29.0.1", "Swarm": swarm}}))
    assert (seen.has_lost_quorum, seen.address, seen.managers) == (True, "10.0.0.11:2377", frozenset({"na", "nb"}))
    with pytest.raises(StepError, match=r"has lost its quorum: .* fab recover-quorum"):
        nodes.check_manager(A, seen)


def test_what_comes_next_names_who_may_not_come_back() -> None:
    """Its entry is taken out by the command for that."""
    found = recovery.choose(THREE, LOST, (), ())
    assert recovery.next_steps(found).endswith("fab deploy. A manager that will not come back: fab remove-node b")
    assert recovery.next_steps(replace(found, away=())).endswith("Next: fab deploy")


@pytest.mark.parametrize(
    ("state", "status", "role"),
    [("down", None, "worker"), ("down", {"Reachability": "unreachable"}, "manager"), ("ready", None, "manager")],
)
def test_a_manager_that_was_left_out_is_none(state: str, status: Any, role: str) -> None:
    """Docker cannot demote it, and it counts for no quorum; one that has just been promoted is one."""
    listed = {
        "ID": "nb",
        "Description": {"Hostname": B},
        "Spec": {"Role": "manager", "Availability": "active"},
        "Status": {"State": state},
        "ManagerStatus": status,
    }
    (seen,) = nodes.observe_swarm(FakeHost(A, {"GET /nodes": [listed], "GET /swarm": {"ID": "cluster"}})).nodes
    assert seen.role == role
