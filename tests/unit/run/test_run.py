"""What a task is handed: -H, the settings checked whole, and errors as lines with exit codes."""

import logging
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from invoke.config import Config
from invoke.context import Context
from invoke.exceptions import Exit

from swarmhub import settings as settings_file
from swarmhub.errors import Declined, Problem, SettingsError, StepError, StepErrors, UsageError
from swarmhub.history import entries, lock
from swarmhub.host import EngineError, Host
from swarmhub.plan.plans import Change, Cost, Plan, Progress
from swarmhub.run.report import Report
from swarmhub.run.run import Run
from swarmhub.run.task import finish, step
from tests.unit.support.fakes import CALLBACK, DOMAIN, MANAGER, NOW, WORKER1, WORKER2, FakeEngine, FakeHost

MANAGER2 = "swarm-manager2"
HOSTS = f"""[hosts]
managers = ["{MANAGER}", "{MANAGER2}"]
workers = ["{WORKER1}", "{WORKER2}"]
[hub]
domain = "{DOMAIN}"
userlist = "users"
[notebook]
image = "quay.io/jupyter/base-notebook:hub-6.1.1"
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in a folder with settings, a userlist and secrets that are in order."""
    (tmp_path / "hosts.toml").write_text(HOSTS)
    (tmp_path / "users").write_text("ada admin\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GITHUB_CLIENT_ID", "id")
    monkeypatch.setenv("GITHUB_CLIENT_SECRET", "hush")
    monkeypatch.setenv("OAUTH_CALLBACK_URL", CALLBACK)
    return tmp_path


def context(*named: str) -> Context:
    """Return a task's context, as -H with these hosts gives it; without any, as `invoke` does."""
    return Context(Config(overrides={"swarmhub_hosts": list(named)} if named else {}))


pytestmark = pytest.mark.usefixtures("folder")


@pytest.mark.parametrize(
    ("named", "manager"), [((), MANAGER), ((MANAGER,), MANAGER), ((MANAGER2,), MANAGER2), ((MANAGER2, MANAGER2), MANAGER2)]
)
def test_the_manager_is_the_one_that_h_names_or_the_first(named: tuple[str, ...], manager: str) -> None:
    """A manager's step uses the manager named with -H; without -H, and under invoke, the first of hosts.toml."""
    assert Run(context(*named)).manager == manager


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ((WORKER1,), f"-H {WORKER1}: that is a worker; this step takes a manager: -H {MANAGER}"),
        ((MANAGER, MANAGER2), f"-H names 2 hosts; this step takes one manager: -H {MANAGER}"),
        ((MANAGER, WORKER1), f"-H names 2 hosts; this step takes one manager: -H {MANAGER}"),
    ],
)
def test_a_managers_step_refuses_other_hosts(named: tuple[str, ...], said: str) -> None:
    """A worker, or more than one host, given with -H to a manager's step is an error that says what would be right."""
    with pytest.raises(Exit) as ended:
        with step(context(*named), "network"):
            pytest.fail("the step has begun")
    assert (ended.value.message, ended.value.code) == (said, 2)


@pytest.mark.parametrize("named", [(MANAGER,), (WORKER1,), (WORKER2, MANAGER2), ()])
def test_a_nodes_step_takes_any_of_the_hosts(named: tuple[str, ...]) -> None:
    """A step that acts on nodes takes workers and managers, and as many as there are."""
    with step(context(*named), "prepull", on_nodes=True) as run:
        assert run.nodes == (named or run.settings.hosts.all)


@pytest.mark.parametrize(
    ("named", "manager"), [((WORKER1,), MANAGER), ((WORKER1, MANAGER2), MANAGER2), ((WORKER1, WORKER2), MANAGER)]
)
def test_a_nodes_step_asks_a_manager_all_the_same(named: tuple[str, ...], manager: str) -> None:
    """What only a manager can tell is asked of the one that -H names among others, or of the first."""
    with step(context(*named), "prepull", on_nodes=True) as run:
        assert run.manager == manager


@pytest.mark.parametrize(
    ("named", "nodes"),
    [
        ((), (MANAGER, MANAGER2, WORKER1, WORKER2)),
        ((WORKER2,), (WORKER2,)),
        ((WORKER2, MANAGER), (WORKER2, MANAGER)),
        ((WORKER2, WORKER1, WORKER2), (WORKER2, WORKER1)),
    ],
)
def test_the_nodes_are_those_that_h_names_or_all(named: tuple[str, ...], nodes: tuple[str, ...]) -> None:
    """A node's step acts on the hosts named with -H, each once and in that order, or on all of hosts.toml."""
    assert Run(context(*named)).nodes == nodes


@pytest.mark.parametrize(
    ("named", "hint"),
    [
        ("swarm-worker3", f"did you mean {WORKER2}?"),
        (f"root@{WORKER1}", f"did you mean {WORKER1}?"),
        ("10.0.0.21", f"it names {MANAGER}, {MANAGER2}, {WORKER1}, {WORKER2}"),
        ("$(id)", f"it names {MANAGER}, {MANAGER2}, {WORKER1}, {WORKER2}"),
    ],
)
def test_a_host_that_hosts_toml_does_not_name_is_refused(named: str, hint: str) -> None:
    """-H takes the names of hosts.toml: another one is an error, with the nearest name, or with all of them."""
    with pytest.raises(UsageError) as error:
        _ = Run(context(named)).named
    assert str(error.value) == f"-H {named}: hosts.toml does not name that host; {hint}"


def test_a_host_given_as_an_argument_is_looked_up_the_same_way() -> None:
    """`fab drain swarm-worker3` names the nearest host, as -H does."""
    with pytest.raises(UsageError, match=f"^swarm-worker3: hosts.toml does not name that host; did you mean {WORKER2}\\?"):
        Run(context()).require_known("swarm-worker3", "swarm-worker3")


def test_another_manager_is_asked_from_then_on() -> None:
    """The look at the cluster is that manager's."""
    run = Run(context())
    before = run.look
    run.use_manager(MANAGER2)
    assert (run.manager, run.look is before) == (MANAGER2, False)


def test_the_hosts_of_a_run_are_all_of_hosts_toml_and_none_is_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asking for the hosts opens no connection: each is made when it is first used."""
    monkeypatch.setattr("fabric.Connection.open", lambda _: pytest.fail("opened a connection"))
    run = Run(context())
    hosts = run.hosts
    run.finish(None)
    assert list(hosts) == [MANAGER, MANAGER2, WORKER1, WORKER2]


def test_settings_that_are_in_order_pass_the_check() -> None:
    """The check reads settings, userlist and secrets, and finds nothing."""
    run = Run(context())
    run.check()
    assert run.secrets["GITHUB_CLIENT_ID"].get_secret_value() == "id"


def test_the_check_tells_everything_that_is_wrong_at_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Secrets, userlist and the files that hosts.toml names are checked together."""
    monkeypatch.delenv("GITHUB_CLIENT_ID")
    (folder / "users").write_text("a b c\n")
    (folder / "hosts.toml").write_text(HOSTS + '[certs]\nca = "no.pem"\n')
    with pytest.raises(SettingsError) as error:
        Run(context()).check()
    assert {(Path(problem.file).name, problem.key) for problem in error.value.problems} == {
        ("hosts.toml", "secrets.GITHUB_CLIENT_ID"),
        ("users", ""),
        ("no.pem", ""),
    }


def ends(error: BaseException) -> tuple[str, int]:
    """Return the line and the exit code that an error of a step ends the run with."""
    with pytest.raises(Exit) as ended:
        with step(context(), "prepull"):
            raise error
    return str(ended.value.message), ended.value.code


@pytest.mark.parametrize(
    ("error", "line", "code"),
    [
        (StepError(WORKER1, "no answer", "Is it up?"), f"{WORKER1}: prepull: no answer. Is it up?", 1),
        (
            StepErrors(StepError(WORKER1, "no answer", "Is it up?"), StepError(WORKER2, "full", "Free some")),
            f"{WORKER1}: prepull: no answer. Is it up?\n{WORKER2}: prepull: full. Free some",
            1,
        ),
        (
            EngineError(WORKER1, 500, "no space left on device"),
            f"{WORKER1}: prepull: no space left on device. Free some disk there: docker system df",
            1,
        ),
        (SettingsError(Problem("hosts.toml", 3, "hub.port", "is wrong")), "hosts.toml:3: hub.port: is wrong", 2),
        (UsageError("-H x: no such host"), "-H x: no such host", 2),
        (KeyboardInterrupt(), "prepull: interrupted; what was done stays done, the same command goes on from there", 130),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_an_error_ends_the_run_with_a_line_and_its_code(error: BaseException, line: str, code: int) -> None:
    """What failed is 1, what is wrong in settings or usage 2, Ctrl-C 130; the line names host and step."""
    assert ends(error) == (line, code)


def test_after_ctrl_c_no_connection_stays_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """What still waits for a host ends with its connection: the run does not hang."""
    closed: list[bool] = []
    monkeypatch.setattr("swarmhub.ssh.connection.Connections.close", lambda _: closed.append(True))
    with step(context(), "prepull") as run:
        _ = run.hosts
    with pytest.raises(Exit) as ended:
        with step(context(), "prepull"):
            raise KeyboardInterrupt
    finish(ended.value)
    assert closed == [True]


def test_an_error_that_names_its_step_keeps_it() -> None:
    """An error that was made for another step is told as that step's."""
    assert ends(StepError(WORKER1, "no answer", "Is it up?", "network"))[0].startswith(f"{WORKER1}: network: ")


def test_a_mistake_in_the_code_keeps_its_traceback() -> None:
    """Only errors that an operator can do something about become lines."""
    with pytest.raises(ZeroDivisionError):
        with step(context(), "prepull"):
            raise ZeroDivisionError


@pytest.fixture
def debug() -> Iterator[None]:
    """Switch on what --debug does."""
    logger = logging.getLogger("invoke")
    level = logger.level
    logger.setLevel(logging.DEBUG)
    yield
    logger.setLevel(level)


@pytest.mark.usefixtures("debug")
def test_with_debug_the_error_itself_comes_through() -> None:
    """--debug shows the traceback: the error is raised as it is."""
    with pytest.raises(StepError, match="no answer"):
        with step(context(), "prepull"):
            raise StepError(WORKER1, "no answer", "Is it up?")


def test_wrong_settings_end_a_step_before_anything_else(folder: Path) -> None:
    """A step that reads hosts.toml with a mistake ends with FILE:LINE and 2."""
    (folder / "hosts.toml").write_text(HOSTS.replace("domain", "domian"))
    with pytest.raises(Exit) as ended:
        with step(context(), "network") as run:
            _ = run.settings
    assert (str(ended.value.message).splitlines()[0].startswith("hosts.toml:4: hub"), ended.value.code) == (True, 2)


def test_the_steps_of_a_run_share_it() -> None:
    """All steps of one process have the same run: the same settings, connections and look."""
    with step(context(), "network") as first, step(context(), "volume") as second:
        assert first is second


def fake_run(*changes: Callable[..., object]) -> tuple[Run, Plan]:
    """Return a run whose manager is in memory, and a plan with these changes on it."""
    run = Run(context())
    run.__dict__["hosts"] = {
        name: FakeHost(name, {"GET /networks": [], "GET /services": []}) for name in (MANAGER, MANAGER2, WORKER1, WORKER2)
    }
    return run, Plan("step", "as wanted", tuple(Change("do", "it", MANAGER, change) for change in changes))


def engine(run: Run) -> FakeEngine:
    """Return the manager's engine."""
    host: Any = run.hosts[MANAGER]
    found: FakeEngine = host.engine
    return found


def test_a_plan_is_told_before_it_is_applied(capsys: pytest.CaptureFixture[str]) -> None:
    """What is going to happen stands on the terminal while it happens, and then how long it took."""
    seen: list[str] = []
    run, plan = fake_run(lambda *_: seen.append(capsys.readouterr().out))
    run.apply(plan)
    assert (seen, capsys.readouterr().out.startswith("step       done in ")) == ([f"step       do it on {MANAGER}\n"], True)


def test_a_step_alone_is_changed_where_a_ctrl_c_reaches_it() -> None:
    """In the main thread: the change itself is interrupted, and none comes after it."""
    threads: list[threading.Thread] = []
    run, plan = fake_run(lambda *_: threads.append(threading.current_thread()))
    run.apply(plan)
    assert threads == [threading.main_thread()]


def test_steps_that_do_not_need_each_other_go_at_once() -> None:
    """Each waits here for the other one; what fails names its own step."""
    meeting = threading.Barrier(2, timeout=10)

    def fail(*_: object) -> None:
        meeting.wait()
        raise StepError(MANAGER, "no", "Try again")

    run, plan = fake_run(lambda *_: meeting.wait())
    other = Plan("other", "", (Change("do", "more", MANAGER, fail),))
    with pytest.raises(StepErrors, match="no") as failed:
        run.apply(plan, other)
    assert [one.step for one in failed.value.errors] == ["other"]


def test_of_several_that_fail_at_once_each_names_its_own_step() -> None:
    """A build that fails in a deploy is no failure of the pulls that go on next to it."""

    def fail(*_: object) -> None:
        raise StepError(MANAGER, "no", "Try again")

    run, plan = fake_run(lambda *_: None)
    lanes = tuple(Change("build", lane, MANAGER, fail, lane=lane) for lane in ("hub", "proxy"))
    pulls = Plan("images", "", (Change("pull", "it", MANAGER, fail),))
    with pytest.raises(StepErrors) as failed:
        run.apply(plan, pulls, Plan("build-hub", "", lanes, at_once=True))
    assert [one.step for one in failed.value.errors] == ["images", "build-hub", "build-hub"]


@pytest.mark.parametrize("count", [0, 2])
def test_changes_are_counted(count: int) -> None:
    """The end of a deploy says how many changes there were."""
    run, plan = fake_run(*[lambda *_: None] * count)
    run.apply(plan)
    assert run.changed.total() == count


@pytest.mark.parametrize(("count", "questions"), [(0, 1), (1, 2)])
def test_only_a_change_makes_the_next_step_look_again(count: int, questions: int) -> None:
    """A step with nothing to do leaves what has been seen; one that changes something makes it be asked anew."""
    run, plan = fake_run(*[lambda *_: None] * count)
    run.look.network()
    run.apply(plan)
    run.look.network()
    host: Any = run.hosts[MANAGER]
    assert host.engine.asked().count("GET /networks") == questions


def test_what_a_failed_change_leaves_is_looked_at_anew() -> None:
    """A change that fails may have done half of its work: what was seen before it does not count."""

    def fail(*_: object) -> None:
        raise StepError(MANAGER, "cause", "remedy")

    run, plan = fake_run(fail)
    run.look.network()
    with pytest.raises(StepErrors, match="cause"):
        run.apply(plan)
    run.look.network()
    host: Any = run.hosts[MANAGER]
    assert host.engine.asked().count("GET /networks") == 2


def terminal(monkeypatch: pytest.MonkeyPatch, answer: bool | None) -> list[str]:
    """Let somebody sit at the terminal who answers like that, or nobody; return what they are asked."""
    asked: list[str] = []

    def ask(_: Report, question: str) -> bool:
        asked.append(question)
        return bool(answer)

    monkeypatch.setattr(Report, "is_terminal", answer is not None)
    monkeypatch.setattr(Report, "ask", ask)
    return asked


COSTS = Change("do", "it", MANAGER, lambda *_: None, cost=Cost.HUB_RESTART)
IS_FREE = Change("do", "it", MANAGER, lambda *_: None)


@pytest.mark.parametrize(
    ("change", "answer", "yes", "questions"),
    [
        (COSTS, True, False, ["Go on?"]),
        (COSTS, True, True, []),
        (COSTS, None, False, []),
        (IS_FREE, True, False, []),
    ],
    ids=["terminal", "--yes", "pipe", "no interruption"],
)
def test_what_costs_somebody_something_is_asked_for_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch, change: Change, answer: bool | None, yes: bool, questions: list[str]
) -> None:
    """Whoever sits there is asked once; --yes has answered, and in a pipe nobody could."""
    asked = terminal(monkeypatch, answer)
    run, _ = fake_run()
    monkeypatch.setattr(Run, "says_yes", yes)
    run.show([Plan("step", "", (change,))])
    assert asked == questions


@pytest.mark.parametrize(
    ("cost", "said"),
    [(Cost.NOTEBOOKS_STOP, "notebooks stop: 1 (ada)"), (Cost.REMOVAL, "people may no longer log in: 1 (ada)")],
)
@pytest.mark.parametrize("is_alone", [False, True], ids=["deploy", "step"])
def test_without_a_terminal_nobody_is_stopped_or_removed_unasked(
    monkeypatch: pytest.MonkeyPatch, cost: Cost, said: str, is_alone: bool
) -> None:
    """The line names the cost and the flag; nothing is changed, and no lock or entry is left."""
    terminal(monkeypatch, None)
    run, _ = fake_run()
    plan = Plan("step", "", (Change("do", "it", MANAGER, lambda *_: None, cost=cost, people=("ada",)),))
    with pytest.raises(Declined) as refused:
        run.apply(plan) if is_alone else run.show([plan])
    assert str(refused.value) == f"{said}. Nothing was changed: there is no terminal to ask on. To go on: --yes"
    ended = Exit("", 2)
    ended.__cause__ = refused.value
    run.finish(ended)
    assert engine(run).asked("POST") == []


@pytest.mark.parametrize("is_alone", [False, True], ids=["deploy", "step"])
def test_with_the_flag_they_are(monkeypatch: pytest.MonkeyPatch, is_alone: bool) -> None:
    """Who wrote --yes into a script has meant it."""
    terminal(monkeypatch, None)
    monkeypatch.setattr(Run, "says_yes", True)
    done: list[int] = []
    run, _ = fake_run()
    change = Change("do", "it", MANAGER, lambda *_: done.append(1), cost=Cost.NOTEBOOKS_STOP, people=("ada",))
    if not is_alone:
        run.show([Plan("step", "", (change,))])
    run.apply(Plan("step", "", (change,)))
    assert done == [1]


def test_a_step_alone_asks_on_a_terminal_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before it stops somebody, but not if that was the answer to a question of its own."""
    asked = terminal(monkeypatch, True)
    change = Change("do", "it", MANAGER, lambda *_: None, cost=Cost.NOTEBOOKS_STOP)
    for question in ("", "Stop ada's server?"):
        run, _ = fake_run()
        if question:
            run.agree(question)
        run.apply(Plan("step", "", (change,)))
    assert asked == ["Go on?", "Stop ada's server?"]


def test_whoever_says_no_changes_nothing_and_holds_no_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer comes before the lock: a question that stands on a screen keeps nobody from working."""
    terminal(monkeypatch, False)
    run, _ = fake_run()
    with pytest.raises(UsageError, match="nothing was changed"):
        run.show([Plan("step", "", (COSTS,))])
    assert engine(run).asked("POST") == []


def test_what_needs_an_answer_is_refused_where_nobody_can_give_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a terminal a question is an error that names the flag."""
    terminal(monkeypatch, None)
    with pytest.raises(UsageError, match=r"^Take it\? There is no terminal to ask on\. To answer yes: --yes$"):
        Run(context()).agree("Take it?")


def test_what_is_shown_comes_before_the_question_and_the_lock_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """An operator answers to what stands on the screen."""
    run, _ = fake_run()
    order = terminal(monkeypatch, True)
    monkeypatch.setattr(Report, "shown", lambda *_: order.append("shown"))
    monkeypatch.setattr(run.journal, "lock", lambda: order.append("locked"))
    run.show([Plan("step", "", (COSTS,))])
    assert order == ["shown", "Go on?", "locked"]


def test_a_locked_cluster_is_refused_before_anything_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody agrees to what cannot be done."""
    asked = terminal(monkeypatch, True)
    run, _ = fake_run()
    lock.take(run.hosts[MANAGER], {"who": "ada@desk", "since": NOW.isoformat(), "what": "deploy"})
    with pytest.raises(StepError, match="the cluster is locked by ada@desk"):
        run.show([Plan("step", "", (COSTS,))])
    assert asked == []


def test_a_step_that_refuses_ends_it_before_anything_is_changed() -> None:
    """Every step that refuses is told, and no lock is taken."""
    run, plan = fake_run(lambda *_: None)
    refusals = [Plan(name, "", error=StepError(MANAGER, f"{name} differs", "Look", name)) for name in ("network", "volume")]
    with pytest.raises(StepErrors) as failed:
        run.show([plan, *refusals])
    assert ([error.step for error in failed.value.errors], engine(run).asked("POST")) == (["network", "volume"], [])


def test_plans_without_a_change_need_no_lock() -> None:
    """A deploy with nothing to do asks nobody and holds nothing; it looks whether somebody else does."""
    run, plan = fake_run()
    run.show([plan])
    assert engine(run).asked() == ["GET /configs"]


def test_what_was_seen_before_the_lock_is_looked_at_anew() -> None:
    """Between the look and the lock somebody else may have been at it."""
    run, plan = fake_run(lambda *_: None)
    run.look.network()
    run.show([plan])
    run.look.network()
    assert engine(run).asked().count("GET /networks") == 2


def test_a_step_is_held_to_what_was_shown() -> None:
    """A change that was not shown is not made, nor anything else of that step."""
    done: list[str] = []
    run, shown = fake_run(lambda *_: done.append("shown"))
    run.show([shown])
    another = Change("remove", "it", MANAGER, lambda *_: done.append("another"))
    with pytest.raises(StepError, match="the cluster has changed since the plan was shown; nothing of this step was done"):
        run.apply(Plan("step", "", (*shown.changes, another)))
    assert done == []


def test_a_step_for_which_nothing_was_shown_makes_no_change() -> None:
    """Where the plan had nothing to do for a step, and now has, the step stops."""
    run, plan = fake_run(lambda *_: None)
    run.show([Plan("step", "as wanted")])
    with pytest.raises(StepError, match="the cluster has changed"):
        run.apply(plan)


def test_what_a_run_knows_better_by_now_is_shown_again_and_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another change than was shown is made then; one that costs people something, only if somebody agrees."""
    done: list[int] = []
    run, shown = fake_run(lambda *_: None)
    terminal(monkeypatch, False)
    run.show([shown])
    run.show_again()
    run.apply(Plan("step", "", (Change("remove", "it", MANAGER, lambda *_: done.append(1)),)))
    with pytest.raises(UsageError, match="nothing was changed"):
        run.apply(Plan("service", "", (COSTS,)))
    assert done == [1]


def test_a_step_that_was_not_shown_is_applied() -> None:
    """A step alone shows its plan as it applies it."""
    done: list[int] = []
    run, plan = fake_run(lambda *_: done.append(1))
    run.show([Plan("another", "as wanted")])
    run.apply(plan)
    assert done == [1]


def test_the_cluster_is_locked_while_it_is_changed() -> None:
    """A change finds the lock held by its own run, which says what it is at."""
    seen: list[str] = []

    def look(host: Host, _: Progress) -> None:
        holder = lock.observe(host)
        seen.append(holder.at if holder else "")

    run, plan = fake_run(look)
    run.apply(plan)
    assert seen == [f"do it on {MANAGER}"]


def test_a_locked_cluster_is_not_changed() -> None:
    """A step alone as well leaves a cluster alone that somebody is at."""
    done: list[int] = []
    run, plan = fake_run(lambda *_: done.append(1))
    lock.take(run.hosts[MANAGER], {"who": "ada@desk", "since": NOW.isoformat(), "what": "deploy"})
    with pytest.raises(StepError, match="the cluster is locked by ada@desk"):
        run.apply(plan)
    assert done == []


def test_the_end_gives_the_lock_back_and_leaves_an_entry() -> None:
    """After a run nobody holds the lock, and the history tells of it."""
    run, plan = fake_run(lambda *_: None)
    run.apply(plan)
    run.finish(None)
    (entry,) = entries.observe(run.hosts[MANAGER], run.settings.hub.service)
    assert (lock.observe(run.hosts[MANAGER]), entry.changes, entry.ended) == (None, (f"do it on {MANAGER}",), "done")


def test_a_run_that_planned_nothing_leaves_no_entry() -> None:
    """A command that only asks is no part of the history."""
    run, _ = fake_run()
    run.look.network()
    run.finish(None)
    assert entries.observe(run.hosts[MANAGER], run.settings.hub.service) == ()


@pytest.mark.parametrize(
    ("error", "ended"),
    [
        (Exit("interrupted", 130), "interrupted"),
        (KeyboardInterrupt(), "interrupted"),
        (Exit(f"{MANAGER}: step: cause. remedy\nmore", 1), f"failed: {MANAGER}: step: cause. remedy"),
        (Exit(code=1), "failed: exit code 1"),
        (StepError(MANAGER, "cause", "remedy"), f"failed: {MANAGER}: cause. remedy"),
        (StepErrors(), "failed: StepErrors"),
        (AssertionError(), "failed: AssertionError"),
        (RuntimeError("one\ntwo"), "failed: one"),
    ],
    ids=lambda value: repr(value) if isinstance(value, BaseException) else "",
)
def test_the_entry_says_in_a_line_how_the_run_ended(error: BaseException | None, ended: str) -> None:
    """An error without a word has a name at least."""
    run, plan = fake_run()
    run.apply(plan)
    run.finish(error)
    (entry,) = entries.observe(run.hosts[MANAGER], run.settings.hub.service)
    assert entry.ended == ended


@pytest.mark.parametrize("error", [None, Exit(code=3)], ids=["done", "differs"])
def test_a_run_that_found_nothing_to_change_leaves_no_entry(error: BaseException | None) -> None:
    """The history is of what has changed, and of what was to change and failed."""
    run, plan = fake_run()
    run.apply(plan)
    run.finish(error)
    assert entries.observe(run.hosts[MANAGER], run.settings.hub.service) == ()


def test_a_lock_that_stays_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """If the connection is gone in the end, the operator learns that the lock expires by itself."""
    run, plan = fake_run(lambda *_: None)
    run.apply(plan)
    engine(run).answers["DELETE /configs/c1"] = StepError(MANAGER, "the connection broke", "Run it again")
    run.finish(None)
    assert capsys.readouterr().out.splitlines()[-1] == "The lock could not be given back; it expires within a minute."


def test_a_second_ctrl_c_closes_the_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever does not wait for the entry to be written is not kept by a pull that goes on either."""
    run, plan = fake_run()
    run.apply(plan)
    closed: list[int] = []
    run._closers.append(lambda: closed.append(1))

    def interrupt(_: str) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(run.journal, "end", interrupt)
    with pytest.raises(KeyboardInterrupt):
        run.finish(KeyboardInterrupt())
    assert closed == [1]


def test_the_command_is_what_was_typed() -> None:
    """The lock and the history show the tasks, as they were typed."""
    run = Run(Context(Config(overrides={"swarmhub_tasks": ["certs", "prepull-all"]})))
    assert run.command == "certs prepull-all"


def test_the_settings_are_those_that_the_environment_names(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SWARMHUB_HOSTS names another file, and paths in it count from its folder."""
    (folder / "lab").mkdir()
    (folder / "lab" / "hosts.toml").write_text(HOSTS.replace(DOMAIN, "hub.localhost"))
    monkeypatch.setenv("SWARMHUB_HOSTS", "lab/hosts.toml")
    settings_file.current.cache_clear()
    settings = Run(context()).settings
    assert (settings.hub.domain, settings.hub.userlist) == ("hub.localhost", folder / "lab" / "users")


def test_a_bundle_is_checked_before_the_first_connection(folder: Path) -> None:
    """As the settings are; without --bundle there is none."""
    (folder / "b.tar").write_text("no tar")
    run = Run(Context(Config(overrides={"swarmhub_bundle": "b.tar"})))
    with pytest.raises(UsageError, match=r"^b\.tar is no bundle, which fab bundle writes$"):
        run.check()
    assert Run(Context(Config())).bundle is None
