"""Ask the hub's own API, at its public address, as the service that `hub/shared/operator_token.py` lets in."""

import http.client
import json
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import quote, urljoin, urlsplit

from pydantic import SecretStr

from hub.shared.operator_token import FILE
from swarmhub.certificate import certs, health, https
from swarmhub.certificate.https import Route
from swarmhub.engine import containers
from swarmhub.errors import StepError
from swarmhub.host import Host, Json
from swarmhub.status import shell

if TYPE_CHECKING:
    from swarmhub.run.run import Run

PAGE = 200
# Far above what an answer is; a hub that somebody has broken into may send on for ever.
MOST, MOST_USERS = 64 << 20, 1_000_000
TOKEN_SECONDS = 3600
# The hub answers a start or a stop after 10 s at the latest, and says something on a start's progress every 8 s.
TIMEOUT_SECONDS = 30


def of_user(name: str, *more: str) -> str:
    """Return the path of a user, or of what `more` names of theirs; whatever letters the name has."""
    return "/".join(("users", quote(name, safe=""), *more))


def of_server(user: str, name: str = "") -> str:
    """Return the path of a user's server: the one that has no name, or one with a name."""
    return of_user(user, "servers", quote(name, safe="")) if name else of_user(user, "server")


class ApiError(StepError):
    """The hub answered with an error; `status` is HTTP's."""

    def __init__(self, host: str, status: int, cause: str, remedy: str) -> None:
        super().__init__(host, cause, remedy)
        self.status = status


@dataclass(frozen=True)
class HubApi:
    """The API of the hub, or of a server, at `address`. Paths are those below its own, bodies and answers are JSON.

    A server may have a domain of its own, which leads to the same proxy: `proxy` is the host to connect to, if not its own.
    """

    address: str
    trust: ssl.SSLContext
    token: SecretStr
    path: str = "/hub/api/"
    who: str = "the hub"
    proxy: str = ""
    route: Route = field(default_factory=Route)

    @property
    def host(self) -> str:
        """Return the name that is asked for."""
        return str(urlsplit(self.address).hostname)

    @property
    def port(self) -> int:
        """Return the port that it is published on."""
        return urlsplit(self.address).port or 443

    @property
    def headers(self) -> dict[str, str]:
        """Return what shows who asks."""
        return {"Authorization": f"token {self.token.get_secret_value()}"}

    def server(self, user: str) -> "HubApi":
        """Return the API of a user's server, which runs, with a token of the user's own.

        The proxy passes every header on: what a server is sent, whoever has a hand in that server can read.
        """
        token = self.post(of_user(user, "tokens"), {"note": "swarmhub", "expires_in": TOKEN_SECONDS})["token"]
        place = urlsplit(urljoin(self.address, self.get(of_user(user))["servers"][""]["url"]))
        return HubApi(
            address=f"{place.scheme}://{place.netloc}",
            trust=self.trust,
            token=SecretStr(token),
            path=f"{place.path}api/",
            who=f"the server of {user}",
            proxy=self.host,
            route=self.route,
        )

    def users(self) -> Iterator[Json]:
        """Yield every user; the hub gives them in pages."""
        offset = 0
        while page := self.get(f"users?offset={offset}&limit={PAGE}"):
            yield from page
            offset += len(page)
            if offset > MOST_USERS:
                raise self._too_much("users")

    def get(self, path: str) -> Json:
        """Return the answer to a GET."""
        return self._ask("GET", path)

    def find(self, path: str) -> Json | None:
        """Return the answer to a GET, or None where there is no such thing."""
        try:
            return self.get(path)
        except ApiError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return None
            raise

    def post(self, path: str, body: Json = None) -> Json:
        """Return the answer to a POST."""
        return self._ask("POST", path, body)

    def put(self, path: str, body: Json) -> Json:
        """Return the answer to a PUT."""
        return self._ask("PUT", path, body)

    def patch(self, path: str, body: Json) -> Json:
        """Return the answer to a PATCH."""
        return self._ask("PATCH", path, body)

    def delete(self, path: str, body: Json = None) -> None:
        """Remove something; that it is gone already is no error."""
        try:
            self._ask("DELETE", path, body)
        except ApiError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise

    def events(self, path: str) -> Iterator[Json]:
        """Yield what a GET tells while it lasts, such as the progress of a start."""
        with self._answer("GET", path) as answer:
            while line := answer.readline(MOST):
                if line.startswith(b"data:"):
                    yield json.loads(line.removeprefix(b"data:"))

    def _ask(self, method: str, path: str, body: Json = None) -> Json:
        with self._answer(method, path, body) as answer:
            content = answer.read(MOST + 1)
            if len(content) > MOST:
                raise self._too_much(path)
            return json.loads(content) if content else None

    @contextmanager
    def _answer(self, method: str, path: str, body: Json = None) -> Iterator[http.client.HTTPResponse]:
        content = None if body is None else json.dumps(body).encode()
        headers = {**self.headers, "Content-Type": "application/json"}
        url = f"{self.path}{path}"
        try:
            with https.asked(
                method,
                self.host,
                self.port,
                url,
                self.trust,
                body=content,
                headers=headers,
                address=self.proxy,
                route=self.route,
                timeout=TIMEOUT_SECONDS,
            ) as answer:
                if answer.status >= HTTPStatus.MULTIPLE_CHOICES:  # an API leads nowhere else; a page might
                    raise self._refused(answer.status, answer.read(MOST))
                yield answer
        except (OSError, http.client.HTTPException, ValueError) as error:
            cause = f"{self.who} does not answer {method} {url}: {getattr(error, 'strerror', None) or error}"
            raise StepError(self.host, cause, "Does the hub run? fab status") from error

    def _too_much(self, path: str) -> StepError:
        remedy = "Has somebody broken into it? Its log says more: fab logs"
        return StepError(self.host, f"{self.who} answers {path} with more than there can be", remedy)

    def _refused(self, status: int, content: bytes) -> ApiError:
        try:
            said = str(json.loads(content)["message"])
        except (ValueError, KeyError, TypeError):
            said = http.client.responses.get(status, "")
        remedies: dict[int, str] = {
            HTTPStatus.UNAUTHORIZED: "Was the hub just replaced? Run this again",
            HTTPStatus.FORBIDDEN: "Was the hub just replaced? Run this again",
            HTTPStatus.NOT_FOUND: "Is it spelt as in the hub's admin page?",
            HTTPStatus.TOO_MANY_REQUESTS: "Wait a little: [limits] in hosts.toml says how much at once",
        }
        remedy = remedies.get(status, "The hub's log says more: fab logs")
        return ApiError(self.host, status, f"{self.who} answers {status}: {said}", remedy)


def connect(run: "Run") -> HubApi:
    """Return the API of the hub that runs, with the token that its container has.

    Raises:
        StepError: there is no hub, or it is one that lets nobody in.

    """
    address = health.url(run.secrets["OAUTH_CALLBACK_URL"].get_secret_value())
    certificate = certs.require(run.look.certificate(), run.settings, run.manager)
    place = shell.of_hub(run.look, run.hosts[run.manager], run.settings.hub.service)
    token = fetch_token(run.hosts[place.host], place.container)
    trust = health.trust(run.look.authorities(), certs.desired(run.settings), certificate)
    path = f"{run.settings.hub.base_url}hub/api/"
    return HubApi(address, trust, token, path, route=Route(run.hosts[run.manager], run.settings.hub.port))


def fetch_token(host: Host, container: str) -> SecretStr:
    """Read the token in the hub's container.

    Raises:
        StepError: there is none.

    """
    read = containers.execute(host, container, "cat", str(FILE))
    if read.code or not read.out:
        cause = f"the hub has no token for the operator: {read.err.strip() or f'{FILE} is empty'}"
        raise StepError(
            host.name, cause, "A hub of an older release has none, and one that starts none yet. Deploy: fab deploy"
        )
    return SecretStr(read.out.strip())
