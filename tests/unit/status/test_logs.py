"""Which lines of which log, in which order."""

import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from swarmhub.errors import StepError, UsageError
from swarmhub.host import Output
from swarmhub.status import logs
from swarmhub.status.logs import ENGINE_LOG, LogSelection
from tests.unit.support.fakes import MANAGER, WORKER1, WORKER2, FakeHost, once, settings

NOW = datetime(2026, 11, 15, 12, tzinfo=UTC)
LAST, SINCE = LogSelection(None, follow=False), LogSelection(NOW, follow=False)
SERVICE = {"ID": "s1"}


def line(second: int, text: str = "said") -> str:
    """Return a line as the engine gives it, behind its time."""
    return f"2026-11-15T11:00:{second:02}.000000007Z {text}"


@pytest.mark.parametrize(
    ("text", "since"),
    [
        ("", None),
        ("30s", NOW - timedelta(seconds=30)),
        ("10m", NOW - timedelta(minutes=10)),
        ("1h", NOW - timedelta(hours=1)),
        ("2d", NOW - timedelta(days=2)),
        ("2026-11-15T10:00:00Z", NOW - timedelta(hours=2)),
        ("2026-11-15T10:00:00+01:00", NOW - timedelta(hours=3)),
    ],
)
def test_a_span_or_a_time_is_understood(text: str, since: datetime | None) -> None:
    """Spans are before now; a time may have a zone."""
    assert logs.since(text, NOW) == since


def test_a_time_without_a_zone_is_this_machines() -> None:
    """As the operator's own clock shows it."""
    assert logs.since("2026-11-15T10:00:00", NOW) == datetime(2026, 11, 15, 10).astimezone()


@pytest.mark.parametrize("text", ["yesterday", "10", "1w", "m", "999999d"])
def test_anything_else_is_a_wrong_command_line(text: str) -> None:
    """The line shows what would be right."""
    with pytest.raises(UsageError, match=f"--since {text}: say a span"):
        logs.since(text, NOW)


@pytest.mark.parametrize(
    ("asked", "node", "host"),
    [((), "", MANAGER), ((WORKER1,), "", WORKER1), ((), WORKER2, WORKER2), ((WORKER1,), WORKER1, WORKER1)],
)
def test_an_engine_is_that_of_the_host_named(asked: tuple[str, ...], node: str, host: str) -> None:
    """By -H or by --node; else the manager's."""
    assert logs.engine_host(asked, node, settings(), MANAGER) == host


@pytest.mark.parametrize(
    ("asked", "node", "wrong"),
    [((WORKER1, WORKER2), "", "one engine at a time"), ((WORKER1,), WORKER2, "one engine"), ((), "x", "--node x: hosts.toml")],
)
def test_two_engines_or_none_is_a_wrong_command_line(asked: tuple[str, ...], node: str, wrong: str) -> None:
    """Lines of two engines would be mixed up."""
    with pytest.raises(UsageError, match=wrong):
        logs.engine_host(asked, node, settings(), MANAGER)


def task(id_: str, created: str, node: str = "n1", container: str = "c1") -> dict[str, object]:
    """Return a task as the engine lists it."""
    return {"ID": id_, "NodeID": node, "CreatedAt": created, "Status": {"ContainerStatus": {"ContainerID": container}}}


def manager(*tasks: list[str] | StepError) -> FakeHost:
    """Return a manager with a service whose tasks, the oldest first, have said this, and which says a line later."""
    listed = [task(f"t{number}", str(number)) for number in reversed(range(len(tasks)))]
    said = {f"GET /tasks/t{number}/logs": lines for number, lines in enumerate(tasks)}
    waiting = {"ID": "t9", "CreatedAt": "9", "Status": {}}
    answers = {"GET /services/jupyterhub": SERVICE, "GET /tasks": [waiting, *listed], **said}
    return FakeHost(answers=answers | {"GET /services/s1/logs": [line(59, "later")]})


def test_the_lines_of_several_tasks_are_sorted_by_time() -> None:
    """Those of a progress bar stay behind the one before them; a task that waits for a node has said nothing."""
    found = logs.of_service(manager([line(3), "50 %", "99 %"], [line(1), line(4)]), "jupyterhub", LAST, dict)
    assert list(found) == [line(1), line(3), "50 %", "99 %", line(4)]


def test_a_task_whose_lines_do_not_come_hides_no_others() -> None:
    """Swarm is just removing it; where it is the newest, that is the end, after what the others have said."""
    silent = StepError(MANAGER, "its engine is silent", "")
    assert list(logs.of_service(manager(silent, [line(1)]), "jupyterhub", LAST, dict)) == [line(1)]
    found = logs.of_service(manager([line(1)], silent), "jupyterhub", LAST, dict)
    assert next(found) == line(1)
    with pytest.raises(StepError, match="is silent"):
        next(found)


@pytest.mark.parametrize(
    ("wanted", "shown", "params"), [(LAST, 100, {"tail": "100"}), (SINCE, 150, {"tail": "all", "since": "1794744000.000000"})]
)
def test_by_default_the_last_hundred_lines_are_shown(wanted: LogSelection, shown: int, params: dict[str, str]) -> None:
    """The engine counts them for each task, here they count for all; who names a time wants all that was said since."""
    host = manager([line(n % 60) for n in range(150)])
    assert len(list(logs.of_service(host, "jupyterhub", wanted, dict))) == shown
    assert params.items() <= host.engine.sent("GET /tasks/t0/logs").params.items()


def test_following_goes_on_behind_the_last_line() -> None:
    """No line is shown twice, and none is missed between the two questions."""
    host = manager([line(1), "50 %"])
    assert list(logs.of_service(host, "jupyterhub", LogSelection(None, follow=True), dict)) == [
        line(1),
        "50 %",
        line(59, "later"),
    ]
    assert host.engine.requests[-1].params["since"] == "1794740401.000000008"
    assert list(logs.of_service(manager(), "jupyterhub", LogSelection(None, follow=True), dict)) == [line(59, "later")]


def test_a_service_that_is_not_there_is_an_error() -> None:
    """It says which step makes it."""
    with pytest.raises(StepError, match="there is no service jupyterhub"):
        list(logs.of_service(FakeHost(), "jupyterhub", LAST, dict))


def engine(code: int = 0, out: str = "", since: str = "", tail: str = "100") -> FakeHost:
    """Return a host whose engine's log is this."""
    return FakeHost(WORKER1, commands={f"sh -c {ENGINE_LOG} sh {tail} {since} ": Output(code, out, "")})


def test_an_engines_lines_before_the_time_are_left_out() -> None:
    """A file has no index by time; a line without one belongs to the one before it, in whatever zone the node is."""
    early, late = 'time="2026-11-15T12:59:59.9+01:00"', 'time="2026-11-15T13:00:00.123456789+01:00"'
    host = engine(out=f"{early} a\n  more\n{late} b\n  more\n", since="1794744000", tail="all")
    assert list(logs.of_engine(host, SINCE)) == [f"{late} b", "  more"]


@pytest.mark.parametrize(("code", "cause"), [(3, "no log of its engine"), (1, "broke off")])
def test_an_engine_without_a_log_is_an_error(code: int, cause: str) -> None:
    """The line says where was looked, as root too, and what may help."""
    host = engine(code)
    host.engine.answers |= {"GET /images/json": [{"Id": "any"}], **once(code=code)}
    with pytest.raises(StepError, match=WORKER1) as raised:
        list(logs.of_engine(host, LAST))
    assert cause in raised.value.cause


def found(tmp_path: Path, journal: str, *arguments: str) -> str:
    """Run the command on a host with this journal, and the log files that are in a folder."""
    tool = tmp_path / "journalctl"
    tool.write_text(f"#!/bin/sh\n{journal}\n")
    tool.chmod(0o755)
    script = ENGINE_LOG.replace("/var/log", str(tmp_path))
    done = subprocess.run(
        ["sh", "-c", script, "sh", *arguments],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
        timeout=10,
    )
    return done.stdout or str(done.returncode)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("100", "", ""), "--lines 100"),
        (("all", "17", ""), "--lines all --since @17"),
        (("100", "", "--follow"), "--lines 100 --follow"),
    ],
)
def test_where_a_journal_has_entries_it_is_asked(tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    """With systemd the log is there, and found by time."""
    assert found(tmp_path, 'echo "$@"', *arguments) == f"--quiet --no-pager --unit docker --output short-iso {words}\n"


@pytest.mark.parametrize(("tail", "shown"), [("1", "b\n"), ("all", "a\nb\n")])
@pytest.mark.parametrize("name", ["docker.log", "dockerd.log"])
def test_where_no_journal_has_entries_the_file_is_read(tmp_path: Path, name: str, tail: str, shown: str) -> None:
    """A journal without a word of Docker's does not count."""
    (tmp_path / name).write_text("a\nb\n")
    assert found(tmp_path, "exit 0", tail, "", "") == shown


def test_where_neither_is_the_code_says_so(tmp_path: Path) -> None:
    """No other command ends with that code."""
    assert found(tmp_path, "exit 1", "100", "", "") == "3"


@pytest.mark.parametrize(
    ("own", "default", "wrong"),
    [
        ("", "none", "swarm-worker1: its engine keeps no log of jupyterhub. Look there, or set"),
        ("syslog", "json-file", r"its engine sends logs elsewhere \(log-driver syslog\) and has none of jupyterhub"),
        ("", "json-file", ""),
        ("local", "none", ""),
    ],
)
def test_a_log_that_an_engine_cannot_read_is_told(own: str, default: str, wrong: str) -> None:
    """With the node of the newest task and what helps, after the lines of older ones; who has said nothing has no lines."""
    template = {"LogDriver": {"Name": own}} if own else {}
    answers = {
        "GET /services/jupyterhub": {"ID": "s1", "Spec": {"Name": "jupyterhub", "TaskTemplate": template}},
        "GET /tasks": [task("t1", "1"), task("t2", "2", node="n2")],
        "GET /tasks/t1/logs": [line(1)],
        "GET /tasks/t2/logs": [],
    }
    asked = logs.of_service(FakeHost(answers=answers), "jupyterhub", LAST, lambda: {"n2": (WORKER1, default)})
    assert next(asked) == line(1)
    if not wrong:
        assert list(asked) == []
        return
    with pytest.raises(StepError, match=wrong):
        list(asked)
