"""What an image says of its own files, against where homes and shared folders are: what people write elsewhere is lost."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from hub.shared.servers.choice import is_for
from swarmhub.host import Json
from swarmhub.settings import Settings
from swarmhub.settings.schema.notebook import Override

ROOT = ("", "0", "root")


@dataclass(frozen=True)
class Declared:
    """The paths that an image keeps in volumes of its own, its home directory, and where it starts; nothing where unknown."""

    volumes: tuple[str, ...] = ()
    home: str = ""
    start: str = ""


def read(image: Json) -> Declared:
    """Read it off an image, as an engine shows it."""
    config = image.get("Config")
    if not config:
        return Declared()
    environment = dict(one.partition("=")[::2] for one in config.get("Env") or ())
    # Of another user only the image's /etc/passwd tells the home, unless the variable does.
    otherwise = "/root" if str(config.get("User") or "").partition(":")[0] in ROOT else ""
    start = (config.get("WorkingDir") or "").rstrip("/")
    return Declared(tuple(sorted(config.get("Volumes") or {})), environment.get("HOME", otherwise), start)


def judged(settings: Settings, images: Mapping[str, Declared]) -> dict[str, list[tuple[str, str]]]:
    """Return by image what people would lose, and what helps."""
    if not settings.home.keep:
        return {}
    found = {image: list(_lost(settings, said, homes_of(settings, image))) for image, said in images.items()}
    return {image: told for image, told in found.items() if told}


def homes_of(settings: Settings, image: str) -> tuple[str, ...]:
    """Return where the home is mounted in servers of an image, by every profile and override that may meet."""
    found: dict[str, None] = {}
    for profile in settings.profiles or (None,):
        chosen = (profile and profile.image) or settings.notebook.image, (profile and profile.home_mount) or settings.home.mount
        states = {chosen: None}
        for one in (one for one in settings.overrides if _may_meet(one, profile.name if profile else "")):
            states |= {(one.image or used, one.home_mount or mount): None for used, mount in states}
        found |= {mount: None for used, mount in states if used == image}
    return tuple(found)


def _may_meet(override: Override, profile: str) -> bool:
    return is_for({"profiles": override.profiles}, (), profile)


def _lost(settings: Settings, said: Declared, homes: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    folders = [one.mount for one in settings.folders]
    for home in homes:
        for volume in said.volumes:
            above = next((one for one in (home, *folders) if _is_below(volume, one)), None)
            # What is mounted at the very place takes its stead.
            if above and not any(_has(one, volume) and _has(volume, one) for one in folders):
                cause = f"keeps {volume} in a volume of its own (VOLUME), below {above}: what is there of people's files is "
                yield (
                    f"{cause}hidden, and what they write there is lost when their server stops",
                    "Build it without that VOLUME, or mount a folder there: [[folders]]",
                )
        for place, what in _places(settings, said).items():
            # A home that is mounted below the home directory is somebody's choice.
            if not _is_below(home, place) and not any(_has(one, place) for one in (home, *folders)):
                yield (
                    f"has {what} {place}, and the home is at {home}: what people write there is lost when their server stops",
                    f'Set home_mount = "{place}" in its profile, or home.mount',
                )


def _places(settings: Settings, said: Declared) -> dict[str, str]:
    """Return the folders where people write by themselves, and what they are."""
    opens_elsewhere = any("notebook_dir" in options for options in settings.jupyterhub.values())
    start = {} if opens_elsewhere or not said.start else {said.start: "its working directory at"}
    # With a UID of their own, servers are told that their home is where it is mounted.
    home = {} if settings.owners.handed or not said.home else {said.home.rstrip("/") or "/": "its home directory at"}
    return start | home


def _is_below(path: str, above: str) -> bool:
    return _has(above, path) and path.strip("/") != above.strip("/")


def _has(above: str, path: str) -> bool:
    return f"/{path.strip('/')}/".startswith(f"/{above.strip('/')}/".replace("//", "/"))
