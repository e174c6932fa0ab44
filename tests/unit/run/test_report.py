"""What is said on the terminal, and what in a pipe."""

import io
import json
import re
import sys
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console
from rich.text import Text

from swarmhub.cluster.nodes import Row
from swarmhub.errors import StepError
from swarmhub.history.entries import Entry
from swarmhub.history.lock import LockHolder
from swarmhub.history.releases import Release
from swarmhub.plan.differences import Difference
from swarmhub.plan.hidden import visible
from swarmhub.plan.plans import Change, Cost, Plan
from swarmhub.run import report as reports
from swarmhub.run.report import Report
from tests.unit.support.fakes import MANAGER, NOW, WORKER1, Clock


class Said:
    """A report, and what it has printed so far."""

    def __init__(self, *, terminal: bool = False, **options: Any) -> None:
        self.file = io.StringIO()
        options = {"highlight": False, "soft_wrap": True, "markup": False} | options
        self.report = Report(Console(file=self.file, force_terminal=terminal, color_system=None, **options))

    @property
    def lines(self) -> list[str]:
        return [line.rstrip() for line in self.file.getvalue().splitlines()]


@pytest.fixture
def said() -> Said:
    """Return a report into a pipe."""
    return Said()


def change(**more: Any) -> Change:
    """Return a change."""
    return Change("update", "service jupyterhub", MANAGER, lambda *_: None, **more)


def test_a_report_prints_to_standard_output_without_colour_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    """Where nobody watches, a line is the step and the text, as it is."""
    Report().line("network", "jupyter: [overlay], as wanted", style="bold")
    assert capsys.readouterr().out == "network    jupyter: [overlay], as wanted\n"


def test_a_long_line_is_not_broken(capsys: pytest.CaptureFixture[str]) -> None:
    """People copy commands from these lines: none is wrapped."""
    Report().line("check", "x" * 300)
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_a_plan_with_nothing_to_do_is_its_summary(said: Said) -> None:
    """A step that has nothing to do says how things are, in a line."""
    said.report.plan(Plan("volume", "jupyterhub-data: local"))
    assert said.lines == ["volume     jupyterhub-data: local"]


@pytest.mark.parametrize(
    ("cost", "line"),
    [
        (Cost.NOTHING, "service    update service jupyterhub on swarm-manager1"),
        (Cost.HUB_RESTART, "service    update service jupyterhub on swarm-manager1 (the hub restarts, notebooks go on)"),
        (Cost.NOTEBOOKS_STOP, "service    update service jupyterhub on swarm-manager1 (notebooks stop)"),
    ],
)
def test_a_change_says_what_it_costs_the_people_working(said: Said, cost: Cost, line: str) -> None:
    """What interrupts nobody needs no word; a restart and a stop do."""
    said.report.plan(Plan("service", "", (change(cost=cost),)))
    assert said.lines == [line]


@pytest.mark.parametrize(
    ("found", "wanted", "text"),
    [
        ("a", "b", "a → b"),
        (None, "b", "nothing → b"),
        (0, 1, "0 → 1"),
        (False, True, "False → True"),
        ("x" * 101, "b", f"{'x' * 97}… → b"),
    ],
)
def test_each_field_that_differs_has_a_line(said: Said, found: object, wanted: object, text: str) -> None:
    """Below a change stands what differs, from what to what, cut where it is long."""
    said.report.plan(Plan("service", "", (change(differences=(Difference("Labels.x", found, wanted),)),)))
    assert said.lines[1:] == [f"{'':<10}   Labels.x: {text}"]


@pytest.mark.parametrize(
    ("changed", "seconds", "text"),
    [
        ({}, 1.23, "nothing to change, 1.2 s"),
        ({"service": 1}, 12.34, "1 change (service 1), 12.3 s"),
        ({"network": 2, "service": 3}, 200, "5 changes (network 2, service 3), 3 min 20 s"),
    ],
)
def test_the_end_says_that_the_hub_is_well_and_what_it_took(
    said: Said, changed: dict[str, int], seconds: float, text: str
) -> None:
    """The last lines say how many changes there were in which step, how long they took, and where the hub is."""
    said.report.done("https://hub.example.org", changed, seconds)
    assert said.lines == [
        "health     https://hub.example.org answers over verified TLS",
        f"done       {text}",
        f"{'':<10} https://hub.example.org",
    ]


ROWS = (
    Row(MANAGER, "manager", "leader", "ready", "active", "29.0.1"),
    Row(WORKER1, "worker", "-", "-", "-", "-", "cannot reach root@10.0.0.21:22", "Is it up?", blocks=True),
)


def test_nodes_are_a_table_with_the_problems_below(said: Said) -> None:
    """Each host is a row, and each problem a line with what helps."""
    said.report.nodes(ROWS)
    assert [line.split() for line in said.lines[1:3]] == [
        [MANAGER, "manager", "leader", "ready", "active", "29.0.1"],
        [WORKER1, "worker", "-", "-", "-", "-"],
    ]
    assert said.lines[3:] == [f"{WORKER1}: cannot reach root@10.0.0.21:22. Is it up?"]


def test_a_long_host_name_is_shown_whole() -> None:
    """In a pipe, which has no width, a name is not cut: it is what -H takes."""
    host = "jupyter-worker-12.research.example.org"
    said = Said(width=80)
    said.report.nodes((Row(host, "worker", "worker", "ready", "active", "29.0.1"),))
    assert said.lines[1].split() == [host, "worker", "worker", "ready", "active", "29.0.1"]


def test_a_line_of_long_work_names_its_host(said: Said) -> None:
    """Lines of several hosts can be told from each other."""
    said.report.log(WORKER1, "pulling [certbot]")
    assert said.lines == [f"{'':<10} {WORKER1} | pulling [certbot]"]


def test_no_secret_is_in_a_line(said: Said) -> None:
    """A hub that crashes may print its environment."""
    said.report.log(WORKER1, "API_TOKEN=x")
    said.report.line("service", "it says: API_TOKEN=x")
    assert said.lines == [f"{'':<10} {WORKER1} | API_TOKEN=(hidden)", "service    it says: API_TOKEN=(hidden)"]


def test_bytes_are_said_every_few_seconds_in_a_pipe(said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a terminal, a pull says how far it is now and then, and not at each of a thousand events."""
    clock = Clock()
    monkeypatch.setattr(reports, "time", clock)
    for second in range(12):
        said.report.amount(WORKER1, (second + 1) * 10_000_000, 200_000_000)
        clock.sleep(1)
    assert said.lines == [f"{'':<10} {WORKER1} | {done} of 200 MB" for done in (60, 110)]


def test_bytes_that_have_all_come_are_being_unpacked(said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    """When every known byte is there, the work that goes on is unpacking."""
    clock = Clock()
    monkeypatch.setattr(reports, "time", clock)
    said.report.amount(WORKER1, 1, 2)
    clock.sleep(reports.PLAIN_SECONDS)
    said.report.amount(WORKER1, 2, 2)
    assert said.lines == [f"{'':<10} {WORKER1} | unpacking"]


def test_hosts_do_not_wait_for_one_anothers_lines(said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each host's pull has its own few seconds."""
    clock = Clock()
    monkeypatch.setattr(reports, "time", clock)
    for _ in range(2):
        for host in (MANAGER, WORKER1):
            said.report.amount(host, 1_000_000, 2_000_000)
        clock.sleep(reports.PLAIN_SECONDS)
    assert said.lines == [f"{'':<10} {host} | 1 of 2 MB" for host in (MANAGER, WORKER1)]


def test_on_a_terminal_each_host_has_a_bar() -> None:
    """A pull on two nodes shows a bar for each of them, with the bytes that have come."""
    said = Said(terminal=True, width=100)
    with said.report.working("images", ""):
        said.report.amount(MANAGER, 1_000_000, 2_000_000)
        said.report.amount(WORKER1, 2_000_000, 2_000_000)
    shown = said.lines
    assert [host for host in (MANAGER, WORKER1) if any(host in line and "/2.0 MB" in line for line in shown)] == [
        MANAGER,
        WORKER1,
    ]


def test_nothing_is_drawn_without_a_terminal(said: Said) -> None:
    """A log has no use for what moves."""
    with said.report.working("images", "pull"):
        said.report.amount(MANAGER, 1, 2)
    assert said.lines == []


def test_on_a_terminal_stands_what_is_being_done_and_for_how_long() -> None:
    """A spinner, the time so far, and the last that was said of the work; the line goes when it is done."""
    said = Said(terminal=True, width=100)
    with said.report.working("build-hub", "building"):
        said.report.doing(change())
        said.report.output(MANAGER, "Step 3/9 : RUN npm ci")
    shown = said.file.getvalue()
    assert re.search(r"build-hub +\S 0 s step 3 of 9: RUN npm ci", shown)
    assert shown.endswith("\x1b[2K")


def test_work_within_work_has_the_line_of_the_outer_one() -> None:
    """A terminal has one last line."""
    said = Said(terminal=True, width=100)
    with said.report.working("plan", "looking"), said.report.working("step", "more"):
        said.report.doing(change())
    assert "service jupyterhub" in said.file.getvalue()


def test_a_builds_lines_are_said_now_and_then(said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a terminal, one of hundreds shows that it goes on, and for how long already."""
    clock = Clock()
    monkeypatch.setattr(reports, "time", clock)
    said.report.doing(change())
    said.report.output(MANAGER, "Step 3/9 : RUN apt-get update")
    for number in range(40):
        said.report.output(MANAGER, f"Get:{number} http://deb")
        clock.sleep(1)
    assert said.lines == [f"{'':<10} {MANAGER} | {second}.0 s, step 3 of 9: Get:{second} http://deb" for second in (15, 30)]


def test_of_a_build_that_fails_the_last_lines_are_shown(said: Said) -> None:
    """Of this change, not of the one before, and once."""
    said.report.doing(change())
    said.report.output(MANAGER, "of the one before")
    said.report.doing(change())
    for number in range(30):
        said.report.output(MANAGER, f"line {number}")
    said.report.failed(MANAGER)
    said.report.failed(MANAGER)
    assert said.lines == [f"{'':<10} {MANAGER} | line {number}" for number in range(10, 30)]


def test_on_demand_every_line_is_shown_once(said: Said) -> None:
    """With --verbose a failure has nothing to add."""
    report = Report(said.report._console, verbose=True)
    report.doing(change())
    for number in range(30):
        report.output(MANAGER, f"line {number}")
    report.failed(MANAGER)
    assert said.lines == [f"{'':<10} {MANAGER} | line {number}" for number in range(30)]


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("\x1b[32minfo\x1b[39m: 200", "info: 200"),
        ("\x1b]0;title\x1b\\text", "text"),
        ("\x1b[2J\x1b[Hgone", "gone"),
        ("[bold] :key: {}", "[bold] :key: {}"),
    ],
)
def test_of_somebody_elses_escapes_none_reaches_a_pipe(said: Said, line: str, shown: str) -> None:
    """What users' servers log is theirs: it must not clear a screen, and no word of it is taken for markup."""
    said.report.foreign(line)
    assert said.lines == [shown]


def test_a_screen_that_is_printed_once_is_not_broken() -> None:
    """In a pipe a row is as long as it is, and a sentence is one line: people copy commands from it."""
    said = Said(width=80)
    said.report.screen([Text("x" * 90, no_wrap=True, overflow="ellipsis"), Text("y " * 60, no_wrap=False, overflow="fold")])
    assert [len(line) for line in said.lines] == [90, 119]


def test_a_live_screen_breaks_sentences_and_says_what_has_no_room() -> None:
    """Rows are cut at the edge, and below the last line that fits stands how many do not."""
    said = Said(terminal=True, width=20, height=4)
    with said.report.live() as show:
        show(
            [
                Text("a" * 30, no_wrap=True, overflow="ellipsis"),
                Text("word " * 5, no_wrap=False),
                Text("c"),
                Text("d"),
                Text("e"),
            ]
        )
    shown = said.file.getvalue()
    assert ("a" * 19 + "…" in shown, "2 more lines" in shown) == (True, True)
    assert shown.endswith("\x1b[?1049l")


@pytest.mark.parametrize("text", ["fe80::1:a:2", "urn:x:y", "jupyterhub:key:1", "[bold]", "a" * 300])
def test_what_is_printed_is_what_was_given(capsys: pytest.CaptureFixture[str], text: str) -> None:
    """An address, a tag or a line of a log is no markup and no picture."""
    Report().say(text)
    assert capsys.readouterr().out == f"{text}\n"


def test_machines_get_json(capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever the text in it, and times as text."""
    Report().json({"address": "fe80::1:a:2", "markup": "[red]", "since": NOW})
    assert json.loads(capsys.readouterr().out) == {
        "address": "fe80::1:a:2",
        "markup": "[red]",
        "since": "2026-11-15 10:00:00+00:00",
    }


def test_a_table_has_columns_as_wide_as_their_widest_cell(said: Said) -> None:
    """Heads count too, and no line ends in blanks."""
    said.report.table(("A", "LONG", "C"), [("aaa", "b", ""), ("a", "b", "c")])
    assert said.file.getvalue() == "A    LONG  C\naaa  b\na    b     c\n"


def test_a_table_without_rows_is_its_heads(said: Said) -> None:
    """Nothing is an answer too."""
    said.report.table(("A", "B"), [])
    assert said.lines == ["A  B"]


@pytest.mark.parametrize(("typed", "answer"), [("y\n", True), ("n\n", False), ("\n", False), ("", False)])
def test_only_yes_is_yes(monkeypatch: pytest.MonkeyPatch, typed: str, answer: bool) -> None:
    """No, nothing, and Ctrl-D are no."""
    monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
    assert Said(terminal=True).report.ask("Go on?") is answer


@pytest.mark.parametrize("name", ["[/]", "[/x]", "[red]ada", "ada\u202e\x1b[2J"])
def test_a_question_is_shown_as_it_is(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """People choose their names: what one is asked about ends no run, and is hidden by none of its letters."""
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    said = Said(terminal=True)
    assert said.report.ask(f"Remove {name}?") is True
    assert said.lines == [f"Remove {visible(name)}? [y/n] (n):"]


@pytest.mark.parametrize(("screen", "keyboard"), [(True, True), (True, False), (False, True), (False, False)])
def test_somebody_can_answer_at_a_screen_with_a_keyboard(monkeypatch: pytest.MonkeyPatch, screen: bool, keyboard: bool) -> None:
    """With either of them in a pipe, nobody is asked."""
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    monkeypatch.setattr(sys.stdin, "isatty", lambda: keyboard)
    assert Said(terminal=screen).report.is_terminal is (screen and keyboard)


IMAGE = Difference("Image", "hub:1", "hub:2")
UPDATE = change(differences=(IMAGE,), cost=Cost.HUB_RESTART, command="docker service update hub")
DONE, TODO = Plan("volume", "as wanted"), Plan("service", "as wanted", (UPDATE,))
REFUSED = Plan("network", "", error=StepError(MANAGER, "it differs", "Look", "network"))


def test_a_plan_is_told_step_by_step_and_counted(said: Said) -> None:
    """What stays, what changes with its fields and price, what refuses, and the sum."""
    said.report.steps([DONE, REFUSED, TODO], as_json=False, commands=False)
    assert said.lines == [
        "volume     as wanted",
        f"network    {MANAGER}: network: it differs. Look",
        f"service    update service jupyterhub on {MANAGER} (the hub restarts, notebooks go on)",
        f"{'':<10}   Image: hub:1 → hub:2",
        "plan       there is no plan for network: see above. fab deploy would change nothing either. "
        "The other steps: 1 change; the hub restarts, notebooks go on.",
    ]


def test_nodes_that_cannot_be_planned_leave_no_plan_at_all(said: Said) -> None:
    """The steps after it are not said to have nothing to do."""
    said.report.steps([replace(REFUSED, step="nodes")], as_json=False, commands=False)
    assert said.lines[-1] == (
        "plan       there is no plan for nodes, and so for none of the steps after it: see above. "
        "fab deploy would change nothing either."
    )


MADE = Change(
    "create",
    "network jupyter",
    MANAGER,
    lambda *_: None,
    (Difference("Driver", None, "overlay"), Difference("Names", None, ["a", "b"])),
    gist="overlay",
)


def test_what_is_made_is_a_line(said: Said) -> None:
    """With what matters of it; its fields are nobody's reading."""
    said.report.plan(Plan("network", "", (MADE,)))
    assert said.lines == [f"network    create network jupyter on {MANAGER}: overlay"]


def test_every_field_of_what_is_made_is_shown_on_demand(said: Said) -> None:
    """With --details, below the same line."""
    Report(said.report._console, details=True).plan(Plan("network", "", (MADE,)))
    assert said.lines == [
        f"network    create network jupyter on {MANAGER}: overlay",
        f"{'':<10}   Driver: nothing → overlay",
        f"{'':<10}   Names: added a",
        f"{'':<10}   Names: added b",
    ]


def test_while_it_is_made_the_line_is_short(said: Said) -> None:
    """It was shown before."""
    said.report.plan(Plan("network", "", (MADE,)), brief=True)
    assert said.lines == [f"network    create network jupyter on {MANAGER}"]


def test_no_secret_is_printed_for_machines(capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever is printed: releases have whole specs."""
    Report().json({"Env": ["DB_PASSWORD=hunter2", "HOME=/data"]})
    assert json.loads(capsys.readouterr().out) == {"Env": ["DB_PASSWORD=(hidden)", "HOME=/data"]}


def test_the_command_of_a_change_stands_below_it(said: Said) -> None:
    """Only if asked for."""
    said.report.steps([TODO], as_json=False, commands=True)
    assert said.lines[2] == f"{'':<10}   $ docker service update hub"


def test_a_change_without_a_command_has_no_line_for_it(said: Said) -> None:
    """Not everything can be typed."""
    said.report.steps([Plan("service", "", (change(),))], as_json=False, commands=True)
    assert len(said.lines) == 2


def test_a_plan_can_be_told_to_machines(said: Said) -> None:
    """Then nothing else is printed."""
    said.report.steps([DONE, TODO], as_json=True, commands=False)
    assert json.loads(said.file.getvalue())["changes"] == 1


@pytest.mark.parametrize(
    ("steps", "line"),
    [
        ([DONE], "plan       nothing to change"),
        ([Plan("service", "", (change(),))], "plan       1 change; no interruption"),
        ([TODO, TODO], "plan       2 changes; the hub restarts, notebooks go on"),
    ],
)
def test_the_sum_says_what_it_costs(said: Said, steps: list[Plan], line: str) -> None:
    """Each price once, and that nobody is interrupted where that is so."""
    said.report.counted(steps)
    assert said.lines == [line]


def test_what_is_about_to_happen_is_shown_below_its_sum(said: Said) -> None:
    """Steps without a change are left out."""
    said.report.shown([DONE, TODO])
    assert [line.split()[0] for line in said.lines] == ["plan", "service", "Image:"]


def test_what_was_shown_is_not_told_twice(said: Said) -> None:
    """While it is applied, the fields are left out."""
    said.report.plan(TODO, brief=True)
    assert len(said.lines) == 1


ENTRY = Entry(NOW.isoformat(), 12.34, "ada@desk", "0a1b2c3d", "deploy", ("create network jupyter on swarm-manager1",), "done")


def test_an_entry_of_the_history_is_three_lines(said: Said) -> None:
    """When, what was typed and how it ended; who from where; each change."""
    said.report.history([ENTRY], None)
    assert said.lines == [
        "2026-11-15 10:00:00 UTC  deploy  done, 12.3 s",
        f"{'':<25}ada@desk at 0a1b2c3d",
        f"{'':<25}create network jupyter on swarm-manager1",
    ]


def test_an_entry_without_a_commit_has_none(said: Said) -> None:
    """Not everybody uses git."""
    said.report.history([replace(ENTRY, commit="")], None)
    assert said.lines[1] == f"{'':<25}ada@desk"


def test_a_history_says_first_who_is_at_it_now(said: Said) -> None:
    """What is being done comes before what was done."""
    said.report.history([ENTRY], LockHolder("c1", "grace@lap", NOW, "certs", "", 3))
    assert said.lines[0] == "now        held by grace@lap, since 2026-11-15 10:00:00 UTC, for: certs; last renewed 3 s ago"


def test_an_empty_history_says_so(said: Said) -> None:
    """It is no error."""
    said.report.history([], None)
    assert said.lines == ["Nothing has been done to this cluster yet."]


def test_a_way_back_says_what_it_did_not_change() -> None:
    """The files on the operator's machine lead forward again: what differs in the settings is named."""
    old = Release(1, "hub", "hub:1", ("x",), {}, {"hub": {"port": 443}}, "")
    said = Said()
    said.report.way_there(old, replace(old, number=2, settings={"hub": {"port": 8443}}))
    said.report.way_back(old, 4.2)
    assert said.lines == [
        f"{'':<10}   hub.port: 443 → 8443",
        "rollback   release 1 runs again, 4.2 s",
        "rollback   hosts.toml, hub/ and the userlist are as they were: the next deploy goes forward again",
    ]
