"""The overlay network: what is asked for, what is seen, and what is done about the difference."""

from typing import Any

import pytest

from swarmhub.errors import StepError
from swarmhub.plan.plans import Cost
from swarmhub.services import network
from swarmhub.services.network import ExistingNetwork
from tests.unit.support.fakes import MANAGER, Clock, FakeHost, FakeProgress, Request, in_turn, settings

ID = "u1k9xd2mzbq1yk0h5m3oqk2yz"
VXLAN = {"com.docker.network.driver.overlay.vxlanid_list": "4097"}
ANSWER: dict[str, Any] = {
    "Name": "jupyter",
    "Id": ID,
    "Created": "2026-11-15T10:00:00.123456789Z",
    "Scope": "swarm",
    "Driver": "overlay",
    "EnableIPv4": True,
    "EnableIPv6": False,
    "IPAM": {"Driver": "default", "Options": None, "Config": [{"Subnet": "10.0.1.0/24", "Gateway": "10.0.1.1"}]},
    "Internal": False,
    "Attachable": False,
    "Ingress": False,
    "ConfigFrom": {"Network": ""},
    "ConfigOnly": False,
    "Containers": None,
    "Options": VXLAN,
    "Labels": None,
}


def service(name: str, *networks: str) -> dict[str, Any]:
    """Return what an engine lists of a service on these networks."""
    template = {"ContainerSpec": {"Image": "notebook"}, "Networks": [{"Target": target} for target in networks]}
    return {"ID": f"id-of-{name}", "Spec": {"Name": name, "TaskTemplate": template}}


def manager(*services: dict[str, Any], **drift: Any) -> FakeHost:
    """Return a manager with the network, and these services beside or on it."""
    return FakeHost(answers={"GET /networks": [ANSWER | drift], "GET /services": list(services)})


def seen(host: FakeHost) -> ExistingNetwork | None:
    """Return the network as it is observed, or None."""
    return network.read("jupyter", network.listed(host, ["jupyter"]), host.engine.answers["GET /services"])


def observed(*services: dict[str, Any], **drift: Any) -> ExistingNetwork:
    """Return the network as it is observed."""
    found = seen(manager(*services, **drift))
    assert found is not None
    return found


def test_a_bridge_of_the_same_name_is_not_replaced() -> None:
    """It is of one host, and containers that no service has made may be on it."""
    with pytest.raises(StepError, match=r"is a bridge of this host only.*network\.name"):
        network.plan(network.desired(settings()), observed(Driver="bridge", Scope="local"), MANAGER)


def test_the_documents_network_is_a_plain_overlay() -> None:
    """Without settings the request is for an overlay network of the swarm, to which Docker gives the addresses."""
    assert network.desired(settings()) == {
        "Name": "jupyter",
        "Driver": "overlay",
        "Scope": "swarm",
        "Attachable": False,
        "Options": {},
        "IPAM": {"Driver": "default", "Config": []},
    }


@pytest.mark.parametrize(
    ("table", "field", "value"),
    [
        ({"name": "notebooks"}, "Name", "notebooks"),
        ({"attachable": True}, "Attachable", True),
        ({"encrypted": True}, "Options", {"encrypted": ""}),
        ({"options": {"com.docker.network.driver.mtu": "1400"}}, "Options", {"com.docker.network.driver.mtu": "1400"}),
        ({"subnet": "10.9.0.0/16"}, "IPAM", {"Driver": "default", "Config": [{"Subnet": "10.9.0.0/16"}]}),
    ],
)
def test_each_setting_reaches_the_request(table: dict[str, Any], field: str, value: object) -> None:
    """What hosts.toml says of the network stands in the request that makes it."""
    assert network.desired(settings(network=table))[field] == value


def test_a_longer_name_is_another_network() -> None:
    """The engine's name filter finds longer names too; they are not taken for the network."""
    host = FakeHost(answers={"GET /networks": [ANSWER | {"Name": "jupyter-old"}], "GET /services": []})
    assert seen(host) is None


def test_users_of_the_network_are_the_services_whose_tasks_join_it() -> None:
    """Services are on the network if their template names its id, or their spec does as older clients wrote it."""
    old = {"ID": "old", "Spec": {"Name": "old-style", "TaskTemplate": {}, "Networks": [{"Target": ID}]}}
    found = observed(service("jupyterhub", ID), service("other", "another-id"), old, service("jupyter-ada", "x", ID))
    assert found.services == ("jupyter-ada", "jupyterhub", "old-style")


def test_a_missing_network_is_created_as_wanted() -> None:
    """Where there is no network, the plan shows all that is set, and applying it sends the wanted body."""
    host, wanted = FakeHost(), network.desired(settings(network={"subnet": "10.9.0.0/16"}))
    (change,) = network.plan(wanted, None, MANAGER).changes
    change.apply(host, FakeProgress())
    assert (change.verb, change.what, host.engine.sent("POST /networks/create").body) == ("create", "network jupyter", wanted)
    assert [(item.path, item.wanted) for item in change.differences] == [
        ("Name", "jupyter"),
        ("Driver", "overlay"),
        ("Scope", "swarm"),
        ("IPAM.Driver", "default"),
        ("IPAM.Config[0].Subnet", "10.9.0.0/16"),
    ]


@pytest.mark.parametrize("table", [{}, {"subnet": "10.0.1.0/24"}])
def test_the_network_as_an_engine_keeps_it_is_no_difference(table: dict[str, Any]) -> None:
    """What Docker adds by itself (VXLAN id, subnet, gateway, nulls) gives nothing to do."""
    assert network.plan(network.desired(settings(network=table)), observed(), MANAGER).changes == ()


@pytest.mark.parametrize(
    ("table", "drift", "path"),
    [
        ({"attachable": True}, {}, "Attachable"),
        ({}, {"Attachable": True}, "Attachable"),
        ({}, {"Driver": "bridge"}, "Driver"),
        ({}, {"Scope": "local"}, "Scope"),
        ({"options": {"mtu": "1400"}}, {}, "Options.mtu"),
        ({}, {"Options": VXLAN | {"mtu": "1400"}}, "Options.mtu"),
        ({"subnet": "10.9.0.0/16"}, {}, "IPAM.Config[0].Subnet"),
        ({"encrypted": True}, {}, "Options.encrypted"),
        ({}, {"Options": VXLAN | {"encrypted": ""}}, "Options.encrypted"),
    ],
)
def test_drift_is_seen_field_by_field(table: dict[str, Any], drift: dict[str, Any], path: str) -> None:
    """A network that differs in a field is planned to be replaced, and the field is named."""
    (change,) = network.plan(network.desired(settings(network=table)), observed(**drift), MANAGER).changes
    assert (change.verb, [item.path for item in change.differences]) == ("replace", [path])


def test_a_network_in_use_is_not_replaced_unasked() -> None:
    """A network that differs while services are on it is refused, naming the field, the services and the flag."""
    found = observed(service("jupyterhub", ID), service("jupyter-ada", ID), Attachable=True)
    with pytest.raises(StepError) as refused:
        network.plan(network.desired(settings()), found, MANAGER)
    assert str(refused.value) == (
        "swarm-manager1: network jupyter differs (Attachable is True, wanted False) and cannot be changed while in use by "
        "jupyter-ada, jupyterhub. To stop these services and replace it: fab network --recreate, then fab deploy"
    )


@pytest.mark.parametrize(
    ("services", "cost"), [([service("jupyterhub", ID)], Cost.NOTEBOOKS_STOP), ([service("web", "another")], Cost.NOTHING)]
)
def test_replacing_costs_what_is_on_the_network(services: list[dict[str, Any]], cost: Cost) -> None:
    """Replacing a network stops the notebooks if services are on it, and costs nothing if none are."""
    found = observed(*services, Attachable=True)
    (change,) = network.plan(network.desired(settings()), found, MANAGER, recreate=True).changes
    assert change.cost is cost


def task(state: str, target: str = ID) -> dict[str, Any]:
    """Return what an engine lists of a task on a network."""
    return {"ID": "t1", "Status": {"State": state}, "NetworksAttachments": [{"Network": {"ID": target}}]}


def test_replacing_waits_for_each_thing_to_be_gone(clock: Clock, progress: FakeProgress) -> None:
    """The services go first, the network when their last task has ended, and the new one comes when the old is gone."""
    host = manager(service("jupyterhub", ID), Attachable=True)
    host.engine.answers |= {
        "GET /tasks": in_turn([task("running"), task("running", "another")], [task("complete"), task("running", "another")]),
        f"GET /networks/{ID}": in_turn(ANSWER, None),
    }
    found, wanted = seen(host), network.desired(settings())
    (change,) = network.plan(wanted, found, MANAGER, recreate=True).changes
    host.engine.requests.clear()
    change.apply(host, progress)
    assert host.engine.asked() == [
        "DELETE /services/jupyterhub",
        "GET /tasks",
        "GET /tasks",
        f"DELETE /networks/{ID}",
        f"GET /networks/{ID}",
        f"GET /networks/{ID}",
        "POST /networks/create",
    ]
    assert progress.lines == [(MANAGER, "removed service jupyterhub")]


def test_replacing_waits_for_tasks_that_are_being_removed(clock: Clock, progress: FakeProgress) -> None:
    """The tasks of a service that was removed are desired to be "remove": a question that leaves them out waits for nothing."""
    left = [[task("running") | {"DesiredState": "remove"}]] * 3

    def tasks(request: Request) -> list[dict[str, Any]]:
        listed = left.pop() if left else []
        states = request.params.get("filters", {}).get("desired-state")
        return [one for one in listed if not states or one["DesiredState"] in states]

    host = manager(service("jupyterhub", ID), Attachable=True)
    host.engine.answers |= {"GET /tasks": tasks}
    (change,) = network.plan(network.desired(settings()), seen(host), MANAGER, recreate=True).changes
    change.apply(host, progress)
    assert left == []


@pytest.mark.parametrize("answers", [{"GET /tasks": [task("running")]}, {"GET /tasks": [], f"GET /networks/{ID}": ANSWER}])
def test_a_network_that_stays_in_use_is_an_error_and_no_new_one_is_made(
    clock: Clock, progress: FakeProgress, answers: dict[str, Any]
) -> None:
    """Where a task or the network itself does not go within a minute, the step fails and says where to look."""
    host = manager(service("jupyterhub", ID), Attachable=True)
    host.engine.answers |= answers
    (change,) = network.plan(network.desired(settings()), seen(host), MANAGER, recreate=True).changes
    with pytest.raises(StepError, match=r"still in use after a minute. See: docker network inspect jupyter"):
        change.apply(host, progress)
    assert "POST /networks/create" not in host.engine.asked()


def test_replacing_a_network_names_the_people_whose_work_stops() -> None:
    """Each once and by name, and nobody who is elsewhere; an operator reads who they are before it is done."""
    servers = [service("jupyterhub", ID)]
    for user, on in (("grace", ID), ("ada", ID), ("joan", "another")):
        made = service(f"jupyter-{user}", on)
        made["Spec"]["Labels"] = {"swarmhub.notebooks": "jupyterhub"}
        made["Spec"]["TaskTemplate"]["ContainerSpec"]["Env"] = [f"JUPYTERHUB_USER={user}"]
        servers.append(made)
    (change,) = network.plan(network.desired(settings()), observed(*servers, Attachable=True), MANAGER, recreate=True).changes
    assert change.price == "notebooks stop: 2 (ada, grace)"


@pytest.mark.parametrize(
    ("services", "command"),
    [
        ((), "docker network rm jupyter && docker network create --driver overlay jupyter"),
        (
            (service("jupyterhub", ID), service("jupyter-ada", ID)),
            "docker service rm jupyter-ada jupyterhub && docker network rm jupyter && "
            "docker network create --driver overlay jupyter",
        ),
    ],
)
def test_a_person_can_type_the_replacing(services: tuple[dict[str, Any], ...], command: str) -> None:
    """The services on it go first."""
    found = observed(*services, Attachable=True)
    (change,) = network.plan(network.desired(settings()), found, MANAGER, recreate=True).changes
    assert change.command == command


@pytest.mark.parametrize(
    ("options", "gist"),
    [
        ({}, "overlay"),
        (
            {"attachable": True, "encrypted": True, "subnet": "10.20.0.0/16"},
            "overlay, attachable, encrypted, subnet 10.20.0.0/16",
        ),
        ({"options": {"com.docker.network.driver.mtu": "1400"}}, "overlay, com.docker.network.driver.mtu=1400"),
    ],
)
def test_a_network_that_is_made_is_told_in_a_line(options: dict[str, Any], gist: str) -> None:
    """What is unusual of it."""
    (create,) = network.plan(network.desired(settings(network=options)), None, MANAGER).changes
    assert create.gist == gist


@pytest.mark.parametrize(("separate", "names"), [(False, ("jupyter",)), (True, ("jupyter", "jupyter-proxy"))])
def test_the_networks_have_names(separate: bool, names: tuple[str, ...]) -> None:
    """A separate proxy and the hub share another one."""
    assert network.names(settings(proxy={"separate": separate})) == names
