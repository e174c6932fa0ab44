"""Domains of users' own: what the hub is told, and whose servers a change of it stops."""

from datetime import UTC, datetime
from typing import Any

import pytest

from swarmhub.notebooks.servers import RunningServer
from swarmhub.plan.plans import Change, Cost, Plan
from swarmhub.services.hub import subdomains
from tests.unit.support.fakes import DOMAIN, MANAGER, settings

WITH = settings(hub={"domain": DOMAIN, "subdomains": True})
HUB, OTHER = "https://hub.example.org", "https://hub.example.org:8443"
RUNNING = [
    RunningServer(user, service, "n1", "running", datetime(2026, 11, 15, tzinfo=UTC), "c")
    for user, service in (("ada", "hub-ada"), ("ada", "hub-ada-2"), ("grace", "hub-grace"))
]
PLAN = Plan(
    "service",
    "",
    (
        Change("check", "the configuration", MANAGER, lambda *_: None),
        Change("update", "service jupyterhub", MANAGER, lambda *_: None, cost=Cost.HUB_RESTART),
    ),
)


def spec(host: str) -> dict[str, Any]:
    """Return the spec of a hub whose servers have domains below an address, or none."""
    variables = ["A=b", *([f"SUBDOMAIN_HOST={host}"] if host else [])]
    return {"TaskTemplate": {"ContainerSpec": {"Env": variables}}}


def price(before: str, now: str, running: list[RunningServer]) -> list[tuple[Cost, tuple[str, ...]]]:
    """Return what each change of the plan costs, and whom."""
    plan = subdomains.priced(PLAN, spec(now), {"Spec": spec(before)}, lambda: running)
    return [(change.cost, change.people) for change in plan.changes]


def test_the_hub_is_told_of_them_only_where_they_are_wanted() -> None:
    """A deployment without them is the one that it was."""
    assert subdomains.environment(WITH, HUB) == {"SUBDOMAIN_HOST": HUB}
    assert subdomains.environment(settings(), HUB) == {}


@pytest.mark.parametrize(("before", "now"), [("", HUB), (HUB, ""), (HUB, OTHER)])
def test_a_change_stops_the_servers_that_run(before: str, now: str) -> None:
    """The plan says whose, each once."""
    assert price(before, now, RUNNING) == [(Cost.NOTHING, ()), (Cost.NOTEBOOKS_STOP, ("ada", "grace"))]


@pytest.mark.parametrize(("before", "now", "running"), [("", "", RUNNING), (HUB, HUB, RUNNING), ("", HUB, [])])
def test_without_a_change_or_a_server_only_the_hub_restarts(before: str, now: str, running: list[RunningServer]) -> None:
    """As with any other update."""
    assert price(before, now, running) == [(Cost.NOTHING, ()), (Cost.HUB_RESTART, ())]
    assert subdomains.priced(PLAN, spec(HUB), None, lambda: RUNNING) is PLAN


def test_another_path_stops_the_servers_that_run() -> None:
    """Each was started for the path before, and answers nobody who comes by the new one."""
    now = spec("")
    now["TaskTemplate"]["ContainerSpec"]["Env"].append("BASE_URL=/jupyter/")
    plan = subdomains.priced(PLAN, now, {"Spec": spec("")}, lambda: RUNNING)
    assert [(one.cost, one.people) for one in plan.changes] == [
        (Cost.NOTHING, ()),
        (Cost.NOTEBOOKS_STOP, ("ada", "grace")),
    ]
