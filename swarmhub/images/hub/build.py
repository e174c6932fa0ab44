"""The hub's image: built on the manager from `hub/`, its tag the hash of what goes into it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hub import FOLDER
from hub.shared.people.userlist import parse
from swarmhub.engine import context
from swarmhub.errors import Problem, SettingsError
from swarmhub.images.builder import Recipe, authorities, shown
from swarmhub.settings import Settings, read_text

STEP = "build-hub"
# npm's, for JupyterHub's proxy: both images have it.
SHARED = ("package.json", "package-lock.json", "requirements-build.lock")
# Between the packages and the rest.
CUT, ON_GROUND = b"\nFROM packages\n", b"ARG BASE\nFROM ${BASE}\n"
# The Dockerfile copies these folders, whether something is in them or not.
FOLDERS = ("ca", "conf.d", "logo")


@dataclass(frozen=True)
class Base:
    """An image to build on: its digest, where a registry gave one, and the time from which on Debian's packages have to be."""

    image: str
    digest: str = ""
    fresh: str = ""

    @property
    def reference(self) -> str:
        """Return how a Dockerfile names it."""
        return f"{self.image}@{self.digest}" if self.digest else self.image

    @property
    def inputs(self) -> tuple[str, ...]:
        """Return what makes another image of the same files."""
        return tuple(filter(None, (self.reference, self.fresh)))

    @property
    def arguments(self) -> Mapping[str, str]:
        """Return the build arguments by which the builder takes no packages of before from its cache."""
        return {"FRESH": self.fresh} if self.fresh else {}

    @property
    def shown(self) -> str:
        """Return it in a few words."""
        digest = f", {self.digest.removeprefix('sha256:')[:12]}" if self.digest else ""
        return f"{self.image}{digest}{f', fresh on {self.fresh[:10]}' if self.fresh else ''}"


def base(settings: Settings) -> Base:
    """Return what is built on: what `fab build-hub --fresh` has kept, or hub.base_image as it is.

    Raises:
        SettingsError: somebody has edited the file, or it is of another image.

    """
    if not settings.hub.base_lock.exists():
        return Base(settings.hub.base_image)
    from swarmhub.images.hub import base as kept  # before the first of them there is none

    return kept.locked(settings)


def desired(settings: Settings, folder: Path = FOLDER, on: Base | None = None) -> Recipe:
    """Read and check what goes into the image; without `on`, it is built on what the lock of `fab build-hub --fresh` says.

    Raises:
        SettingsError: the userlist has mistakes, a file is missing, the logo is none, or packages or the base are not locked.

    """
    own = {"userlist": userlist(settings).encode()}
    files = {**_without(context.read(folder), "proxy/"), **own}
    if settings.hub.conf:
        files = {**_without(files, "conf.d/"), **_conf(settings.hub.conf)}
    if settings.page.logo:
        files |= _logo(settings.page.logo)
    files |= {**authorities(settings), "packages.lock": _packages(settings, folder)}
    files = {**context.copied(files), **{f"{name}/.keep": b"" for name in FOLDERS}}
    return _recipe(settings.hub.service, files, on or base(settings))


def _recipe(name: str, files: context.Files, on: Base) -> Recipe:
    tag = f"{name}:{context.digest(files, *on.inputs)}"
    return _apart(Recipe(tag, files, on.reference, gist=f"on {on.shown}", arguments=on.arguments), on)


def _apart(whole: Recipe, on: Base) -> Recipe:
    """Return an image with its packages apart: they need the internet, and change far less often than the rest."""
    above, cut, below = whole.files["Dockerfile"].partition(CUT)
    if not cut:
        return whole
    files = context.copied({**whole.files, "Dockerfile": above})
    ground = replace(whole, tag=f"{whole.name}-packages:{context.digest(files, *on.inputs)}", files=files)
    rest = context.copied({**whole.files, "Dockerfile": ON_GROUND + below})
    return replace(whole, files=rest, ground=ground, arguments={})


def _packages(settings: Settings, folder: Path) -> bytes:
    if not settings.hub.packages:
        return b""
    from swarmhub.images.hub import packages  # most hubs need none

    return packages.locked(settings, folder)


def conf(settings: Settings, folder: Path = FOLDER) -> tuple[str, context.Files]:
    """Return the folder of conf.d, as an operator types it, and its files.

    Raises:
        SettingsError: there is no such folder.

    """
    own = settings.hub.conf or folder / "conf.d"
    return shown(own), {name.removeprefix("conf.d/"): content for name, content in _conf(own).items()}


def of_proxy(settings: Settings, folder: Path = FOLDER, on: Base | None = None) -> Recipe:
    """Read what goes into a separate proxy's image: none of what changes with the hub, for a new one cuts people off.

    Raises:
        SettingsError: a file is missing, or the base's lock is none.

    """
    shared = {name: context.lines(folder / name) for name in SHARED}
    files = context.copied({**context.read(folder / "proxy"), **shared, "ca/.keep": b"", **authorities(settings)})
    return _recipe(f"{settings.hub.service}-proxy", files, on or base(settings))


def wanted(settings: Settings, on: Base | None = None) -> tuple[Recipe, ...]:
    """Return the images to build: the hub's, and a separate proxy's.

    Raises:
        SettingsError: what goes into one is missing or wrong.

    """
    on = on or base(settings)
    return (desired(settings, on=on), *([of_proxy(settings, on=on)] if settings.proxy.separate else []))


def grounds(recipes: Sequence[Recipe]) -> tuple[Recipe, ...]:
    """Return the images on which others are built, and that need the internet."""
    return tuple(one.ground for one in recipes if one.ground)


def userlist(settings: Settings) -> str:
    """Read and check the userlist.

    Raises:
        SettingsError: with every mistake.

    """
    file = settings.hub.userlist
    text = read_text(file, "it lists who may log in: NAME, or NAME admin, a line")
    _, mistakes = parse(text, settings.access.provider)
    if mistakes:
        raise SettingsError(*(Problem(shown(file), mistake.line, "", mistake.wrong) for mistake in mistakes))
    return text


def _without(files: context.Files, beginning: str) -> context.Files:
    return {name: content for name, content in files.items() if not name.startswith(beginning)}


def _conf(folder: Path) -> dict[str, bytes]:
    if not folder.is_dir():
        raise SettingsError(Problem(shown(folder), 1, "", "is no folder; hub.conf names it"))
    return {f"conf.d/{name}": content for name, content in context.read(folder).items()}


def _logo(file: Path) -> dict[str, bytes]:
    from swarmhub.images.hub import logo  # most hubs have none

    try:
        content = file.read_bytes()
        return {f"logo/logo.{logo.kind(content)}": content}
    except OSError as error:
        wrong = (error.strerror or str(error)).lower()
    except ValueError as error:
        wrong = str(error)
    raise SettingsError(Problem(shown(file), 1, "", f"{wrong}; page.logo names it"))
