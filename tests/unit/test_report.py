"""What is said on the terminal, and what in a pipe."""

import io
from typing import Any

import pytest
from rich.console import Console
from rich.text import Text

from swarmhub import report as reports
from swarmhub.nodes import Row
from swarmhub.plan import Change, Cost, Difference, Plan
from swarmhub.report import Report
from tests.unit.fakes import MANAGER, WORKER1, Clock


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
    """What nobody notices needs no word; a restart and a stop do."""
    said.report.plan(Plan("service", "", (change(cost=cost),)))
    assert said.lines == [line]


@pytest.mark.parametrize(
    ("found", "wanted", "text"),
    [
        ("a", "b", "a → b"),
        (None, "b", "nothing → b"),
        ({}, {"x": 1}, "nothing → {'x': 1}"),
        (0, 1, "0 → 1"),
        (False, True, "False → True"),
        ("x" * 101, "b", f"{'x' * 97}… → b"),
    ],
)
def test_each_field_that_differs_has_a_line(said: Said, found: object, wanted: object, text: str) -> None:
    """Below a change stands what differs, from what to what, cut where it is long."""
    said.report.plan(Plan("service", "", (change(differences=(Difference("Labels.x", found, wanted),)),)))
    assert said.lines[1:] == [f"{'':<10}   Labels.x: {text}"]


@pytest.mark.parametrize(("changed", "text"), [(0, "nothing to change"), (1, "1 change"), (3, "3 changes")])
def test_the_end_says_that_the_hub_is_well_and_what_it_took(said: Said, changed: int, text: str) -> None:
    """The last lines name the address, the number of changes and the seconds."""
    said.report.done("https://hub.example.org", changed, 12.34)
    assert said.lines == ["health     https://hub.example.org answers over verified TLS", f"done       {text}, 12.3 s"]


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
    with said.report.bars(True):
        said.report.amount(MANAGER, 1_000_000, 2_000_000)
        said.report.amount(WORKER1, 2_000_000, 2_000_000)
    shown = said.lines
    assert [host for host in (MANAGER, WORKER1) if any(host in line and "/2.0 MB" in line for line in shown)] == [
        MANAGER,
        WORKER1,
    ]


@pytest.mark.parametrize(("terminal", "wanted"), [(False, True), (True, False)], ids=["pipe", "not asked for"])
def test_no_bars_where_nobody_watches_or_asks(terminal: bool, wanted: bool) -> None:
    """In a pipe, and for a step that shows none, nothing is drawn."""
    said = Said(terminal=terminal)
    with said.report.bars(wanted):
        said.report.amount(MANAGER, 1, 2)
    assert said.lines == []


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
