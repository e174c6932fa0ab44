"""Where a shell is opened, and with what."""

from typing import Any

import pytest

from swarmhub.errors import StepError
from swarmhub.run.look import Look
from swarmhub.status import shell
from swarmhub.status.shell import ContainerLocation
from tests.unit.support.fakes import MANAGER, WORKER1, WORKER2, FakeHost, Request, server_of, settings

STAMP = "2026-11-15T10:00:00Z"
NODES = {MANAGER: "n1", WORKER1: "n2", WORKER2: "n3"}
Hosts = dict[str, FakeHost]


def task(service: str, node: str, container: str, state: str = "running") -> dict[str, Any]:
    """Return a task."""
    status = {"State": state, "Timestamp": STAMP, "ContainerStatus": {"ContainerID": container}}
    return {"ServiceID": service, "NodeID": node, "CreatedAt": STAMP, "Status": status}


@pytest.fixture
def tasks() -> dict[str, Any]:
    """Return the tasks, by service."""
    return {"jupyterhub": task("s1", "n1", "c1"), "s2": task("s2", "n2", "c2")}


@pytest.fixture
def hosts(tasks: dict[str, Any]) -> Hosts:
    """Return a cluster with a hub on the manager, and a server of ada's on the first worker."""
    made = {}
    for name, node in NODES.items():
        swarm = {"NodeID": node, "LocalNodeState": "active", "ControlAvailable": name == MANAGER}
        made[name] = FakeHost(name, {"GET /info": {"ServerVersion": "29", "Swarm": swarm}})
    hub = {"Name": "jupyterhub", "TaskTemplate": {"ContainerSpec": {"Image": "jupyterhub:abc"}}}
    made[MANAGER].engine.answers |= {
        "GET /secrets": [],
        "GET /services/jupyterhub": {"ID": "s1", "CreatedAt": STAMP, "UpdatedAt": STAMP, "Spec": hub},
        "GET /services": [server_of("ada", id_="s2")],
        "GET /tasks": lambda request: of(request, tasks),
    }
    return made


def of(request: Request, tasks: dict[str, Any]) -> list[Any]:
    """Return the tasks of the services that are asked for, or of people's servers."""
    filters = request.params["filters"]
    return [tasks[service] for service in (["s2"] if "label" in filters else filters["service"])]


def of_hub(hosts: Hosts) -> ContainerLocation:
    """Return where the hub's shell is."""
    return shell.of_hub(Look(settings(), hosts, MANAGER), hosts[MANAGER], "jupyterhub")


def of_user(hosts: Hosts, user: str = "ada") -> ContainerLocation:
    """Return where a user's shell is."""
    return shell.of_user(Look(settings(), hosts, MANAGER), hosts[MANAGER], "jupyterhub", user)


def test_the_hubs_shell_is_where_the_hub_runs(hosts: Hosts) -> None:
    """The swarm says the node's id, and the host's own engine says which it is."""
    assert of_hub(hosts) == ContainerLocation(MANAGER, "c1")


@pytest.mark.parametrize("name", ["ada", "Ada"])
def test_a_users_shell_is_where_the_server_runs(hosts: Hosts, name: str) -> None:
    """JupyterHub writes names in lower case."""
    assert of_user(hosts, name) == ContainerLocation(WORKER1, "c2")


def test_a_user_without_a_server_is_told_who_has_one(hosts: Hosts) -> None:
    """A mistyped name is seen at once."""
    with pytest.raises(StepError) as raised:
        of_user(hosts, "adda")
    assert (raised.value.cause, raised.value.remedy) == ("adda has no server", "Users with a server: ada")


def test_without_a_hub_there_is_no_shell(hosts: Hosts) -> None:
    """The line names the step that makes it."""
    del hosts[MANAGER].engine.answers["GET /services/jupyterhub"]
    with pytest.raises(StepError, match="there is no service jupyterhub"):
        of_hub(hosts)


def test_what_does_not_run_where_one_can_reach_it_has_no_shell(hosts: Hosts, tasks: dict[str, Any]) -> None:
    """The line says why: its state, the error of a host that may have it, or that it is on a node not in hosts.toml."""
    tasks["jupyterhub"] = task("s1", "n1", "", "pending")
    with pytest.raises(StepError, match="it is pending"):
        of_hub(hosts)
    tasks["s2"] = task("s2", "n2", "", "preparing")
    with pytest.raises(StepError, match="it is preparing"):
        of_user(hosts)
    tasks["s2"] = task("s2", "n9", "c2")
    with pytest.raises(StepError, match=r"a node that hosts\.toml does not name"):
        of_user(hosts)
    hosts[WORKER1].engine.answers["GET /info"] = StepError(WORKER1, "no answer", "Is it up?")
    with pytest.raises(StepError, match="no answer"):
        of_user(hosts)


@pytest.mark.parametrize(("terminal", "flag"), [(True, "-it"), (False, "-i")])
def test_a_terminal_is_only_wanted_where_there_is_one(terminal: bool, flag: str) -> None:
    """What is piped in has none."""
    assert shell.command(ContainerLocation(WORKER1, "c2"), terminal=terminal)[:4] == ("docker", "exec", flag, "c2")
