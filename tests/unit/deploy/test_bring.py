"""Where a registry does not give an image that another node holds, the node gets it from there."""

from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest

from hub.shared import services
from swarmhub.deploy import bring, on_nodes
from swarmhub.errors import StepError, StepErrors
from swarmhub.images import pull
from swarmhub.images.pull import Held
from swarmhub.plan.plans import Plan
from swarmhub.run.run import Run
from swarmhub.settings import Settings
from tests.unit.support.fakes import EXTRA, MANAGER, NOTEBOOK, WORKER1, WORKER2, FakeHost, FakeProgress, settings

DIGEST, ID = f"sha256:{'a' * 64}", f"sha256:{'1' * 64}"
HAS = Held(ID, frozenset({DIGEST}))
IMAGE = {"Id": ID, "RootFS": {"Layers": ["sha256:a"]}, "RepoTags": [NOTEBOOK], "Architecture": "amd64"}
KNOWN, HOLDING = replace(HAS, content="0f3a5f9a8dda"), {MANAGER: [IMAGE], WORKER1: [IMAGE], WORKER2: []}
CONTAINERD = {"DriverStatus": [["driver-type", "io.containerd.snapshotter.v1"]]}


@dataclass
class FakeLook:
    """What the nodes hold, and the hub's image."""

    held: dict[str, dict[str, Held | None]]

    def images(self, hosts: Any) -> dict[str, Any]:
        return {host: self.held[host] for host in hosts}

    def present(self) -> tuple[str, ...]:
        return tuple(self.held)

    @property
    def builds(self) -> tuple[Any, ...]:
        return (type("Image", (), {"tag": "jupyterhub:1"}),)


@dataclass
class FakeRun:
    """A run on these hosts."""

    look: FakeLook
    hosts: dict[str, FakeHost]
    manager: str = MANAGER
    settings: Settings = field(default_factory=settings)


def host(name: str, *images: dict[str, Any], info: dict[str, Any] | None = None) -> FakeHost:
    """Return a node that keeps these images."""
    named = {f"GET /images/{key}/json": one for one in images for key in (one["Id"], *one["RepoTags"])}
    return FakeHost(name, {"GET /images/json": [*images], "GET /info": info or {}, "GET /version": {"Arch": "amd64"}, **named})


def failed(*nodes: str, image: str = NOTEBOOK) -> StepErrors:
    """Return what pulls that fail raise."""
    return StepErrors(*(StepError(one, f"cannot pull {image}: toomanyrequests", "Wait") for one in nodes))


def run(*hosts: FakeHost, **held: Held | None) -> Run:
    """Return a run in which nodes hold the notebook image so."""
    look = FakeLook({one.name: {NOTEBOOK: held[one.name.rpartition("-")[2]]} for one in hosts})
    return cast(Run, FakeRun(look, {one.name: one for one in hosts}))


def planned(given: Run, error: StepErrors) -> tuple[list[Plan], dict[str, str]]:
    """Plan what is done instead of pulls."""
    return bring.instead(given, error, {NOTEBOOK: DIGEST}, list(given.hosts))


def test_nodes_that_lack_the_image_get_it_from_one_that_holds_it() -> None:
    """All at once, and from then on its id is wanted, which all of them know."""
    given = run(host(MANAGER, IMAGE), host(WORKER1), host(WORKER2), manager1=HAS, worker1=None, worker2=None)
    plans, ids = planned(given, failed(WORKER1, WORKER2))
    assert [change.sentence for plan in plans for change in plan.changes] == [
        f"bring image {NOTEBOOK} on {WORKER1}",
        f"bring image {NOTEBOOK} on {WORKER2}",
    ]
    assert ids == {NOTEBOOK: ID}
    # What the next look finds is the same.
    assert pull.chosen(NOTEBOOK, {MANAGER: HAS, WORKER1: Held(ID, frozenset())}) == ID


def test_a_node_that_is_named_alone_gets_it_from_one_that_is_not() -> None:
    """As with `fab -H HOST prepull`."""
    given = run(host(MANAGER, IMAGE), host(WORKER1), host(WORKER2), manager1=HAS, worker1=None, worker2=None)
    plans, _ = bring.instead(given, failed(WORKER2), {NOTEBOOK: DIGEST}, [WORKER2])
    assert [change.sentence for plan in plans for change in plan.changes] == [f"bring image {NOTEBOOK} on {WORKER2}"]


def test_what_no_node_holds_stays_an_error() -> None:
    """The registry's own words are what the operator reads."""
    given = run(host(MANAGER), host(WORKER1), manager1=None, worker1=None)
    with pytest.raises(StepErrors) as error:
        planned(given, failed(MANAGER, WORKER1))
    assert [one.host for one in error.value.errors] == [MANAGER, WORKER1]


def test_a_node_whose_disk_is_full_gets_nothing_from_others() -> None:
    """It takes as much room as a pull, and would fail of the same, in other words."""
    given = run(host(MANAGER, IMAGE), host(WORKER1), manager1=HAS, worker1=None)
    cause = f"cannot pull {NOTEBOOK}: write /var/lib/docker/tmp/GetImageBlob1: no space left on device"
    with pytest.raises(StepErrors, match="no space left on device"):
        planned(given, StepErrors(StepError(WORKER1, cause, "Free some disk there")))


def test_what_has_failed_besides_stays_an_error() -> None:
    """A build, or the pull of another image."""
    given = run(host(MANAGER, IMAGE), host(WORKER1), manager1=HAS, worker1=None)
    other = StepError(MANAGER, "cannot build jupyterhub:1: no network", "Try again")
    with pytest.raises(StepErrors) as error:
        planned(given, StepErrors(*failed(WORKER1).errors, other, *failed(WORKER1, image=EXTRA).errors))
    assert [one.cause for one in error.value.errors] == [other.cause, f"cannot pull {EXTRA}: toomanyrequests"]


@pytest.mark.parametrize("at", [MANAGER, WORKER1, WORKER2])
def test_where_containerd_keeps_images_of_a_node_all_know_the_image_by_its_content(at: str) -> None:
    """Its ids are others, for the same image; also a node that has it already learns the name."""
    hosts = [host(one, *has, info=CONTAINERD if at == one else None) for one, has in HOLDING.items()]
    plans, ids = planned(run(*hosts, manager1=KNOWN, worker1=KNOWN, worker2=None), failed(WORKER2))
    assert ids == {NOTEBOOK: pull.kept(KNOWN.content)}
    changes = [change for plan in plans for change in plan.changes]
    assert [change.sentence for change in changes] == [
        f"bring image {NOTEBOOK} on {WORKER2}",
        *(f"tag {NOTEBOOK} on {one}" for one in (MANAGER, WORKER1)),
    ]
    changes[1].apply(hosts[0], FakeProgress())
    assert hosts[0].engine.sent(f"POST /images/{NOTEBOOK}/tag").params == {"repo": services.KEPT, "tag": KNOWN.content}


def test_an_image_is_taken_from_an_engine_that_keeps_its_layers_itself_if_there_is_one() -> None:
    """Containerd may have them in a form that cannot be read here."""
    hosts = [host(one, *has, info=CONTAINERD if one == MANAGER else None) for one, has in HOLDING.items()]
    plans, _ = planned(run(*hosts, manager1=KNOWN, worker1=KNOWN, worker2=None), failed(WORKER2))
    assert plans[0].changes[0].gist == f"1 of 1 layers from {WORKER1}"


def test_a_node_that_cannot_be_asked_now_keeps_its_first_error() -> None:
    """What was wrong before is told."""
    broken = FakeHost(WORKER1)
    with pytest.raises(StepErrors, match="toomanyrequests"):
        planned(run(host(MANAGER, IMAGE), broken, manager1=HAS, worker1=None), failed(WORKER1))


def test_the_network_is_as_that_of_the_servers() -> None:
    """Encrypted where that is."""
    given = run(host(MANAGER), manager1=None)
    assert on_nodes.cluster(given).options == {}
    cast(Any, given).settings = settings(network={"encrypted": True, "options": {"x": "1"}})
    assert on_nodes.cluster(given).options == {"encrypted": "", "x": "1"}
