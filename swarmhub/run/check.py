"""What is checked before the first connection: all that hosts.toml names, and the hosts that are named on the command line."""

import difflib
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from swarmhub import settings as settings_file
from swarmhub.errors import Problem, SettingsError, UsageError
from swarmhub.settings import Settings


def everything(settings: Settings, secrets: Callable[[], object]) -> None:
    """Read whatever the settings name; `secrets` reads the secrets.

    Raises:
        SettingsError: with every problem of the userlist, the secrets, the certificate and the files they name.

    """
    from swarmhub.certificate import certs, own
    from swarmhub.images.hub import build
    from swarmhub.settings import handed, members
    from swarmhub.settings.secrets import of_backup

    problems: list[Problem] = []
    reads: tuple[Callable[[], object], ...] = (
        secrets,
        lambda: members.check(settings, settings_file.path(), build.desired(settings).files["userlist"]),
        lambda: handed.check(settings, settings_file.path()),
        lambda: _own_options(settings, *build.conf(settings)),
        lambda: certs.desired(settings),
        lambda: own.desired(settings, datetime.now(UTC)),
        lambda: of_backup(settings, settings_file.path()) if settings.backup.every else None,
    )
    for read in reads:
        try:
            read()
        except SettingsError as error:
            problems += error.problems
    if problems:
        raise SettingsError(*problems)


def _own_options(settings: Settings, folder: str, conf: Mapping[str, bytes]) -> None:
    if settings.jupyterhub or any(name.endswith(".py") for name in conf):  # most hubs have none, and need not load this
        from swarmhub.settings import without_effect

        without_effect.check(settings, settings_file.path(), folder, conf)


def one_manager(named: Sequence[str], managers: Sequence[str]) -> None:
    """Make sure that -H, if given, names one manager and nothing else.

    Raises:
        UsageError: it names several hosts, or a worker.

    """
    if len(named) > 1:
        raise UsageError(f"-H names {len(named)} hosts; this step takes one manager: -H {managers[0]}")
    if named and named[0] not in managers:
        raise UsageError(f"-H {named[0]}: that is a worker; this step takes a manager: -H {managers[0]}")


def known(host: str, typed: str, settings: Settings) -> None:
    """Make sure that hosts.toml names a host; `typed` is what the operator wrote.

    Raises:
        UsageError: it does not; the message says which one may be meant.

    """
    hosts = settings.hosts.all
    if host not in hosts:
        close = difflib.get_close_matches(host, hosts, n=1)
        hint = f"did you mean {close[0]}?" if close else f"it names {', '.join(hosts)}"
        raise UsageError(f"{typed}: {settings_file.path()} does not name that host; {hint}")
