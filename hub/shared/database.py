"""The hub's database as its own code opens it: a file of SQLite, or a database on a PostgreSQL server.

The statements are the same for both: values stand as `?`, truth as `true` and `false`.
"""

import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote, urlencode

FILE = "jupyterhub.sqlite"
CONNECT_SECONDS = 10
PORT = "5432"
# In memory. JupyterHub logs its URL, and gives it to Alembic: so the password is where libpq alone looks for it.
MEMORY = Path("/dev/shm")  # noqa: S108 - in a container of its own

OF_SQLITE = """
select tables.name, keys."from" from sqlite_master as tables, pragma_foreign_key_list(tables.name) as keys
where tables.type = 'table' and keys."table" = 'users'
"""
OF_POSTGRESQL = """
select conrelid::regclass::text, attname from pg_constraint
join pg_attribute on attrelid = conrelid and attnum = conkey[1]
where contype = 'f' and confrelid = to_regclass('users')
"""
# Of JupyterHub's tables, those that every version has had at least one of.
OF_JUPYTERHUB = {"users", "spawners", "servers", "alembic_version"}
# On the server: whose database it is. Two hubs with one would each take the other's servers for gone.
OWNED = "swarmhub: the database of the hub "
OWNER = "select shobj_description(oid, 'pg_database') from pg_database where datname = current_database()"
# What a server says, and what helps.
HELP = {
    "password authentication failed": "Set the secret of database.url to the URL with the right password",
    "no password supplied": "Put the password into the URL: postgresql://USER:PASSWORD@HOST/DATABASE",
    "no pg_hba.conf entry": "Let the manager in: pg_hba.conf on the server",
    "does not exist": "Make it on the server: createuser, then createdb --owner",
    "certificate verify failed": "Name the CA in hub.ca, and sslrootcert=system in the URL",
    "does not match host name": "Name the server in the URL as its certificate does",
    "does not support SSL": "Turn TLS on there, or take sslmode out of the URL",
    "Connection refused": "Is the server up, and does it listen on that address and port?",
    "server closed the connection": "Is it a PostgreSQL server, and is it up?",
    "o route to host": "Is the server up, and does the manager reach that address?",
    "is unreachable": "Is the server up, and does the manager reach that address?",
    "failed to resolve host": "Is the host in the URL right? The manager's DNS has to know it",
    "timeout expired": "Does a firewall stand between the manager and the server?",
    "too many": "Let the server take more connections: max_connections",
    "lock timeout": "Something else has the tables in use, perhaps another hub: end it first",
    "may not make": "On the server: alter database NAME owner to USER",
    "in the hub's volume has": "Move the hub's database there: fab move-database",
    "that the secret names now": "Set the secret back; to another server a hub moves by way of SQLite: docs/database.md",
    "violates foreign key": "Delete that row in the admin console, then run this again",
    "another hub's": "Give each hub its own; if that one is gone, on the server: comment on database NAME is null",
    "no JupyterHub's": "Give the hub a database of its own: createdb --owner",
}


class Opened(Protocol):
    """A database that is open: what is changed in it stays if nothing fails."""

    def rows(self, query: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Return what a query finds."""

    def change(self, statement: str, rows: Iterable[Sequence[object]]) -> None:
        """Run a statement for each of the rows."""

    def tables(self) -> set[str]:
        """Return the names of the tables."""

    def of_users(self) -> list[tuple[str, str]]:
        """Return table and column of whatever refers to users."""


@dataclass(frozen=True)
class SQLite:
    """A file on the hub's volume."""

    file: Path

    @property
    def url(self) -> str:
        """Return how JupyterHub names it."""
        return f"sqlite:///{self.file}"

    @contextmanager
    def opened(self) -> Iterator[Opened | None]:
        """Open it; there is nothing to open before the hub's first start."""
        if not self.file.exists() or not self.file.stat().st_size:
            yield None
            return
        with closing(sqlite3.connect(self.file)) as connection, connection:
            connection.execute("pragma foreign_keys = on")
            yield _Connection(connection, "select name from sqlite_master where type = 'table'", OF_SQLITE, "?")

    def damage(self) -> str:
        """Return what of the file cannot be read; nothing, if it is whole."""
        try:
            with self.opened() as opened:
                found = opened.rows("pragma quick_check(1)")[0][0] if opened else "ok"
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError as error:
            return str(error)
        return "" if found == "ok" else " ".join(found.removeprefix("*** in database main ***").split())


@dataclass(frozen=True)
class PostgreSQL:
    """A database on a server, by libpq's parameters."""

    parameters: Mapping[str, Any] = field(repr=False)

    @property
    def url(self) -> str:
        """Return how JupyterHub names it, without the password."""
        rest = {name: value for name, value in self.parameters.items() if name not in ("user", "password", "dbname")}
        if "port" in rest:
            rest["port"] = _each(rest["port"], rest["host"])
        database = quote(self.parameters["dbname"], safe="")
        return f"postgresql+psycopg://{quote(self.parameters['user'], safe='')}@/{database}?{urlencode(rest)}"

    @contextmanager
    def opened(self) -> Iterator[Opened]:
        """Open it.

        Raises:
            SystemExit: it cannot be reached; the message has no secret.

        """
        with self._connected() as connection:
            yield _Connection(connection, "select tablename from pg_tables where schemaname = current_schema()", OF_POSTGRESQL)

    @contextmanager
    def _connected(self) -> Iterator[Any]:
        import psycopg  # most hubs need no driver

        parameters: dict[str, Any] = {**self.parameters}
        try:
            with psycopg.connect(**parameters) as connection:
                yield connection
        except psycopg.Error as error:
            raise SystemExit(_helped(f"the database: {_told(str(error))}")) from None

    def claim(self, hub: str) -> None:
        """Keep on the server whose database it is, where nothing is kept of it."""
        with self.opened() as opened:
            ((owner,), ((name,),)) = opened.rows(OWNER)[0], opened.rows("select quote_ident(current_database())")
            if not owner:
                opened.change(f"comment on database {name} is '{OWNED}{hub}'", [()])

    def check(self, hub: str) -> str:
        """Return what is wrong with it, for a hub of that name which is to start: nothing, if it can be worked with."""
        rights = "select has_database_privilege(current_database(), 'create'), has_schema_privilege(current_schema(), 'create')"
        try:
            with self.opened() as opened:
                ((may_set_aside, may_create),) = opened.rows(rights)
                names, ((owner,),) = opened.tables(), opened.rows(OWNER)
        except SystemExit as error:
            return str(error)
        if not (may_set_aside and may_create):
            return _helped("the database: its user may not make tables and schemas there")
        if (owner or "").startswith(OWNED) and owner != f"{OWNED}{hub}":
            return _helped(f"the database: it is another hub's, {owner.removeprefix(OWNED)}")
        if names and not {"users", "alembic_version"} <= names:
            return _helped(f"the database: {_strange(names)}")
        return ""


Database = SQLite | PostgreSQL


def anothers(database: Database) -> str:
    """Return that a database has tables, and none of JupyterHub's: it is another program's; nothing, if it is not."""
    with database.opened() as opened:
        names = opened.tables() if opened else set[str]()
    return _strange(names) if names and not names & OF_JUPYTERHUB else ""


def _strange(names: Iterable[str]) -> str:
    return f"it has tables that are no JupyterHub's: {', '.join(sorted(names)[:5])}"


def of(tables: Mapping[str, Any], data: Path, secrets: Path) -> Database:
    """Return the database of a hub that is handed these settings; what needs the password finds it from here on."""
    url = (tables.get("database") or {}).get("url")
    if not url:
        return SQLite(data / FILE)
    from psycopg.conninfo import conninfo_to_dict

    kind, _, rest = (secrets / url["secret"]).read_text().strip().partition("://")
    given = {name: str(value) for name, value in conninfo_to_dict(f"{kind.partition('+')[0]}://{rest}").items()}
    parameters = {"connect_timeout": str(CONNECT_SECONDS), **given}
    _keep(parameters.get("password", ""))
    return PostgreSQL(parameters)


def _each(port: str, host: str) -> str:
    """Return a port for each of several hosts: libpq takes one for all, or none of some, and SQLAlchemy does not."""
    ports = [one or PORT for one in port.split(",")]
    return ",".join(ports * (host.count(",") + 1) if len(ports) == 1 else ports)


def _keep(password: str) -> None:
    """Write the password where libpq looks for it, in the processes that this one starts, too."""
    file = MEMORY / f"hub-database-{os.getuid()}"
    escaped = password.replace("\\", "\\\\").replace(":", "\\:")
    with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600), "w") as opened:
        opened.write(f"*:*:*:*:{escaped}\n")
    os.environ["PGPASSFILE"] = str(file)


def _helped(said: str) -> str:
    """Return what is wrong, with what helps, if that is known."""
    help_ = help_for(said)
    return f"{said}. {help_}" if help_ else said


def help_for(said: str) -> str:
    """Return what helps; nothing, if that is not known."""
    return next((text for part, text in HELP.items() if part in said), "")


def _told(text: str) -> str:
    """Return what a server says in a line: of several attempts the last; what follows may have what is in the tables."""
    lines = [line.strip() for line in text.splitlines() if line.strip()] or ["it says nothing"]
    attempts = [line for line in lines if "connection failed:" in line]
    return (attempts or lines)[-1 if attempts else 0].rpartition("connection failed: ")[2]


@dataclass(frozen=True)
class _Connection:
    connection: Any
    tables_of: str
    users_of: str
    mark: str = "%s"

    def rows(self, query: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        return list(self.connection.execute(query.replace("?", self.mark), values))

    def change(self, statement: str, rows: Iterable[Sequence[object]]) -> None:
        self.connection.cursor().executemany(statement.replace("?", self.mark), list(rows))

    def tables(self) -> set[str]:
        return {name for (name,) in self.rows(self.tables_of)}

    def of_users(self) -> list[tuple[str, str]]:
        return [(table, column) for table, column in self.rows(self.users_of)]
