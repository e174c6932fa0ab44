"""A deploy from a bundle: what is loaded, what follows from that, and what a bundle that does not fit is refused for."""

import gzip
import io
import json
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from invoke.config import Config
from invoke.context import Context

from swarmhub.deploy import steps
from swarmhub.deploy.images import bundled
from swarmhub.errors import StepError
from swarmhub.host import EngineError
from swarmhub.images import bundle, pull
from swarmhub.images.bundle import Bundle, Item
from swarmhub.images.hub import build
from swarmhub.plan.plans import Plan, is_within
from swarmhub.run.run import Run
from swarmhub.settings import Settings
from tests.unit.support.cluster import DIGEST, Hosts
from tests.unit.support.fakes import MANAGER, NOTEBOOK, WORKER1, WORKER2, FakeProgress, Request

NAME = NOTEBOOK.partition(":")[0]
IMAGE = {"Id": f"sha256:{'9' * 64}", "Created": "2026-11-29T12:00:00.1Z", "RootFS": {"Layers": ["sha256:a"]}, "Size": 5}
OTHER = {**IMAGE, "Id": f"sha256:{'8' * 64}", "Created": "2026-10-01T12:00:00.1Z"}
FROM_REGISTRY = {"RepoDigests": [f"{NAME}@{DIGEST}"]}


def item(name: str, *, is_built: bool = False) -> Item:
    """Return an image as a bundle has it."""
    return Item(name, pull.fingerprint(IMAGE), 5, is_built=is_built)


@pytest.fixture
def names(given: Settings) -> tuple[str, ...]:
    """Return what a deploy needs: the notebook's image, the hub's, what that is built on, and certbot's."""
    hub = build.desired(given)
    return (NOTEBOOK, hub.tag, hub.ground.tag if hub.ground else "", given.certs.certbot)


@pytest.fixture
def run(hosts: Hosts, names: tuple[str, ...]) -> Run:
    """Return a run with a bundle of all that, on a deployed cluster that has lost its images and reaches no registry."""
    made = Run(Context(Config()))
    made.__dict__["hosts"] = hosts
    give(made, *names)
    for name, host in hosts.items():
        for image in names:
            host.engine.answers.pop(f"GET /images/{image}/json", None)
        host.engine.answers["GET /version"] = {"Arch": "amd64"}
        host.engine.answers["POST /images/create"] = EngineError(name, 500, "dial tcp: i/o timeout")
    return made


def give(run: Run, *names: str, architecture: str = "amd64", path: str = "b.tar") -> None:
    """Give the run a bundle of these images."""
    images = tuple(item(name, is_built=name.startswith("jupyterhub")) for name in names)
    run.__dict__["bundle"] = Bundle(Path(path), architecture, "2026-11-29T12:00:00+00:00", 5, "", images)


def hold(hosts: Hosts, image: dict[str, Any], *names: str, on: tuple[str, ...] = (MANAGER,)) -> None:
    """Let nodes hold images."""
    for host in on:
        hosts[host].engine.answers |= {f"GET /images/{name}/json": image for name in names}


def every(run: Run) -> dict[str, Plan]:
    """Return the plans by step, none of which may fail."""
    run.look.forget()
    plans = {plan.step: plan for plan in steps.every_plan(run)}
    assert {step: str(plan.error) for step, plan in plans.items() if plan.error} == {}
    return plans


def words(plan: Plan) -> list[str]:
    """Return what a plan does."""
    return [f"{change.verb} {change.what.partition(':')[0]} on {change.host}" for change in plan.changes]


def test_what_the_manager_lacks_is_loaded_and_the_others_get_it_from_there(
    run: Run, hosts: Hosts, names: tuple[str, ...]
) -> None:
    """Nothing is built, pulled or asked of a registry; what is done after the load was shown before it."""
    shown = every(run)
    assert words(shown["bundle"]) == [f"load 4 of its 4 images on {MANAGER}"]
    assert shown["bundle"].changes[0].gist == f"{NOTEBOOK}, {', '.join(names[1:])} from b.tar, made 2026-11-29"
    assert words(shown["images"]) == [f"bring image {NAME} on {host}" for host in (WORKER1, WORKER2)]
    assert shown["build-hub"].changes == ()
    hold(hosts, IMAGE, *names)
    after = every(run)
    assert (after["bundle"].changes, after["bundle"].summary) == ((), "the manager holds all that b.tar has for these settings")
    assert [change.gist for change in after["images"].changes] == [f"{'9' * 12} from {MANAGER}"] * 2
    assert [is_within(after[step], shown[step]) for step in ("images", "placement", "service")] == [True] * 3
    asked = [call for host in hosts.values() for call in host.engine.asked()]
    assert [call for call in asked if "/distribution" in call or call.startswith("POST")] == []


def test_afterwards_a_deploy_without_the_bundle_has_nothing_to_bring(run: Run, hosts: Hosts, names: tuple[str, ...]) -> None:
    """All nodes know the image by its id, and no registry is asked."""
    hold(hosts, IMAGE, *names)
    hold(hosts, IMAGE, NOTEBOOK, on=(WORKER1, WORKER2))
    run.__dict__["bundle"] = None
    assert steps.images_plan(run, tuple(hosts)).changes == ()
    assert steps.wanted_images(run, tuple(hosts)) == {NOTEBOOK: IMAGE["Id"]}


def test_what_came_from_a_registry_stays_as_it_is_if_it_is_the_same(run: Run, hosts: Hosts, names: tuple[str, ...]) -> None:
    """The hub goes on with its digest: nothing is loaded, and nothing restarts."""
    hold(hosts, IMAGE, *names)
    hold(hosts, IMAGE | FROM_REGISTRY, NOTEBOOK, on=tuple(hosts))
    plans = every(run)
    assert [plans[step].changes for step in ("bundle", "images", "service")] == [(), (), ()]
    assert steps.wanted_images(run, tuple(hosts)) == {NOTEBOOK: DIGEST}


def test_a_newer_image_in_the_bundle_takes_the_place_of_what_nodes_hold(run: Run, hosts: Hosts, names: tuple[str, ...]) -> None:
    """Though it is by the same tag, and most nodes hold the one from before."""
    hold(hosts, IMAGE, *names[1:])
    hold(hosts, OTHER | FROM_REGISTRY, NOTEBOOK, on=tuple(hosts))
    assert words(every(run)["bundle"]) == [f"load 1 of its 4 images on {MANAGER}"]
    hold(hosts, IMAGE, NOTEBOOK)
    assert words(every(run)["images"]) == [f"bring image {NAME} on {host}" for host in (WORKER1, WORKER2)]
    assert steps.wanted_images(run, tuple(hosts)) == {NOTEBOOK: IMAGE["Id"]}


def test_an_image_that_is_named_by_a_digest_is_known_by_its_tag(run: Run, hosts: Hosts, names: tuple[str, ...]) -> None:
    """No registry has told the engine its digest."""
    pinned = f"{NAME}@{DIGEST}"
    notebook = run.settings.notebook.model_copy(update={"image": pinned})
    run.__dict__["settings"] = run.settings.model_copy(update={"notebook": notebook})
    give(run, pinned, *names[1:])
    assert words(steps.bundle_plan(run)) == [f"load 4 of its 4 images on {MANAGER}"]
    hold(hosts, IMAGE, *names[1:], f"{NAME}:sha256-{'a' * 64}")
    run.look.forget()
    assert steps.bundle_plan(run).changes == ()
    assert steps.wanted_images(run, tuple(hosts)) == {pinned: IMAGE["Id"]}
    assert [change.host for change in steps.images_plan(run, tuple(hosts)).changes if change.verb == "bring"] == [
        WORKER1,
        WORKER2,
    ]


def test_another_userlist_is_built_on_what_the_bundle_has(run: Run, names: tuple[str, ...]) -> None:
    """The hub's packages are in it; all else goes into the image from here."""
    give(run, NOTEBOOK, *names[2:])
    plans = every(run)
    assert words(plans["bundle"]) == [f"load 3 of its 3 images on {MANAGER}"]
    assert words(plans["build-hub"]) == [f"build jupyterhub on {MANAGER}"]


@pytest.mark.parametrize(
    ("kept", "architecture", "said"),
    [
        ((1, 2, 3), "amd64", rf"b\.tar lacks {NOTEBOOK}, which these settings want, and so does this manager\. Make it again"),
        ((0, 3), "amd64", r"b\.tar lacks jupyterhub:[0-9a-f]+, jupyterhub-packages:[0-9a-f]+, which these settings want"),
        ((0, 1, 2), "amd64", r"b\.tar lacks certbot/certbot:\S+, which these settings want"),
        ((0, 1, 2, 3), "arm64", r"is amd64, and b\.tar is for arm64\. Make one on a manager that is amd64: fab bundle"),
    ],
    ids=["no notebook", "of another release", "no certbot", "architecture"],
)
def test_a_bundle_that_does_not_fit_is_refused(
    run: Run, names: tuple[str, ...], kept: tuple[int, ...], architecture: str, said: str
) -> None:
    """Before anything is changed, with what it lacks and what to do."""
    give(run, *(names[one] for one in kept), architecture=architecture)
    with pytest.raises(StepError, match=said):
        steps.bundle_plan(run)


def test_what_a_node_holds_need_not_be_in_the_bundle(run: Run, hosts: Hosts, names: tuple[str, ...]) -> None:
    """A worker gives it to the others."""
    give(run, *names[1:])
    hold(hosts, IMAGE, NOTEBOOK, on=(WORKER2,))
    assert words(every(run)["images"]) == [f"bring image {NAME} on {host}" for host in (MANAGER, WORKER1)]


def saving(*names: str) -> Callable[[Request], list[bytes]]:
    """Return how an engine answers who saves images: it says only then what it was asked for."""

    def save(request: Request) -> list[bytes]:
        assert request.params["names"] == [*names]
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as tar:
            content = json.dumps([{"Config": "c", "Layers": [], "RepoTags": [name]} for name in names]).encode()
            entry = tarfile.TarInfo("manifest.json")
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
        return [packed.getvalue()]

    return save


def test_a_bundle_has_all_that_a_deploy_needs_and_is_loaded_as_it_was_saved(
    run: Run, hosts: Hosts, names: tuple[str, ...], tmp_path: Path
) -> None:
    """In one archive, so that what images share is in it once; what has been loaded is looked at."""
    engine, path = hosts[MANAGER].engine, tmp_path / "b.tar"
    engine.answers["GET /images/get"] = saving(*names)
    with pytest.raises(StepError, match=r"holds no .*, which goes into the bundle"):
        bundled.make(run, path)
    hold(hosts, IMAGE, *names)
    assert bundled.make(run, path).startswith(f"{path}: 4 images for amd64, 0 MB, SHA-256 of them ")
    made = bundle.read(path)
    whole = [item(name, is_built=name.startswith("jupyterhub")) for name in names]
    assert made.images == tuple(replace(one, files=("c",)) for one in whole)

    run.__dict__["bundle"] = made
    for name in names:
        del engine.answers[f"GET /images/{name}/json"]
    run.look.forget()
    (change,) = steps.bundle_plan(run).changes
    with pytest.raises(StepError, match=f"has taken {path}, and holds no {NOTEBOOK} of it"):
        change.apply(hosts[MANAGER], FakeProgress())
    engine.answers["POST /images/load"] = StepError(MANAGER, "the connection broke: Socket is closed", "Run it again")
    with pytest.raises(StepError, match=r"stopped taking the images: the connection broke: .*\. Is its disk full\?"):
        change.apply(hosts[MANAGER], FakeProgress())
    del engine.answers["POST /images/load"]
    engine.requests.clear()
    hold(hosts, IMAGE, *names)
    progress = FakeProgress()
    change.apply(hosts[MANAGER], progress)
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(engine.sent("POST /images/load").body))) as tar:
        assert tar.getnames() == ["manifest.json"]
    assert progress.amounts[-1] == (MANAGER, made.size, made.size)


def test_certbot_by_a_digest_goes_into_no_bundle(run: Run) -> None:
    """It would be asked for by that digest where no registry answers; it is told where there is one."""
    certs = run.settings.certs.model_copy(update={"image": f"certbot/certbot:v5.1.0@{DIGEST}"})
    run.__dict__["settings"] = run.settings.model_copy(update={"certs": certs})
    with pytest.raises(
        StepError, match=r"no engine knows certbot/certbot:v5\.1\.0@sha256:a+ by its digest .* Name certs\.image"
    ):
        bundled.certbot_plan(run)


def test_an_image_of_a_digest_is_saved_by_a_tag_that_goes_again(
    run: Run, hosts: Hosts, names: tuple[str, ...], tmp_path: Path
) -> None:
    """Engines save what is named by a digest without any name."""
    pinned, tag = f"{NAME}@{DIGEST}", f"{NAME}:sha256-{'a' * 64}"
    notebook = run.settings.notebook.model_copy(update={"image": pinned})
    run.__dict__["settings"] = run.settings.model_copy(update={"notebook": notebook})
    engine = hosts[MANAGER].engine
    hold(hosts, IMAGE, pinned, *names[1:])
    engine.answers["GET /images/get"] = saving(tag, *names[1:])
    bundled.make(run, tmp_path / "b.tar")
    assert engine.sent(f"POST /images/{pinned}/tag").params == {"repo": NAME, "tag": f"sha256-{'a' * 64}"}
    assert engine.asked("DELETE") == [f"DELETE /images/{tag}"]
