"""What registries have by a tag now: of notebook images, and who goes on with the one from before; of the hub's base."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import partial

from swarmhub.errors import StepError, StepErrors
from swarmhub.host import EngineError
from swarmhub.images import builder, pull
from swarmhub.images.hub import base as base_room
from swarmhub.images.hub.build import Base
from swarmhub.images.pull import Held
from swarmhub.notebooks import servers
from swarmhub.notebooks.servers import RunningServer
from swarmhub.parallel import gather
from swarmhub.plan.shown import named
from swarmhub.run.run import Run


def ask(run: Run) -> dict[str, str | StepError]:
    """Map each image that is named by a tag to its digest in the registry now, or to why nobody knows.

    Of those that are built, it is what they are built on.

    Raises:
        StepErrors: no registry gives any of them.

    """
    built = {recipe.tag for recipe in run.recipes}
    named = dict.fromkeys([*run.settings.images, *(base for recipe in run.recipes for base in recipe.bases)])
    tagged = [image for image in named if "@" not in image and image not in built]
    found = dict(zip(tagged, gather([partial(run.look.registry_digest, image) for image in tagged]), strict=True))
    errors = [one for one in found.values() if isinstance(one, StepError)]
    if found and len(errors) == len(found):
        raise StepErrors(*errors)
    return found


def told(run: Run, found: Mapping[str, str | StepError], bases: Mapping[str, Held | None]) -> list[str]:
    """Say of each image whether its tag has moved, and who works on the one from before until the next start."""
    held = pull.reached(run.look.images(run.look.present()), run.settings.hosts.all)
    people = servers.running(servers.observe(run.hosts[run.manager], run.settings.hub.service))
    lines: list[str] = []
    for image, now in found.items():
        there = {run.manager: bases[image]} if image in bases else pull.of(image, held)
        lines += _told(image, now, there, people)
    return [*lines, *_again(run, moved(found, bases))]


def moved(found: Mapping[str, str | StepError], bases: Mapping[str, Held | None]) -> dict[str, str]:
    """Return the digests of those images, on which others are built, that the manager has in another version."""
    digests = {base: (one, found[base]) for base, one in bases.items()}
    return {base: now for base, (one, now) in digests.items() if isinstance(now, str) and not pull.holds(one, now)}


def bases(run: Run, found: Mapping[str, str | StepError]) -> dict[str, Held | None]:
    """Return what the manager, where images are built, holds of those that they are built on."""
    asked = [base for recipe in run.recipes for base in recipe.bases if base in found]
    return pull.observe_all(run.hosts[run.manager], dict.fromkeys(asked)) if asked else {}


def base(run: Run) -> tuple[Base, str]:
    """Return the newest image to build the hub on, and what there is to say of it; without a registry, the one that is there.

    Raises:
        EngineError: no registry gives it, and the manager has none.

    """
    now, image, manager = datetime.now(UTC), run.settings.hub.base_image, run.hosts[run.manager]
    if "@" in image:
        return base_room.of_now(run.settings, "", now), f"{image} is named by its digest in hosts.toml, and stays"
    try:
        return base_room.of_now(run.settings, manager.engine.registry_digest(image), now), ""
    except EngineError as error:
        if not builder.observe(manager, image):
            raise
        said = f"its registry gives no newer {image}: {error.message}; it is built on the one that {run.manager} has"
        return base_room.of_now(run.settings, "", now), said


def _again(run: Run, moved: Mapping[str, str]) -> list[str]:
    return [f"{one.tag} is built again, on the newest {base}" for one in run.recipes for base in one.bases if base in moved]


def _told(
    image: str, now: str | StepError, held: Mapping[str, Held | None], people: tuple[RunningServer, ...]
) -> Iterator[str]:
    if isinstance(now, StepError):
        yield f"{image} stays as it is: {now.cause}"
        return
    if all(pull.holds(one, now) for one in held.values()):
        yield f"{image} is the newest"
        return
    before = pull.chosen(image, held)
    yield f"{image} has moved: {f'{pull.short(before)} → ' if before else ''}{pull.short(now)}"
    if users := [one.user for one in people if before and pull.digest_of(one.image) == before]:
        yield f"until their servers start again, these work on {pull.short(before or '')}: {named(users)}"
