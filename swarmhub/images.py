"""The notebook image: the same one on every node, before the hub is told to use it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from swarmhub import commands
from swarmhub.differences import Difference
from swarmhub.errors import StepError, StepErrors
from swarmhub.host import EngineError, Host
from swarmhub.plan import Change, Plan, Progress, remedy

STEP = "images"


@dataclass(frozen=True)
class Held:
    """An image that a node holds: its id there, and the digests under which registries know it."""

    id: str
    digests: frozenset[str]


def split(image: str) -> tuple[str, str]:
    """Split a reference into its name and its tag or digest."""
    name, _, digest = image.partition("@")
    repository, _, tag = name.rpartition(":")
    has_tag = bool(repository) and "/" not in tag
    return (repository if has_tag else name), (digest or (tag if has_tag else "latest"))


def observe(host: Host, image: str) -> Held | None:
    """Ask a node for the image."""
    found = host.engine.find(f"/images/{image}/json")
    if found is None:
        return None
    digests = (digest.partition("@") for digest in found.get("RepoDigests") or [])
    names = _same_names(split(image)[0])
    return Held(found["Id"], frozenset(digest for name, _, digest in digests if name in names))


def chosen(image: str, held: Mapping[str, Held | None]) -> str | None:
    """Return the digest or id that all nodes shall hold, or None where only the registry can tell.

    A reference with a digest says it; else what most nodes hold already, so that a tag
    that has moved in the registry meanwhile does not give two nodes two images.
    """
    if "@" in image:
        return split(image)[1]
    digests = Counter(digest for one in held.values() if one for digest in one.digests)
    ids = Counter(one.id for one in held.values() if one and not one.digests)
    # Of two that as many nodes hold, always the same one.
    common = sorted((digests or ids).items(), key=lambda item: (-item[1], item[0]))
    return common[0][0] if common else None


def ask_registry(manager: Host, image: str) -> str:
    """Return the digest that the image's tag has in its registry now, as the manager sees it.

    Raises:
        StepError: the registry does not know the image, or does not answer.

    """
    try:
        return str(manager.engine.get(f"/distribution/{image}/json")["Descriptor"]["digest"])
    except EngineError as error:
        cause = f"no node holds {image}, and its registry does not give it: {error.message}"
        raise StepError(manager.name, cause, remedy(error)) from error


def reached(seen: Mapping[str, Held | BaseException | None], needed: Sequence[str]) -> dict[str, Held | None]:
    """Return what the nodes hold that could be asked.

    Raises:
        StepErrors: none of the `needed` ones could; a pull on the others would be in vain.

    """
    unexpected = [one for one in seen.values() if isinstance(one, BaseException) and not isinstance(one, StepError)]
    if unexpected:
        raise unexpected[0]
    held = {host: one for host, one in seen.items() if not isinstance(one, BaseException)}
    if not any(host in held for host in needed):
        raise StepErrors(*(one for host, one in seen.items() if host in needed and isinstance(one, StepError)))
    return held


def verify(image: str, wanted: str, seen: Mapping[str, Held | BaseException | None]) -> None:
    """Make sure that every node holds the same image.

    Raises:
        StepErrors: with each node that could not be asked, or holds another image.

    """
    unexpected = [one for one in seen.values() if isinstance(one, BaseException) and not isinstance(one, StepError)]
    if unexpected:
        raise unexpected[0]
    errors = [one for one in seen.values() if isinstance(one, StepError)]
    for host, one in seen.items():
        if not isinstance(one, BaseException) and not holds(one, wanted):
            cause = f"holds {'no ' + image if one is None else f'another {image}: ' + short(one.id)}, wanted {short(wanted)}"
            errors.append(StepError(host, cause, f"Try there: docker pull {image}"))
    if errors:
        raise StepErrors(*errors)


def holds(held: Held | None, wanted: str) -> bool:
    """Tell whether a node holds the wanted digest or id."""
    return held is not None and wanted in {held.id, *held.digests}


def plan(image: str, wanted: str, held: Mapping[str, Held | None]) -> Plan:
    """Return the pulls that the nodes in `held` need, independent of each other."""
    command = commands.line("pull", f"{split(image)[0]}@{wanted}")
    changes = tuple(
        Change("pull", image, host, _Puller(image, wanted), (_lack(one, wanted),), command=command)
        for host, one in held.items()
        if not holds(one, wanted)
    )
    same = f"{image}: {short(wanted)} on {len(held)} of {len(held)} nodes"
    return Plan(STEP, same, changes, at_once=True)


def _lack(held: Held | None, wanted: str) -> Difference:
    return Difference("digest", short(min(held.digests or {held.id})) if held else None, short(wanted))


def pinned(image: str, wanted: str, held: Held | None) -> str:
    """Return the reference that names exactly this image on every node, for the hub."""
    return f"{split(image)[0]}@{wanted}" if held and wanted in held.digests else wanted


def short(digest: str) -> str:
    """Return a digest as people read it."""
    return digest.removeprefix("sha256:")[:12]


@dataclass(frozen=True)
class _Puller:
    image: str
    wanted: str

    def __call__(self, host: Host, progress: Progress) -> None:
        name, tag = split(self.image)
        layers: dict[str, tuple[int, int]] = {}
        for event in host.engine.stream("/images/create", image=self.image, fromImage=name, tag=self.wanted):
            detail = event.get("progressDetail") or {}
            if event.get("status") == "Downloading" and detail.get("total"):
                layers[event["id"]] = (detail["current"], detail["total"])
            elif event.get("status") == "Download complete" and event["id"] in layers:
                layers[event["id"]] = (layers[event["id"]][1],) * 2
            progress.amount(host.name, sum(done for done, _ in layers.values()), sum(total for _, total in layers.values()))
        if not tag.startswith("sha256:"):
            # An image without a tag is what "docker image prune" takes.
            host.engine.post(f"/images/{name}@{self.wanted}/tag", repo=name, tag=tag)


def _same_names(name: str) -> set[str]:
    """Return the spellings of a Docker Hub name that engines use for one another."""
    return {name, name.removeprefix("docker.io/"), name.removeprefix("docker.io/library/"), name.removeprefix("library/")}
