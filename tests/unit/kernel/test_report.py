"""What a run on Debian's kernel leaves in the docs."""

from pathlib import Path

from tests.kernel import report
from tests.kernel.support import Row


def test_a_failed_row_says_so() -> None:
    """With the reason, and what was seen before."""
    lines = report.table([Row("A deploy", ["done"], seconds=12.4), Row("A start", ["asked"], "no | answer", 3)]).splitlines()
    assert "1 of 2 rows hold." in lines[0]
    assert lines[-2:] == ["| A deploy | done | 12 |", "| A start | **failed**: no \\| answer (before: asked) | 3 |"]


def test_only_what_an_earlier_run_wrote_is_replaced(tmp_path: Path) -> None:
    """The page around it stays."""
    page = tmp_path / "page.md"
    page.write_text(f"before\n{report.BEGIN}\nwritten by hand\n{report.END}\nafter\n")
    report.write(page, [Row("A deploy", ["done"])])
    report.write(page, [Row("A start", ["done"])])
    text = page.read_text()
    assert text.startswith(f"before\n{report.BEGIN}\nLast run: ")
    assert text.endswith(f"| A start | done | 0 |\n{report.END}\nafter\n")
    assert "by hand" not in text
    assert "A deploy" not in text
