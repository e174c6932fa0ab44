"""Where a home is opened that no server has."""

from typing import Any

import pytest

from hub.shared.servers import mounts
from swarmhub.errors import StepError
from swarmhub.host import EngineError
from swarmhub.run.look import Look
from swarmhub.status import home_shell
from swarmhub.status.home_shell import HomeLocation
from tests.unit.support.fakes import MANAGER, WORKER1, WORKER2, FakeHost, settings

NODES = {MANAGER: "n1", WORKER1: "n2", WORKER2: "n3"}
ADA = "jupyterhub-home-ada"
SHARED = {"type": "path", "path": "/mnt/homes"}


def volume(name: str, user: str) -> dict[str, Any]:
    """Return a home's volume as an engine lists it."""
    labels = {mounts.HOME: "jupyterhub", mounts.USER: user}
    return {"Name": name, "Driver": "local", "Options": None, "Labels": labels, "CreatedAt": "2026-11-15T10:00:00Z"}


def found(held: dict[str, list[Any]], records: dict[str, str], name: str = "ada", **home: Any) -> HomeLocation:
    """Return where a home is; `records` are the nodes of volumes, by the swarm."""
    hosts = {}
    for host, node in NODES.items():
        info = {"ServerVersion": "29", "Swarm": {"NodeID": node, "LocalNodeState": "active", "ControlAvailable": True}}
        answers = {"GET /info": info, "GET /volumes": {"Volumes": held.get(host, [])}, "GET /secrets": []}
        hosts[host] = FakeHost(host, answers)
    for one, node in records.items():
        labels = {mounts.HOME: "jupyterhub", mounts.USER: "ada", mounts.NODE: node}
        hosts[MANAGER].engine.post("/configs/create", {"Name": one, "Data": "e30=", "Labels": labels})
    given = settings(home=home)
    return home_shell.of(given, Look(given, hosts, MANAGER), MANAGER, name)


@pytest.mark.parametrize("name", ["ada", ADA])
def test_a_home_is_opened_on_the_node_that_is_recorded(name: str) -> None:
    """Another node may have an older volume of that name; who types the volume's name means it, too."""
    held = {WORKER1: [volume(ADA, "ada")], WORKER2: [volume(ADA, "ada"), volume("jupyterhub-home-grace", "grace")]}
    place = found(held, {ADA: "n3"}, name)
    assert (place.host, place.mounts[0]["Source"], place.mounts[0]["Target"]) == (WORKER2, ADA, "/home/jovyan")


@pytest.mark.parametrize(
    ("held", "records", "home", "cause"),
    [
        ({}, {}, {}, "there is no home of ada"),
        ({}, {ADA: "n9"}, {}, "is on node n9"),
        ({WORKER1: [volume(ADA, "ada"), volume(f"{ADA}-lab", "ada")]}, {}, {}, "ada has several homes"),
        ({}, {}, {"keep": False}, "keeps no homes"),
    ],
)
def test_what_cannot_be_opened_is_said(
    held: dict[str, list[Any]], records: dict[str, str], home: dict[str, Any], cause: str
) -> None:
    """Nothing is made in its place."""
    with pytest.raises(StepError, match=cause):
        found(held, records, **home)


def test_a_home_that_every_node_reaches_is_opened_on_the_manager() -> None:
    """By the mount that a server has."""
    place = found({}, {}, **SHARED)
    assert (place.host, place.mounts[-1]["Source"]) == (MANAGER, "/mnt/homes/ada")


def test_the_shell_runs_in_the_image_that_servers_run_and_nothing_stays() -> None:
    """Without a network; the container goes with the shell. A node that lacks the home says so."""
    host = FakeHost(MANAGER, {"POST /containers/create": {"Id": "c1"}})
    place = HomeLocation(MANAGER, ({"Type": "bind", "Source": "/mnt/homes/ada", "Target": "/home/jovyan"},))
    with home_shell.opened(host, settings(), place, terminal=True) as command:
        assert command == ("docker", "start", "--attach", "--interactive", "c1")
    made, removed = host.engine.requests
    assert (made.body["Tty"], made.body["HostConfig"]["NetworkMode"], str(removed)) == (True, "none", "DELETE /containers/c1")
    host = FakeHost(MANAGER, {"POST /containers/create": EngineError(MANAGER, 400, "bind source path does not exist")})
    with (
        pytest.raises(StepError, match="cannot open /mnt/homes/ada"),
        home_shell.opened(host, settings(), place, terminal=True),
    ):
        pass
