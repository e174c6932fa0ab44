"""Write what a run has seen into the docs, between two marks; nothing there is written by hand."""

import os
import platform
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from tests.kernel.support import ROOT, Row

BEGIN, END = "<!-- written by make test-kernel -->", "<!-- end of what make test-kernel wrote -->"


def table(rows: Sequence[Row]) -> str:
    """Return the report: when and of what, and a line for each test."""
    lines = [f"{_when()} {_result(rows)}", "", "| what was done | what was seen | seconds |", "|---|---|---|"]
    lines += [f"| {_cell(row.done)} | {_cell(_seen(row))} | {row.seconds:.0f} |" for row in rows]
    return "\n".join(lines)


def write(page: Path, rows: Sequence[Row]) -> None:
    """Replace what an earlier run wrote."""
    before, _, rest = page.read_text().partition(BEGIN)
    after = rest.partition(END)[2]
    page.write_text(f"{before}{BEGIN}\n{table(rows)}\n{END}{after}")


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
