"""Build images on a node: with BuildKit where its docker command has it, else with the engine's own builder."""

import re
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

from pydantic import SecretStr

from swarmhub.engine import context
from swarmhub.errors import StepError
from swarmhub.host import EngineError, Host
from swarmhub.images import pull
from swarmhub.plan.differences import flat
from swarmhub.plan.plans import Change, Plan, Progress
from swarmhub.settings import Settings, read_ca

# The step that builds notebook images.
NOTEBOOKS = "build-notebook"
BUILDX = ("docker", "buildx")
# The variables of a proxy come before the files: no argument shows them. Behind the files the input stays open for as long as
# somebody waits for the build; where it ends, the build does: sshd gives each command a process group of its own.
BUILD = """
exec 3<&0
while IFS= read -r line <&3 && [ -n "$line" ]; do export "$line"; done
size=$1; shift
{ head -c "$size" <&3; { exec >&-; cat <&3 >/dev/null; kill 0; } 2>/dev/null & } | "$@" 2>&1
"""
# How BuildKit begins its lines: a step's number, and how long it has run.
PREFIX = re.compile(r"(?:#\d+ )?(?:\d+\.\d+ )?")
# Docker's own builder makes what programs say of errors red.
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
# How pip, apt and others begin the line that says what is wrong.
TELLING = re.compile(r"(?:ERROR|E|error|npm error|CondaError|\w*Error): (?!failed to (?:build|solve)|ResolutionImpossible)")
LAST_LINES, LONGEST = 60, 300
# The build arguments that tell of the image below.
USER, DIGEST = "BASE_USER", "BASE_DIGEST"
WAY_OUT = f"Let containers there reach the internet: DNS, or [http_proxy]. {pull.WITH_BUNDLE}"
REMEDIES = {
    "no space left on device": "Free some disk there: docker system df",
    "certificate verify failed": "Name the authority of the proxy that inspects TLS: hub.ca",
    **dict.fromkeys(
        (
            "name resolution",
            "could not resolve",
            "failure resolving",
            "could not connect to",
            "unable to connect to",
            "network is unreachable",
            "connection timed out",
        ),
        WAY_OUT,
    ),
}


def authorities(settings: Settings) -> dict[str, bytes]:
    """Return what an image gets of the authorities that `hub.ca` names; nothing, where it names none.

    Raises:
        SettingsError: the file is not there, or holds no certificates alone.

    """
    return {"ca/settings.crt": read_ca(settings.hub.ca, "hub.ca").encode()} if settings.hub.ca else {}


def shown(file: Path | None) -> str:
    """Return a path as the operator would type it here."""
    here = Path.cwd()
    return str(file.relative_to(here)) if file and file.is_relative_to(here) else str(file)


@dataclass(frozen=True)
class Recipe:
    """An image to build: its tag, its files, and what it is built on.

    `source` is what an operator changes when the build fails; `moved` has the digests of those images that the node has in
    another version than it shall build on. `ground` is the part that needs the internet, which has a tag of its own: where
    an image by that tag is there, the rest is built on it.
    """

    tag: str
    files: context.Files
    base: str
    gist: str = ""
    arguments: Mapping[str, str] = field(default_factory=dict)
    executable: frozenset[str] = frozenset()
    links: Mapping[str, str] = field(default_factory=dict)
    source: str = "hub/Dockerfile"
    has_command: bool = False
    is_notebook: bool = False
    moved: Mapping[str, str] = field(default_factory=dict)
    ground: "Recipe | None" = None

    @property
    def name(self) -> str:
        """Return the tag without what changes with the content."""
        return self.tag.partition(":")[0]

    @property
    def given(self) -> dict[str, str]:
        """Return the build arguments."""
        base = self.ground.tag if self.ground else self.base
        return {**self.arguments, **({"BASE": base} if base else {})}

    @property
    def bases(self) -> list[str]:
        """Return the images that it is built on."""
        from swarmhub.images.own import dockerfile  # a deploy that builds nothing need not load it

        return dockerfile.bases(self.files["Dockerfile"].decode(), self.given)


def observe(host: Host, tag: str) -> bool:
    """Tell whether a node holds an image."""
    return host.engine.find(f"/images/{tag}/json") is not None


def plan(
    step: str,
    recipes: Sequence[Recipe],
    held: Collection[str],
    manager: str,
    variables: Mapping[str, SecretStr] = MappingProxyType({}),
    *,
    lane: str = "",
) -> Plan:
    """Return the builds of what is not in `held`, by its tag: its inputs have changed.

    `variables` are those of an HTTP proxy: the builder gives them to what it runs, and keeps them in no image. What is in one
    `lane` is built in turn; without one, all at once.
    """
    ours = {one.tag for one in recipes}
    changes = tuple(_build(image, manager, variables, lane or image.name, ours) for image in recipes if image.tag not in held)
    return Plan(step, f"{', '.join(image.tag for image in recipes)}: built already", changes, at_once=True)


def _build(image: Recipe, manager: str, variables: Mapping[str, SecretStr], lane: str, ours: Collection[str]) -> Change:
    differs = flat({"tag": image.tag, "base": image.base})
    builder = _Builder(image, variables, f"{manager} {lane}", frozenset(ours))
    return Change("build", image.tag, manager, builder, differs, gist=image.gist or f"on {image.base}", lane=lane)


@dataclass(frozen=True)
class _Builder:
    image: Recipe
    variables: Mapping[str, SecretStr]
    place: str
    ours: frozenset[str]

    def __call__(self, host: Host, progress: Progress) -> None:
        ground = self.image.ground
        if ground and not observe(host, ground.tag):
            replace(self, image=ground)(host, progress)
        for base in self.image.bases:
            if not (ground and base == ground.tag):
                self._pull(host, progress, base)
        lines: deque[str] = deque(maxlen=LAST_LINES)

        def say(line: str) -> None:
            lines.append(line)
            progress.output(self.place, line)

        build = _by_buildkit if host.run(*BUILDX, "version").code == 0 else _by_engine
        proxies = {name: value.get_secret_value() for name, value in self.variables.items()}
        try:
            build(host, self.image, {**self.image.given, **self._of_base(host)}, proxies, say)
        except EngineError as error:
            raise _failure(host, self.image, error.message, lines) from error
        if self.image.is_notebook:
            _require_server(host, self.image)

    def _pull(self, host: Host, progress: Progress, base: str) -> None:
        """Pull what it is built on, with the operator's own login; BuildKit would ask with the node's."""
        moved = self.image.moved.get(base)
        if base in self.ours or (moved is None and observe(host, base)):
            return
        try:
            pull.fetch(host, progress, base, moved or pull.split(base)[1])
        except EngineError as error:
            cause = f"cannot build {self.image.tag}: {base}, on which it is built, does not come: {error.message}"
            raise StepError(host.name, cause, pull.helps(error)) from error

    def _of_base(self, host: Host) -> dict[str, str]:
        """Return what a Dockerfile asks of the image below, if it is not the operator's own, which names that itself.

        Its user: what is made here installs as root, and goes back to that user. Its digest, by which the image knows what it
        is built on; one that no registry has given has an id.
        """
        base, text = self.image.base, self.image.files["Dockerfile"]
        asked = [name for name in (USER, DIGEST) if base and f"ARG {name}".encode() in text]
        found = host.engine.find(f"/images/{base}/json") or {} if asked else {}
        digest = next(iter(found.get("RepoDigests") or []), found.get("Id", "")).rpartition("@")[2]
        known = {USER: (found.get("Config") or {}).get("User") or "root", DIGEST: digest}
        return {name: known[name] for name in asked}


Builder = Callable[[Host, Recipe, Mapping[str, str], Mapping[str, str], Callable[[str], None]], None]


def _by_engine(
    host: Host, image: Recipe, arguments: Mapping[str, str], proxies: Mapping[str, str], say: Callable[[str], None]
) -> None:
    # The engine's built-in builder: BuildKit would need a session that only its own client speaks.
    for event in host.engine.build(_packed(image), image.tag, {**proxies, **arguments}):
        for line in COLOUR.sub("", event.get("stream", "")).splitlines():
            if line.strip():
                say(line.rstrip())


def _by_buildkit(
    host: Host, image: Recipe, arguments: Mapping[str, str], proxies: Mapping[str, str], say: Callable[[str], None]
) -> None:
    files = _packed(image)
    given = [word for name, value in arguments.items() for word in ("--build-arg", f"{name}={value}")]
    given += [word for name in proxies for word in ("--build-arg", name)]
    command = (*BUILDX, "build", "--builder", "default", "--progress", "plain", "--tag", image.tag, *given, "-")
    # Without what would make of an image a list of one and its attestation.
    variables = {"BUILDX_NO_DEFAULT_ATTESTATIONS": "1", **proxies}
    head = "".join(f"{name}={value}\n" for name, value in variables.items()) + "\n"
    fed = host.feed(head.encode() + files, "sh", "-c", BUILD, "sh", str(len(files)), *command)
    with closing(fed) as lines:
        code, last = _followed(lines, say)
    if code:
        raise EngineError(host.name, code, last)


def _followed(lines: Iterator[str], say: Callable[[str], None]) -> tuple[int, str]:
    """Say the lines of a command, and return its exit code and its last line."""
    last = ""
    while True:
        try:
            line = next(lines)
        except StopIteration as end:
            return int(end.value), last
        if shown := PREFIX.sub("", COLOUR.sub("", line), count=1).rstrip():
            last = shown
            say(shown)


def _packed(image: Recipe) -> bytes:
    return context.archive(image.files, image.links, executable=image.executable)


def _failure(host: Host, image: Recipe, message: str, lines: Sequence[str]) -> StepError:
    """Return what is wrong in the words of what failed, pip's or apt's own, and what helps."""
    told = next((line for line in reversed(lines) if TELLING.match(line)), message.strip().partition("\n")[0])[:LONGEST]
    said = "\n".join([message, *lines]).lower()
    helps = next((text for part, text in REMEDIES.items() if part in said), "")
    cause = f"cannot build {image.tag}: {told}"
    return StepError(host.name, cause, helps or f"The lines above say more. Change {image.source}; nothing else was changed")


def _require_server(host: Host, image: Recipe) -> None:
    """Make sure that the hub can start servers from an image; one that it cannot keeps no tag, and so is not handed out."""
    from swarmhub.images import singleuser

    if image.has_command or singleuser.version(host, image.tag):
        return
    host.engine.delete(f"/images/{image.tag}", noprune=True)
    cause = f"{image.tag} has no jupyterhub-singleuser, by which the hub starts servers"
    text = "Build it on an image that has one, such as quay.io/jupyter/base-notebook:hub-6.1.1, or install jupyterhub in it"
    raise StepError(host.name, cause, text)
