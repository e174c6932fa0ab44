"""The filter's service, and the hub beside it."""

import json
from typing import Any

import pytest

from hub.filter import policy
from swarmhub.plan.plans import Cost
from swarmhub.services import engine_filter
from swarmhub.services import hub as hub_service
from swarmhub.services.hub import SOCKET, Parts
from tests.unit.support.cluster import SECRETS
from tests.unit.support.fakes import DOMAIN, MANAGER, NOTEBOOK, alone, settings

IMAGE = f"quay.io/x@sha256:{'a' * 64}"
PARTS = Parts("n1", "net", "jupyterhub:1", {NOTEBOOK: IMAGE}, "c0ffee", "cluster")
GIVEN = settings(hub={"domain": DOMAIN, "engine": "filter"})


def desired(image: str = IMAGE) -> dict[str, Any]:
    """Return the filter's spec."""
    return engine_filter.desired(GIVEN, Parts(**{**vars(PARTS), "images": {NOTEBOOK: image}}))


def container(spec: dict[str, Any]) -> dict[str, Any]:
    """Return the container's part of a spec."""
    part: dict[str, Any] = spec["TaskTemplate"]["ContainerSpec"]
    return part


def mounts(spec: dict[str, Any]) -> dict[str, bool]:
    """Return what is mounted, and whether it is read-only."""
    return {mount["Source"]: mount.get("ReadOnly", False) for mount in container(spec)["Mounts"]}


def test_only_the_filter_has_the_socket() -> None:
    """The hub has the filter's, and cannot put another in its place."""
    hub = hub_service.desired(GIVEN, SECRETS, PARTS)
    assert (SOCKET in mounts(desired()), SOCKET in mounts(hub)) == (True, False)
    assert (mounts(desired())["jupyterhub-engine"], mounts(hub)["jupyterhub-engine"]) == (False, True)
    assert "DOCKER_HOST=unix:///run/engine/docker.sock" in container(hub)["Env"]


def test_a_hub_without_it_has_the_socket_as_in_the_document() -> None:
    """And is told of no other."""
    hub = hub_service.desired(alone(), SECRETS, PARTS)
    assert SOCKET in mounts(hub)
    assert not [line for line in container(hub)["Env"] if line.startswith("DOCKER_HOST=")]


def test_it_allows_what_the_settings_need() -> None:
    """The images that the hub hands out, by digest, and none of the hub's own volumes."""
    (line,) = container(desired())["Env"]
    name, _, text = line.partition("=")
    allowed = policy.load({name: text})
    assert (allowed.service, allowed.images, allowed.networks) == ("jupyterhub", (IMAGE,), ("jupyter",))
    assert allowed.reserved == ("jupyterhub-data", "jupyterhub-engine")
    assert json.loads(text)["home"]["type"] == "volume"


@pytest.mark.parametrize(
    ("wanted", "found", "first", "last"),
    [
        (True, None, ["create"], []),
        (True, desired(), [], []),
        (True, desired(f"quay.io/x@sha256:{'b' * 64}"), ["update"], []),
        (False, desired(), [], ["remove"]),
        (False, None, [], []),
    ],
    ids=["missing", "as wanted", "another image", "not wanted any more", "never wanted"],
)
def test_it_is_there_before_the_hub_needs_it_and_until_none_does(
    wanted: bool, found: dict[str, Any] | None, first: list[str], last: list[str]
) -> None:
    """Nobody notices either."""
    spec, there = desired() if wanted else None, found and {"ID": "s1", "Version": {"Index": 1}, "Spec": found}
    before, after = engine_filter.before(spec, there, MANAGER), engine_filter.after(spec, there, MANAGER)
    assert ([one.verb for one in before], [one.verb for one in after]) == (first, last)
    assert {one.cost for one in (*before, *after)} <= {Cost.NOTHING}


def test_the_filter_has_no_capability() -> None:
    """Docker's socket is root's, and it is root."""
    assert (container(desired())["CapabilityDrop"], "CapabilityAdd" in container(desired())) == (["ALL"], False)
    assert (container(desired())["Privileges"], "User" in container(desired())) == ({"NoNewPrivileges": True}, False)
