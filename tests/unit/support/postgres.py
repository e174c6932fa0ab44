"""A PostgreSQL server of a test's own, where the machine has one: it listens on a socket in a folder and on 127.0.0.1."""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

import psycopg
import pytest

# What libpq, SQLAlchemy, URLs and pgpass files each have a rule for.
PASSWORD = "p@ss:w/rd%41\\x"
USER = "jupyterhub"


def programs() -> Path | None:
    """Return where the server's programs are; Debian has them on no path."""
    found = shutil.which("initdb")
    places = [Path(found).parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    return places[-1] if places else None


@contextmanager
def serving() -> Iterator[str]:
    """Start a server, and give the URL of an empty database on it."""
    place = programs()
    if place is None:
        pytest.skip("this machine has no PostgreSQL server: apt-get install postgresql")
    with TemporaryDirectory() as folder:
        # The server does not run as root.
        as_other = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.getuid() == 0 else []
        if as_other:
            os.chown(folder, 65534, 65534)
        data = f"{folder}/data"

        def run(*command: str) -> None:
            subprocess.run([*as_other, *command], check=True, capture_output=True, cwd=folder, timeout=60)

        run(
            f"{place}/initdb",
            "--pgdata",
            data,
            "--username",
            "postgres",
            "--auth-local",
            "trust",
            "--auth-host",
            "scram-sha-256",
        )
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        run(f"{place}/pg_ctl", "--pgdata", data, "--options", options, "--log", f"{folder}/log", "--wait", "start")
        try:
            _make(folder, port)
            yield f"postgresql://{USER}:{quote(PASSWORD, safe='')}@127.0.0.1:{port}/{USER}"
        finally:
            run(f"{place}/pg_ctl", "--pgdata", data, "--mode", "immediate", "--wait", "stop")


def _make(folder: str, port: int) -> None:
    with psycopg.connect(host=folder, port=port, user="postgres", dbname="postgres", autocommit=True) as opened:
        opened.execute(f"create role {USER} login password '{PASSWORD}'")
        opened.execute("create role stranger login")
        opened.execute(f"create database {USER} owner {USER}")


def ask(url: str, *statements: str) -> list[tuple[object, ...]]:
    """Run statements past swarmhub, and return what the last one finds."""
    with psycopg.connect(url, autocommit=True) as opened:
        for one in statements:
            found = opened.execute(one)
        return list(found) if found.description else []
