"""What a run on Debian's kernel, or of the scorecard, leaves in the docs."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from tests import report
from tests.report import Report, Row

BEGIN, END = "<!-- written by make this -->", "<!-- end of what make this wrote -->"


def test_a_failed_row_says_so() -> None:
    """With the reason, and what was seen before."""
    lines = report.table([Row("A deploy", ["done"], seconds=12.4), Row("A start", ["asked"], "no | answer", 3)]).splitlines()
    assert "1 of 2 rows hold." in lines[0]
    assert lines[-2:] == ["| A deploy | done | 12 |", "| A start | **failed**: no \\| answer (before: asked) | 3 |"]


def test_only_what_an_earlier_run_wrote_is_replaced(tmp_path: Path) -> None:
    """The page around it stays."""
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nwritten by hand\n{END}\nafter\n")
    report.write(page, "make this", [Row("A deploy", ["done"])])
    report.write(page, "make this", [Row("A start", ["done"])])
    text = page.read_text()
    assert text.startswith(f"before\n{BEGIN}\nLast run: ")
    assert text.endswith(f"| A start | done | 0 |\n{END}\nafter\n")
    assert "by hand" not in text
    assert "A deploy" not in text


def test_a_failure_without_words_is_told_by_its_kind() -> None:
    """And does not end the whole run."""
    made = Report("make this", None, [Row("A deploy")])
    failure = SimpleNamespace(value=AssertionError(), typename="AssertionError")
    call = SimpleNamespace(excinfo=failure, when="call", duration=2)
    noting = made.pytest_runtest_makereport(SimpleNamespace(__doc__="A deploy"), call)  # type: ignore[arg-type]
    next(noting)
    with pytest.raises(StopIteration):
        noting.send(None)
    assert made.rows == [Row("A deploy", failed="AssertionError", seconds=2)]
