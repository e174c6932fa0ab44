"""The lines that an operator reads when something is wrong."""

import pytest

from swarmhub.errors import Problem, SettingsError, StepError, StepErrors


@pytest.mark.parametrize(
    ("problem", "line"),
    [
        (Problem("hosts.toml", 7, "hub.port", "is no number"), "hosts.toml:7: hub.port: is no number"),
        (Problem("hub/userlist", 2, "", "'a b' is no name"), "hub/userlist:2: 'a b' is no name"),
    ],
)
def test_a_problem_says_file_line_key_and_what_is_wrong(problem: Problem, line: str) -> None:
    """A problem starts with FILE:LINE, where an editor can jump to, and leaves out a key that there is not."""
    assert str(problem) == line


def test_problems_are_sorted_by_file_and_line() -> None:
    """All problems are told, in the order in which one goes through the files."""
    error = SettingsError(Problem("b", 1, "", "x"), Problem("a", 10, "", "x"), Problem("a", 9, "", "x"))
    assert str(error).splitlines() == ["a:9: x", "a:10: x", "b:1: x"]


@pytest.mark.parametrize(
    ("step", "cause", "line"),
    [
        ("", "no answer", "swarm-worker1: no answer. Is it up?"),
        ("prepull", "no answer", "swarm-worker1: prepull: no answer. Is it up?"),
        ("prepull", "no answer.", "swarm-worker1: prepull: no answer. Is it up?"),
    ],
)
def test_a_steps_error_is_one_line_with_host_step_cause_and_remedy(step: str, cause: str, line: str) -> None:
    """The line reads as two sentences, whether the cause brings its own full stop or not."""
    assert str(StepError("swarm-worker1", cause, "Is it up?", step)) == line


def test_errors_of_several_hosts_are_a_line_each() -> None:
    """Hosts that failed in the same step are told one below the other."""
    errors = StepErrors(StepError("a", "cause", "Remedy"), StepError("b", "cause", "Remedy"))
    assert str(errors) == "a: cause. Remedy\nb: cause. Remedy"


def test_of_thousands_of_problems_the_first_are_told() -> None:
    """The rest are counted: a terminal keeps no more, and they are most often of one kind."""
    error = SettingsError(*(Problem("users", line, "", "is wrong") for line in range(1, 5001)))
    lines = str(error).splitlines()
    assert (lines[0], lines[-2], lines[-1]) == ("users:1: is wrong", "users:50: is wrong", "and 4950 more like these")
