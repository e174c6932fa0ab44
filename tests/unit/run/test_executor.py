"""What -H means under the stock `fab`: dependencies have it too, and a step runs once."""

import importlib
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fabric import Config, Connection
from fabric.main import program
from invoke.collection import Collection
from invoke.config import Config as InvokeConfig
from invoke.exceptions import Exit
from invoke.parser.context import ParserContext
from invoke.parser.parser import Parser
from invoke.tasks import task

from swarmhub.run import task as steps
from swarmhub.run.executor import Executor, Remembering
from swarmhub.run.task import step_task
from swarmhub.ssh import session
from swarmhub.ssh.connection import VerifiedConnection
from tests.unit.support.cluster import HOSTS_TOML

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(autouse=True)
def hosts_toml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in a folder with settings, in a process that has no connections, and may open none."""
    (tmp_path / "hosts.toml").write_text(HOSTS_TOML)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(session, "_shared", {})
    monkeypatch.setattr(Connection, "open", lambda _: pytest.fail("opened a connection"))
    return tmp_path / "hosts.toml"


class Recorder:
    """Tasks that record by which name and with which context they were run."""

    def __init__(self) -> None:
        self.ran: list[tuple[str, Any]] = []

    def body(self, name: str) -> Callable[..., None]:
        def run(c: Any) -> None:
            self.ran.append((name, c))

        run.__name__ = name
        return run

    def step(self, name: str, *pre: Any, post: tuple[Any, ...] = ()) -> Any:
        return step_task(pre=list(pre), post=list(post))(self.body(name))

    def plain(self, name: str, *pre: Any) -> Any:
        return task(self.body(name), pre=list(pre))

    @property
    def where(self) -> list[tuple[str, str | None]]:
        return [(name, c.host if isinstance(c, Connection) else None) for name, c in self.ran]


@pytest.fixture
def recorder() -> Recorder:
    """Return what records the tasks that run."""
    return Recorder()


def fab(line: str, *tasks: Any) -> Executor:
    """Run a command line of `fab` with these tasks, and return what has run them."""
    core = Parser(initial=ParserContext(args=program.core_args()), ignore_unknown=True).parse_argv(line.split())
    collection = tasks[0] if isinstance(tasks[0], Collection) else Collection(*tasks)
    calls = Parser(contexts=collection.to_contexts()).parse_argv(core.unparsed)
    executor = Executor(collection, config=Config(), core=core)
    executor.execute(*calls)
    return executor


def test_the_stock_fab_uses_this_executor() -> None:
    """fabric.yaml, which `fab` reads beside the fabfile, names the class."""
    config = Config(project_location=str(ROOT))
    config.load_project()
    module, _, name = config.tasks.executor_class.rpartition(".")
    assert getattr(importlib.import_module(module), name) is Executor


def test_a_dependency_runs_on_the_host_that_h_names(recorder: Recorder) -> None:
    """Under -H a step's dependencies have the connection too, at any depth; in stock Fabric they run on one's own machine."""
    deep = recorder.step("deep")
    deploy = recorder.step("deploy", recorder.step("network", deep))
    fab("-H swarm-manager1 deploy", deploy)
    assert recorder.where == [("deep", "swarm-manager1"), ("network", "swarm-manager1"), ("deploy", "swarm-manager1")]


def test_what_follows_a_step_runs_after_it_on_the_same_host(recorder: Recorder) -> None:
    """Post-tasks have the connection as well."""
    fab("-H swarm-manager1 deploy", recorder.step("deploy", post=(recorder.step("after"),)))
    assert recorder.where == [("deploy", "swarm-manager1"), ("after", "swarm-manager1")]


def test_without_h_a_task_has_a_plain_context(recorder: Recorder) -> None:
    """Without -H no task is given a connection: hosts.toml decides."""
    fab("deploy", recorder.step("deploy", recorder.step("network")))
    assert recorder.where == [("network", None), ("deploy", None)]


def test_a_step_runs_once_for_several_hosts(recorder: Recorder) -> None:
    """A step finds its hosts by itself: with two of them named it runs once, and so do its dependencies."""
    fab("-H swarm-worker1,swarm-worker2 prepull", recorder.step("prepull", recorder.step("check")))
    assert [name for name, _ in recorder.where] == ["check", "prepull"]


def test_another_task_runs_on_each_host(recorder: Recorder) -> None:
    """A task that is no step runs on each of the hosts, as under stock Fabric."""
    fab("-H swarm-worker1,swarm-worker2 uptime", recorder.plain("uptime"))
    assert recorder.where == [("uptime", "swarm-worker1"), ("uptime", "swarm-worker2")]


@pytest.mark.parametrize("hosts", ["swarm-worker1,swarm-worker1", "swarm-worker1,,", ",swarm-worker1"])
def test_a_host_that_is_named_twice_or_not_at_all_counts_once(recorder: Recorder, hosts: str) -> None:
    """A host twice, or a comma too many, gives one run."""
    fab(f"-H {hosts} uptime", recorder.plain("uptime"))
    assert recorder.where == [("uptime", "swarm-worker1")]


@pytest.mark.parametrize(
    ("line", "hosts"),
    [
        ("-H swarm-worker2,swarm-worker1,swarm-worker2 prepull", ["swarm-worker2", "swarm-worker1"]),
        ("prepull", []),
    ],
)
def test_a_step_learns_all_hosts_that_h_names(recorder: Recorder, line: str, hosts: list[str]) -> None:
    """The configuration that the step's context has holds the hosts, each once and in order."""
    fab(line, recorder.step("prepull"))
    assert list(recorder.ran[0][1].config["swarmhub_hosts"]) == hosts


@pytest.mark.parametrize(("line", "file"), [("network deploy --bundle b.tar", "b.tar"), ("deploy", "")])
def test_a_dependency_learns_which_bundle_is_given(recorder: Recorder, line: str, file: str) -> None:
    """The file that --bundle names is the whole run's."""

    @step_task()
    def deploy(c: Any, bundle: str = "") -> None:
        """Do nothing."""

    assert fab(line, recorder.step("network"), deploy).config["swarmhub_bundle"] == file


def test_a_dependency_that_two_steps_share_runs_once(recorder: Recorder) -> None:
    """The first of them runs it, before both."""
    check = recorder.step("check")
    fab("-H swarm-manager1 network volume", recorder.step("network", check), recorder.step("volume", check))
    assert [name for name, _ in recorder.where] == ["check", "network", "volume"]


def test_a_step_that_is_also_named_runs_once(recorder: Recorder) -> None:
    """A dependency that stands on the command line too is not repeated."""
    network = recorder.step("network")
    fab("-H swarm-manager1 network deploy", network, recorder.step("deploy", network))
    assert [name for name, _ in recorder.where] == ["network", "deploy"]


def test_a_step_with_other_arguments_is_another_call(recorder: Recorder) -> None:
    """Only calls that say the same are one."""

    def network(c: Any, flag: str = "") -> None:
        recorder.ran.append((f"network {flag}", c))

    fab("-H swarm-manager1 network --flag=x network --flag=y network --flag=x", step_task()(network))
    assert [name for name, _ in recorder.where] == ["network x", "network y"]


def test_tasks_of_one_name_in_two_modules_are_two(recorder: Recorder) -> None:
    """A task of the lab may have the name of a step: both run."""
    ns = Collection(recorder.step("status"))
    ns.add_collection(Collection("lab", task(recorder.body("status of the lab"), name="status")))
    fab("-H swarm-manager1 status lab.status", ns)
    assert [name for name, _ in recorder.where] == ["status", "status of the lab"]


def test_all_tasks_of_a_run_share_a_hosts_connection(recorder: Recorder) -> None:
    """There is one connection a host and a run, and it verifies host keys."""
    fab("-H swarm-manager1 deploy", recorder.step("deploy", recorder.step("network")))
    connections = {id(c): c for _, c in recorder.ran}
    assert [type(c) for c in connections.values()] == [VerifiedConnection]


def test_wrong_settings_end_the_run_with_a_line(recorder: Recorder, hosts_toml: Path) -> None:
    """hosts.toml is needed for the connection: its mistakes are told with FILE:LINE and 2, and nothing steps."""
    hosts_toml.write_text(HOSTS_TOML.replace("domain", "domian"))
    with pytest.raises(Exit) as ended:
        fab("-H swarm-manager1 network", recorder.step("network"))
    assert (str(ended.value.message).startswith("hosts.toml:5: "), ended.value.code, recorder.ran) == (True, 2, [])


def test_a_command_after_two_hyphens_is_run_on_each_host(recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    """`fab -H ... -- command` is Fabric's own, over connections that verify host keys."""
    ran: list[tuple[str, str]] = []
    monkeypatch.setattr(VerifiedConnection, "run", lambda c, command: ran.append((c.host, command)))
    fab("-H swarm-worker1,swarm-worker2 -- uname -r", recorder.step("network"))
    assert ran == [("swarm-worker1", "uname -r"), ("swarm-worker2", "uname -r")]


def test_the_stock_invoke_is_told_when_it_is_over() -> None:
    """invoke.yaml, which `invoke` reads beside the tasks, names the class."""
    config = InvokeConfig(project_location=ROOT)
    config.load_project()
    module, _, name = config.tasks.executor_class.rpartition(".")
    assert getattr(importlib.import_module(module), name) is Remembering


@pytest.fixture
def ended(monkeypatch: pytest.MonkeyPatch) -> list[BaseException | None]:
    """Return what the run is told in the end, each time it is."""
    told: list[BaseException | None] = []
    monkeypatch.setattr(steps, "finish", told.append)
    return told


def invoke(line: str, *tasks: Any) -> None:
    """Run a command line of `invoke` with these tasks."""
    collection = Collection(*tasks)
    Remembering(collection, config=InvokeConfig()).execute(*Parser(contexts=collection.to_contexts()).parse_argv(line.split()))


PROGRAMS = pytest.mark.parametrize("program", [fab, invoke])


@PROGRAMS
def test_a_run_is_ended_when_its_last_task_is(program: Callable[..., Any], ended: list[Any], recorder: Recorder) -> None:
    """Once, after all tasks of the command line, and with no error."""
    seen: list[int] = []
    last = task(lambda _: seen.append(len(ended)), name="last")
    program("network last", recorder.step("network"), last)
    assert (seen, ended) == ([0], [None])


@PROGRAMS
@pytest.mark.parametrize("error", [Exit("no", 1), ZeroDivisionError(), SystemExit(3)], ids=repr)
def test_a_run_is_ended_with_what_ended_it(program: Callable[..., Any], ended: list[Any], error: BaseException) -> None:
    """Whatever it was: the error comes through, and the run has been told."""

    def fail(_: Any) -> None:
        raise error

    with pytest.raises(type(error)):
        program("fail", task(fail))
    assert ended == [error]


@PROGRAMS
def test_ctrl_c_between_two_steps_is_told_as_in_one(program: Callable[..., Any], ended: list[Any]) -> None:
    """Invoke itself ends with 1, and says nothing."""

    def fail(_: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(Exit, match="fail: interrupted; what was done stays done") as exited:
        program("fail", task(fail))
    assert (exited.value.code, [type(error) for error in ended]) == (130, [KeyboardInterrupt])


@PROGRAMS
def test_a_task_that_is_unknown_ends_the_run_too(program: Callable[..., Any], ended: list[Any], recorder: Recorder) -> None:
    """What fails before the first task is an end like any other."""
    broken = recorder.step("network")
    broken.pre = [None]
    with pytest.raises(AttributeError):
        program("network", broken)
    assert [type(error) for error in ended] == [AttributeError]


def typed(recorder: Recorder) -> dict[str, Any]:
    """Return what the tasks that have run know of the command line."""
    (_, context), *_ = recorder.ran
    return {name: context.config.get(f"swarmhub_{name}") for name in ("tasks", "yes")}


@PROGRAMS
@pytest.mark.parametrize(
    ("line", "tasks"),
    [
        ("prepull-all", ["prepull-all"]),
        ("deploy", ["deploy"]),
        ("prepull-all deploy", ["prepull-all", "deploy"]),
        ("deploy --yes", ["deploy"]),
    ],
)
def test_what_was_typed_is_remembered_as_it_was_typed(
    program: Callable[..., Any], recorder: Recorder, line: str, tasks: list[str]
) -> None:
    """The tasks of the command line, not their dependencies, and no options."""

    def deploy(c: Any, yes: bool = False) -> None:
        recorder.ran.append(("deploy", c))

    program(line, recorder.step("prepull_all"), step_task(pre=[recorder.step("check")])(deploy))
    assert list(typed(recorder)["tasks"]) == tasks


@PROGRAMS
@pytest.mark.parametrize(
    ("line", "yes"),
    [("check deploy", False), ("deploy --yes", True), ("check deploy --yes", True), ("deploy --yes check", True)],
)
def test_yes_is_found_in_any_task_and_known_to_all(
    program: Callable[..., Any], recorder: Recorder, line: str, yes: bool
) -> None:
    """The dependency that asks is not the task that the flag was given to."""

    def deploy(c: Any, yes: bool = False) -> None:
        recorder.ran.append(("deploy", c))

    program(line, recorder.step("check"), step_task(pre=[recorder.step("agree")])(deploy))
    assert typed(recorder)["yes"] is yes


def test_a_command_after_two_hyphens_types_no_task(recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is Fabric's own, and ends like a run."""
    monkeypatch.setattr(VerifiedConnection, "run", lambda c, command: None)
    executor = fab("-H swarm-worker1 -- uname -r", recorder.step("network"))
    assert (list(executor.config["swarmhub_tasks"]), executor.config["swarmhub_yes"]) == ([], False)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_cancelled_run_ends_as_after_ctrl_c(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A job that is cancelled and a terminal that is closed give the lock back, too."""
    before = signal.getsignal(number)
    ended: list[BaseException | None] = []
    monkeypatch.setattr("swarmhub.run.task.finish", ended.append)
    collection = Collection()
    collection.add_task(task(lambda _: os.kill(os.getpid(), number)), name="wait")  # type: ignore[arg-type]
    try:
        with pytest.raises(Exit, match="wait: interrupted; what was done stays done") as exited:
            Remembering(collection, config=InvokeConfig()).execute("wait")
    finally:
        signal.signal(number, before)
    assert (exited.value.code, [type(error) for error in ended]) == (130, [KeyboardInterrupt])
