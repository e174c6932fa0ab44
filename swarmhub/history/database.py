"""The hub's database: copied before every change of the hub, and put back on demand.

The copies have a volume of their own, which no service mounts: on its own volume, the hub could replace them.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import SecretStr

from hub.shared import database as shared
from hub.shared import services
from swarmhub.engine import containers
from swarmhub.errors import StepError
from swarmhub.host import Host, Json
from swarmhub.inside import SCRIPTS
from swarmhub.plan.plans import Change, Cost, Progress

FILE = "/data/jupyterhub.sqlite"
COPIES = "/backups"
LABEL = "swarmhub.backups"
SCRIPT = SCRIPTS / "database" / "sqlite.py"
STAYS = "It stays as it is. Put a good copy in its place, or move it away to start with a new one"
REMEDIES = {
    "open": "Where the volume is a file server's, root has to own it there: no_root_squash",
    "try": STAYS,
    "people": STAYS,
}
# What an action is called in a message.
WORDS = {
    "look": "read",
    "try": "use",
    "people": "read",
    "require": "use",
    "set-aside": "set aside",
    **dict.fromkeys(("try-move-in", "move-in", "try-move-out", "move-out"), "move"),
}
IN_CONTAINER = "swarmhub-database.py"
# Python finds it from there under the name that it has here.
SENT = {IN_CONTAINER: SCRIPT, "swarmhub/inside/database/rights.py": SCRIPT.with_stem("rights")}
# What a database on a server needs besides, and the file with its URL: the script removes it as soon as it is read.
OF_SERVER = {f"swarmhub/inside/database/{name}.py": SCRIPT.with_stem(name) for name in ("sqlite", "on_server", "postgresql")}
GIVEN = "swarmhub-database-url"
# What is about the hub's files alone, or about a copy.
OF_FILES = {"open", "hold", "remove", "set-aside"}
# An action, the database and a copy.
WITH_COPY = 3


@dataclass(frozen=True)
class Database:
    """Where the database is: the volume, an image with Python that can open it, and the hub's service; the URL, if on a server.

    The volume has the file of SQLite, and what the hub keeps besides.
    """

    volume: str
    image: str
    hub: str
    url: SecretStr | None = None

    @property
    def place(self) -> str:
        """Return where it is, in words."""
        return "PostgreSQL" if self.url else self.volume

    @property
    def backups(self) -> str:
        """Return the volume with the copies."""
        return services.backups(self.hub)


@dataclass(frozen=True)
class DatabaseState:
    """How a database is; without a file all of it is nothing."""

    bytes: int
    schema: str
    users: int


@dataclass(frozen=True)
class DatabasePeople:
    """The users in a database, and which of them are admins."""

    names: tuple[str, ...]
    admins: tuple[str, ...]


def observe(manager: Host, database: Database) -> DatabaseState:
    """Ask how the database is."""
    return DatabaseState(**_do(manager, database, "look", FILE))


def people(manager: Host, database: Database) -> DatabasePeople:
    """Ask for the users in the database; there are none, where there is no database yet.

    Raises:
        StepError: it cannot be read, or is no JupyterHub's.

    """
    answer = _do(manager, database, "people", FILE)
    return DatabasePeople(tuple(answer["names"]), tuple(answer["admins"]))


def check(database: Database, manager: str) -> Change:
    """Return what makes sure that the image's hub can use a database that another one has made: it upgrades a copy."""
    return Change("check", f"the hub's database in {database.place}", manager, _Action(database, "try", (FILE,)))


def require_users(database: Database, manager: str) -> Change:
    """Return what makes sure that the database on another server, or of another name, has the hub's users already."""
    return Change("check", "that PostgreSQL has the hub's users", manager, _Action(database, "require", (FILE,)))


def trying_move(database: Database, way: str, manager: str) -> Change:
    """Return what moves the database `in` to the server or `out` of it while the hub runs, and undoes it: it can be done."""
    return Change(
        "try", f"to move the hub's database to {_moved_to(database, way)}", manager, _Mover(database, f"try-move-{way}")
    )


def move(database: Database, way: str, manager: str) -> Change:
    """Return what moves it; no hub may run meanwhile. What is in its place is set aside."""
    what = f"the hub's database to {_moved_to(database, way)}"
    return Change("move", what, manager, _Mover(database, f"move-{way}"), cost=Cost.HUB_RESTART)


def setting_aside(database: Database, manager: str) -> Change:
    """Return what renames the file of SQLite that no hub works with any more."""
    return Change("set aside", f"jupyterhub.sqlite in {database.volume}", manager, _Action(database, "set-aside", (FILE,)))


def _moved_to(database: Database, way: str) -> str:
    return "PostgreSQL" if way == "in" else f"SQLite, in {database.volume}"


def copy(database: Database, name: str, manager: str) -> Change:
    """Return what copies the database, in use or not."""
    act = _Action(database, "copy", (FILE, f"{COPIES}/{name}"))
    return Change("copy", f"the hub's database to {database.backups}: {name}", manager, act)


def opening(database: Database, wanted: Json, found: Json | None, manager: str) -> list[Change]:
    """Return what lets a hub at the files that another has made, as another user: the one that runs, or one that is gone."""
    if found and _user(wanted) == _user(found["Spec"]):
        return []
    act = _Action(database, "open", (FILE,))
    return [Change("open", f"{database.volume} to the hub's user", manager, act)]


def holding(database: Database, manager: str) -> Change:
    """Return what lets no older image put its own userlist into force."""
    return Change("keep", "the userlist in force", manager, _Action(database, "hold", (FILE,)))


def restore(database: Database, name: str, manager: str) -> Change:
    """Return what puts a copy back, without what has been taken from people since; no hub may run meanwhile."""
    act = _Action(database, "restore", (FILE, f"{COPIES}/{name}"))
    what = f"the hub's database from {database.backups}: {name}"
    return Change("restore", what, manager, act, cost=Cost.HUB_RESTART)


def remove(manager: Host, database: Database, name: str) -> None:
    """Remove a copy."""
    _do(manager, database, "remove", FILE, f"{COPIES}/{name}")


def _user(spec: Json) -> str:
    return str(spec["TaskTemplate"]["ContainerSpec"].get("User") or "")


@dataclass(frozen=True)
class _Action:
    database: Database
    action: str
    files: tuple[str, ...]

    def __call__(self, host: Host, progress: Progress) -> None:
        state = DatabaseState(**_do(host, self.database, self.action, *self.files))
        if self.action in OF_FILES and self.database.url:  # it says nothing of the one on the server
            return
        progress.log(
            host.name, f"database: {state.bytes / 1e3:.0f} kB, {state.users} users, schema {state.schema or 'none yet'}"
        )


@dataclass(frozen=True)
class _Mover:
    database: Database
    action: str

    def __call__(self, host: Host, progress: Progress) -> None:
        told = _do(host, self.database, self.action, FILE)
        progress.log(host.name, f"{told['users']} users, schema {told['schema']}{_compared(told)}")


def _compared(told: Mapping[str, int]) -> str:
    return f"; {told['tables']} tables, {told['rows']} rows: the same in both" if told["tables"] else ""


def _do(manager: Host, database: Database, *words: str) -> Json:
    if len(words) == WITH_COPY:
        have_copies(manager, database)
    body, files = _body(database, *words), {name: file.read_bytes() for name, file in SENT.items()}
    if url := _url(database, words[0]):
        files |= {name: file.read_bytes() for name, file in OF_SERVER.items()} | {GIVEN: url.get_secret_value().encode()}
    done = containers.once(manager, body, files=files, mode=0o600 if url else 0o644)
    if done.code:
        help_ = shared.help_for(done.last) if url else ""
        remedy = help_ or REMEDIES.get(words[0], "Is there space left? docker system df")
        raise StepError(manager.name, f"cannot {WORDS.get(words[0], words[0])} the hub's database: {done.last}", remedy)
    # The engine mixes the two outputs in any order: a warning of Python's may stand before the answer or behind it.
    answer = next(line for line in done.out.splitlines() if line.startswith("{"))
    return json.loads(answer)


def have_copies(manager: Host, database: Database) -> None:
    """Make the volume of the copies, if it is missing; one that somebody else has made is not taken for it."""
    found = manager.engine.find(f"/volumes/{database.backups}")
    if found is None:
        body = {"Name": database.backups, "Driver": "local", "Labels": {LABEL: database.hub}}
        manager.engine.post("/volumes/create", body)
    elif (found.get("Labels") or {}).get(LABEL) != database.hub:
        cause = f"the volume {database.backups} is for the copies of the hub's database, and somebody else has made it"
        raise StepError(manager.name, cause, f"Move what is in it, then: docker volume rm {database.backups}")


def _url(database: Database, action: str) -> SecretStr | None:
    return None if action in OF_FILES else database.url


def _body(database: Database, *words: str) -> dict[str, object]:
    # What works on the hub's files alone has no copy in reach: the hub that runs may put links there.
    copies = [f"{database.backups}:{COPIES}"] if len(words) == WITH_COPY else []
    return {
        "Image": database.image,
        "User": "0",
        "Entrypoint": ["python3", f"/{IN_CONTAINER}"],
        "Cmd": list(words),
        "Labels": {"swarmhub": "database"},
        "HostConfig": {
            "Binds": [f"{database.volume}:/data", *copies],
            "NetworkMode": "bridge" if _url(database, words[0]) else "none",
        },
    }
