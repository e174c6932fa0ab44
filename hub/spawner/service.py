"""A server's service, asked of the engine: its tasks, its address, its last words."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from docker.errors import APIError, DockerException
from requests.exceptions import RequestException
from tornado.httpclient import HTTPError
from tornado.simple_httpclient import SimpleAsyncHTTPClient

from hub.spawner import news

# As a spawner's `docker`: a method of docker-py's client and its arguments, off the hub's own thread.
Docker = Callable[..., Awaitable[Any]]
Where = tuple[str, int]

# Of a traceback, enough to see whose file it was that broke.
LOG_LINES = 20
LOG_SECONDS = 5
ANSWER_SECONDS = 0.1
ANSWERS_A_LOOK = 10
# In each answer of a single-user server.
VERSION = "X-JupyterHub-Version"


def refusal(error: Exception) -> str:
    """Return why the engine, or the filter before it, refuses what was asked; nothing where it only fails to answer."""
    if not isinstance(error, APIError) or not error.is_client_error():
        return ""
    return str(error.explanation or error)


@dataclass(frozen=True)
class Service:
    """A service, by its id."""

    docker: Docker
    id: str

    async def tasks(self) -> list[dict[str, Any]]:
        """Return its tasks; a service that is gone has none."""
        try:
            found: list[dict[str, Any]] = await self.docker("tasks", filters={"service": self.id})
        except APIError as error:
            if error.status_code != HTTPStatus.NOT_FOUND:
                raise
            return []
        return found

    async def last_lines(self) -> list[str]:
        """Return the last lines that it printed, or none where the engine does not tell them soon."""
        asked = self.docker("service_logs", self.id, stdout=True, stderr=True, tail=LOG_LINES, is_tty=False)
        try:
            output = await asyncio.wait_for(asked, LOG_SECONDS)
        except (TimeoutError, DockerException, RequestException):
            return []
        text = b"".join(output).decode(errors="replace")
        return [line for line in text.splitlines() if line.strip()][-LOG_LINES:]

    async def address(self, tasks: Sequence[Mapping[str, Any]], network: str) -> str | None:
        """Return its address on the hub's network: its own, or its newest task's; None while there is none.

        A server may be on more networks, and the engine names them in an order of its own.
        """
        attached = (news.newest(tasks) or {}).get("NetworksAttachments") or []
        found = next((one for one in attached if network in (one["Network"]["Spec"]["Name"], one["Network"]["ID"])), None)
        if found is None:
            return None
        endpoint = (await self.docker("inspect_service", self.id))["Endpoint"]
        own = [one.get("Addr") for one in endpoint.get("VirtualIPs") or [] if one["NetworkID"] == found["Network"]["ID"]]
        address = next(filter(None, [*own, *(found.get("Addresses") or [])]), "")
        return address.partition("/")[0] or None


@dataclass(frozen=True)
class Answer:
    """What a server answers at a path of its own: a status, and whether it says that it is one of a JupyterHub."""

    code: int
    is_of_hub: bool

    @property
    def is_foreign(self) -> bool:
        """Tell whether something answers that is no single-user server: it does not know the path under which users come."""
        return not self.is_of_hub and not 200 <= self.code < 300


async def answers(where: Where, path: str) -> bool:
    """Tell whether a server answers, whatever it says."""
    return await answer(where, path) is not None


async def answer(where: Where, path: str) -> Answer | None:
    """Ask a server for a second for an answer; so JupyterHub's own first question is answered at once."""
    for _ in range(ANSWERS_A_LOOK):
        with contextlib.suppress(HTTPError, OSError):
            url = f"http://{where[0]}:{where[1]}{path}"
            # Not what asks outside: that may go by an HTTP proxy.
            found = await SimpleAsyncHTTPClient().fetch(
                url, raise_error=False, follow_redirects=False, connect_timeout=2, request_timeout=10
            )
            if found.code < 500:
                return Answer(found.code, VERSION in found.headers)
        await asyncio.sleep(ANSWER_SECONDS)
    return None


async def has_addresses(docker: Docker, network: str) -> bool:
    """Tell whether a network has an address left."""
    found, tasks, services, nodes = [
        await docker("inspect_network", network),
        await docker("tasks"),
        await docker("services"),
        await docker("nodes"),
    ]
    return news.addresses_left(found, tasks, services, len(nodes)) > 0
