"""What a prune removes, and what it leaves."""

from pathlib import Path
from typing import Any

import pytest

from swarmhub.host import EngineError
from swarmhub.images.builder import Recipe
from swarmhub.images.pull import kept
from swarmhub.plan.plans import Plan
from swarmhub.settings import Settings
from swarmhub.teardown import leftovers, prune
from swarmhub.teardown.prune import Needed, Stored
from tests.unit.support.fakes import DOMAIN, MANAGER, NOTEBOOK, WORKER1, FakeHost, FakeProgress, settings

HUB = "jupyterhub"
HELD, OLD = "a" * 12, "b" * 12
REPOSITORY = NOTEBOOK.partition(":")[0]
KEPT = Needed(
    tags=frozenset({NOTEBOOK, f"{HUB}:{HELD}"}),
    digests=frozenset({HELD}),
    repositories=frozenset({REPOSITORY}),
    files=frozenset({f"{HUB}-settings-{HELD}"}),
)
NOW = 1_000_000.0
OLD_TAG = f"{HUB}:{OLD}"


def image(id_: str, *tags: str, digests: tuple[str, ...] = (), labels: dict[str, str] | None = None) -> dict[str, Any]:
    """Return an image as an engine lists it."""
    return {"Id": id_, "RepoTags": list(tags), "RepoDigests": list(digests), "Labels": labels, "Size": 7_000_000}


def container(id_: str, image_id: str = "x", age: float = 0, **labels: str) -> dict[str, Any]:
    """Return a container as an engine lists it."""
    return {"Id": id_, "Names": [f"/{id_}"], "ImageID": image_id, "Labels": labels, "Created": NOW - age}


def config(name: str, **labels: str) -> dict[str, Any]:
    """Return a config as the swarm lists it."""
    return {
        "ID": f"id-of-{name}",
        "Spec": {"Name": name, "Labels": {name.replace("_", "."): it for name, it in labels.items()}},
    }


def planned(*images: Any, containers: Any = (), configs: Any = (), given: Settings | None = None) -> Plan:
    """Return the plan for a node with these images and containers, and a swarm with these configs."""
    stored = Stored(images, containers, NOW)
    return prune.plan(given or settings(), KEPT, {WORKER1: stored}, configs, MANAGER)


def removed(*images: Any, containers: Any = (), configs: Any = ()) -> list[str]:
    """Return what goes, and from where."""
    return [f"{one.what} on {one.host}" for one in planned(*images, containers=containers, configs=configs).changes]


@pytest.mark.parametrize(
    ("one", "goes"),
    [
        (image("i", OLD_TAG), OLD_TAG),
        (image("i", f"{HUB}-proxy:{OLD}"), f"{HUB}-proxy:{OLD}"),
        (image("i", f"{HUB}_firewall:{OLD}"), f"{HUB}_firewall:{OLD}"),
        (image("i", f"{HUB}_transfer:{OLD}"), f"{HUB}_transfer:{OLD}"),
        (image("i", f"{REPOSITORY}:2023"), f"{REPOSITORY}:2023"),
        (image("sha256:" + OLD, leftovers.UNTAGGED, digests=(f"{REPOSITORY}@sha256:{'e' * 64}",)), OLD),
        (image("sha256:" + OLD, labels={"swarmhub.image": "hub"}), OLD),
        (image("i", f"{HUB}:{HELD}"), ""),
        (image("i", NOTEBOOK), ""),
        (image("sha256:" + HELD, f"{REPOSITORY}:2023"), ""),
        (image("i", f"{REPOSITORY}:2023", digests=(f"{REPOSITORY}@sha256:{HELD}",)), ""),
        (image("i", OLD_TAG, "theirs:1"), ""),
        (image("i", "theirs:1"), ""),
        (image("i", f"{HUB}-two:{OLD}"), ""),
        (image("i", f"{HUB}:mine"), ""),
        (image("sha256:" + OLD), ""),
        (image("i", kept(OLD)), kept(OLD)),
        (image("i", kept(HELD)), ""),
        (image("i", kept(OLD), "theirs:1"), ""),
    ],
    ids=[
        "a hub's",
        "a proxy's",
        "a firewall's",
        "a transfer's",
        "an old version of a notebook image",
        "one whose tag has moved on",
        "what an interrupted build has left",
        "the hub's that runs",
        "the settings' own",
        "a release's, by id",
        "a release's, by digest",
        "somebody's name for it",
        "somebody's",
        "another hub's",
        "a tag that we do not set",
        "somebody's without a tag",
        "one that was known by its content",
        "a release's, by its content",
        "somebody's name for one that was known by its content",
    ],
)
def test_images_go_that_are_ours_and_not_needed(one: Any, goes: str) -> None:
    """By tag, digest, id or label; any name of somebody else's keeps an image."""
    assert removed(one) == ([f"image {goes} (7 MB) on {WORKER1}"] if goes else [])


def test_an_image_with_two_of_our_names_goes_by_both() -> None:
    """The last one frees its bytes."""
    assert removed(image("i", OLD_TAG, f"{HUB}:{'c' * 12}")) == [
        f"image {OLD_TAG} on {WORKER1}",
        f"image {HUB}:{'c' * 12} (7 MB) on {WORKER1}",
    ]


@pytest.mark.parametrize(
    ("age", "labels", "goes"), [(7200, {"swarmhub": "certs"}, True), (5, {"swarmhub": "certs"}, False), (7200, {}, False)]
)
def test_a_container_that_a_killed_run_has_left_goes_with_its_image(age: float, labels: dict[str, str], goes: bool) -> None:
    """One that may be in use, or is not ours, stays, and so does its image."""
    found = removed(image("i", OLD_TAG), containers=[container("c", "i", age, **labels)])
    assert found == ([f"container c on {WORKER1}", f"image {OLD_TAG} (7 MB) on {WORKER1}"] if goes else [])


@pytest.mark.parametrize(
    ("one", "goes"),
    [
        (config(f"{HUB}-settings-{OLD}", swarmhub_file="/x", swarmhub_service=HUB), True),
        (config(f"{HUB}-settings-{HELD}", swarmhub_file="/x", swarmhub_service=HUB), False),
        (config(f"{HUB}-two-settings", swarmhub_file="/x", swarmhub_service=f"{HUB}-two"), False),
        (config(f"{HUB}-release-1", swarmhub_release=HUB), False),
        (config("theirs"), False),
    ],
    ids=["an old one", "needed", "another hub's", "a release", "somebody's"],
)
def test_files_of_services_go_that_no_service_or_release_has(one: Any, goes: bool) -> None:
    """Records of releases, homes and history are no files of services, and stay."""
    assert removed(configs=[one]) == ([f"config {one['Spec']['Name']} on {MANAGER}"] if goes else [])


def service(image: str) -> dict[str, Any]:
    """Return a service as the swarm lists it."""
    reference = {"ConfigName": "theirs-file", "File": {"Name": "/x"}}
    labels = {"swarmhub.backup": "of-its-backups"}
    template = {"ContainerSpec": {"Image": image, "Configs": [reference]}}
    return {"Spec": {"Name": "a", "Labels": labels, "TaskTemplate": template}}


def test_what_the_settings_and_any_service_of_the_swarm_name_is_needed(tmp_path: Path) -> None:
    """Somebody's service that runs nowhere just now finds its image and its config again."""
    plugin = {"Spec": {"Name": "p", "TaskTemplate": {"PluginSpec": {}}}}
    (tmp_path / "userlist").write_text("ada admin\n")
    given = settings(hub={"domain": DOMAIN, "userlist": str(tmp_path / "userlist")})
    found = prune.needed(given, (), [service(f"docker.io/library/web:1@sha256:{'d' * 64}"), plugin])
    assert {NOTEBOOK, "web:1", "library/web:1", "debian:trixie-slim", "certbot/certbot:v5.1.0"} <= found.tags
    assert any(tag.startswith(f"{HUB}-proxy:") for tag in found.tags)
    assert ("d" * 12 in found.digests, found.files) == (True, frozenset({"theirs-file", "of-its-backups"}))


def test_what_was_brought_of_an_image_that_is_named_by_its_digest_is_needed(tmp_path: Path) -> None:
    """From a bundle or another node it has a tag that says the digest, and the digest that a registry would tell it has not."""
    (tmp_path / "userlist").write_text("ada admin\n")
    named = f"docker.io/jupyter/own:1@sha256:{'d' * 64}"
    given = settings(hub={"domain": DOMAIN, "userlist": str(tmp_path / "userlist")}, notebook={"image": named})
    stored = Stored((image("i", f"jupyter/own:sha256-{'d' * 64}"), image("j", f"jupyter/own:sha256-{'e' * 64}")), (), NOW)
    plan = prune.plan(given, prune.needed(given, (), ()), {WORKER1: stored}, (), MANAGER)
    assert [one.sentence for one in plan.changes] == [f"remove image jupyter/own:sha256-{'e' * 64} (7 MB) on {WORKER1}"]


def test_what_is_used_again_meanwhile_stays() -> None:
    """A conflict is told and ends nothing; another error does."""
    path = f"DELETE /images/{OLD_TAG}"
    (change,) = planned(image("i", OLD_TAG)).changes
    said = FakeProgress()
    change.apply(FakeHost(WORKER1, {path: EngineError(WORKER1, 409, "is being used")}), said)
    assert said.lines == [(WORKER1, f"image {OLD_TAG} stays: is being used")]
    with pytest.raises(EngineError, match="no space"):
        change.apply(FakeHost(WORKER1, {path: EngineError(WORKER1, 500, "no space")}), said)


def test_what_is_kept_of_an_image_that_was_not_brought_to_its_end_goes() -> None:
    """No other volume goes, nor another hub's."""
    stored = Stored((), (), NOW, (f"{HUB}_transfer", "other_transfer", f"{HUB}-data"))
    plan = prune.plan(settings(), KEPT, {WORKER1: stored}, (), MANAGER)
    assert [one.sentence for one in plan.changes] == [f"remove volume {HUB}_transfer on {WORKER1}"]


def test_a_volume_of_that_name_is_ours_by_its_label() -> None:
    """A stack called like the hub may have a volume `transfer`."""
    listed = [{"Name": f"{HUB}_transfer", "Labels": labels} for labels in (None, {"com.docker.stack.namespace": HUB})]
    listed.append({"Name": "kept", "Labels": {"swarmhub.service": HUB}})
    answers = {"GET /images/json": [], "GET /containers/json": [], "GET /volumes": {"Volumes": listed}}
    assert prune.observe(FakeHost(WORKER1, answers)).volumes == ("kept",)


def test_what_images_are_built_on_is_needed(tmp_path: Path) -> None:
    """A build that nobody needs goes; what the next one is built on stays, and older versions go of what hosts.toml names.

    What a Dockerfile names others may have pulled, too.
    """
    (tmp_path / "userlist").write_text("ada admin\n")
    given = settings(hub={"domain": DOMAIN, "userlist": str(tmp_path / "userlist")})
    on = Recipe(f"{HUB}-notebook:1", {"Dockerfile": b"ARG BASE\nFROM ${BASE}\n"}, "example.org/base:1")
    own = Recipe(f"{HUB}-notebook-own:1", {"Dockerfile": b"FROM debian:13\n"}, "")
    found = prune.needed(given, (), (), [on, own])
    assert {"example.org/base:1", "debian:13"} <= found.tags
    assert {"example.org/base", "debian"} & found.repositories == {"example.org/base"}
    for name in (f"{HUB}-notebook:{'c' * 12}", f"{HUB}-notebook-deep-learning:{'c' * 12}"):
        assert removed(image("i", name)) == [f"image {name} (7 MB) on {WORKER1}"]
