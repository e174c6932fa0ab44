"""A finding as people and as machines read it."""

from swarmhub.doctor import finding
from swarmhub.doctor.finding import Level
from swarmhub.errors import StepError
from swarmhub.host import EngineError

OK = finding.ok("dns", "a", "leads here")
WARNING = finding.warning("disk", "b", "little is left.", "Free some")
FAILURE = finding.failure("ssh", "c", "no answer", "Is it up?")


def test_failures_come_last() -> None:
    """A terminal stops scrolling where the failures are; the last line counts, and only a failure fails."""
    rows, styles = finding.rows([FAILURE, OK, WARNING])
    assert [row[0] for row in rows] == ["ok", "warning", "failure"]
    assert styles == ["green", "yellow", "red"]
    assert finding.count([FAILURE, FAILURE, WARNING]) == "2 failures, 1 warning, 0 ok"
    assert (finding.has_failed([OK, WARNING]), finding.has_failed([FAILURE])) == (False, True)


def test_machines_get_the_same_facts() -> None:
    """Each finding with its level, and how many are bad; for people the remedy is behind the text."""
    answer = finding.as_json([FAILURE, OK])
    values = {"check": "ssh", "host": "c", "level": Level.FAILURE, "text": "no answer", "remedy": "Is it up?"}
    assert (answer["findings"][0], answer["failures"], answer["warnings"]) == (values, 1, 0)
    assert (str(OK), str(WARNING)) == ("leads here", "little is left. Free some")


def test_errors_become_failures() -> None:
    """The host's own words and remedy are kept; what nobody foresaw is a line as well."""
    step = finding.from_error("ssh", "a", StepError("a", "no answer", "Is it up?"))
    engine = finding.from_error("swarm", "a", EngineError("b", 503, "more than half of the managers are away"))
    other = finding.from_error("dns", "a", ValueError("no address"))
    assert (step.text, step.remedy) == ("no answer", "Is it up?")
    assert (engine.host, engine.remedy.endswith("fab recover-quorum")) == ("b", True)
    assert other.text == "cannot be checked: ValueError: no address"
