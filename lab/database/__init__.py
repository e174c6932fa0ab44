"""A PostgreSQL server next to the lab, started by the tests that want one and removed by them."""

import contextlib
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote

import docker
from docker.errors import NotFound

from lab import containers, images, keys, machine, topology
from lab.machine import Say
from swarmhub.engine import context

NAME, ADDRESS = "database", topology.address(10)
USER, PASSWORD = "jupyterhub", "p@ss:w/rd%41"
# The certificate is that of another host of the lab: libpq goes by the one name and connects to the other address.
HOST = topology.CAMPUS
READY_SECONDS = 60


def url(password: str = PASSWORD, database: str = USER) -> str:
    """Return the URL of the database, which a server proves to be its own."""
    rest = f"hostaddr={ADDRESS}&sslmode=verify-full&sslrootcert=system"
    return f"postgresql://{USER}:{quote(password, safe='')}@{HOST}/{database}?{rest}"


@contextmanager
def serving(client: docker.APIClient, say: Say) -> Iterator[None]:
    """Start the server with an empty database, and remove it in the end."""
    state = keys.ensure()
    image = images.for_database(client, say)
    _remove(client)
    endpoint = client.create_endpoint_config(ipv4_address=ADDRESS)
    client.create_container(
        image,
        name=containers.container_name(NAME),
        labels={topology.LABEL: NAME},
        networking_config={"EndpointsConfig": {topology.NETWORK: endpoint}},
        host_config=client.create_host_config(),
    )
    files = {f"srv/lab/campus.{end}": state.bytes(f"campus.{end}") for end in ("crt", "key")}
    client.put_archive(containers.container_name(NAME), "/", context.archive(files))
    try:
        start(client)
        ask(client, f"create role {USER} login password '{PASSWORD}'", database="postgres")
        ask(client, f"create database {USER} owner {USER}", database="postgres")
        yield
    finally:
        _remove(client)


def start(client: docker.APIClient) -> None:
    """Start the server, and wait until it answers."""
    client.start(containers.container_name(NAME))
    silent = f"PostgreSQL does not answer: docker logs {containers.container_name(NAME)}"
    machine.wait_for(lambda: _answers(client), READY_SECONDS, silent)


def stop(client: docker.APIClient) -> None:
    """Stop the server as a crash would."""
    client.kill(containers.container_name(NAME))


def lose(client: docker.APIClient) -> None:
    """Lose all that is in the database."""
    ask(client, f"drop database {USER} with (force)", database="postgres")
    ask(client, f"create database {USER} owner {USER}", database="postgres")


def ask(client: docker.APIClient, statement: str, database: str = USER) -> str:
    """Run a statement as the server's own administrator, and return what it finds."""
    return containers.run(client, NAME, "psql", "-U", "postgres", "-h", "/run/postgresql", "-Atc", statement, database)


def _answers(client: docker.APIClient) -> bool:
    with contextlib.suppress(machine.LabError):
        return ask(client, "select 1", database="postgres") == "1"
    return False


def _remove(client: docker.APIClient) -> None:
    with contextlib.suppress(NotFound):
        client.remove_container(containers.container_name(NAME), force=True, v=True)
