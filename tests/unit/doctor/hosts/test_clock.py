"""The clocks of the nodes against each other."""

import pytest

from swarmhub.doctor.finding import Level
from swarmhub.doctor.hosts import clock
from tests.unit.doctor.answers import probe


def levels(*offsets: float, error: float = 0.01) -> list[str]:
    """Return the level of each of the hosts with these clocks."""
    return [one.level for one in clock.judge({f"h{n}": probe(offset=lead, error=error) for n, lead in enumerate(offsets)})]


@pytest.mark.parametrize(
    ("offsets", "expected"),
    [
        ((0, 0.1, -0.2), ["ok", "ok", "ok"]),
        ((0, 0.1, 6), ["ok", "ok", "warning"]),
        ((0, -61, 0), ["ok", "failure", "ok"]),
        ((100, 100, 100), ["ok", "ok", "ok"]),
        ((-3, 0, 3), ["warning", "ok", "warning"]),
        ((0, 70), ["ok", "failure"]),
        ((70, 0), ["failure", "ok"]),
        ((500,), ["ok"]),
        ((), []),
    ],
)
def test_difference_between_nodes_is_judged(offsets: tuple[float, ...], expected: list[str]) -> None:
    """5 s warn and 60 s fail on the node that differs; with two nodes this machine's clock says which."""
    assert levels(*offsets) == expected


def test_slow_answer_is_no_wrong_clock() -> None:
    """What half a round trip explains is not held against the clock."""
    assert levels(0, 0, 6, error=2) == ["ok", "ok", "ok"]


def test_this_machines_clock_is_only_a_note() -> None:
    """Nodes that agree with each other are well, and the difference is told."""
    (first, _) = clock.judge({"a": probe(offset=90.0), "b": probe(offset=90.0)})
    assert (first.level, first.text) == (Level.OK, "within 0.01 s of the other nodes, 90 s from this machine's")
