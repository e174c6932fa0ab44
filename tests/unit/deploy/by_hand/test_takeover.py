"""Taking over a hub that was made by hand: what counts as one, what is refused, and what is told before anything is done."""

import copy
import json
from typing import Any

import pytest
from invoke.config import Config
from invoke.context import Context

from swarmhub.deploy import steps
from swarmhub.deploy.by_hand import takeover
from swarmhub.deploy.by_hand.standalone import Standalone
from swarmhub.errors import StepError
from swarmhub.history.database import Database
from swarmhub.plan.plans import Change, Cost, Plan
from swarmhub.run.run import Run
from tests.unit.deploy.by_hand.test_standalone import HUB as CONTAINER
from tests.unit.deploy.by_hand.test_standalone import SERVER as CONTAINER_SERVER
from tests.unit.deploy.by_hand.test_standalone import STOPPED
from tests.unit.support.cluster import NETWORK, Hosts
from tests.unit.support.fakes import MANAGER, FakeHost, FakeProgress, home_volume, once

# As the commands of a manual installation leave it.
BY_HAND: dict[str, Any] = {
    "ID": "s1",
    "Version": {"Index": 42},
    "CreatedAt": "2026-11-15T10:00:00Z",
    "UpdatedAt": "2026-11-15T10:00:00Z",
    "Spec": {
        "Name": "jupyterhub",
        "Labels": {},
        "TaskTemplate": {
            "ContainerSpec": {
                "Image": "jupyterhub:latest",
                "Args": ["jupyterhub", "-f", "/srv/jupyterhub/jupyterhub_config.py"],
                "Env": ["DOCKER_NETWORK_NAME=jupyter", "GITHUB_CLIENT_SECRET=hush"],
                "Mounts": [{"Type": "volume", "Source": "jupyterhub-data", "Target": "/data"}],
            },
            "Placement": {"Constraints": ["node.role == manager"]},
            "Networks": [{"Target": NETWORK}],
            "ForceUpdate": 0,
        },
        "Mode": {"Replicated": {"Replicas": 1}},
        "EndpointSpec": {
            "Mode": "vip",
            "Ports": [{"Protocol": "tcp", "PublishedPort": 443, "TargetPort": 443, "PublishMode": "ingress"}],
        },
    },
}
SERVER = {
    "ID": "u1",
    "Spec": {
        "Name": "jupyter-ada",
        "TaskTemplate": {"ContainerSpec": {"Image": "x", "Env": ["JUPYTERHUB_USER=ada"]}, "Networks": [{"Target": NETWORK}]},
    },
}
PEOPLE = json.dumps({"names": ["ada", "linus"], "admins": ["linus"]})
DATA = Database("jupyterhub-data", hub="jupyterhub", image="")


@pytest.fixture
def run(hosts: Hosts) -> Run:
    """Return a run on a cluster whose hub was made by hand; it has started ada's server."""
    hosts[MANAGER].engine.answers |= {
        "GET /services/jupyterhub": copy.deepcopy(BY_HAND),
        "GET /services": [SERVER, {"ID": "x1", "Spec": {"Name": "database", "TaskTemplate": {"ContainerSpec": {}}}}],
        "GET /containers/once/logs": [PEOPLE],
    }
    made = Run(Context(Config()))
    made.__dict__["hosts"] = hosts
    return made


def rollout(run: Run) -> Plan:
    """Return the plan of the step that takes it over."""
    plan = next(plan for plan in steps.every_plan(run) if plan.step == "service")
    assert plan.error is None, plan.error
    return plan


def change(run: Run, verb: str, what: str) -> Change:
    """Return one of its changes."""
    (found,) = [one for one in rollout(run).changes if (one.verb, one.what.partition(",")[0]) == (verb, what)]
    return found


def test_it_is_taken_over_after_all_checks_and_before_anything_else(run: Run) -> None:
    """Its database, too, is tried first; what runs is stopped last."""
    done = [f"{one.verb} {one.what.partition(',')[0].partition(' in ')[0]}" for one in rollout(run).changes]
    assert done[-7:] == [
        "check the hub's configuration",
        "check the hub's database",
        "take over service jupyterhub",
        "send the userlist to the volume jupyterhub-data",
        "stop service jupyter-ada",
        "copy the hub's database to jupyterhub_backups: jupyterhub-before-2.sqlite",
        "update service jupyterhub",
    ]


def test_it_is_a_question(run: Run) -> None:
    """Without a terminal it needs --yes, as do the servers that stop, whose users are named."""
    assert change(run, "take over", "service jupyterhub").cost is Cost.TAKEOVER
    stopped = change(run, "stop", "service jupyter-ada")
    assert (stopped.cost, stopped.people) == (Cost.NOTEBOOKS_STOP, ("ada",))


@pytest.mark.parametrize(
    ("console", "said"),
    [
        (True, "may log in because the database knows them: linus (admin)"),
        (False, "may not log in, since access.console is false: linus (admin)"),
    ],
)
def test_whom_the_database_lets_in_is_told(run: Run, console: bool, said: str) -> None:
    """The userlist names ada only."""
    access = run.settings.access.model_copy(update={"console": console})
    run.__dict__["settings"] = run.settings.model_copy(update={"access": access})
    gist = change(run, "take over", "service jupyterhub").gist
    assert gist == f"its database knows 2 users: ada, linus (admin); not in the userlist, and {said}"


def test_its_secrets_are_not_shown(run: Run) -> None:
    """They stood in its environment."""
    assert "hush" not in str([one.differences for one in rollout(run).changes])


def test_taking_over_only_labels_it(run: Run, hosts: Hosts) -> None:
    """Its task goes on as it is."""
    change(run, "take over", "service jupyterhub").apply(hosts[MANAGER], FakeProgress())
    sent = hosts[MANAGER].engine.sent("POST /services/s1/update")
    assert sent.params == {"version": 42}
    assert sent.body == BY_HAND["Spec"] | {"Labels": {"swarmhub.service": "jupyterhub"}}


def by_hand(**container: Any) -> dict[str, Any]:
    """Return such a service with another container."""
    found = copy.deepcopy(BY_HAND)
    found["Spec"]["TaskTemplate"]["ContainerSpec"] = container
    return found


@pytest.mark.parametrize(
    "container",
    [
        {"Image": "registry.example.org/team/jupyterhub-ldap:3"},
        {"Image": "python:3", "Args": ["jupyterhub", "--debug"]},
        {"Image": "hub:1", "Env": ["DOCKER_NOTEBOOK_IMAGE=jupyter/scipy-notebook"]},
    ],
    ids=["its image", "its command", "its variables"],
)
def test_a_jupyterhub_is_known_by(container: dict[str, Any]) -> None:
    """Whatever it is called inside."""
    takeover.require_hub(by_hand(**container), MANAGER)


def test_a_service_that_is_something_else_is_refused() -> None:
    """With what it is: it may be anybody's."""
    other = by_hand(Image="registry.example.org/jupyterhub-team/wiki:2@sha256:0")
    other["Spec"]["Labels"] = {"team": "physics"}
    with pytest.raises(StepError) as error:
        takeover.require_hub(other, MANAGER)
    assert str(error.value) == (
        f"{MANAGER}: the service jupyterhub is no JupyterHub: image registry.example.org/jupyterhub-team/wiki:2, "
        "labels team=physics. Give the hub another name (hub.service in hosts.toml), or remove that service"
    )


def test_one_that_runs_on_another_manager_is_refused() -> None:
    """Its volume is there, and here a hub would start with an empty one."""
    task = {"Status": {"State": "running"}, "NodeID": "n9"}
    host = FakeHost(MANAGER, {"GET /tasks": [task], "GET /services": [], **once(PEOPLE)})
    with pytest.raises(StepError, match=r"runs on another node \(n9\)\. Its volume and certificate are there"):
        takeover.observe(host, "n1", BY_HAND, Standalone(), DATA)


def test_its_database_is_read_with_its_own_image_before_ours_is_built() -> None:
    """A plan shows who is in."""
    host = FakeHost(MANAGER, {"GET /tasks": [], "GET /services": [], **once(PEOPLE)})
    found = takeover.observe(host, "n1", BY_HAND, Standalone(), DATA)
    assert found is not None
    assert found.people.names == ("ada", "linus")
    assert host.engine.sent("POST /containers/create").body["Image"] == "jupyterhub:latest"


def test_a_hub_of_ours_is_none_that_was_made_by_hand() -> None:
    """Nor is no hub."""
    ours = copy.deepcopy(BY_HAND)
    ours["Spec"]["Labels"] = {"swarmhub.service": "jupyterhub"}
    assert [takeover.observe(FakeHost(), "n1", one, Standalone(), DATA) for one in (ours, None)] == [None, None]


@pytest.fixture
def composed(run: Run, hosts: Hosts) -> Run:
    """Return a run on a cluster without a hub, where one runs as a plain container and has started a server."""
    engine = hosts[MANAGER].engine
    engine.answers.pop("GET /services/jupyterhub")
    engine.answers["GET /services"] = []
    engine.answers["GET /containers/json"] = [{"Id": one["Id"], "Labels": {}} for one in (CONTAINER, CONTAINER_SERVER)]
    engine.answers |= {f"GET /containers/{one['Id']}/json": one for one in (CONTAINER, CONTAINER_SERVER)}
    return run


def test_a_container_stops_after_all_checks_and_before_the_new_hub(composed: Run) -> None:
    """Both must never have the database open; its servers stop, too, and their users are named."""
    plan = rollout(composed)
    done = [f"{one.verb} {one.what.partition(',')[0].partition(' in ')[0]}" for one in plan.changes]
    assert done[-8:] == [
        "check the hub's configuration",
        "check the hub's database",
        "take over container jupyterhub",
        "send the userlist to the volume jupyterhub-data",
        "stop the servers of DockerSpawner",
        "copy the hub's database to jupyterhub_backups: jupyterhub-before-2.sqlite",
        "open jupyterhub-data to the hub's user",
        "create service jupyterhub",
    ]
    assert {cost for one in plan.changes if (cost := one.cost) is not Cost.NOTHING} == {Cost.TAKEOVER, Cost.NOTEBOOKS_STOP}
    assert "its database knows 2 users: ada, linus (admin)" in change(composed, "take over", "container jupyterhub").gist


def test_a_run_that_was_killed_after_the_stop_is_gone_on_with(composed: Run, hosts: Hosts) -> None:
    """It asks again, and copies the database, which the new hub upgrades."""
    hosts[MANAGER].engine.answers["GET /containers/h1/json"] = STOPPED
    done = [f"{one.verb} {one.what.partition(',')[0].partition(' to ')[0]}" for one in rollout(composed).changes]
    assert {"take over container jupyterhub", "copy the hub's database"} <= {*done}


def test_one_that_was_taken_over_is_no_matter_any_more(hosts: Hosts) -> None:
    """It stays for whoever wants to go back."""
    ours = copy.deepcopy(BY_HAND)
    ours["Spec"]["Labels"] = {"swarmhub.service": "jupyterhub"}
    assert takeover.observe(hosts[MANAGER], "n1", ours, Standalone(hubs=(STOPPED,)), DATA) is None


def test_volumes_that_are_nobodys_home_are_told(composed: Run, hosts: Hosts) -> None:
    """As an older dockerspawner has named them: their users would find an empty home."""
    home = composed.settings.home.model_copy(update={"name": "jupyterhub-user-{username}"})
    composed.__dict__["settings"] = composed.settings.model_copy(update={"home": home})
    volume = home_volume("x", name="jupyterhub-user-a_2Eb") | {"Labels": None}
    hosts[MANAGER].engine.answers["GET /volumes"] = {"Volumes": [volume]}
    gist = change(composed, "take over", "container jupyterhub").gist
    assert gist.endswith("; no user name fits these volumes, and they stay as they are: jupyterhub-user-a_2Eb")
    assert [one for one in rollout(composed).changes if one.verb == "record" and "homes" in one.what] == []


def test_a_container_next_to_a_deployed_hub_is_stopped(composed: Run, hosts: Hosts) -> None:
    """Somebody has started it again; the hub that runs is not touched."""
    ours = copy.deepcopy(BY_HAND)
    ours["Spec"]["Labels"] = {"swarmhub.service": "jupyterhub"}
    found = takeover.observe(hosts[MANAGER], "n1", ours, Standalone(hubs=(CONTAINER,)), DATA)
    assert found is not None
    assert hosts[MANAGER].engine.sent("POST /containers/create").body["Image"] == "sha256:0a1b"
    assert (found.service, [one.what for one in takeover.adopting(found, "jupyterhub", "", MANAGER)]) == (
        None,
        ["container jupyterhub, made by hand,"],
    )


def test_a_volume_that_something_else_writes_to_is_refused() -> None:
    """Before the hub is there; later a copy may be made of it."""
    with pytest.raises(StepError, match="does not look like a JupyterHub: db"):
        takeover.observe(FakeHost(), "n1", None, Standalone(others=("db",)), DATA)
    ours = copy.deepcopy(BY_HAND)
    ours["Spec"]["Labels"] = {"swarmhub.service": "jupyterhub"}
    assert takeover.observe(FakeHost(), "n1", ours, Standalone(others=("db",)), DATA) is None
