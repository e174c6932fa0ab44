"""What the registries have that is newer, in words."""

from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from swarmhub.deploy.images import newer
from swarmhub.errors import StepError, StepErrors
from swarmhub.images.builder import Recipe
from swarmhub.images.pull import Held
from swarmhub.run.run import Run
from swarmhub.settings import Settings
from tests.unit.support.fakes import EXTRA, MANAGER, NOTEBOOK, WORKER1, FakeHost, server_of, settings

OLD, NEW = f"sha256:{'a' * 64}", f"sha256:{'b' * 64}"
AWAY = StepError(MANAGER, "its registry does not give it: no such host", "Check the name")


@dataclass
class FakeLook:
    """What two nodes hold, and what the registries say."""

    digests: dict[str, str | StepError]
    held: dict[str, Held | None] = field(default_factory=dict)

    def registry_digest(self, image: str) -> str:
        found = self.digests[image]
        if isinstance(found, StepError):
            raise found
        return found

    def present(self) -> tuple[str, ...]:
        return (MANAGER, WORKER1)

    def images(self, hosts: tuple[str, ...]) -> dict[str, Any]:
        return dict.fromkeys(hosts, self.held)


@dataclass
class FakeRun:
    """A run with such a look, on a manager on which Ada works."""

    look: FakeLook
    settings: Settings
    manager: str = MANAGER
    recipes: tuple[Recipe, ...] = ()

    @property
    def hosts(self) -> dict[str, FakeHost]:
        found = server_of("ada")
        found["Spec"]["TaskTemplate"]["ContainerSpec"]["Image"] = f"registry/x@{OLD}"
        task = {
            "ServiceID": found["ID"],
            "NodeID": "n1",
            "CreatedAt": "1",
            "Status": {"State": "running", "Timestamp": found["CreatedAt"]},
        }
        return {MANAGER: FakeHost(MANAGER, {"GET /services": [found], "GET /tasks": [task]})}


def run(digests: dict[str, str | StepError], *images: str, held: str = OLD) -> Run:
    """Return a run with these images."""
    given = settings(notebook={"image": images[0]}, profiles=[{"name": one, "image": one} for one in images[1:]])
    return cast(Run, FakeRun(FakeLook(digests, dict.fromkeys(images, Held("i", frozenset({held})))), given))


def test_only_tags_are_asked_about() -> None:
    """A digest cannot move."""
    pinned = f"{EXTRA}@{OLD}"
    assert newer.ask(run({NOTEBOOK: NEW}, NOTEBOOK, pinned)) == {NOTEBOOK: NEW}
    assert newer.ask(run({}, pinned)) == {}


def test_a_registry_that_does_not_answer_leaves_its_images_as_they_are() -> None:
    """With the reason; if none answers, that is the end."""
    asked = run({NOTEBOOK: AWAY, EXTRA: OLD}, NOTEBOOK, EXTRA)
    found = newer.ask(asked)
    assert newer.told(asked, found, newer.bases(asked, found)) == [
        f"{NOTEBOOK} stays as it is: {AWAY.cause}",
        f"{EXTRA} is the newest",
    ]
    with pytest.raises(StepErrors, match="no such host"):
        newer.ask(run({NOTEBOOK: AWAY}, NOTEBOOK))


def test_who_works_on_the_old_image_is_named() -> None:
    """They go on with it; it is the next start that has the new one."""
    asked = run({NOTEBOOK: NEW}, NOTEBOOK)
    found = newer.ask(asked)
    assert newer.told(asked, found, newer.bases(asked, found)) == [
        f"{NOTEBOOK} has moved: {'a' * 12} → {'b' * 12}",
        f"until their servers start again, these work on {'a' * 12}: ada",
    ]


def test_an_image_that_no_node_holds_yet_has_no_old_one() -> None:
    """There is nobody to name."""
    asked = run({NOTEBOOK: NEW}, NOTEBOOK)
    cast(FakeRun, asked).look.held = {NOTEBOOK: None}
    found = newer.ask(asked)
    assert newer.told(asked, found, newer.bases(asked, found)) == [f"{NOTEBOOK} has moved: {'b' * 12}"]


def test_of_a_built_image_it_is_what_it_is_built_on_that_moves() -> None:
    """No registry has the image itself; it is built again on the newest."""
    recipe = Recipe("hub-notebook:1", {"Dockerfile": b"ARG BASE\nFROM ${BASE}"}, EXTRA)
    asked = run({EXTRA: NEW}, recipe.tag)
    cast(FakeRun, asked).recipes = (recipe,)
    found = newer.ask(asked)
    assert found == {EXTRA: NEW}
    assert newer.moved(found, newer.bases(asked, found)) == {EXTRA: NEW}
    assert newer.told(asked, found, newer.bases(asked, found)) == [
        f"{EXTRA} has moved: {'b' * 12}",
        f"{recipe.tag} is built again, on the newest {EXTRA}",
    ]
