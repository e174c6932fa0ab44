"""Write what a run has seen into the docs, between two marks; nothing there is written by hand."""

import os
import platform
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]


@dataclass
class Row:
    """A line of the report: what was done, what was seen of it, and how long it took."""

    done: str
    seen: list[str] = field(default_factory=list)
    failed: str = ""
    seconds: float = 0

    def __call__(self, text: str) -> None:
        """Note what was seen."""
        self.seen.append(text)


@dataclass
class Report:
    """A plugin of pytest that has a row for each test, and writes them into a page when the run ends."""

    command: str
    page: str | None
    rows: list[Row] = field(default_factory=list)

    @pytest.fixture
    def seen(self) -> Row:
        """Give a test the line of the report that is its own."""
        return self.rows[-1]

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
        """Note for each test how long it took, and why it failed."""
        made = yield
        row = self.rows[-1] if self.rows else None
        if row is not None and row.done == _title(item):
            row.seconds += call.duration if call.when != "teardown" else 0
            if call.excinfo is not None and not row.failed:
                said = str(call.excinfo.value).strip().partition("\n")[0][:300] or call.excinfo.typename
                # A fixture that has failed fails all that stand on it.
                before = [one.failed for one in self.rows[:-1]]
                row.failed = "not tried, for the same reason" if call.when == "setup" and said in before else said
        return made

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Open a line of the report for each test."""
        self.rows.append(Row(_title(item)))

    def pytest_sessionfinish(self) -> None:
        """Write the report, where there is a page for it."""
        # One that has not ended was interrupted, or there was nothing to try it on.
        rows = [row for row in self.rows if row.seconds]
        if rows:
            print("\n" + table(rows))
        if rows and self.page:
            write(Path(self.page), self.command, rows)


def table(rows: Sequence[Row]) -> str:
    """Return the report: when and of what, and a line for each test."""
    lines = [f"{_when()} {_result(rows)}", "", "| what was done | what was seen | seconds |", "|---|---|---|"]
    lines += [f"| {_cell(row.done)} | {_cell(_seen(row))} | {row.seconds:.0f} |" for row in rows]
    return "\n".join(lines)


def write(page: Path, command: str, rows: Sequence[Row]) -> None:
    """Replace what an earlier run of a command wrote."""
    begin, end = f"<!-- written by {command} -->", f"<!-- end of what {command} wrote -->"
    before, _, rest = page.read_text().partition(begin)
    after = rest.partition(end)[2]
    page.write_text(f"{before}{begin}\n{table(rows)}\n{end}{after}")


def _title(item: pytest.Item) -> str:
    return (getattr(item, "function", item).__doc__ or item.name).strip().splitlines()[0]


def _when() -> str:
    commit = _git("rev-parse", "--short", "HEAD")
    changed = _git("status", "--porcelain", "--", "swarmhub", "tasks", "hub", "lab", "tests")
    load = os.getloadavg()
    where = (
        f"{os.cpu_count()} processors ({platform.machine()}), load at the end {load[0]:.0f} and {load[2]:.0f} over 15 minutes"
    )
    return f"Last run: {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, commit {commit}{' with changes' if changed else ''}, on {where}."


def _result(rows: Sequence[Row]) -> str:
    failed = sum(bool(row.failed) for row in rows)
    return f"{len(rows) - failed} of {len(rows)} rows hold."


def _seen(row: Row) -> str:
    said = "; ".join(row.seen)
    return f"**failed**: {row.failed}{f' (before: {said})' if said else ''}" if row.failed else said


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")


def _git(*words: str) -> str:
    return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()
