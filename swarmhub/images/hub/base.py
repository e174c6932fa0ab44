"""What the hub's and the proxy's image are built on, and from when on; `fab build-hub --fresh` keeps it next to hosts.toml."""

import re
from datetime import datetime

from swarmhub import settings as settings_file
from swarmhub.errors import Problem, SettingsError
from swarmhub.images.hub.build import Base
from swarmhub.settings import Settings, read_text

FRESH = "fab build-hub --fresh"
FIRST = f"# Written by {FRESH}. Keep it with hosts.toml, and do not edit it.\n"
LINES = re.compile(
    rf'{re.escape(FIRST)}image = "(?P<image>[^"\n]+)"\n'
    r'digest = "(?P<digest>(?:sha256:[0-9a-f]{64})?)"\n'
    r'fresh = "(?P<fresh>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)"\n'
)


def locked(settings: Settings) -> Base:
    """Return what is built on, as the file says it.

    Raises:
        SettingsError: somebody has edited the file, or it is of another image.

    """
    image, file = settings.hub.base_image, settings.hub.base_lock
    found = LINES.fullmatch(read_text(file, ""))
    if not found:
        raise SettingsError(Problem(str(file), 1, "", f"is not what {FRESH} writes. Run that again, or remove the file"))
    if found["image"] != image:
        from swarmhub.settings.lines import problem  # only a broken file pays for the parser

        wrong = f"{file.name} is of another image, {found['image']}. Run: {FRESH}, or remove that file"
        raise SettingsError(problem(settings_file.path(), ("hub", "base_image"), wrong))
    return Base(**found.groupdict())


def of_now(settings: Settings, digest: str, now: datetime) -> Base:
    """Return what is built on from now on; `digest` is empty where no registry answers, or hosts.toml has one."""
    return Base(settings.hub.base_image, digest, f"{now:%Y-%m-%dT%H:%M:%SZ}")


def keep(settings: Settings, base: Base) -> str:
    """Write the file, and return its name."""
    file = settings.hub.base_lock
    new = file.with_name(f"{file.name}.new")
    new.write_text(f'{FIRST}image = "{base.image}"\ndigest = "{base.digest}"\nfresh = "{base.fresh}"\n')
    new.replace(file)
    return file.name
