"""What empties a node, whom it costs their server, and what is refused."""

import pytest

from swarmhub.cluster import drain
from swarmhub.errors import StepError
from swarmhub.notebooks.work import Work
from swarmhub.plan.plans import Cost
from tests.unit.support.fakes import MANAGER, WORKER1, Clock, FakeHost, FakeProgress, in_turn
from tests.unit.support.swarms import node, notebook

IDLE = Work((), (), holds_hub=False)
BUSY = Work((notebook("ada"), notebook("grace")), ("registry",), holds_hub=False)


def test_a_drain_names_people_and_what_moves() -> None:
    """Who loses a server is part of the change; services that Swarm moves are named; an idle node costs nobody anything."""
    (change,) = drain.plan(WORKER1, node("n2", WORKER1), BUSY, MANAGER).changes
    assert (change.what, change.cost, change.people) == (
        f"{WORKER1}, and move registry",
        Cost.NOTEBOOKS_STOP,
        ("ada", "grace"),
    )
    (change,) = drain.plan(WORKER1, node("n2", WORKER1), IDLE, MANAGER).changes
    assert change.cost is Cost.NOTHING


def test_a_drained_node_is_left_alone() -> None:
    """Only if nothing runs there any more."""
    drained = node("n2", WORKER1, availability="drain")
    assert drain.plan(WORKER1, drained, IDLE, MANAGER).changes == ()
    assert drain.plan(WORKER1, drained, BUSY, MANAGER).changes != ()


def test_the_hubs_node_is_refused() -> None:
    """The hub is pinned there: drained, it would stop."""
    with pytest.raises(StepError, match="the hub runs there"):
        drain.plan(MANAGER, node("n1", MANAGER, "manager"), Work((), (), holds_hub=True), MANAGER)


@pytest.mark.parametrize(("before", "count"), [("active", 1), ("pause", 0), ("drain", 0)])
def test_a_node_is_paused_once(before: str, count: int) -> None:
    """A drain that was interrupted while it waited goes on from there."""
    assert len(drain.plan_pause(WORKER1, node("n2", WORKER1, availability=before), MANAGER).changes) == count


@pytest.mark.parametrize(
    ("minutes", "part"), [(0, ". Their servers stop"), (30, ". After 30 minutes the servers that still run stop")]
)
def test_the_question_names_people_and_when(minutes: int, part: str) -> None:
    """It says what happens to their servers."""
    asked = drain.question(WORKER1, ["ada", "grace"], [], minutes)
    assert (asked.startswith(f"ada, grace work on {WORKER1}"), part in asked) == (True, True)


def test_the_question_names_whose_homes_are_there() -> None:
    """They cannot work elsewhere meanwhile, whether they do now or not."""
    asked = drain.question(WORKER1, [], ["knuth", "ada"], 0)
    assert asked == "Until it is back, no server starts for ada, knuth: their homes are there. Drain it?"


def test_people_are_listed_with_the_time_since_when() -> None:
    """A row a server."""
    assert drain.rows(BUSY)[0] == ("ada", "2026-11-15 10:00 UTC", "running")


def test_a_wait_ends_with_the_last_one(clock: Clock) -> None:
    """Who is still there is said when it changes, and only then."""
    answers = [("ada", "grace"), ("ada", "grace"), ("ada",), ()]
    said: list[str] = []
    drain.wait(lambda: answers.pop(0), 5, said.append)
    assert (said, answers) == (["still there: ada, grace", "still there: ada"], [])
    assert clock.now < 1000 + 5 * 60


def test_a_wait_ends_with_its_time(clock: Clock) -> None:
    """Whoever is there after that many minutes is not waited for any longer."""
    drain.wait(lambda: ("ada",), 5, lambda _: None)
    assert 1000 + 5 * 60 < clock.now < 1000 + 5 * 60 + 10


def task(state: str) -> dict[str, object]:
    """Return a task in some state."""
    return {"Status": {"State": state}}


def test_a_drain_ends_when_nothing_runs_there(progress: FakeProgress, clock: Clock) -> None:
    """Tasks that have ended stay listed."""
    answers = {
        "GET /nodes/n2": {"Version": {"Index": 3}, "Spec": {"Role": "worker", "Availability": "active"}},
        "GET /tasks": in_turn([task("running"), task("shutdown")], [task("shutdown"), task("complete")]),
    }
    host = FakeHost(answers=answers)
    drain.Drainer("n2", WORKER1)(host, progress)
    assert host.engine.sent("POST /nodes/n2/update").body["Availability"] == "drain"
    assert (host.engine.sent("GET /tasks").params, len(clock.slept)) == ({"filters": {"node": ["n2"]}}, 1)


def test_a_task_that_does_not_end_is_an_error(progress: FakeProgress, clock: Clock) -> None:
    """The node stays drained, and the line says where to look."""
    answers = {
        "GET /nodes/n2": {"Version": {"Index": 3}, "Spec": {"Role": "worker", "Availability": "active"}},
        "GET /tasks": [task("running")],
    }
    with pytest.raises(StepError, match=f"tasks still run on {WORKER1} after 120 s"):
        drain.Drainer("n2", WORKER1)(FakeHost(answers=answers), progress)
    assert clock.slept
