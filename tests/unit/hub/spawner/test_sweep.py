"""Servers that the hub does not know are told of, then removed."""

import asyncio
import json
import logging
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hub.spawner.starts import Nodes
from hub.spawner.sweep import Sweep, is_known
from tests.unit.hub.asked import Docker, refused


def service(user: str = "ada", server: str = "", id_: str = "s1") -> dict[str, Any]:
    """Return a server's service."""
    labels = {"swarmhub.notebooks": "jupyterhub", "swarmhub.user": user, "swarmhub.server": server}
    return {"ID": id_, "Spec": {"Name": f"jupyterhub-{user}", "Labels": labels}}


def spawner(object_id: str = "s1", *, active: bool = True) -> SimpleNamespace:
    """Return a spawner as JupyterHub has it."""
    return SimpleNamespace(active=active, object_id=object_id, ready=False)


def swept(docker: Docker, users: Iterable[Any], file: Path, looks: int = 2) -> dict[str, Any]:
    """Return what is told after so many looks."""
    nodes = Nodes()
    nodes.avoid("n1", "image", "worker1", "no space left on device")
    sweep = Sweep(docker, "jupyterhub", lambda: users, nodes, logging.getLogger("hub"), file)

    async def look() -> None:
        for _ in range(looks):
            await sweep.look()

    asyncio.run(look())
    found: dict[str, Any] = json.loads(file.read_text())
    return found


def test_a_server_that_nobody_knows_is_told_of_and_then_removed(tmp_path: Path) -> None:
    """Not at once: what is unknown at two looks in a row stays so."""
    docker = Docker({"services": [service()], "remove_service": None})
    assert swept(docker, [], tmp_path / "servers.json", looks=1)["unknown"] == ["jupyterhub-ada"]
    assert docker.methods == ["services"]
    assert swept(docker, [], tmp_path / "servers.json")["unknown"] == []
    assert docker.calls[-1] == ("remove_service", ("s1",), {})
    assert docker.calls[0][2] == {"filters": {"label": "swarmhub.notebooks=jupyterhub"}}


def test_the_nodes_that_are_avoided_are_told(tmp_path: Path) -> None:
    """By name, with the reason."""
    (told,) = swept(Docker({"services": []}), [], tmp_path / "servers.json")["avoided"]
    assert (told["host"], told["why"]) == ("worker1", "no space left on device")


def test_a_server_that_runs_stays(tmp_path: Path) -> None:
    """However often it is looked at."""
    docker = Docker({"services": [service()]})
    swept(docker, [SimpleNamespace(name="ada", spawners={"": spawner()})], tmp_path / "servers.json", looks=3)
    assert docker.methods == ["services"] * 3


@pytest.mark.parametrize(
    ("known", "is_one"),
    [
        ({"": spawner()}, True),
        ({"": spawner("")}, True),
        ({"": spawner("s2")}, False),
        ({"": spawner(active=False)}, False),
        ({"second": spawner()}, False),
        ({}, False),
    ],
    ids=["runs", "is being made", "another one of that user", "has ended", "another server of that user", "none"],
)
def test_a_server_is_known_by_its_user_its_name_and_its_id(known: dict[str, Any], is_one: bool) -> None:
    """A start that is under way may not have the id yet."""
    assert is_known(service(), {"ada": known}) is is_one
    assert not is_known(service(user="grace"), {"ada": known})


def test_one_that_cannot_be_removed_does_not_keep_the_others(tmp_path: Path) -> None:
    """It is told of, and tried again at each look."""
    stuck, other = service("ada", id_="s1"), service("grace", id_="s2")
    docker = Docker({"services": [stuck, other], "remove_service": refused(500, "rpc error")})
    told = swept(docker, [], tmp_path / "servers.json", looks=3)
    assert told["unknown"] == ["jupyterhub-ada", "jupyterhub-grace"]
    assert [args for method, args, _ in docker.calls if method == "remove_service"] == [("s1",), ("s2",)] * 2


@pytest.mark.parametrize(
    "wrong", [refused(503), KeyError("Spec"), TypeError("null")], ids=["silent", "partial", "another type"]
)
def test_an_engine_that_fails_is_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: Exception) -> None:
    """The hub goes on, and so does the search, whatever is wrong."""
    docker = Docker({"services": wrong})
    monkeypatch.setattr("hub.spawner.sweep.SECONDS", 0.0)
    sweep = Sweep(docker, "jupyterhub", list, Nodes(), logging.getLogger("hub"), tmp_path / "servers.json")

    async def look() -> None:
        asked = asyncio.ensure_future(sweep.forever())
        while len(docker.calls) < 3:
            await asyncio.sleep(0)
        asked.cancel()

    asyncio.run(asyncio.wait_for(look(), 5))


@pytest.mark.parametrize(
    ("tasks", "polls"),
    [
        ([("s1", "running", "running")], 0),
        ([("s1", "failed", "shutdown")], 1),
        ([("s1", "running", "shutdown")], 1),
        ([("s2", "running", "running")], 1),
        ([("s1", "failed", "shutdown"), ("s1", "preparing", "running")], 0),
    ],
    ids=["runs", "has ended", "is to end", "has none", "is placed again"],
)
def test_a_server_that_has_ended_loses_its_route_soon(tmp_path: Path, tasks: list[tuple[str, str, str]], polls: int) -> None:
    """Another user's server may have its address by now: JupyterHub is to poll it, and not in half a minute."""
    asked = []

    async def poll() -> None:
        asked.append("s1")

    found = [
        {"ServiceID": id_, "Status": {"State": state}, "DesiredState": wanted, "CreatedAt": str(number)}
        for number, (id_, state, wanted) in enumerate(tasks)
    ]
    one = SimpleNamespace(active=True, object_id="s1", ready=True, poll_and_notify=poll)
    docker = Docker({"services": [service()], "tasks": found})
    swept(docker, [SimpleNamespace(name="ada", spawners={"": one})], tmp_path / "servers.json", looks=1)
    assert (len(asked), docker.calls[-1][2]) == (polls, {"filters": {"label": "swarmhub.notebooks=jupyterhub"}})
