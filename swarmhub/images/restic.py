"""The image that backups are made with: restic, and Python for the script that is sent to it."""

from pathlib import Path

from hub import FOLDER
from hub.shared import services
from swarmhub.engine import context
from swarmhub.images.builder import Recipe
from swarmhub.settings import Settings, read_text


def recipe(settings: Settings, folder: Path = FOLDER) -> Recipe:
    """Read what goes into the image.

    Raises:
        SettingsError: a file is missing.

    """
    files = {**context.read(folder / "backup"), "ca/.keep": b""}
    if settings.hub.ca:
        files["ca/settings.crt"] = read_text(settings.hub.ca, "hub.ca names it").encode()
    files = context.copied(files)
    tag = f"{services.restic(settings.hub.service)}:{context.digest(files, settings.hub.base_image)}"
    return Recipe(tag, files, settings.hub.base_image, source="hub/backup/Dockerfile")
