"""Copy the hub's database from a PostgreSQL server into a file of SQLite, and a file of SQLite into such a server.

A copy is a file of SQLite, whatever the hub works with: what reads, checks and saves copies knows one kind. No client of
PostgreSQL has to fit the version of the server. Both ways are one transaction: what was there is set aside, never deleted.
"""

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from sqlalchemy import CheckConstraint, Connection, MetaData, Table, create_engine, func, insert, inspect, select, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool
from sqlalchemy.schema import CreateSchema

CONNECT_SECONDS = 10
# Who waits longer for a table waits for another hub.
LOCK_SECONDS = 20
AT_ONCE = 1000
ASIDE = "before_"

Rows = dict[str, int]


def snapshot(url: str, file: Path) -> None:
    """Write all tables, as they are at one moment, into a new file of SQLite; there is none, where there are no tables."""
    with _opened(url, isolation_level="REPEATABLE READ", postgresql_readonly=True) as source, _file(file) as target:
        found = _copied(source, target)
    if not found.tables:
        file.unlink(missing_ok=True)


def load(file: Path, url: str, *, stays: bool = True) -> Rows:
    """Put a file of SQLite in the place of what the server has, compare both, and return the numbers of rows by table.

    Unless it `stays`, all is undone in the end: then it is known that it can be done.
    """
    with _file(file) as source, _opened(url) as target:
        target.execute(text(f"set local lock_timeout = '{LOCK_SECONDS}s'"))
        _set_aside(target)
        found = _copied(source, target)
        for table in found.tables.values():
            _count_on(target, table)
        rows = {table.name: _compared(source, target, table) for table in found.tables.values()}
        target.commit() if stays else target.rollback()
        return rows


def reach(url: str) -> None:
    """Open the database once, and make sure that it is no other program's; nothing in it is changed."""
    with _opened(url) as opened:
        _require_hubs(inspect(opened).get_table_names())


@contextmanager
def _opened(url: str, **options: object) -> Iterator[Connection]:
    """Open the database; what goes wrong is told in one line, without any value of it."""
    kind, _, rest = url.partition("://")
    info = f"{kind.partition('+')[0]}://{rest}"
    engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(_patient(info)), poolclass=NullPool)
    try:
        with engine.connect().execution_options(**options) as opened:
            yield opened
    except SQLAlchemyError as error:
        sys.exit(f"PostgreSQL: {_told(getattr(error, 'orig', None) or error)}")
    except psycopg.Error as error:
        sys.exit(f"PostgreSQL: {_told(error)}")


def _patient(info: str) -> str:
    given: dict[str, Any] = {"connect_timeout": CONNECT_SECONDS, **conninfo_to_dict(info)}
    return make_conninfo(**given)


def _told(error: BaseException) -> str:
    """Return what is wrong: the first line of an error, for those below may have what is in the tables; of several the last."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    attempts = [line for line in lines if "connection failed:" in line]
    return (attempts or lines)[-1 if attempts else 0].rpartition("connection failed: ")[2]


@contextmanager
def _file(path: Path) -> Iterator[Connection]:
    engine = create_engine(f"sqlite:///{path}", poolclass=NullPool)
    with engine.begin() as opened:
        yield opened


def _copied(source: Connection, target: Connection) -> MetaData:
    """Make in the target the tables of the source, and fill them; return them."""
    found = _read(source)
    found.create_all(target, checkfirst=False)
    for table in found.sorted_tables:
        for some in source.execute(select(table).execution_options(yield_per=AT_ONCE)).mappings().partitions():
            target.execute(insert(table), [dict(row) for row in some])
    return found


def _read(source: Connection) -> MetaData:
    """Return the tables in words that both kinds of database know."""
    found = MetaData()
    found.reflect(source)
    for table in found.tables.values():
        for column in table.columns:
            column.type = column.type.as_generic()
            # JupyterHub gives all values itself; a default is written otherwise in either kind.
            column.server_default = None
        # Of old files: SQLite knew no truth values, and 0 or 1 was checked for.
        table.constraints -= {one for one in table.constraints if isinstance(one, CheckConstraint)}
    return found


def _set_aside(target: Connection) -> str:
    """Move the tables that are there, with what belongs to them, into a schema of their own; return its name."""
    names = inspect(target).get_table_names()
    if not names:
        return ""
    _require_hubs(names)
    aside = f"{ASIDE}{datetime.now(UTC):%Y%m%d_%H%M%S_%f}"
    target.execute(CreateSchema(aside))
    for name in names:
        target.execute(text(f'alter table "{name}" set schema {aside}'))
    return aside


def _require_hubs(names: Sequence[str]) -> None:
    if names and not {"users", "alembic_version"} <= {*names}:
        sys.exit(f"PostgreSQL: the database has tables that are no JupyterHub's: {', '.join(sorted(names)[:5])}")


def _count_on(target: Connection, table: Table) -> None:
    """Let the next row get a number that no row has."""
    column = table.autoincrement_column
    if column is not None:
        sequence = func.pg_get_serial_sequence(f'"{table.name}"', column.name)
        target.execute(select(func.setval(sequence, select(func.coalesce(func.max(column), 0) + 1).scalar_subquery(), False)))


def _compared(source: Connection, target: Connection, table: Table) -> int:
    """Make sure that a table has the same rows in both, value by value; return how many they are."""
    before, now = (Counter(tuple(row) for row in one.execute(select(table))) for one in (source, target))
    if before != now:
        sys.exit(f"PostgreSQL: the table {table.name} has other rows than the copy: {before.total()} and {now.total()}")
    return before.total()
