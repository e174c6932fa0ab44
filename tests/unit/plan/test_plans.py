"""Differences between two of an engine's values, and the one way to apply changes."""

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from swarmhub.errors import StepError, StepErrors
from swarmhub.host import EngineError, Host
from swarmhub.plan import plans
from swarmhub.plan.differences import Difference, known_after
from swarmhub.plan.plans import Change, Cost, Plan, Progress, is_within
from tests.unit.support.fakes import MANAGER, WORKER1, WORKER2, FakeHost, FakeJournal, FakeProgress

HOSTS: dict[str, Host] = {name: FakeHost(name) for name in (MANAGER, WORKER1, WORKER2)}


def change(host: str, do: Callable[[Host, Progress], object]) -> Change:
    """Return a change on a host that does this."""
    return Change("pull", "notebook", host, do)


def breaks(error: BaseException) -> Callable[[Host, Progress], object]:
    """Return what raises this error."""

    def do(host: Host, progress: Progress) -> None:
        raise error

    return do


@pytest.mark.parametrize("at_once", [False, True])
def test_each_change_is_given_its_own_host(at_once: bool) -> None:
    """A change is applied with the host that it names."""
    seen: list[tuple[str, str]] = []
    changes = tuple(change(name, lambda host, _, name=name: seen.append((name, host.name))) for name in HOSTS)  # type: ignore[misc]
    plans.apply(Plan("step", "", changes, at_once), HOSTS, FakeProgress(), FakeJournal())
    assert sorted(seen) == [(name, name) for name in sorted(HOSTS)]


def test_changes_in_order_stop_at_the_first_that_fails() -> None:
    """What comes after a failed change is not begun; what came before stays done."""
    done: list[str] = []
    changes = (
        change(MANAGER, lambda *_: done.append("first")),
        change(MANAGER, breaks(StepError(MANAGER, "cause", "remedy"))),
        change(MANAGER, lambda *_: done.append("third")),
    )
    with pytest.raises(StepError, match="cause"):
        plans.apply(Plan("step", "", changes), HOSTS, FakeProgress(), FakeJournal())
    assert done == ["first"]


def test_independent_changes_run_at_the_same_time() -> None:
    """Each of them waits for the others to have begun: one after the other they would never end."""
    together = threading.Barrier(len(HOSTS), timeout=5)
    changes = tuple(change(name, lambda *_: together.wait()) for name in HOSTS)
    plans.apply(Plan("step", "", changes, at_once=True), HOSTS, FakeProgress(), FakeJournal())
    assert not together.broken


def test_a_hosts_changes_are_made_in_their_order_beside_the_other_hosts() -> None:
    """A host pulls one image after the other; what fails there ends the rest there, and nowhere else."""
    done: list[str] = []
    changes = (
        change(WORKER1, lambda *_: done.append("first")),
        change(WORKER2, lambda *_: done.append("elsewhere")),
        change(WORKER1, breaks(StepError(WORKER1, "cause", "remedy"))),
        change(WORKER1, lambda *_: done.append("third")),
    )
    with pytest.raises(StepErrors, match="cause"):
        plans.apply(Plan("step", "", changes, at_once=True), HOSTS, FakeProgress(), FakeJournal())
    assert sorted(done) == ["elsewhere", "first"]


def test_independent_changes_are_finished_though_some_fail() -> None:
    """Every failure is reported, and the hosts that did not fail have done their work."""
    done: list[str] = []
    changes = (
        change(MANAGER, breaks(StepError(MANAGER, "cause", "remedy"))),
        change(WORKER1, lambda host, _: done.append(host.name)),
        change(WORKER2, breaks(EngineError(WORKER2, 500, "no space left on device"))),
    )
    with pytest.raises(StepErrors) as failed:
        plans.apply(Plan("step", "", changes, at_once=True), HOSTS, FakeProgress(), FakeJournal())
    assert ([error.host for error in failed.value.errors], done) == ([MANAGER, WORKER2], [WORKER1])


def test_an_error_that_nobody_expects_is_not_made_a_step_error() -> None:
    """A mistake in the code itself stays what it is, with its traceback."""
    with pytest.raises(ZeroDivisionError):
        plans.apply(
            Plan("step", "", (change(MANAGER, breaks(ZeroDivisionError())),), at_once=True),
            HOSTS,
            FakeProgress(),
            FakeJournal(),
        )


def test_an_engines_error_names_what_was_tried_and_what_helps() -> None:
    """An engine's answer becomes a line with the host, the change, the engine's words and the remedy."""
    error = EngineError(WORKER1, 500, "write /var/lib/docker/tmp/x: no space left on device")
    with pytest.raises(StepError) as failed:
        plans.apply(Plan("step", "", (change(WORKER1, breaks(error)),)), HOSTS, FakeProgress(), FakeJournal())
    assert str(failed.value) == (
        f"{WORKER1}: cannot pull notebook: write /var/lib/docker/tmp/x: no space left on device. "
        "Free some disk there: docker system df"
    )


@pytest.mark.parametrize(
    ("message", "helps"),
    [
        ("rpc error: the swarm does not have a leader; more than half of the managers must be online", "lost its quorum"),
        ("rpc error: code = Unknown desc = update out of sequence", "Somebody else changed it at the same time"),
        ("dial tcp: lookup registry.lab: no such host", "the host's DNS resolves it"),
        ("manifest for quay.io/x:y not found: manifest unknown: manifest unknown", "Check the name and the tag"),
        ("unauthorized: authentication required", "docker login"),
        ("failed to fetch anonymous token: unexpected status from GET request: 401 Unauthorized", "docker login"),
        ("pull access denied for x, repository does not exist or may require 'docker login'", "docker login"),
        ("something that nobody has seen", "with --debug for more"),
    ],
)
def test_what_engines_often_say_has_a_remedy(message: str, helps: str) -> None:
    """Known errors come with what helps against them; others with how to learn more."""
    assert helps in plans.remedy(EngineError(MANAGER, 500, message))


def test_a_reason_that_bars_several_steps_is_told_once() -> None:
    """With the first of them; another reason is told, too, on the same host or on another one."""
    told = [("images", MANAGER, "no such tag"), ("firewall", MANAGER, "no rules"), ("service", MANAGER, "no such tag")]
    told += [("service", WORKER1, "no such tag")]
    steps = [Plan(step, "", error=StepError(host, cause, "remedy", step)) for step, host, cause in told]
    found = plans.errors([Plan("network", "as wanted"), *steps])
    assert [(one.step, one.host, one.cause) for one in found] == [told[0], told[1], told[3]]


@pytest.mark.parametrize(
    ("said", "line"),
    [
        (
            'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm.',
            "is in no swarm. Make the swarm that hosts.toml describes: fab swarm-init",
        ),
        (
            "This node is not a swarm manager. Worker nodes can't be used to view or modify cluster state.",
            "is no manager of its swarm. Name one in hosts.managers, or on a manager: docker node promote HOST",
        ),
        ("no space left on device", "no space left on device. Free some disk there: docker system df"),
    ],
    ids=["in no swarm", "a worker", "what is none of that"],
)
def test_what_is_no_manager_is_told_with_what_makes_it_one(said: str, line: str) -> None:
    """Whatever was asked of it, and in other words than Docker's, which name another command."""
    assert str(plans.step_error(EngineError(MANAGER, 503, said), "restore")) == f"{MANAGER}: restore: {line}"


def test_a_change_is_shown_and_compared_without_what_applies_it() -> None:
    """Two changes that say the same are equal, and their repr holds nothing of the function: it may hold a secret."""
    one, other = change(MANAGER, lambda *_: 1), change(MANAGER, lambda *_: 2)
    assert (one == other, "lambda" in repr(one)) == (True, False)


def test_what_begins_and_what_is_done_is_noted() -> None:
    """Each change is noted before and after it is made; one that fails was begun and not done."""
    journal = FakeJournal()
    made, failed = change(MANAGER, lambda *_: None), change(WORKER1, breaks(StepError(WORKER1, "cause", "remedy")))
    with pytest.raises(StepError):
        plans.apply(Plan("step", "", (made, failed)), HOSTS, FakeProgress(), journal)
    assert (journal.began, journal.made) == ([made, failed], [made])


@pytest.mark.parametrize("error", [StepError(WORKER1, "cause", "remedy"), EngineError(WORKER1, 500, "no")])
def test_of_a_change_that_fails_the_last_output_is_told(error: Exception) -> None:
    """Of its host; the changes that went well say no more."""
    progress = FakeProgress()
    made, failed = change(MANAGER, lambda *_: None), change(WORKER1, breaks(error))
    with pytest.raises(StepError):
        plans.apply(Plan("step", "", (made, failed)), HOSTS, progress, FakeJournal())
    assert (progress.begun, progress.failures) == ([made, failed], [WORKER1])


def test_no_secret_is_in_a_command() -> None:
    """What a person would type is shown, too; the rest of the command stays as it is."""
    command = "printf %s \"$A_TOKEN\" | docker run --env 'DB_PASSWORD=hunter 2' --env HOME=/data hub"
    assert update(command=command).command == (
        "printf %s \"$A_TOKEN\" | docker run --env 'DB_PASSWORD=(hidden)' --env HOME=/data hub"
    )


@pytest.mark.parametrize(
    ("steps", "text"),
    [
        ([Plan("step", "")], ""),
        ([Plan("step", ""), Plan("volume", "", error=StepError(MANAGER, "x", "y"))], "there is no plan for volume"),
        (
            [Plan("nodes", "", error=StepError(MANAGER, "x", "y"))],
            "there is no plan for nodes, and so for none of the steps after it",
        ),
    ],
)
def test_what_could_not_be_planned_is_named(steps: list[Plan], text: str) -> None:
    """Where the nodes refuse, nothing else was planned."""
    assert plans.refusal(steps) == text


def test_a_change_that_may_not_begin_is_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the lock was lost, nothing more is done."""
    done: list[int] = []
    journal = FakeJournal()

    def refuse(_: Change) -> None:
        raise StepError(MANAGER, "the lock is lost", "remedy")

    monkeypatch.setattr(journal, "begin", refuse)
    with pytest.raises(StepError, match="the lock is lost"):
        plans.apply(Plan("step", "", (change(MANAGER, lambda *_: done.append(1)),)), HOSTS, FakeProgress(), journal)
    assert done == []


def nothing(_: Host, __: Progress) -> None:
    """Change nothing."""


def update(*differs: Difference, **more: Any) -> Change:
    """Return an update with these differences."""
    return Change("update", "service hub", MANAGER, nothing, differs, **more)


def plan(*changes: Change, **more: Any) -> Plan:
    """Return a plan of these changes."""
    return Plan("step", "", changes, **more)


IMAGE = Difference("Image", "a", "b")
LATER = known_after("network")


@pytest.mark.parametrize(
    ("now", "shown"),
    [
        (plan(), plan()),
        (plan(), plan(update(IMAGE))),
        (plan(update(IMAGE)), plan(update(IMAGE))),
        (plan(update()), plan(update(IMAGE))),
        (plan(update(IMAGE)), plan(update(Difference("Env", 1, 2), IMAGE))),
        (plan(update(Difference("Target", None, "n1"))), plan(update(Difference("Target", None, LATER)))),
        (plan(update(Difference("Target", "n0", "n1"))), plan(update(Difference("Target", "n0", LATER)))),
        (
            plan(update(Difference("Networks", None, [{"Target": "n1"}]))),
            plan(update(Difference("Networks", None, [{"Target": LATER}]))),
        ),
        (
            plan(update(Difference("Labels", None, {"certificate": "c0ffee", "a": "b"}))),
            plan(update(Difference("Labels", None, {"certificate": known_after("certs"), "a": "b"}))),
        ),
        (plan(update(IMAGE, people=("ada",))), plan(update(IMAGE, people=("ada", "grace")))),
        (plan(change(WORKER1, nothing)), plan(change(WORKER1, nothing), change(WORKER2, nothing), at_once=True)),
        (
            plan(change(WORKER2, nothing), change(WORKER1, nothing), at_once=True),
            plan(change(WORKER1, nothing), change(WORKER2, nothing), at_once=True),
        ),
    ],
    ids=[
        "nothing",
        "nothing any more",
        "the same",
        "no field any more",
        "a field fewer",
        "known now",
        "known now, and another before",
        "known now, in a list",
        "known now, in a table",
        "somebody works no more",
        "a node fewer",
        "another order",
    ],
)
def test_a_plan_that_does_no_more_than_was_shown_is_within_it(now: Plan, shown: Plan) -> None:
    """Less may be left to do, and what could only be known later is known."""
    assert is_within(now, shown)


@pytest.mark.parametrize(
    ("now", "shown"),
    [
        (plan(update(IMAGE)), plan()),
        (plan(update(IMAGE), change(WORKER1, nothing)), plan(update(IMAGE))),
        (plan(update(IMAGE, Difference("Env", 1, 2))), plan(update(IMAGE))),
        (plan(update(Difference("Image", "a", "c"))), plan(update(IMAGE))),
        (plan(update(Difference("Image", "0", "b"))), plan(update(IMAGE))),
        (plan(update(Difference("Target", "n0", "n1"))), plan(update(Difference("Target", None, LATER)))),
        (plan(update(IMAGE, cost=Cost.NOTEBOOKS_STOP)), plan(update(IMAGE, cost=Cost.HUB_RESTART))),
        (plan(update(IMAGE, people=("ada", "grace"))), plan(update(IMAGE, people=("ada",)))),
        (plan(change(WORKER2, nothing)), plan(change(WORKER1, nothing), at_once=True)),
        (
            plan(update(Difference("Networks", None, [{"Target": "n1"}, {"Target": "n2"}]))),
            plan(update(Difference("Networks", None, [{"Target": LATER}]))),
        ),
        (
            plan(update(Difference("Networks", None, [{"Target": "n1", "Aliases": ["x"]}]))),
            plan(update(Difference("Networks", None, [{"Target": LATER}]))),
        ),
        (
            plan(update(Difference("Labels", None, {"certificate": "c0ffee", "a": "c"}))),
            plan(update(Difference("Labels", None, {"certificate": known_after("certs"), "a": "b"}))),
        ),
        (plan(update(Difference("Env", None, ["A=2"]))), plan(update(Difference("Env", None, ["A=1"])))),
    ],
    ids=[
        "a change",
        "another change too",
        "another field",
        "another value",
        "from another value",
        "known now, from another value",
        "dearer",
        "somebody else works now",
        "another node",
        "a longer list",
        "a wider table",
        "beside what is known now",
        "another value in a list",
    ],
)
def test_a_plan_that_does_anything_else_is_not_within_what_was_shown(now: Plan, shown: Plan) -> None:
    """A change, a field, a value, a node or a price that nobody has seen."""
    assert not is_within(now, shown)


def test_what_a_later_step_makes_is_named_by_that_step() -> None:
    """A value that nobody can know yet says when it will be."""
    assert known_after("network") == "known after network"


@pytest.mark.parametrize(
    ("cost", "people", "price"),
    [
        (Cost.NOTHING, (), ""),
        (Cost.NOTHING, ("ada",), ""),
        (Cost.HUB_RESTART, (), "the hub restarts, notebooks go on"),
        (Cost.NOTEBOOKS_STOP, (), "notebooks stop"),
        (Cost.NOTEBOOKS_STOP, ("ada", "grace"), "notebooks stop: 2 (ada, grace)"),
    ],
)
def test_a_price_names_the_people_who_pay_it(cost: Cost, people: tuple[str, ...], price: str) -> None:
    """What interrupts nobody has none."""
    assert update(cost=cost, people=people).price == price


def test_each_price_is_named_once() -> None:
    """Two restarts of the hub in one plan are one for the people working, and what is free is not named."""
    restart = update(cost=Cost.HUB_RESTART)
    steps = [plan(update(), restart), plan(restart, update(cost=Cost.NOTEBOOKS_STOP))]
    assert plans.prices(steps) == ["the hub restarts, notebooks go on", "notebooks stop"]


def test_a_plan_for_machines_has_all_that_people_read() -> None:
    """Every change with its fields, its cost, its people and its command."""
    one = update(IMAGE, cost=Cost.HUB_RESTART, people=("ada",), command="docker service update hub")
    assert plans.as_values([plan(one)]) == {
        "steps": [
            {
                "step": "step",
                "summary": "",
                "error": None,
                "changes": [
                    {
                        "verb": "update",
                        "what": "service hub",
                        "host": MANAGER,
                        "cost": "hub restart",
                        "people": ["ada"],
                        "command": "docker service update hub",
                        "differences": [{"path": "Image", "found": "a", "wanted": "b"}],
                    }
                ],
                "notes": [],
            }
        ],
        "changes": 1,
        "not_planned": [],
    }


def test_a_step_with_nothing_to_do_is_its_summary_for_machines_too() -> None:
    """It has no changes, and says how things are."""
    assert plans.as_values([Plan("volume", "as wanted")]) == {
        "steps": [{"step": "volume", "summary": "as wanted", "error": None, "changes": [], "notes": []}],
        "changes": 0,
        "not_planned": [],
    }


def test_a_step_that_refuses_says_why_to_machines_too() -> None:
    """The line is the one that people read."""
    (step,) = plans.as_values([Plan("volume", "", error=StepError(MANAGER, "it differs", "Look", "volume"))])["steps"]
    assert step["error"] == f"{MANAGER}: volume: it differs. Look"


def undoable(host: str, apply: Any, undo: Any) -> Change:
    """Return a change that can be undone."""
    return replace(change(host, apply), undo=undo)


@pytest.mark.parametrize("error", [StepError(WORKER1, "cause", "remedy"), EngineError(WORKER1, 500, "no")])
def test_what_a_failure_makes_wrong_is_undone_the_last_first(error: Exception) -> None:
    """And only what was done; the failure is what is told."""
    said: list[str] = []
    changes = (
        undoable(MANAGER, lambda *_: None, lambda *_: said.append("first")),
        undoable(MANAGER, lambda *_: None, lambda *_: said.append("second")),
        change(MANAGER, lambda *_: None),
        undoable(WORKER1, breaks(error), lambda *_: said.append("failed")),
        undoable(MANAGER, lambda *_: None, lambda *_: said.append("never done")),
    )
    with pytest.raises(StepError, match=r"cause|cannot"):
        plans.apply(Plan("step", "", changes), HOSTS, FakeProgress(), FakeJournal())
    assert said == ["second", "first"]


def test_what_cannot_be_undone_is_told_and_hides_no_failure() -> None:
    """The next run does it."""
    progress = FakeProgress()
    broken = undoable(MANAGER, lambda *_: None, breaks(EngineError(MANAGER, 500, "no")))
    failing = change(MANAGER, breaks(StepError(MANAGER, "cause", "remedy")))
    with pytest.raises(StepError, match="cause"):
        plans.apply(Plan("step", "", (broken, failing)), HOSTS, progress, FakeJournal())
    assert "that failed, and the next deploy does it" in str(progress.lines)


def test_an_interruption_undoes_nothing() -> None:
    """What was begun goes on in the swarm, and may need what was done before it."""
    said: list[str] = []
    changes = (
        undoable(MANAGER, lambda *_: None, lambda *_: said.append("undone")),
        change(MANAGER, breaks(KeyboardInterrupt())),
    )
    with pytest.raises(KeyboardInterrupt):
        plans.apply(Plan("step", "", changes), HOSTS, FakeProgress(), FakeJournal())
    assert said == []
