"""Check all that can be checked before the first connection."""

from collections.abc import Callable
from datetime import UTC, datetime

from swarmhub import settings as settings_file
from swarmhub.certificate import certs, own
from swarmhub.errors import Problem, SettingsError
from swarmhub.images import build
from swarmhub.settings import Settings, members


def everything(settings: Settings, secrets: Callable[[], object]) -> None:
    """Read whatever the settings name; `secrets` reads the secrets.

    Raises:
        SettingsError: with every problem of the userlist, the secrets, the certificate and the files they name.

    """
    problems: list[Problem] = []
    reads: tuple[Callable[[], object], ...] = (
        secrets,
        lambda: members.check(settings, settings_file.path(), build.desired(settings).files["userlist"]),
        lambda: certs.desired(settings),
        lambda: own.desired(settings, datetime.now(UTC)),
    )
    for read in reads:
        try:
            read()
        except SettingsError as error:
            problems += error.problems
    if problems:
        raise SettingsError(*problems)
