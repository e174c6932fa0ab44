"""What the advisory services say: nothing is passed that nobody has answered for."""

import json
from datetime import date
from typing import Any

import pytest

from supply import audit
from supply.audit import Answer, Finding

LOCK = "hub/requirements.lock"
TODAY = date(2026, 11, 29)
KNOWN = Finding(("PYSEC-1", "CVE-1"), "ada 1.0", LOCK, "fixed in 1.1")
SKIPPED = {"name": "ada", "skip_reason": "Dependency not found, and could not be audited"}
CLEAN = {"name": "ada", "version": "1.0", "vulns": []}
WEAK = {**CLEAN, "vulns": [{"id": "PYSEC-1", "aliases": ["CVE-1"], "fix_versions": ["1.1"], "description": "…"}]}


def python(*packages: dict[str, Any]) -> Answer:
    """Return the answer that pip-audit prints so."""
    return audit.read_python(LOCK, json.dumps({"dependencies": packages, "fixes": []}), "No known vulnerabilities found")


def test_what_is_known_is_found() -> None:
    """With its other names, and where it is fixed."""
    assert python(CLEAN) == Answer(LOCK, 1)
    assert python(WEAK) == Answer(LOCK, 1, (KNOWN,))


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (python(CLEAN, SKIPPED), "nothing is said of ada"),
        (audit.read_python(LOCK, "", "ERROR: a\nERROR: connection refused\n"), "ERROR: connection refused"),
        (audit.read_python(LOCK, "[]", ""), "[]"),
        (audit.read_python(LOCK, "", ""), "it says nothing"),
        (
            audit.read_npm("lock", '{"message": "405 Method Not Allowed", "statusCode": 405}', "npm error 405\n"),
            "npm error 405",
        ),
        (audit.read_npm("lock", "", "npm is not installed"), "npm is not installed"),
    ],
)
def test_what_nobody_answers_for_is_not_passed(answer: Answer, said: str) -> None:
    """pip-audit says that nothing is known, with exit code 0, where it has skipped every package."""
    assert answer.unanswered == said
    assert audit.code([answer], frozenset()) == 3
    assert audit.told([answer], frozenset())[-1].startswith("not audited, no advisory service has answered: ")


def test_npms_findings_are_those_of_the_packages_that_have_them() -> None:
    """A package that only needs another one is not one more finding."""
    weak = {"url": "https://example.org/advisories/GHSA-1", "title": "Reads too far", "range": "<2", "source": 1}
    report = {
        "vulnerabilities": {"a": {"via": [weak]}, "b": {"via": ["a"]}},
        "metadata": {"dependencies": {"total": 40}},
    }
    answer = audit.read_npm("lock", json.dumps(report), "")
    assert answer == Answer("lock", 40, (Finding(("GHSA-1",), "a <2", "lock", "Reads too far"),))


PAGE = """
## Accepted findings

| finding | package | until | reason |
|---|---|---|---|
| CVE-1 | ada | 2026-12-24 | the hub does not call it |
| CVE-2 | ada | 2026-11-28 | its day has passed |
| CVE-3 | ada | 2027-01-01 | |

## More

| CVE-4 | ada | 2027-01-01 | another table |
"""


def test_a_finding_is_accepted_for_a_reason_and_a_time() -> None:
    """Under any of its names."""
    assert audit.read_accepted(PAGE, TODAY) == {"CVE-1"}
    assert audit.told([python(WEAK)], frozenset({"CVE-1"}))[0].startswith("accepted")
    assert [audit.code([python(WEAK)], frozenset(names)) for names in ({"CVE-1"}, {"CVE-2"})] == [0, 1]


def test_a_finding_weighs_more_than_silence() -> None:
    """It is 1 where something is known, whatever else was not answered."""
    assert audit.code([python(WEAK), python(SKIPPED)], frozenset()) == 1


def test_the_page_has_its_table() -> None:
    """All that it accepts now has a reason and a day."""
    assert audit.HEADING in audit.PAGE.read_text()
