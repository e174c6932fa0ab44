"""What smoke tests leave, and that it is removed: theirs only, and whatever of it there is."""

from typing import Any

import pytest

from hub.shared.people.names import of_docker
from hub.shared.people.userlist import LOGIN
from swarmhub.errors import StepError
from swarmhub.host import EngineError, Output
from swarmhub.run.look import Look
from swarmhub.settings import Settings
from swarmhub.smoke import traces
from swarmhub.status.shell import ContainerLocation
from tests.unit.support.fakes import MANAGER, WORKER1, FakeHost, settings
from tests.unit.support.hubs import FakeHub, as_api

VOLUMES = ["jupyterhub-home-smoke-2d-2d1", "jupyterhub-home-ada", "other-home-smoke-2d-2d1", "jupyterhub-data"]


def labels(name: str) -> dict[str, str]:
    """Return the labels of a home, as the hub makes them; nothing of what is none."""
    hub, home, user = name.partition("-home-")
    return {"swarmhub.home": hub, "swarmhub.user": user.replace("-2d", "-")} if home else {}


@pytest.fixture
def hub() -> FakeHub:
    """Return a hub with a person and what a killed smoke test has left."""
    return FakeHub(users={"ada", "smoke--1", "smoke--2"}, running={"ada": {"node": "n1"}, "smoke--1": {"node": "n1"}})


@pytest.fixture
def hosts(hub: FakeHub) -> dict[str, FakeHost]:
    """Return a manager and a worker with volumes of several kinds, and the manager with the records of homes."""
    hosts = {MANAGER: hub.manager(), WORKER1: FakeHost(WORKER1)}
    for host in hosts.values():
        host.engine.answers["GET /volumes"] = {"Volumes": [{"Name": name, "Labels": labels(name)} for name in VOLUMES]}
    named = [{"ID": f"id-of-{name}", "Spec": {"Name": name, "Labels": labels(name)}} for name in VOLUMES]
    hosts[MANAGER].engine.answers["GET /configs"] = named
    return hosts


def removed(hub: FakeHub, hosts: dict[str, FakeHost], given: Settings | None = None) -> list[StepError]:
    """Remove the traces and return what stays."""
    given = given or settings()
    return traces.remove(given, Look(given, hosts, MANAGER), as_api(hub.api()), hosts[MANAGER], hosts)


def test_nobody_can_log_in_as_such_a_user() -> None:
    """The test's users are no people on GitHub, whom the hub would let in; their volumes are told by the escaped name."""
    assert not LOGIN.fullmatch(f"{traces.PREFIX}1")
    assert of_docker(traces.PREFIX) == traces.ESCAPED


def test_users_go_with_servers_homes_and_records_on_every_node(hub: FakeHub, hosts: dict[str, FakeHost]) -> None:
    """People with their servers and homes, homes of another hub, and the hub's own data stay."""
    assert removed(hub, hosts) == []
    assert (hub.users, list(hub.running)) == ({"ada"}, ["ada"])
    assert hosts[WORKER1].engine.asked("DELETE") == ["DELETE /volumes/jupyterhub-home-smoke-2d-2d1"]
    assert hosts[MANAGER].engine.asked("DELETE") == [
        "DELETE /volumes/jupyterhub-home-smoke-2d-2d1",
        "DELETE /configs/id-of-jupyterhub-home-smoke-2d-2d1",
    ]


def test_homes_go_by_their_labels(hub: FakeHub, hosts: dict[str, FakeHost]) -> None:
    """A person's home may have such a name, and a test's any name that the settings give it."""
    whose = {"jupyterhub-user-smoke-2d-2d1": "smoke--1", "jupyterhub-home-not-smoke-2d-2d1": "not-smoke--1"}
    listed = [{"Name": one, "Labels": {"swarmhub.home": "jupyterhub", "swarmhub.user": user}} for one, user in whose.items()]
    mounted = {"Name": "jupyterhub-home-smoke-2d-2d1-0123", "Labels": None, "Options": {"device": ":/export/smoke--1"}}
    by_hand = {"Name": "jupyterhub-home-smoke-2d-2d1x", "Labels": None, "Options": None}
    hosts[WORKER1].engine.answers["GET /volumes"] = {"Volumes": [*listed, mounted, by_hand]}
    removed(hub, hosts, settings(home={"name": "jupyterhub-user-{username}"}))
    gone = ["jupyterhub-user-smoke-2d-2d1", "jupyterhub-home-smoke-2d-2d1-0123"]
    assert hosts[WORKER1].engine.asked("DELETE") == [f"DELETE /volumes/{name}" for name in gone]


def test_a_server_that_the_hub_does_not_know_goes(hub: FakeHub, hosts: dict[str, FakeHost]) -> None:
    """A database that was put back knows nothing of it."""
    hub.users = {"ada"}
    removed(hub, hosts)
    assert "DELETE /services/jupyterhub-smoke--1" in hosts[MANAGER].engine.asked("DELETE")


def test_what_stays_is_told_and_the_rest_goes(hub: FakeHub, hosts: dict[str, FakeHost]) -> None:
    """A node that fails keeps nothing else from being removed."""
    hosts[WORKER1].engine.answers["GET /volumes"] = EngineError(WORKER1, 500, "no space left")
    (error,) = removed(hub, hosts)
    assert (error.host, error.cause) == (WORKER1, "no space left")
    assert hub.users == {"ada"}


FIND = "docker exec c1 find /srv/homes -mindepth 1 -maxdepth 1 -name {} -exec rm -rf {{}} +"


@pytest.mark.parametrize(
    ("name", "pattern"), [("{username}", "smoke--*"), ("{username}-{profile}", "smoke--*-*"), ("everybody", None)]
)
def test_homes_on_a_file_server_go_where_they_are_anybodys_own(
    hub: FakeHub, hosts: dict[str, FakeHost], monkeypatch: pytest.MonkeyPatch, name: str, pattern: str | None
) -> None:
    """They are removed in the hub's container, which has made them; one that all share stays."""
    monkeypatch.setattr("swarmhub.status.shell.of_hub", lambda *_: ContainerLocation(MANAGER, "c1"))
    home: dict[str, Any] = {"type": "path", "path": "/srv/nfs", "name": name}
    if pattern:
        hosts[MANAGER].commands[FIND.format(pattern)] = Output(0, "", "")
    assert removed(hub, hosts, settings(home=home)) == []
    assert len(hosts[MANAGER].ran) == (1 if pattern else 0)


def test_a_folder_that_stays_is_told(hub: FakeHub, hosts: dict[str, FakeHost], monkeypatch: pytest.MonkeyPatch) -> None:
    """The line says what to remove by hand."""
    monkeypatch.setattr("swarmhub.status.shell.of_hub", lambda *_: ContainerLocation(MANAGER, "c1"))
    hosts[MANAGER].commands[FIND.format("smoke--*")] = Output(1, "", "find: Permission denied\n")
    (error,) = removed(hub, hosts, settings(home={"type": "path", "path": "/srv/nfs"}))
    assert str(error) == f"{MANAGER}: homes of smoke tests stay: find: Permission denied. Remove smoke--* there by hand"
