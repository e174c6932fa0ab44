"""One look for all starts, and the nodes that are avoided."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from hub.spawner import starts
from hub.spawner.starts import Nodes, Tasks
from tests.unit.hub.asked import Docker, Turns, refused

LABEL = "swarmhub.notebooks=jupyterhub"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no test wait."""
    monkeypatch.setattr(starts, "TASK_SECONDS", 0.0)


def of(service: str) -> dict[str, Any]:
    """Return a task."""
    return {"ServiceID": service}


def test_fifty_starts_ask_once() -> None:
    """Each gets the tasks of its own service; who asks afterwards makes another look."""
    docker = Docker({"tasks": [of(f"s{number}") for number in range(50)]})

    async def ask() -> list[list[dict[str, Any]]]:
        tasks = Tasks()
        found = await asyncio.gather(*(tasks.of(docker, LABEL, f"s{number}") for number in range(50)))
        await tasks.of(docker, LABEL, "s1")
        return found

    assert asyncio.run(ask()) == [[of(f"s{number}")] for number in range(50)]
    assert docker.calls == [("tasks", (), {"filters": {"label": LABEL}})] * 2


def test_a_start_that_is_given_up_stops_no_other() -> None:
    """Their look goes on."""
    docker = Docker({"tasks": [of("s1"), of("s2")]})

    async def ask() -> list[dict[str, Any]]:
        tasks = Tasks()
        given_up = asyncio.ensure_future(tasks.of(docker, LABEL, "s1"))
        other = asyncio.ensure_future(tasks.of(docker, LABEL, "s2"))
        await asyncio.sleep(0)
        given_up.cancel()
        return await other

    assert asyncio.run(ask()) == [of("s2")]


def test_an_error_reaches_all_and_the_next_look_is_a_new_one() -> None:
    """Each start has a patience of its own."""
    docker = Docker({"tasks": Turns([refused(503), [of("s1")]])})

    async def ask() -> tuple[list[Any], list[dict[str, Any]]]:
        tasks = Tasks()
        failed = await asyncio.gather(*(tasks.of(docker, LABEL, "s1") for _ in range(2)), return_exceptions=True)
        return failed, await tasks.of(docker, LABEL, "s1")

    failed, found = asyncio.run(ask())
    assert ([getattr(one, "status_code", None) for one in failed], found) == ([503, 503], [of("s1")])


def test_a_node_is_avoided_for_some_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    """For the image that it has refused; it is told once, with what it said last."""
    now = [1000.0]
    monkeypatch.setattr("hub.spawner.starts.time", SimpleNamespace(time=lambda: now[0]))
    nodes = Nodes()
    nodes.avoid("n1", "a", "worker1", "no space left on device")
    nodes.avoid("n1", "b", "worker1", "No such image: b")
    assert (nodes.avoided("a"), nodes.avoided("c")) == (["n1"], [])
    assert [(one.host, one.why) for one in nodes.told()] == [("worker1", "No such image: b")]
    now[0] += starts.AVOID_SECONDS + 1
    assert (nodes.avoided("a"), nodes.told()) == ([], [])
