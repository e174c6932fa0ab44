"""The filter's service, and the hub beside it."""

import copy
import json
import re
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from pydantic import SecretStr

from hub.filter import policy
from swarmhub.engine.swarm import configs, specs
from swarmhub.engine.swarm.replicated import LABEL
from swarmhub.errors import StepError
from swarmhub.plan.plans import Cost
from swarmhub.services import engine_filter
from swarmhub.services.hub import service as hub_service
from swarmhub.services.hub.service import SOCKET, Parts
from tests.unit.support.cluster import SECRETS, stored
from tests.unit.support.fakes import DOMAIN, MANAGER, NOTEBOOK, Clock, FakeHost, FakeProgress, alone, settings

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
    text = configs.content(desired(), str(policy.FILE))
    (allowed,) = policy.load(text)
    assert (allowed.service, allowed.images, allowed.networks) == ("jupyterhub", (IMAGE,), ("jupyter",))
    assert allowed.reserved == ("jupyterhub-data", "jupyterhub-engine")
    assert json.loads(text)[0]["home"]["type"] == "volume"


@pytest.mark.parametrize(
    ("wanted", "found", "first", "last"),
    [
        (True, None, ["create"], []),
        (True, desired(), [], []),
        (True, desired(f"quay.io/x@sha256:{'b' * 64}"), ["update"], ["update"]),
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


OLD, NEW = desired(f"quay.io/x@sha256:{'b' * 64}"), desired()


def images(spec: dict[str, Any]) -> list[str]:
    """Return the images that a filter lets servers have, the newest hub's first."""
    policies = policy.load(configs.content(spec, str(policy.FILE)))
    return [image.partition("@sha256:")[2][:1] for one in policies for image in one.images]


def sent(host: FakeHost) -> list[list[str]]:
    """Return what each update has let servers have, by the files that were made for it or before."""
    updates = [one.body for one in host.engine.requests if str(one) == "POST /services/f1/update"]
    return [images(configs.filled(spec, {**stored(OLD, NEW), **configs.files(host)})) for spec in updates]


def filtering(spec: dict[str, Any], hub: dict[str, Any] | None = None) -> FakeHost:
    """Return a manager with a filter, and a hub."""
    there: dict[str, Any] = {"GET /services/jupyterhub-engine": {"ID": "f1", "Version": {"Index": 7}, "Spec": spec}}
    running = {"ID": "t1", "CreatedAt": "1", "DesiredState": "running", "Status": {"State": "running"}, "Spec": {}}
    there |= {"GET /services/jupyterhub": hub} if hub else {}
    host = FakeHost(MANAGER, there | {"GET /tasks": [running]})
    for service in there.values():
        configs.ensure(host, service["Spec"], {LABEL: "jupyterhub"})
        service["Spec"] = configs.bare(service["Spec"])
    return host


def test_while_a_hub_is_replaced_both_may_ask() -> None:
    """Swarm may go back to the one before, whose servers have the old image; afterwards the new one alone may."""
    found = {"ID": "f1", "Version": {"Index": 7}, "Spec": OLD}
    (widen,), (narrow,) = engine_filter.before(NEW, found, MANAGER), engine_filter.after(NEW, found, MANAGER)
    wide = getattr(widen.apply, "wanted")  # noqa: B009
    assert (images(wide), images(getattr(narrow.apply, "wanted"))) == (["a", "b"], ["a"])  # noqa: B009
    again = {**found, "Spec": wide}
    assert engine_filter.before(NEW, again, MANAGER) == []
    assert [images(getattr(one.apply, "wanted")) for one in engine_filter.after(NEW, again, MANAGER)] == [["a"]]  # noqa: B009


HUBS = {name: hub_service.desired(GIVEN, SECRETS, replace(PARTS, images={NOTEBOOK: f"x@sha256:{name * 64}"})) for name in "ab"}


@pytest.mark.parametrize(
    ("hub", "state", "allowed"),
    [
        ("b", "rollback_completed", [["b"]]),
        ("b", None, [["b"]]),
        ("a", "completed", [["a"]]),
        ("a", "updating", []),
        ("a", "paused", []),
    ],
    ids=["Swarm went back", "the hub was not touched", "the hub runs all the same", "it may still come", "nobody knows"],
)
def test_after_a_failure_the_hub_that_runs_alone_may_ask(
    hub: str, state: str | None, allowed: list[list[str]], clock: Clock
) -> None:
    """While Swarm has not settled it, both may."""
    found = {"ID": "f1", "Version": {"Index": 7}, "Spec": OLD}
    (widen,) = engine_filter.before(NEW, found, MANAGER)
    service = {"ID": "h1", "Spec": HUBS[hub]} | ({"UpdateStatus": {"State": state}} if state else {})
    host = filtering(getattr(widen.apply, "wanted"), service)  # noqa: B009
    assert widen.undo is not None
    with suppress(StepError):  # the fake's task never becomes that of the new spec
        widen.undo(host, FakeProgress())
    assert sent(host) == allowed


def test_a_hub_made_by_hand_needs_nothing_of_the_filter(clock: Clock) -> None:
    """A takeover that failed has left the filter; the hub before asks the engine itself, and has no settings of swarmhub's."""
    (widen,) = engine_filter.before(NEW, {"ID": "f1", "Version": {"Index": 7}, "Spec": OLD}, MANAGER)
    by_hand = copy.deepcopy(HUBS["b"])
    container(by_hand).pop("Configs")
    host = filtering(getattr(widen.apply, "wanted"), {"ID": "h1", "Spec": by_hand})  # noqa: B009
    assert widen.undo is not None
    widen.undo(host, FakeProgress())
    assert sent(host) == []


def test_a_filter_that_somebody_has_broken_is_mended() -> None:
    """What is no policy allows nothing that has to stay allowed."""
    broken = copy.deepcopy(OLD)
    broken["TaskTemplate"]["ContainerSpec"]["Configs"][0] |= {"ConfigName": "by-hand", "Data": "nonsense"}
    (change,) = engine_filter.before(NEW, {"ID": "f1", "Version": {"Index": 7}, "Spec": broken}, MANAGER)
    assert images(getattr(change.apply, "wanted")) == ["a"]  # noqa: B009


@pytest.mark.parametrize("text", ["", "[]", "{broken", None], ids=["empty", "none", "broken", "no file"])
def test_the_filter_of_a_hub_is_made_from_the_hub_alone(text: str | None) -> None:
    """A rollback mends a policy that somebody has broken; it is just what a deploy of that hub would make."""
    found = copy.deepcopy(desired())
    (file,) = container(found).pop("Configs")
    container(found)["Configs"] = [] if text is None else [{**file, "Data": text}]
    hub = hub_service.desired(GIVEN, SECRETS, PARTS)
    assert specs.compare(engine_filter.of_hub(hub, {"Spec": found}), desired()) == ()


def test_the_policies_of_an_earlier_release_stay_allowed() -> None:
    """They are in a variable of its filter; the new one has both in its file."""
    earlier = copy.deepcopy(OLD)
    (file,) = container(earlier).pop("Configs")
    container(earlier)["Env"] = [f"SWARMHUB_FILTER={file['Data']}"]
    (change,) = engine_filter.before(NEW, {"ID": "f1", "Version": {"Index": 7}, "Spec": earlier}, MANAGER)
    wide = getattr(change.apply, "wanted")  # noqa: B009
    assert (images(wide), container(wide)["Env"]) == (["a", "b"], [])


MINE, NEWER = SecretStr("eyJh"), SecretStr("eyJi")


def login(given: dict[str, SecretStr], *wanted: str, found: dict[str, Any] | None = None) -> dict[str, str]:
    """Return which logins the filter gets."""
    there = found and {"ID": "s1", "Version": {"Index": 1}, "Spec": found}
    return engine_filter.logins("jupyterhub", "cluster", given, wanted, there)


def test_the_filter_alone_has_the_logins_to_the_images_registries() -> None:
    """As secrets that only root reads; another login is another secret, and an update that costs nobody anything."""
    names = login({"private.lab:5000": MINE, "other.lab": MINE}, "private.lab:5000")
    assert [*names] == ["registry-login.private.lab:5000"]
    (name,) = names.values()
    assert re.fullmatch(r"jupyterhub-login-private\.lab_50-[0-9a-f]{12}", name)
    spec = engine_filter.desired(GIVEN, PARTS, names)
    assert container(spec)["Secrets"] == [
        {"SecretName": name, "File": {"Name": "registry-login.private.lab:5000", "UID": "0", "GID": "0", "Mode": 0o400}}
    ]
    assert name not in str(hub_service.desired(GIVEN, SECRETS, PARTS))
    renewed = engine_filter.desired(GIVEN, PARTS, login({"private.lab:5000": NEWER}, "private.lab:5000"))
    (change,) = engine_filter.before(renewed, {"ID": "s1", "Version": {"Index": 1}, "Spec": spec}, MANAGER)
    assert (change.cost, MINE.get_secret_value() in str(change)) == (Cost.NOTHING, False)


def test_an_operator_without_a_login_leaves_that_of_another_one() -> None:
    """Until no image is of that registry any more; while the filter goes, its secret is still mounted."""
    names = login({"private.lab:5000": MINE}, "private.lab:5000")
    spec = engine_filter.desired(GIVEN, PARTS, names)
    assert login({}, "private.lab:5000", found=spec) == names
    assert (login({}, "quay.io", found=spec), login({}, "quay.io")) == ({}, {})
    there = {"ID": "s1", "Version": {"Index": 1}, "Spec": spec}
    assert engine_filter.needed({}, there, goes=True) == names
    assert engine_filter.needed({}, there, goes=False) == {}
