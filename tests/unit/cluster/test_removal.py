"""Which nodes are taken out, in which steps, and what is refused."""

from typing import Any

import pytest

from hub.shared import services
from swarmhub.cluster import removal
from swarmhub.cluster.nodes import Swarm, SwarmNode
from swarmhub.cluster.removal import Volumes
from swarmhub.engine.containers import SERVICE_LABEL
from swarmhub.errors import StepError, StepErrors
from swarmhub.host import EngineError
from swarmhub.notebooks.work import Work
from tests.unit.support.fakes import MANAGER, WORKER1, WORKER2, Clock, FakeHost, FakeProgress, in_turn, settings
from tests.unit.support.swarms import WHOLE, node, notebook, with_nodes

OUT = {"ControlAvailable": False, "LocalNodeState": "inactive"}
IDLE = Work((), (), holds_hub=False)
NONE = Volumes(())
THREE = (node("n1", MANAGER, "manager"), node("n2", WORKER1, "manager"), node("n3", WORKER2, "manager"))
DOWN: dict[str, Any] = {"state": "down", "is_reachable": False}


def steps(
    one: SwarmNode, found: Swarm = WHOLE, work: Work = IDLE, volumes: Volumes = NONE, *, inside: bool = True
) -> list[str]:
    """Return what takes a node out."""
    plan = removal.plan(WORKER1, one, found, work, volumes, manager=MANAGER, inside=inside)
    return [change.sentence for change in plan.changes]


@pytest.mark.parametrize(
    ("one", "found", "demoted"), [(node("n2", WORKER1), WHOLE, []), (THREE[1], with_nodes(*THREE), [True])]
)
def test_a_node_is_drained_leaves_and_is_forgotten(one: SwarmNode, found: Swarm, demoted: list[bool]) -> None:
    """In this order; on itself only the leaving; a manager is demoted, since Raft would count it on."""
    assert steps(one, found) == [
        f"drain {WORKER1} on {MANAGER}",
        *[f"demote {WORKER1} on {MANAGER}" for _ in demoted],
        f"leave the swarm on {WORKER1}",
        f"remove node {WORKER1} on {MANAGER}",
    ]


@pytest.mark.parametrize("work", [IDLE, Work((notebook("ada"),), (), holds_hub=False)])
def test_a_node_that_is_lost_is_only_forgotten(work: Work) -> None:
    """It can neither be drained nor leave, and people's servers there are lost already."""
    lost = node("n2", WORKER1, **DOWN)
    done = steps(lost, with_nodes(lost), work, volumes=Volumes(None), inside=False)
    assert done == [f"remove node {WORKER1} on {MANAGER}"]


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ((node("n2", WORKER1, "manager"), node("n1", MANAGER)), "is the swarm's only manager"),
        ((THREE[1], node("n1", MANAGER, "manager"), node("n3", WORKER2, "manager", **DOWN)), "lose the quorum: 1 of the 2"),
    ],
)
def test_a_manager_that_the_others_need_is_refused(found: tuple[SwarmNode, ...], said: str) -> None:
    """What counts are the managers that can be reached without it."""
    with pytest.raises(StepErrors, match=said):
        steps(found[0], Swarm("cluster", found))


def test_a_manager_that_is_lost_itself_may_go() -> None:
    """Without it the quorum is easier to hold."""
    lost = node("n2", WORKER1, "manager", **DOWN)
    found = Swarm("cluster", (THREE[0], lost, THREE[2]))
    assert steps(lost, found, volumes=Volumes(None), inside=False) == [
        f"demote {WORKER1} on {MANAGER}",
        f"remove node {WORKER1} on {MANAGER}",
    ]


@pytest.mark.parametrize(
    ("work", "volumes", "said"),
    [
        (Work((), (), holds_hub=True), (), "holds the hub: the only copy"),
        (Work((notebook("ada"),), (), holds_hub=False), (), "people work there: ada. First: fab drain"),
        (IDLE, ("jupyterhub-user-ada",), "no other copy: jupyterhub-user-ada. .*docker volume rm jupyterhub-user-ada"),
    ],
)
def test_what_would_be_lost_is_named(work: Work, volumes: tuple[str, ...], said: str) -> None:
    """The hub, people's work, people's data; all of it at once, a line each."""
    with pytest.raises(StepErrors, match=said):
        steps(node("n2", WORKER1), work=work, volumes=Volumes(volumes))
    both = Work((notebook("ada"),), (), holds_hub=False)
    with pytest.raises(StepErrors) as refused:
        steps(node("n2", WORKER1), work=both, volumes=Volumes(("jupyterhub-user-ada",)))
    assert len(refused.value.errors) == 2


def test_homes_are_in_the_way_with_the_way_to_save_them() -> None:
    """Whose they are stands there."""
    with pytest.raises(StepErrors, match=r"only copies of the homes of ada, grace\. .*fab class-archive"):
        steps(node("n2", WORKER1), volumes=Volumes((), ("ada", "grace")))


@pytest.mark.parametrize(("users", "said"), [([], "go on running. Take it out?"), (["ada"], "The homes of ada are there, and")])
def test_what_is_lost_with_a_node_is_asked(users: list[str], said: str) -> None:
    """What is known of it: the swarm knows whose homes were there."""
    assert said in removal.unknown(WORKER1, users)


def test_a_node_that_answers_the_swarm_and_not_us_is_refused() -> None:
    """It could go on running what it runs."""
    with pytest.raises(StepErrors, match="the swarm still has it as ready"):
        steps(node("n2", WORKER1), volumes=Volumes(None), inside=False)


def test_the_volumes_that_count_are_found() -> None:
    """Those that services use, the hub's, its users', and those with our labels; none without a name, none to do without."""
    anonymous = "0123456789abcdef" * 4
    in_service = {"Labels": {SERVICE_LABEL: "db"}, "Mounts": [{"Type": "volume", "Name": name} for name in ("db", anonymous)]}
    plain = {"Labels": None, "Mounts": [{"Type": "volume", "Name": "plain"}, {"Type": "bind"}]}
    names = ("db", anonymous, "plain", "jupyterhub-data", "jupyterhub-user-ada", "jupyterhubs")
    volumes = [{"Name": name, "Labels": None} for name in names] + [{"Name": "kept", "Labels": {"swarmhub.backup": "1"}}]
    volumes += [{"Name": name, "Labels": {"swarmhub.service": "jupyterhub"}} for name in services.temporary("jupyterhub")]
    volumes += [{"Name": f"home-{user}", "Labels": {"swarmhub.home": "any", "swarmhub.user": user}} for user in ("b", "a")]
    host = FakeHost(answers={"GET /containers/json": [in_service, plain], "GET /volumes": {"Volumes": volumes}})
    kept = ("db", "jupyterhub-data", "jupyterhub-user-ada", "kept")
    assert removal.observe(host, settings()) == Volumes(kept, ("a", "b"))


def test_homes_that_somebody_else_has_made_keep_a_node() -> None:
    """By the names that the settings give them, whatever the hub is called."""
    volumes = [{"Name": "jupyterhub-user-a-2eb", "Labels": None}]
    host = FakeHost(answers={"GET /containers/json": [], "GET /volumes": {"Volumes": volumes}})
    given = settings(hub={"service": "lab"}, home={"name": "jupyterhub-user-{username}"})
    assert removal.observe(host, given) == Volumes((), ("a.b",))


def leaving(host: FakeHost, progress: FakeProgress) -> None:
    """Let a node leave."""
    plan = removal.plan(WORKER1, node("n2", WORKER1), WHOLE, IDLE, Volumes(()), manager=MANAGER, inside=True)
    next(change for change in plan.changes if change.verb == "leave").apply(host, progress)


def test_a_node_leaves_when_it_is_no_manager_any_more(progress: FakeProgress, clock: Clock) -> None:
    """A demotion takes a moment, and Docker refuses to let a manager go before."""
    info = [{"Swarm": {"ControlAvailable": manages}} for manages in (True, False)]
    host = FakeHost(WORKER1, {"GET /info": in_turn(*info)})
    leaving(host, progress)
    assert (host.engine.asked("POST"), len(clock.slept)) == (["POST /swarm/leave"], 1)


@pytest.mark.parametrize("status", [500, 503])
def test_a_leave_that_times_out_is_tried_again(progress: FakeProgress, clock: Clock, status: int) -> None:
    """Docker gives up on tasks that have just ended, and leaves only half; who is out is done."""
    answers = in_turn(EngineError(WORKER1, 500, "context deadline exceeded"), EngineError(WORKER1, status, "x"), None)
    host = FakeHost(
        WORKER1,
        {"GET /info": {"Swarm": OUT}, "POST /swarm/leave": answers},
    )
    leaving(host, progress)
    assert len(host.engine.asked("POST")) == (2 if status == 503 else 3)
    assert clock.slept


def test_a_node_that_does_not_leave_is_an_error(progress: FakeProgress, clock: Clock) -> None:
    """With what its engine says."""
    said = EngineError(WORKER1, 500, "context deadline exceeded")
    host = FakeHost(WORKER1, {"GET /info": {"Swarm": {"ControlAvailable": False}}, "POST /swarm/leave": said})
    with pytest.raises(StepError, match="does not leave the swarm: context deadline exceeded"):
        leaving(host, progress)
    assert clock.slept


def test_a_node_is_forgotten_when_it_is_down(progress: FakeProgress, clock: Clock) -> None:
    """It has left before that."""
    host = FakeHost(answers={"GET /nodes/n2": in_turn({"Status": {"State": "ready"}}, {"Status": {"State": "down"}})})
    removal.plan(WORKER1, node("n2", WORKER1), WHOLE, IDLE, NONE, manager=MANAGER, inside=True).changes[-1].apply(
        host, progress
    )
    assert (host.engine.sent("DELETE /nodes/n2").params, len(clock.slept)) == ({"force": True}, 1)
