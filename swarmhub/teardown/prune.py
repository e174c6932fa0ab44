"""Remove the images, configs and left containers that neither the settings nor a kept release needs, on every node."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus

from hub.shared import services
from swarmhub.engine import containers
from swarmhub.engine.removal import Thing
from swarmhub.engine.swarm import configs
from swarmhub.engine.swarm.replicated import LABEL as SERVICE
from swarmhub.firewall import image as firewall_image
from swarmhub.history.releases import Release
from swarmhub.host import EngineError, Host, Json
from swarmhub.images import restic
from swarmhub.images.builder import Recipe
from swarmhub.images.hub import build
from swarmhub.images.pull import LABEL, digest_of, is_kept, same_names, short, spellings, split
from swarmhub.parallel import together
from swarmhub.plan.plans import Change, Plan, Progress
from swarmhub.services.hub.service import images_of
from swarmhub.services.schedule.service import LEFT
from swarmhub.settings import Settings
from swarmhub.teardown import leftovers

STEP = "prune"


@dataclass(frozen=True)
class Needed:
    """What stays: images by tag, and by the beginning of a digest or id; files of services by their configs' names.

    `repositories` are those of the notebook images, now and in the kept releases: other versions of them may go.
    """

    tags: frozenset[str]
    digests: frozenset[str]
    repositories: frozenset[str]
    files: frozenset[str]


@dataclass(frozen=True)
class Stored:
    """What a node's engine lists of images, containers and a hub's volumes, and when, by its clock in seconds since 1970."""

    images: tuple[Json, ...]
    containers: tuple[Json, ...]
    now: float
    volumes: tuple[str, ...] = ()


def observe(host: Host) -> Stored:
    """Ask a node what it stores."""
    ask = [partial(host.engine.get, "/images/json"), partial(host.engine.get, "/containers/json", all=True)]
    images, listed, volumes, now = together([*ask, partial(host.engine.get, "/volumes"), partial(containers.clock, host)])
    ours = (one["Name"] for one in volumes.get("Volumes") or [] if SERVICE in (one.get("Labels") or {}))
    return Stored(tuple(images), tuple(listed), now, tuple(ours))


def needed(settings: Settings, releases: Sequence[Release], services: Sequence[Json], recipes: Sequence[Recipe] = ()) -> Needed:
    """Return what the settings, the kept releases and all services of the swarm need; these have their files' content.

    `recipes` are those of the notebook images. What they are built on stays; other versions of it may go where hosts.toml
    names it: what a Dockerfile names, such as Debian, others may have, too.
    """
    specs = [one["Spec"] for one in services if "ContainerSpec" in one["Spec"]["TaskTemplate"]]
    run = [str(spec["TaskTemplate"]["ContainerSpec"]["Image"]) for spec in specs]
    pinned = [image for release in releases for image in release.notebook_images]
    builds = build.wanted(settings)
    ours = [*(image.tag for image in (*builds, *build.grounds(builds))), firewall_image.tag(settings.hub.service)]
    ours += [one.tag for one in restic.wanted(settings)]
    named = [
        *settings.images,
        *(base for recipe in recipes for base in recipe.bases),
        settings.certs.certbot,
        settings.hub.base_image,
        build.base(settings).reference,
        *ours,
        *(one.hub_image for one in releases),
        *run,
    ]
    handed_out = [digest for spec in specs for digest in images_of(spec)]
    notebooks = [
        split(image)[0]
        for image in (*settings.images, *(recipe.base for recipe in recipes if recipe.base), *pinned)
        if not image.startswith("sha256:") and not is_kept(image)
    ]
    kept = (*specs, *(release.spec for release in releases))
    return Needed(
        # One that is named by a tag and a digest may be there by either.
        tags=frozenset(tag for image in named for one in (image, image.partition("@")[0]) for tag in spellings(one)),
        digests=frozenset([*(short(digest_of(image)) for image in (*named, *pinned) if _is_pinned(image)), *handed_out]),
        repositories=frozenset(spelling for name in notebooks for spelling in same_names(name)),
        files=frozenset(
            [
                *(one["ConfigName"] for spec in kept for one in configs.references(spec)),
                *(spec["Labels"][LEFT] for spec in specs if LEFT in (spec.get("Labels") or {})),
            ]
        ),
    )


def plan(settings: Settings, wanted: Needed, nodes: Mapping[str, Stored], listed: Sequence[Json], manager: str) -> Plan:
    """Return what removes the rest: containers, then images, and of `listed` configs those that are files of our services."""
    changes = [change for host, stored in nodes.items() for change in _on_node(settings, wanted, host, stored)]
    files = [one for one in listed if _is_old_file(one, settings.hub.service, wanted)]
    changes += [_change(Thing(f"config {one['Spec']['Name']}", f"/configs/{one['ID']}"), manager) for one in files]
    nothing = f"nothing on {len(nodes)} nodes that neither the settings nor a kept release needs"
    return Plan(STEP, nothing, tuple(changes))


def _on_node(settings: Settings, wanted: Needed, host: str, stored: Stored) -> Iterator[Change]:
    left = containers.left(stored.containers, stored.now)
    for one in left:
        yield _change(Thing(f"container {one['Names'][0].lstrip('/')}", f"/containers/{one['Id']}"), host)
    # What is kept of an image that was not brought to its end.
    if (kept := services.transfer(settings.hub.service)) in stored.volumes:
        yield _change(Thing(f"volume {kept}", f"/volumes/{kept}"), host)
    used = {one["ImageID"] for one in stored.containers if one not in left}
    for image in stored.images:
        if image["Id"] not in used and _is_unneeded(image, settings, wanted):
            yield from (_change(thing, host) for thing in _things(image))


def _is_unneeded(image: Json, settings: Settings, wanted: Needed) -> bool:
    """Tell whether nothing needs an image, and each of its names is one that swarmhub sets or the settings name."""
    tags, digests = leftovers.tags(image), _digests(image)
    contents = [tag for tag in tags if is_kept(tag)]
    if wanted.digests & {short(one) for one in (image["Id"], *digests.values(), *contents)} or wanted.tags & {*tags}:
        return False
    if tags:
        return all(
            leftovers.built(settings).fullmatch(tag) or split(tag)[0] in wanted.repositories or is_kept(tag) for tag in tags
        )
    return LABEL in (image.get("Labels") or {}) or bool(wanted.repositories & digests.keys())


def _is_pinned(image: str) -> bool:
    return "sha256:" in image or is_kept(image)


def _is_old_file(config: Json, hub: str, wanted: Needed) -> bool:
    labels = config["Spec"].get("Labels") or {}
    return configs.FILE in labels and leftovers.is_ours(labels, hub) and config["Spec"]["Name"] not in wanted.files


def _digests(image: Json) -> dict[str, str]:
    """Return the digest under which each repository knows an image."""
    parted = (one.partition("@") for one in image.get("RepoDigests") or [])
    return {name: digest for name, _, digest in parted}


def _things(image: Json) -> list[Thing]:
    """Return what to remove for an image to go: each tag, or the image itself; the last one frees its bytes."""
    *first, last = leftovers.tags(image) or [image["Id"]]
    freed = Thing(f"image {leftovers.named(last)}", f"/images/{last}", image["Size"])
    return [*(Thing(f"image {tag}", f"/images/{tag}") for tag in first), freed]


def _change(thing: Thing, host: str) -> Change:
    return Change("remove", thing.shown, host, _Remover(thing))


@dataclass(frozen=True)
class _Remover:
    thing: Thing

    def __call__(self, host: Host, progress: Progress) -> None:
        try:
            host.engine.delete(self.thing.path)
        except EngineError as error:
            # A container or service has begun to use it since it was planned: a config is then a bad request.
            if error.status not in (HTTPStatus.CONFLICT, HTTPStatus.BAD_REQUEST):
                raise
            progress.log(host.name, f"{self.thing.name} stays: {error.message}")
