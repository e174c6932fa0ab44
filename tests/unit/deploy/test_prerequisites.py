"""What the service stands on, and what is said when a step before it has not been done."""

from collections.abc import Callable
from typing import Any

import pytest

from swarmhub.deploy import prerequisites
from swarmhub.errors import StepError, StepErrors
from swarmhub.images.hub import build
from swarmhub.plan.plans import Change, Plan
from swarmhub.run.look import Look
from swarmhub.settings import Settings
from tests.unit.support.cluster import DIGEST, NETWORK, Hosts
from tests.unit.support.fakes import DOMAIN, EXTRA, MANAGER, NOTEBOOK, WORKER1, WORKER2, with_extra


def require(given: Settings, hosts: Hosts) -> Any:
    """Return what the service stands on there."""
    return prerequisites.require(given, Look(given, hosts, MANAGER), MANAGER)


def test_all_that_the_service_stands_on_is_returned(given: Settings, hosts: Hosts) -> None:
    """Node, network, images and cluster are named so that they cannot be mistaken for others."""
    parts = require(given, hosts)
    assert {DOMAIN in argv[-1] for argv in hosts[MANAGER].ran} == {True}
    assert (parts.node, parts.network, parts.cluster) == ("n1", NETWORK, "cluster")
    assert (parts.hub_image, parts.images[NOTEBOOK]) == (
        build.desired(given).tag,
        f"quay.io/jupyter/base-notebook@{DIGEST}",
    )


def without_image(*names: str) -> Callable[[Hosts], None]:
    """Take the notebook image off these hosts."""

    def take(hosts: Hosts) -> None:
        for name in names:
            del hosts[name].engine.answers[f"GET /images/{NOTEBOOK}/json"]

    return take


def another_image(hosts: Hosts) -> None:
    """Give a worker another image of that name."""
    answer = {"Id": "sha256:x", "RepoDigests": [f"quay.io/jupyter/base-notebook@sha256:{'b' * 64}"]}
    hosts[WORKER1].engine.answers[f"GET /images/{NOTEBOOK}/json"] = answer


def unlabelled(hosts: Hosts) -> None:
    """Take a worker's labels away."""
    hosts[MANAGER].engine.answers["GET /nodes"][1]["Spec"]["Labels"] = {}


def unreachable(*names: str) -> Callable[[Hosts], None]:
    """Let these hosts not answer for their image."""

    def cut(hosts: Hosts) -> None:
        for name in names:
            hosts[name].engine.answers[f"GET /images/{NOTEBOOK}/json"] = StepError(name, "cannot reach it", "Is it up?")

    return cut


@pytest.mark.parametrize(
    ("undo", "said"),
    [
        (
            lambda hosts: hosts[MANAGER].engine.answers.update({"GET /networks": []}),
            "no network jupyter. Create it first: fab network",
        ),
        (
            lambda hosts: hosts[MANAGER].engine.answers.pop("GET /volumes/jupyterhub-data"),
            "no volume jupyterhub-data. Create it first: fab volume",
        ),
        (lambda hosts: hosts[MANAGER].commands.clear(), "no certificate yet. Get it first: fab certs"),
        (another_image, f"not the same {NOTEBOOK} on every node: {WORKER1} differ. First: fab prepull-all"),
        (without_image(WORKER2), f"{WORKER2}: not the same {NOTEBOOK} on every node: {WORKER2} differ"),
        (without_image(MANAGER, WORKER1, WORKER2), f"not the same {NOTEBOOK} on every node"),
        (unlabelled, f"{WORKER1}: the swarm does not know which images it holds. First: fab prepull-all"),
        (unreachable(WORKER1), f"not the same {NOTEBOOK} on every node: {WORKER1} differ"),
    ],
    ids=["network", "volume", "certificate", "another image", "no image", "no image anywhere", "unlabelled", "unreachable"],
)
def test_a_step_that_has_not_been_done_is_named(
    given: Settings, hosts: Hosts, undo: Callable[[Hosts], object], said: str
) -> None:
    """The error says what is missing, where, and which step makes it."""
    undo(hosts)
    with pytest.raises(StepError) as error:
        require(given, hosts)
    assert said in str(error.value)


def test_every_image_is_required(given: Settings, hosts: Hosts) -> None:
    """A profile's image that a node lacks is named as the first one would be."""
    with pytest.raises(StepError, match=f"not the same {EXTRA} on every node"):
        require(with_extra(given), hosts)


def test_a_hub_image_that_is_not_built_is_named_with_its_tag(given: Settings, hosts: Hosts) -> None:
    """A userlist that has changed since the last build needs one; what it will be called is known before."""
    given.hub.userlist.write_text("ada admin\ngrace\n")
    tag = build.desired(given).tag
    assert foresee(given, hosts).hub_image == tag
    with pytest.raises(StepError, match=f"there is no image {tag}. Build it first: fab build-hub"):
        require(given, hosts)


def test_where_no_node_answers_each_one_says_why(given: Settings, hosts: Hosts) -> None:
    """With no node to ask, the nodes' own errors are told, and not that their images differ."""
    unreachable(MANAGER, WORKER1, WORKER2)(hosts)
    with pytest.raises(StepErrors, match="cannot reach it"):
        require(given, hosts)


def test_a_manager_in_no_swarm_comes_first(given: Settings, hosts: Hosts) -> None:
    """Without a swarm nothing else is worth asking for."""
    swarm = {"NodeID": "", "LocalNodeState": "inactive", "ControlAvailable": False}
    hosts[MANAGER].engine.answers["GET /info"] = {"ServerVersion": "29.0.1", "Swarm": swarm}
    with pytest.raises(StepError, match="is in no swarm"):
        require(given, hosts)


CHANGE = Change("make", "it", MANAGER, lambda *_: None)


def foresee(given: Settings, hosts: Hosts, *changing: str) -> Any:
    """Return what the service will stand on when the steps that have something to do are done."""
    before = {step: Plan(step, "", (CHANGE,) * (step in changing)) for step in ("network", "volume", "certs", "images")}
    return prerequisites.foresee(given, Look(given, hosts, MANAGER), MANAGER, before, {NOTEBOOK: DIGEST})


def test_where_all_is_there_what_is_foreseen_is_what_is_required(given: Settings, hosts: Hosts) -> None:
    """A deploy with nothing to do plans the service as it is."""
    assert foresee(given, hosts) == require(given, hosts)


@pytest.mark.parametrize(
    ("changing", "field", "value"),
    [
        ("network", "network", "known after network"),
        ("certs", "certificate", "known after certs"),
        ("images", "images", {NOTEBOOK: f"quay.io/jupyter/base-notebook@{DIGEST}"}),
    ],
)
def test_what_a_step_makes_anew_is_open_until_then(
    given: Settings, hosts: Hosts, changing: str, field: str, value: object
) -> None:
    """An id and a fingerprint cannot be known before; the image's digest can."""
    assert getattr(foresee(given, hosts, changing), field) == value


def test_what_is_not_there_is_open_though_its_step_refuses(given: Settings, hosts: Hosts) -> None:
    """A step that cannot be planned has no change: what it would make is open all the same."""
    hosts[MANAGER].engine.answers["GET /networks"] = []
    hosts[MANAGER].commands.clear()
    parts = foresee(given, hosts)
    assert (parts.network, parts.certificate) == ("known after network", "known after certs")


def test_an_image_that_no_registry_knows_is_foreseen_by_its_id(given: Settings, hosts: Hosts) -> None:
    """It is the same on every node by that."""
    image = f"sha256:{'c' * 64}"
    for host in hosts.values():
        host.engine.answers[f"GET /images/{NOTEBOOK}/json"] = {"Id": image, "RepoDigests": []}
    before = {step: Plan(step, "") for step in ("network", "certs", "images")}
    parts = prerequisites.foresee(given, Look(given, hosts, MANAGER), MANAGER, before, {NOTEBOOK: image})
    assert parts.images[NOTEBOOK] == image
