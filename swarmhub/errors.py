"""The errors that an operator reads, and the exit codes of a run."""

from dataclasses import dataclass

# Exit codes: a step failed, wrong settings or usage, `plan --exit-code` found changes, Ctrl-C.
FAILED, WRONG, DIFFERS, INTERRUPTED = 1, 2, 3, 130
# A list of thousands of people may have a mistake in each line.
MOST_TOLD = 50


@dataclass(frozen=True)
class Problem:
    """Something wrong in a file, found before the first connection."""

    file: str
    line: int
    key: str
    wrong: str

    def __str__(self) -> str:
        key = f"{self.key}: " if self.key else ""
        return f"{self.file}:{self.line}: {key}{self.wrong}"


class SettingsError(Exception):
    """What the operator wrote cannot be used; holds every problem, and tells the first ones of very many."""

    def __init__(self, *problems: Problem) -> None:
        self.problems = tuple(sorted(problems, key=lambda problem: (problem.file, problem.line)))
        left = len(self.problems) - MOST_TOLD
        rest = [f"and {left} more like these"] if left > 0 else []
        super().__init__("\n".join([*(str(problem) for problem in self.problems[:MOST_TOLD]), *rest]))


class UsageError(Exception):
    """The command line asks for what cannot be done."""


class Declined(UsageError):  # noqa: N818 - an answer, not a mistake
    """Nobody has agreed: the answer was no, or there was nobody to ask."""


class StepError(Exception):
    """A step failed on a host: one line that says where, what, why and what helps."""

    def __init__(self, host: str, cause: str, remedy: str, step: str = "") -> None:
        self.host, self.step, self.cause, self.remedy = host, step, cause, remedy
        super().__init__(host, cause, remedy)

    def __str__(self) -> str:
        where = f"{self.host}: {self.step}" if self.step else self.host
        return f"{where}: {self.cause.rstrip('.')}. {self.remedy}"


class StepErrors(Exception):  # noqa: N818 - the plural of StepError
    """Several hosts failed in the same step; what the others finished stays finished."""

    def __init__(self, *errors: StepError) -> None:
        self.errors = errors
        super().__init__("\n".join(str(error) for error in errors))
