"""What a running container takes."""

from typing import Any

import pytest

from swarmhub import containers
from tests.unit.fakes import FakeHost


@pytest.mark.parametrize(
    ("stats", "used"),
    [
        ({"usage": 100, "stats": {"total_inactive_file": 30, "inactive_file": 1}}, 70),
        ({"usage": 100, "stats": {"inactive_file": 30}}, 70),
        ({"usage": 100}, 100),
        ({"usage": 100, "stats": {"inactive_file": 200}}, 100),
        ({}, None),
    ],
    ids=["cgroup v1", "cgroup v2", "no details", "a cache above all", "ended"],
)
def test_memory_is_counted_as_docker_stats_counts_it(stats: dict[str, Any], used: int | None) -> None:
    """The page cache that can go does not count; cgroup v1 and v2 name it differently."""
    host = FakeHost(answers={"GET /containers/c1/stats": {"memory_stats": stats}})
    assert containers.memory(host, "c1") == used


def test_it_is_asked_for_once_and_not_for_two_seconds() -> None:
    """Without one-shot the engine waits for a second sample."""
    host = FakeHost(answers={"GET /containers/c1/stats": {"memory_stats": {}}})
    containers.memory(host, "c1")
    assert host.engine.sent("GET /containers/c1/stats").params == {"stream": False, "one-shot": True}


def test_a_container_that_has_gone_takes_nothing() -> None:
    """It may end between two questions."""
    assert containers.memory(FakeHost(), "c1") is None
