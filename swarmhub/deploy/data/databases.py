"""The hub's database: where it is, where hosts.toml wants it, and the way from a file of SQLite to a server, or back."""

from collections.abc import Sequence
from dataclasses import dataclass

from swarmhub import settings as settings_file
from swarmhub.engine.swarm import replicated
from swarmhub.engine.swarm.replicated import LABEL
from swarmhub.errors import StepError
from swarmhub.history import database
from swarmhub.history.database import Database
from swarmhub.history.releases import Urls
from swarmhub.host import Json
from swarmhub.plan.plans import Change
from swarmhub.run.run import Run
from swarmhub.services.hub import service as hub_service
from swarmhub.settings import handed
from swarmhub.settings.secrets import of_database

STEP = "move-database"
KINDS = {True: "PostgreSQL", False: "SQLite"}


@dataclass(frozen=True)
class Databases:
    """The database that the hub works with, and the one that hosts.toml names; the hub's service, unless there is none."""

    now: Database
    wanted: Database
    service: Json | None = None

    @property
    def way(self) -> str:
        """Return whether it moves `in` to a server or `out` of it; nothing, if it stays where it is."""
        if bool(self.now.url) == bool(self.wanted.url):
            return ""
        return "in" if self.wanted.url else "out"

    @property
    def urls(self) -> Urls:
        """Return the URLs of the one and the other."""
        return Urls(self.now.url, self.wanted.url)

    @property
    def server(self) -> Database:
        """Return the one on a server."""
        return self.wanted if self.wanted.url else self.now


def observe(run: Run, image: str, *, moves: bool = False) -> Databases:
    """Return both; where a move is wanted and there is no service, the file of SQLite is what the last hub worked with.

    Raises:
        SettingsError: the secret with the URL is missing or none.
        StepError: a hub that was made by hand is to be taken over, and moved at once.

    """
    settings, service = run.settings, run.look.service().service
    name = now = settings.database.secret
    if service is not None:
        now = handed.database(hub_service.settings_of(service["Spec"]))
        if name and LABEL not in (service["Spec"].get("Labels") or {}):
            cause = f"the hub {settings.hub.service}, made by hand, has a database of its own"
            raise StepError(run.manager, cause, "Take it over without [database] first; then: fab move-database")
    elif moves and database.observe(run.hosts[run.manager], _database(run, image, "")).bytes:
        now = ""
    return Databases(_database(run, image, now), _database(run, image, name), service)


def unmoved(run: Run, image: str) -> str:
    """Return that the database is where hosts.toml wants it; nothing, if it is not."""
    found = observe(run, image, moves=True)
    return "" if found.way else f"the hub's database is on {KINDS[bool(found.wanted.url)]}, as hosts.toml says"


def settled(run: Run, image: str) -> Database:
    """Return the hub's database, which is where hosts.toml wants it.

    Raises:
        StepError: it is not.

    """
    found = observe(run, image)
    require_settled(found, run.manager)
    return found.wanted


def require_settled(found: Databases, manager: str) -> None:
    """Make sure that no hub starts without the users of the one before, and that none is looked at for the other.

    Raises:
        StepError: the database is not where hosts.toml wants it.

    """
    if found.way:
        kinds = KINDS[bool(found.now.url)], KINDS[bool(found.wanted.url)]
        cause = "the hub's database is on {}, and hosts.toml says {} ([database])".format(*kinds)
        raise StepError(manager, cause, "Move it: fab move-database; or take the change of hosts.toml back")


def checks(found: Databases, names: Sequence[str], manager: str) -> list[Change]:
    """Return what makes sure, before anything is changed, that the hub which is to come has all that is kept.

    `names` are those of the secrets in the swarm that the hub which is to come reads.
    """
    if found.way:
        return [database.trying_move(found.server, found.way, manager)]
    if found.service is None:
        return [database.check(found.wanted, manager)]
    return [database.require_users(found.wanted, manager)] if found.wanted.url and _is_other(found.service, names) else []


def _is_other(service: Json, names: Sequence[str]) -> bool:
    """Tell whether the secret with the URL changes: it may lead to another server, or have another password only."""
    url = handed.database(hub_service.settings_of(service["Spec"]))
    mounted = service["Spec"]["TaskTemplate"]["ContainerSpec"].get("Secrets") or []
    return any(one["File"]["Name"] == url and one["SecretName"] not in names for one in mounted)


def before(found: Databases, manager: str) -> list[Change]:
    """Return what stops the hub and moves its database; what comes after starts another one. If that fails, it starts again."""
    if not found.way:
        return []
    move = database.move(found.server, found.way, manager)
    return replicated.while_stopped(found.service, move, manager) if found.service else [move]


def after(found: Databases, manager: str) -> list[Change]:
    """Return what sets the file of SQLite aside, once the hub works with the server."""
    return [database.setting_aside(found.wanted, manager)] if found.way == "in" else []


def _database(run: Run, image: str, secret: str) -> Database:
    url = of_database(secret, run.settings, settings_file.path()) if secret else None
    return Database(run.settings.volume.name, image, run.settings.hub.service, url)
