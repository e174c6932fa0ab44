"""The hub's image: built on the manager from `hub/`, its tag the hash of what goes into it."""

from dataclasses import dataclass
from pathlib import Path

from swarmhub import commands, context, logo
from swarmhub.differences import flat
from swarmhub.errors import Problem, SettingsError
from swarmhub.host import Host
from swarmhub.plan import Change, Plan, Progress
from swarmhub.settings import Settings, read_text

STEP = "build-hub"
# hub/Dockerfile sets it: what an interrupted build has left is found by it.
LABEL = "swarmhub.image"
# The Dockerfile copies these folders, whether something is in them or not.
FOLDERS = ("ca", "conf.d", "logo")
FOLDER = Path(__file__).resolve().parent.parent / "hub"


@dataclass(frozen=True)
class HubImage:
    """An image to build: its tag, its files, and what it is built on."""

    tag: str
    files: context.Files
    base: str


def desired(settings: Settings, folder: Path = FOLDER) -> HubImage:
    """Read and check what goes into the image.

    Raises:
        SettingsError: the userlist has mistakes, a file is missing, or the logo is none.

    """
    files = context.read(folder) | {"userlist": _userlist(settings.hub.userlist).encode()}
    if settings.hub.conf:
        files = {name: content for name, content in files.items() if not name.startswith("conf.d/")} | _conf(settings.hub.conf)
    if settings.page.logo:
        files |= _logo(settings.page.logo)
    if settings.hub.ca:
        files["ca/settings.crt"] = read_text(settings.hub.ca, "hub.ca names it").encode()
    files |= {f"{name}/.keep": b"" for name in FOLDERS}
    tag = f"{settings.hub.service}:{context.digest(files, settings.hub.base_image)}"
    return HubImage(tag, files, settings.hub.base_image)


def observe(manager: Host, tag: str) -> bool:
    """Tell whether the manager holds the image."""
    return manager.engine.find(f"/images/{tag}/json") is not None


def plan(wanted: HubImage, exists: bool, manager: str) -> Plan:
    """Return the build, if its inputs have changed."""
    command = commands.line("build", "--build-arg", f"BASE={wanted.base}", "--tag", wanted.tag, "hub")
    differs = flat({"tag": wanted.tag, "base": wanted.base})
    changes = () if exists else (Change("build", wanted.tag, manager, _Builder(wanted), differs, command=command),)
    return Plan(STEP, f"{wanted.tag}: built already", changes)


@dataclass(frozen=True)
class _Builder:
    image: HubImage

    def __call__(self, host: Host, progress: Progress) -> None:
        # The engine's built-in builder: BuildKit would need a session that only its own client speaks.
        events = host.engine.stream(
            "/build",
            content=context.archive(self.image.files),
            t=self.image.tag,
            buildargs={"BASE": self.image.base},
            rm=True,
            forcerm=True,
            version=1,
        )
        for event in events:
            for line in event.get("stream", "").splitlines():
                if line.strip():
                    progress.log(host.name, line.rstrip())


def _conf(folder: Path) -> dict[str, bytes]:
    if not folder.is_dir():
        raise SettingsError(Problem(_shown(folder), 1, "", "is no folder; hub.conf names it"))
    return {f"conf.d/{name}": content for name, content in context.read(folder).items()}


def _logo(file: Path) -> dict[str, bytes]:
    try:
        content = file.read_bytes()
        return {f"logo/logo.{logo.kind(content)}": content}
    except OSError as error:
        wrong = (error.strerror or str(error)).lower()
    except ValueError as error:
        wrong = str(error)
    raise SettingsError(Problem(_shown(file), 1, "", f"{wrong}; page.logo names it"))


def _userlist(file: Path) -> str:
    from hub.userlist import parse

    text = read_text(file, "it lists who may log in: NAME, or NAME admin, a line")
    _, mistakes = parse(text)
    if mistakes:
        raise SettingsError(*(Problem(_shown(file), mistake.line, "", mistake.wrong) for mistake in mistakes))
    return text


def _shown(file: Path) -> str:
    """Return a path as the operator would type it here."""
    here = Path.cwd()
    return str(file.relative_to(here)) if file.is_relative_to(here) else str(file)
