"""The notebook images: the same ones on every node, before the hub is told to use them."""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from types import MappingProxyType
from typing import TypeGuard, TypeVar

from hub.shared import services
from swarmhub.errors import StepError, StepErrors
from swarmhub.host import EngineError, Host, Json
from swarmhub.images import declared
from swarmhub.images.declared import Declared
from swarmhub.parallel import together
from swarmhub.plan import commands
from swarmhub.plan.differences import LATER, Difference
from swarmhub.plan.plans import Change, Plan, Progress, remedy

STEP, BUNDLE = "images", "bundle"
# What is done where no registry has an image.
BRING = "bring"
# What is said where an engine does not reach a registry at all.
UNREACHED = re.compile(
    "no such host|i/o timeout|connection refused|network is unreachable|no route to host|server misbehaving|"
    "request canceled|deadline exceeded|temporary failure|does not answer",
    re.IGNORECASE,
)
OF_DOCKER_HUB = re.compile(r"\A(?:index\.)?docker\.io/")
WITH_BUNDLE = "If that network has no way to it, bring the images in a file: fab deploy --bundle FILE"
LIMITED = "The registry limits pulls: log in to it on this machine (docker login), or run this again later"
# What engines of either store say of a registry that refuses, and what helps.
REFUSED = {
    "signed by unknown authority": "Give that host the registry's authority: /etc/docker/certs.d/REGISTRY/ca.crt",
    "http response to https client": "Name it in that host's /etc/docker/daemon.json as one without TLS: insecure-registries",
    "toomanyrequests": LIMITED,
    "too many requests": LIMITED,
    "403 forbidden": "Check the name, and that your login on this machine may pull it: docker login",
}
# What is built has it; of a notebook image, its value is the name.
LABEL = "swarmhub.image"
# Of an image's configuration, what both stores show alike.
SAYING = ("Cmd", "Entrypoint", "Env", "Labels", "User", "WorkingDir")
CONTAINERD = ["driver-type", "io.containerd.snapshotter.v1"]

T = TypeVar("T")


@dataclass(frozen=True)
class Held:
    """An image that a node holds: its id there, the digests under which registries know it, its bytes, and what it says.

    `architecture` is what it is made for. `content` is a fingerprint that is the same on every engine, however it keeps images;
    an id is not. `is_kept` tells that the node has it by the name of its content, too.
    """

    id: str
    digests: frozenset[str] = frozenset()
    size: int = field(default=0, compare=False)
    declared: Declared = field(default=Declared(), compare=False)
    architecture: str = field(default="", compare=False)
    content: str = field(default="", compare=False)
    is_kept: bool = field(default=False, compare=False)

    @property
    def names(self) -> set[str]:
        """Return by what it can be wanted."""
        return {self.id, *self.digests, *([kept(self.content)] if self.is_kept else [])}


@dataclass(frozen=True)
class Giver:
    """A node that gives an image which no registry has, and what brings it from there to others.

    `is_named` tells that all nodes know the image by its content: so this one has to, when it has the image.
    """

    host: str
    bring: Callable[[Host, Progress], None]
    is_named: bool = False


# What a node holds of each image that servers may run there; of one that it cannot run, it says nothing.
Holding = Mapping[str, Held | None]


def split(image: str) -> tuple[str, str]:
    """Split a reference into its name and its tag or digest."""
    name, _, digest = image.partition("@")
    repository, _, tag = name.rpartition(":")
    has_tag = bool(repository) and "/" not in tag
    return (repository if has_tag else name), (digest or (tag if has_tag else "latest"))


def inspect(host: Host, image: str) -> Json | None:
    """Return an image as a node's engine shows it, by its name, or by the tag of one that did not come from its registry."""
    found = host.engine.find(f"/images/{image}/json")
    return host.engine.find(f"/images/{local(image)}/json") if found is None and "@" in image else found


def observe(host: Host, image: str) -> Held | None:
    """Ask a node for an image."""
    found = inspect(host, image)
    if found is None:
        return None
    name = split(image)[0]
    # An engine with containerd's store gives digests to what it has built, too, and no registry knows them.
    is_built = ((found.get("Config") or {}).get("Labels") or {}).get(LABEL) == name
    digests = (digest.partition("@") for digest in (not is_built and found.get("RepoDigests")) or [])
    names = same_names(name)
    known = frozenset(digest for name, _, digest in digests if name in names)
    made_for, content = str(found.get("Architecture") or ""), fingerprint(found)
    is_kept = kept(content) in (found.get("RepoTags") or [])
    return Held(found["Id"], known, found.get("Size") or 0, declared.read(found), made_for, content, is_kept)


def in_containerd(info: Json) -> bool:
    """Tell whether containerd keeps an engine's images, by what the engine says of itself: they have other ids there."""
    return CONTAINERD in (info.get("DriverStatus") or [])


def kept(content: str) -> str:
    """Return the name by which all nodes know an image that no registry has, whatever its ids there."""
    return f"{services.KEPT}:{content}"


def is_kept(wanted: str) -> bool:
    """Tell whether an image is wanted by its content."""
    return wanted.startswith(f"{services.KEPT}:")


def fingerprint(found: Json) -> str:
    """Return what tells an image, as an engine answers it, from all others: when it was made, its layers, and what it says.

    BuildKit gives one that has no layer of its own the time of the one below.
    """
    made, config = str(found.get("Created") or "")[: len("2026-11-29T12:00:00")], found.get("Config") or {}
    says = {name: config[name] for name in SAYING if config.get(name)}
    parts = [made, *((found.get("RootFS") or {}).get("Layers") or []), *([json.dumps(says, sort_keys=True)] if says else [])]
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()[:12]


def local(image: str) -> str:
    """Return the tag by which nodes keep an image that did not come from its registry: no engine takes a digest for a tag."""
    if "@" not in image:
        return image
    name, digest = split(image)
    return f"{name}:{digest.replace(':', '-')}"


def observe_all(host: Host, images: Iterable[str]) -> dict[str, Held | None]:
    """Ask a node for each of several images, at once."""
    asked = tuple(images)
    return dict(zip(asked, together([partial(observe, host, image) for image in asked]), strict=True))


def of(image: str, held: Mapping[str, Holding]) -> dict[str, Held | None]:
    """Return what each node holds of one image, of those that can run it."""
    return {host: one[image] for host, one in held.items() if image in one}


def chosen(image: str, held: Mapping[str, Held | None]) -> str | None:
    """Return the digest or id that all nodes shall hold, or None where only the registry can tell.

    A reference with a digest says it; else what most nodes hold already, so that a tag
    that has moved in the registry meanwhile does not give two nodes two images.
    """
    there = [one for one in held.values() if one]
    # From no registry all of them, it has no digest there, and its id tells it.
    if "@" in image and (not there or any(one.digests for one in there)):
        return _known(split(image)[1], there)
    digests = Counter(digest for one in there for digest in one.digests)
    ids = Counter(one.id for one in there)
    # Of two that as many nodes hold, always the same one.
    common = sorted((digests or ids).items(), key=lambda item: (-item[1], item[0]))
    return _known(common[0][0], there) if common else None


def _known(digest: str, held: Sequence[Held]) -> str:
    """Return by what all nodes know an image that some hold by a digest or id.

    A node that has got it from another one, and not from a registry, does not know its digest. Then it is the id, and where
    engines have different ones, the content.
    """
    holders = [one for one in held if digest in one.names]
    ids, contents = {one.id for one in holders}, {one.content for one in holders} - {""}
    # Of what was brought, containerd's store makes a digest of its own, the id. Of two others, one was pushed again.
    is_pulled = digest not in ids
    same = [one for one in held if one.id in ids or (one.content in contents and not (is_pulled and one.digests - {one.id}))]
    if all(digest in one.digests for one in same):
        return digest
    content = kept(contents.pop()) if len(contents) == 1 else ""
    if content and all(one.is_kept for one in same):
        return content
    ids = {one.id for one in same}
    return ids.pop() if len(ids) == 1 else content or digest


def by_content(wanted: Mapping[str, str], held: Mapping[str, Holding]) -> dict[str, str]:
    """Return what is wanted where engines have different ids for one image: of those that no registry has, their content."""
    return {
        image: next((kept(one.content) for one in of(image, held).values() if _gives(one, id_)), id_)
        for image, id_ in wanted.items()
    }


def ask_registry(manager: Host, image: str) -> str:
    """Return the digest that the image's tag has in its registry now, as the manager sees it.

    Raises:
        StepError: the registry does not know the image, or does not answer.

    """
    try:
        return manager.engine.registry_digest(image)
    except EngineError as error:
        cause = f"no node holds {image}, and its registry does not give it: {error.message}"
        raise StepError(manager.name, cause, helps(error)) from error


def helps(error: EngineError) -> str:
    """Return what helps against an error of an engine that asks a registry."""
    said = error.message.lower()
    refused = next((text for part, text in REFUSED.items() if part in said), "")
    return WITH_BUNDLE if UNREACHED.search(said) else refused or remedy(error)


def reached(seen: Mapping[str, T | StepError], needed: Sequence[str]) -> dict[str, T]:
    """Return what the nodes answered that could be asked.

    Raises:
        StepErrors: none of the `needed` ones could; a pull on the others would be in vain.

    """
    held = {host: one for host, one in seen.items() if not isinstance(one, StepError)}
    if not any(host in held for host in needed):
        raise StepErrors(*(one for host, one in seen.items() if host in needed and isinstance(one, StepError)))
    return held


def verify(wanted: Mapping[str, str], seen: Mapping[str, Holding | StepError]) -> None:
    """Make sure that every node holds the same images.

    Raises:
        StepErrors: with each node that could not be asked, or lacks one of them.

    """
    errors = [one for one in seen.values() if isinstance(one, StepError)]
    for host, one in seen.items():
        if not isinstance(one, StepError):
            errors += [_not_held(host, image, wanted[image], one[image]) for image in lacking(wanted, one)]
    if errors:
        raise StepErrors(*errors)


def _not_held(host: str, image: str, wanted: str, held: Held | None) -> StepError:
    has = f"no {image}" if held is None else f"another {image}: {short(held.id)}"
    return StepError(host, f"holds {has}, wanted {short(wanted)}", f"Try there: docker pull {image}")


def declarations(seen: Iterable[Holding | StepError]) -> dict[str, Declared]:
    """Return what the images say of their files, as the nodes hold them."""
    held = {image: one for there in seen if not isinstance(there, StepError) for image, one in there.items() if one}
    return {image: one.declared for image, one in held.items()}


def lacking(wanted: Mapping[str, str], holding: Holding) -> list[str]:
    """Return the images that a node does not hold as wanted: by the digest or id that `wanted` has for each."""
    return [image for image, digest in wanted.items() if image in holding and not holds(holding[image], digest)]


def holds(held: Held | None, wanted: str) -> bool:
    """Tell whether a node holds the wanted digest or id."""
    return held is not None and wanted in held.names


def sources(wanted: Mapping[str, str], held: Mapping[str, Holding]) -> dict[str, str]:
    """Return by image a node that gives it, for those images of which `wanted` has an id that no registry knows."""
    giving = {image: [host for host, one in held.items() if _gives(one.get(image), id_)] for image, id_ in wanted.items()}
    return {image: hosts[0] for image, hosts in giving.items() if hosts}


def _gives(held: Held | None, wanted: str) -> TypeGuard[Held]:
    return held is not None and wanted in {held.id, kept(held.content)} and wanted not in held.digests


def plan(wanted: Mapping[str, str], held: Mapping[str, Holding], givers: Mapping[str, Giver] = MappingProxyType({})) -> Plan:
    """Return the pulls that the nodes in `held` need, all nodes at once; `givers` give the images that no registry has."""
    changes = tuple(
        _change(host, image, wanted[image], one[image], givers.get(image))
        for host, one in held.items()
        for image in lacking(wanted, one)
        # What is yet to be built is then there.
        if image not in givers or givers[image].host != host or givers[image].is_named or is_kept(wanted[image])
    )
    same = "; ".join(
        f"{image}: {short(digest)} on {len(of(image, held))} of {len(held)} nodes" for image, digest in wanted.items()
    )
    return Plan(STEP, same, changes, at_once=True)


def apart(plan: Plan) -> tuple[Plan, Plan]:
    """Return what a plan pulls, and what it brings from node to node."""
    brings = tuple(change for change in plan.changes if change.verb == BRING)
    return replace(plan, changes=tuple(one for one in plan.changes if one not in brings)), replace(plan, changes=brings)


def _change(host: str, image: str, wanted: str, held: Held | None, giver: Giver | None) -> Change:
    if (held and wanted == kept(held.content)) or (giver and giver.host == host):
        return naming(host, image, wanted)
    return _bring(host, image, wanted, held, giver) if giver else _pull(host, image, wanted, held)


def naming(host: str, image: str, wanted: str) -> Change:
    """Return what lets a node know an image that it has by its content, too."""
    return Change(
        "tag", image, host, partial(_name, image, wanted), command=commands.line("tag", local(image), wanted), gist=wanted
    )


def named(change: Change, image: str, wanted: str) -> Change:
    """Return a change that brings an image, and lets the node know it by what it is wanted as."""
    return replace(change, apply=_Named(change.apply, image, wanted)) if is_kept(wanted) else change


def _name(image: str, wanted: str, host: Host, _: Progress) -> None:
    name, tag = split(wanted)
    host.engine.post(f"/images/{local(image)}/tag", repo=name, tag=tag)


def _pull(host: str, image: str, wanted: str, held: Held | None) -> Change:
    command = commands.line("pull", f"{split(image)[0]}@{wanted}")
    gist = "" if held else short(wanted)
    return Change("pull", image, host, _Puller(image, wanted), (_lack(held, wanted),), command=command, gist=gist)


def _bring(host: str, image: str, wanted: str, held: Held | None, giver: Giver) -> Change:
    gist = f"{short(wanted)} from {giver.host}"
    return named(Change(BRING, f"image {image}", host, giver.bring, (_lack(held, wanted),), gist=gist), image, wanted)


def _lack(held: Held | None, wanted: str) -> Difference:
    return Difference("digest", short(min(held.digests or {held.id})) if held else None, short(wanted))


def pinned(image: str, wanted: str, held: Held | None) -> str:
    """Return the reference that names exactly this image on every node, for the hub."""
    return f"{split(image)[0]}@{wanted}" if held and wanted in held.digests and not is_kept(wanted) else wanted


def digest_of(pinned: str) -> str:
    """Return the digest or id of a pinned reference."""
    return pinned.rpartition("@")[2]


def short(digest: str) -> str:
    """Return a digest, id or content as people read it; one that only a later step can know stays as it is."""
    return digest if digest.startswith(LATER) else digest.rpartition(":")[2][:12]


@dataclass(frozen=True)
class _Named:
    apply: Callable[[Host, Progress], object]
    image: str
    wanted: str

    def __call__(self, host: Host, progress: Progress) -> None:
        self.apply(host, progress)
        _name(self.image, self.wanted, host, progress)


@dataclass(frozen=True)
class _Puller:
    image: str
    wanted: str

    def __call__(self, host: Host, progress: Progress) -> None:
        try:
            fetch(host, progress, self.image, self.wanted)
            if "@" in self.image:
                _tag(host, self.image, self.wanted)
        except EngineError as error:
            raise StepError(host.name, f"cannot pull {self.image}: {error.message}", helps(error)) from error


def fetch(host: Host, progress: Progress, image: str, wanted: str) -> None:
    """Pull an image by a digest, or by its own tag, and say how many of its bytes have come."""
    name, tag = split(image)
    layers: dict[str, tuple[int, int]] = {}
    for event in host.engine.pull(name, wanted):
        detail = event.get("progressDetail") or {}
        if event.get("status") == "Downloading" and detail.get("total"):
            layers[event["id"]] = (detail["current"], detail["total"])
        elif event.get("status") == "Download complete" and event["id"] in layers:
            layers[event["id"]] = (layers[event["id"]][1],) * 2
        progress.amount(host.name, sum(done for done, _ in layers.values()), sum(total for _, total in layers.values()))
    if "@" not in image and tag != wanted:
        _tag(host, image, wanted)


def _tag(host: Host, image: str, digest: str) -> None:
    """Let a node keep an image by its own name: one without a tag is what "docker image prune" takes."""
    name, tag = split(local(image))
    host.engine.post(f"/images/{name}@{digest}/tag", repo=name, tag=tag)


def same_names(name: str) -> set[str]:
    """Return the spellings of a Docker Hub name that engines use for one another."""
    short = OF_DOCKER_HUB.sub("", name)
    return {name, short, short.removeprefix("library/")}


def spellings(image: str) -> set[str]:
    """Return the tags by which engines list an image that a node keeps by its own name, however that is spelled."""
    repository, tag = split(local(image))
    return {f"{name}:{tag}" for name in same_names(repository)}
