"""What the doctor says of one thing: fine, to be looked at, or broken, and what helps."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum

from swarmhub.errors import StepError
from swarmhub.host import EngineError, Json
from swarmhub.plan.plans import step_error

# Where a finding is about the machine that the operator sits at.
HERE = "here"
HEADS = ("", "CHECK", "HOST", "")


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"
    FAILURE = "failure"


STYLES = {Level.OK: "green", Level.WARNING: "yellow", Level.FAILURE: "red"}


@dataclass(frozen=True)
class Finding:
    """One line: which check, on which host, how it stands, and what helps where it does not."""

    check: str
    host: str
    level: Level
    text: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.text.rstrip('.')}. {self.remedy}" if self.remedy else self.text


def ok(check: str, host: str, text: str) -> Finding:
    """Return that a thing is as it should be."""
    return Finding(check, host, Level.OK, text)


def warning(check: str, host: str, text: str, remedy: str) -> Finding:
    """Return that a thing works, and may not for long."""
    return Finding(check, host, Level.WARNING, text, remedy)


def failure(check: str, host: str, text: str, remedy: str) -> Finding:
    """Return that a thing does not work."""
    return Finding(check, host, Level.FAILURE, text, remedy)


def from_error(check: str, host: str, error: BaseException) -> Finding:
    """Return the failure that an error means; the doctor itself goes on."""
    if isinstance(error, EngineError):
        error, host = step_error(error), error.host
    if isinstance(error, StepError):
        return failure(check, host, error.cause, error.remedy)
    return failure(check, host, f"cannot be checked: {type(error).__name__}: {error}", "Look there by hand")


def count(findings: Sequence[Finding]) -> str:
    """Return the line that ends the list."""
    levels = Counter(one.level for one in findings)
    return f"{_several(levels[Level.FAILURE], 'failure')}, {_several(levels[Level.WARNING], 'warning')}, {levels[Level.OK]} ok"


def rows(findings: Sequence[Finding]) -> tuple[list[tuple[str, ...]], list[str]]:
    """Return a row for each and its style; the failures come last, where a terminal stops scrolling."""
    worst_last = sorted(findings, key=lambda one: list(Level).index(one.level))
    return [(one.level, one.check, one.host, str(one)) for one in worst_last], [STYLES[one.level] for one in worst_last]


def has_failed(findings: Sequence[Finding]) -> bool:
    """Tell whether something does not work."""
    return any(one.level is Level.FAILURE for one in findings)


def as_json(findings: Sequence[Finding]) -> Json:
    """Return the same facts for machines."""
    levels = Counter(one.level for one in findings)
    return {
        "findings": [asdict(one) for one in findings],
        **{f"{level}s": levels[level] for level in (Level.FAILURE, Level.WARNING)},
    }


def _several(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
