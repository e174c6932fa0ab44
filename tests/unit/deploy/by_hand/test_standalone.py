"""A hub in a plain container: what is one, what becomes of it, and the way back."""

import copy
from typing import Any

import pytest

from swarmhub.deploy.by_hand import standalone
from swarmhub.deploy.by_hand.standalone import Standalone
from swarmhub.errors import StepError
from swarmhub.host import EngineError
from swarmhub.plan.plans import Cost
from swarmhub.services import volume
from tests.unit.support.fakes import MANAGER, FakeHost, FakeProgress

DATA = "jupyterhub-data"
# As docker compose leaves that of jupyterhub-deploy-docker.
HUB: dict[str, Any] = {
    "Id": "h1",
    "Image": "sha256:0a1b",
    "Name": "/jupyterhub",
    "State": {"Running": True},
    "HostConfig": {"RestartPolicy": {"Name": "always"}, "AutoRemove": False},
    "Config": {"Image": "jupyterhub", "Cmd": ["jupyterhub", "-f", "/srv/jupyterhub/jupyterhub_config.py"], "Env": []},
    "Mounts": [{"Type": "volume", "Name": DATA, "Destination": "/data", "RW": True}],
    "NetworkSettings": {"Networks": {"jupyterhub-network": {}}},
}
SERVER = copy.deepcopy(HUB) | {
    "HostConfig": {"RestartPolicy": {"Name": ""}, "AutoRemove": True},
    "Id": "u1",
    "Name": "/jupyter-a-2eb",
    "Config": {"Image": "notebook", "Env": ["JUPYTERHUB_USER=a.b"]},
    "Mounts": [{"Type": "volume", "Name": "jupyterhub-user-a-2eb", "RW": True}],
}
STOPPED = HUB | {"State": {"Running": False}, "HostConfig": {"RestartPolicy": {"Name": "no"}, "AutoRemove": False}}
DATABASE = copy.deepcopy(SERVER) | {"Id": "d1", "Name": "/db", "Config": {"Image": "postgres", "Env": None}}


def hub(**changed: Any) -> dict[str, Any]:
    """Return the hub's container with other fields."""
    return copy.deepcopy(HUB) | changed


def host(*containers: dict[str, Any]) -> FakeHost:
    """Return a manager with these containers, of which it lists all whatever it is asked."""
    listed = [{"Id": one["Id"], "Labels": {"com.docker.compose.service": "hub"}} for one in containers]
    return FakeHost(answers={"GET /containers/json": listed} | {f"GET /containers/{one['Id']}/json": one for one in containers})


def seen(*containers: dict[str, Any]) -> Standalone:
    """Return what is observed of them."""
    manager = host(*containers)
    return standalone.observe(manager, DATA, volume.containers(manager, DATA))


def names(containers: tuple[dict[str, Any], ...]) -> list[str]:
    """Return their names."""
    return [one["Name"] for one in containers]


def test_a_hub_is_found_with_the_servers_on_its_network() -> None:
    """By the hub's volume and by what it is; a server by the user whose it is."""
    found = seen(HUB, SERVER, DATABASE)
    assert (names(found.hubs), names(found.servers), found.others) == (["/jupyterhub"], ["/jupyter-a-2eb"], ())


def test_containers_of_services_and_tools_are_none() -> None:
    """The hub's own task has the volume, and so has what copies the database."""
    labels: list[dict[str, str]] = [{"com.docker.swarm.service.name": "jupyterhub"}, {"swarmhub": "database"}]
    manager = FakeHost(answers={"GET /containers/json": [{"Id": "c", "Labels": one} for one in labels]})
    assert volume.containers(manager, DATA) == ()
    assert manager.engine.sent("GET /containers/json").params == {"all": True, "filters": {"volume": [DATA]}}


def test_one_that_the_engine_would_start_again_counts_as_running() -> None:
    """A restart policy of always holds after a stop, too: with the engine it would be back on the new hub's database."""
    stopped = {"Running": False}
    assert names(standalone.in_the_way(seen(hub(State=stopped))).hubs) == ["/jupyterhub"]
    policy = {"RestartPolicy": {"Name": "unless-stopped"}, "AutoRemove": False}
    assert standalone.in_the_way(seen(hub(State=stopped, HostConfig=policy))).hubs == ()


def test_the_servers_of_a_hub_that_was_stopped_before_are_found() -> None:
    """By a run that came no further."""
    found = seen(STOPPED, SERVER)
    assert (names(found.hubs), names(found.servers)) == (["/jupyterhub"], ["/jupyter-a-2eb"])
    (change,) = standalone.taking(found, "jupyterhub", MANAGER, "")
    assert "it has stopped and is kept (to go back to it: docker start jupyterhub)" in change.gist


def test_one_that_did_not_run_is_not_started(progress: FakeProgress) -> None:
    """What leads back is said."""
    (change,) = standalone.taking(seen(STOPPED), "jupyterhub", MANAGER, "")
    manager = host(STOPPED)
    assert change.undo
    change.undo(manager, progress)
    assert manager.engine.asked("POST") == []
    assert "did not run before; to go back to it: docker start jupyterhub" in str(progress.lines)


@pytest.mark.parametrize(("writes", "others"), [(True, ("db",)), (False, ())])
def test_something_else_that_may_write_to_the_volume_is_refused(writes: bool, others: tuple[str, ...]) -> None:
    """It may be a hub that is not known as one."""
    found = seen(DATABASE | {"Mounts": [HUB["Mounts"][0] | {"RW": writes}]})
    assert (found.hubs, found.others) == ((), others)
    if others:
        with pytest.raises(StepError, match=r"like a JupyterHub: db\. Stop it until the new hub runs: docker stop db"):
            standalone.refuse_others(found, DATA, MANAGER)


def test_it_is_stopped_for_good_after_a_question() -> None:
    """It stays, and the plan says how to go back."""
    (change,) = standalone.taking(seen(HUB), "jupyterhub", MANAGER, "its database knows ada")
    assert (change.sentence, change.cost) == (f"take over container jupyterhub, made by hand, on {MANAGER}", Cost.TAKEOVER)
    assert change.gist == "it stops and is kept (to go back to it: docker start jupyterhub); its database knows ada"
    manager = host(HUB)
    change.apply(manager, FakeProgress())
    assert manager.engine.asked("POST") == ["POST /containers/h1/update", "POST /containers/h1/stop"]
    assert manager.engine.sent("POST /containers/h1/update").body == {"RestartPolicy": {"Name": "no"}}


def test_one_that_goes_when_it_stops_is_told_as_such() -> None:
    """Docker removes what was started with --rm."""
    policy = {"RestartPolicy": {"Name": "no"}, "AutoRemove": True}
    (change,) = standalone.taking(seen(hub(HostConfig=policy)), "jupyterhub", MANAGER, "")
    assert "it stops and is removed (--rm)" in change.gist


def test_it_is_started_again_where_no_new_hub_was_made() -> None:
    """As it was, with its restart policy."""
    (change,) = standalone.taking(seen(HUB), "jupyterhub", MANAGER, "")
    manager = host(HUB)
    assert change.undo
    change.undo(manager, FakeProgress())
    assert manager.engine.asked("POST") == ["POST /containers/h1/update", "POST /containers/h1/start"]
    assert manager.engine.sent("POST /containers/h1/update").body == {"RestartPolicy": {"Name": "always"}}


def test_it_is_not_started_next_to_a_new_hub(progress: FakeProgress) -> None:
    """Two would have one database open; what leads back is said."""
    (change,) = standalone.taking(seen(HUB), "jupyterhub", MANAGER, "")
    manager = host(HUB)
    manager.engine.answers["GET /services/jupyterhub"] = {"ID": "s1"}
    assert change.undo
    change.undo(manager, progress)
    assert manager.engine.asked("POST") == []
    assert "docker service rm jupyterhub; docker start jupyterhub; and see docs/moving-in.md, Going back" in str(progress.lines)


def test_servers_stop_at_once_with_their_users_named() -> None:
    """One change, however many they are: a plan that was shown holds when one of them has ended by itself."""
    (change,) = standalone.stopping(seen(HUB, SERVER), MANAGER)
    assert (change.what, change.cost, change.people) == ("the servers of DockerSpawner", Cost.NOTEBOOKS_STOP, ("a.b",))
    manager = host(SERVER)
    change.apply(manager, FakeProgress())
    assert manager.engine.asked("POST") == ["POST /containers/u1/stop"]
    assert standalone.stopping(seen(HUB), MANAGER) == []


def test_a_server_that_has_ended_meanwhile_is_no_error() -> None:
    """DockerSpawner's are removed when they stop."""
    (change,) = standalone.stopping(seen(HUB, SERVER), MANAGER)
    manager = host(SERVER)
    manager.engine.answers["POST /containers/u1/stop"] = EngineError(MANAGER, 404, "no such container")
    change.apply(manager, FakeProgress())


def test_a_hub_with_another_volume_is_told() -> None:
    """Docker compose puts the project before a volume's name; a server is no hub, whatever its command is called."""
    mounts = [{"Type": "bind", "Destination": "/var/run/docker.sock"}, {"Type": "volume", "Name": "example_jupyterhub-data"}]
    made: dict[str, Any] = {"Names": ["/jupyterhub"], "Image": "hub:1", "Command": "jupyterhub -f /srv/x.py", "Mounts": mounts}
    server = made | {"Names": ["/jupyter-ada"], "Command": "jupyterhub-singleuser", "Mounts": mounts[1:]}
    manager = FakeHost(answers={"GET /containers/json": [made, server]})
    assert standalone.elsewhere(manager) == (("jupyterhub", "example_jupyterhub-data"),)
