"""The image that backups are made with: restic, and Python for the script that is sent to it."""

from pathlib import Path

from hub import FOLDER
from hub.shared import services
from swarmhub.engine import context
from swarmhub.images.builder import Recipe, authorities
from swarmhub.images.hub import build
from swarmhub.settings import Settings


def recipe(settings: Settings, folder: Path = FOLDER) -> Recipe:
    """Read what goes into the image; it is built on what the hub's is.

    Raises:
        SettingsError: a file is missing, or the base's lock is none.

    """
    files = context.copied({**context.read(folder / "backup"), "ca/.keep": b"", **authorities(settings)})
    on = build.base(settings)
    tag = f"{services.restic(settings.hub.service)}:{context.digest(files, *on.inputs)}"
    return Recipe(tag, files, on.reference, gist=f"on {on.shown}", arguments=on.arguments, source="hub/backup/Dockerfile")


def wanted(settings: Settings) -> tuple[Recipe, ...]:
    """Return what is to be built where there are backups."""
    return (recipe(settings),) if settings.backup.repository else ()
