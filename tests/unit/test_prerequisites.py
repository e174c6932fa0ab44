"""What the service stands on, and what is said when a step before it has not been done."""

from collections.abc import Callable
from typing import Any

import pytest

from swarmhub import hub_image, prerequisites
from swarmhub.errors import StepError, StepErrors
from swarmhub.look import Look
from swarmhub.settings import Settings
from tests.unit.cluster import DIGEST, NETWORK, Hosts
from tests.unit.fakes import DOMAIN, MANAGER, NOTEBOOK, WORKER1, WORKER2


def require(given: Settings, hosts: Hosts) -> Any:
    """Return what the service stands on there."""
    return prerequisites.require(given, Look(given, hosts, MANAGER), MANAGER)


def test_all_that_the_service_stands_on_is_returned(given: Settings, hosts: Hosts) -> None:
    """Node, network, images and cluster are named so that they cannot be mistaken for others."""
    parts = require(given, hosts)
    assert (parts.node, parts.network, parts.cluster) == ("n1", NETWORK, "cluster")
    assert (parts.hub_image, parts.notebook_image) == (
        hub_image.desired(given).tag,
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
        (unreachable(WORKER1), f"not the same {NOTEBOOK} on every node: {WORKER1} differ"),
    ],
    ids=["network", "volume", "certificate", "another image", "no image", "no image anywhere", "unreachable"],
)
def test_a_step_that_has_not_been_done_is_named(
    given: Settings, hosts: Hosts, undo: Callable[[Hosts], object], said: str
) -> None:
    """The error says what is missing, where, and which step makes it."""
    undo(hosts)
    with pytest.raises(StepError) as error:
        require(given, hosts)
    assert said in str(error.value)


def test_a_hub_image_that_is_not_built_is_named_with_its_tag(given: Settings, hosts: Hosts) -> None:
    """A userlist that has changed since the last build needs one."""
    given.hub.userlist.write_text("ada admin\ngrace\n")
    with pytest.raises(StepError, match=f"there is no image {hub_image.desired(given).tag}. Build it first: fab build-hub"):
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


def test_the_certificate_is_that_of_the_domain(given: Settings, hosts: Hosts) -> None:
    """Only files below the domain's own folder are asked for."""
    require(given, hosts)
    assert {DOMAIN in argv[-1] for argv in hosts[MANAGER].ran} == {True}
