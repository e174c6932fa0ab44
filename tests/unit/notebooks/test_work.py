"""What runs on a node."""

from typing import Any

import pytest

from swarmhub.notebooks import work
from tests.unit.support.fakes import FakeHost, Request

HUB = "jupyterhub"


def service(id_: str, name: str, **labels: str) -> dict[str, Any]:
    """Return a service as an engine lists it."""
    container = {"Env": [f"JUPYTERHUB_USER={name.removeprefix('jupyterhub-')}"]}
    placement = {"Constraints": ["node.role==manager", "node.id==n1"]} if name == HUB else {}
    template = {"ContainerSpec": container, "Placement": placement}
    return {"ID": id_, "CreatedAt": "2026-11-15T10:00:00Z", "Spec": {"Name": name, "Labels": labels, "TaskTemplate": template}}


def task(service_id: str, node: str, state: str = "running") -> dict[str, Any]:
    """Return a task as an engine lists it."""
    status = {"State": state, "Timestamp": "2026-11-15T10:00:00Z"}
    return {"ID": "t", "ServiceID": service_id, "NodeID": node, "CreatedAt": "2026-11-15T10:00:00Z", "Status": status}


SERVICES = [
    service("s1", HUB, **{"swarmhub.service": HUB}),
    service("s2", "jupyterhub-ada", **{"swarmhub.notebooks": HUB}),
    service("s3", "registry"),
    service("s4", "batch"),
    service("s5", "on-every-node"),
]
SERVICES[-1]["Spec"]["Mode"] = {"Global": {}}
TASKS = [
    task("s1", "n1"),
    task("s2", "n2"),
    task("s3", "n2"),
    task("s4", "n2", "complete"),
    task("gone", "n2"),
    task("s5", "n2"),
]


def manager() -> FakeHost:
    """Return a manager that filters as an engine does."""

    def services(request: Request) -> list[Any]:
        wanted = request.params.get("filters", {}).get("label")
        return [one for one in SERVICES if not wanted or "swarmhub.notebooks" in one["Spec"]["Labels"]]

    def tasks(request: Request) -> list[Any]:
        filters = request.params["filters"]
        by_node = [one for one in TASKS if one["NodeID"] in filters.get("node", [one["NodeID"]])]
        return [one for one in by_node if one["ServiceID"] in filters.get("service", [one["ServiceID"]])]

    return FakeHost(answers={"GET /services": services, "GET /tasks": tasks})


def test_people_and_services_of_a_node_are_told_apart() -> None:
    """Servers by their user, other services by name; what has ended does not count, nor what every node has its own of."""
    found = work.observe(manager(), HUB, "n2")
    assert (found.people, found.services, found.holds_hub) == (("ada",), ("registry",), False)


def test_the_hubs_node_is_the_one_it_is_pinned_to() -> None:
    """Whether it runs at the moment or not."""
    found = work.observe(manager(), HUB, "n1")
    assert (found.people, found.services, found.holds_hub) == ((), (), True)


def test_another_hubs_people_and_node_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever drains a node stops them just as well, and would stop that hub."""
    other = f"{HUB}-two"
    pinned = service("s6", other, **{"swarmhub.service": other})
    pinned["Spec"]["TaskTemplate"]["Placement"] = {"Constraints": ["node.id==n3"]}
    theirs = service("s7", f"{other}-grace", **{"swarmhub.notebooks": other})
    theirs["Spec"]["TaskTemplate"]["ContainerSpec"]["Env"] = ["JUPYTERHUB_USER=grace"]
    monkeypatch.setitem(globals(), "SERVICES", [*SERVICES, pinned, theirs])
    monkeypatch.setitem(globals(), "TASKS", [*TASKS, task("s6", "n3"), task("s7", "n3")])
    found = work.observe(manager(), HUB, "n3")
    assert (found.people, found.services, found.holds_hub) == (("grace",), (), True)


@pytest.mark.parametrize(("one", "node"), [(SERVICES[0], "n1"), (SERVICES[2], ""), (None, "")])
def test_only_the_hubs_own_service_pins_it(one: Any, node: str) -> None:
    """Other services may be pinned anywhere."""
    assert work.hub_node(one, HUB) == node
