"""Ask a host's Docker Engine through docker-py, over the run's SSH connection."""

import logging
import struct
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from http import HTTPStatus
from io import BytesIO
from typing import Any

import requests
from docker import APIClient
from docker.auth import encode_header
from docker.constants import DEFAULT_DOCKER_API_VERSION
from docker.errors import StreamParseError
from docker.utils import convert_filters, version_lt
from paramiko import Transport

from swarmhub.errors import StepError
from swarmhub.host import NO_GREETING, STREAM_SECONDS, EngineError, Json, greeting
from swarmhub.ssh import logins
from swarmhub.ssh.capacity import Sessions
from swarmhub.ssh.connection import Connections
from swarmhub.ssh.docker.channels import BROKEN, TIMEOUT_SECONDS, Adapter

CHUNK = 1 << 20
# Of an engine's error: why it failed is at the end.
HEAD, TAIL = 300, 200
BASE_URL = "http://engine:80"
LOGIN = "X-Registry-Auth"
FIND_DOCKER = (
    'for one in /usr/local/bin /usr/bin /bin /snap/bin /opt/bin /opt/docker/bin "$HOME/bin" "$HOME/.local/bin"; do '
    '[ -x "$one/docker" ] && echo "$one/docker" && break; done; :'
)


class SshEngine:
    """The Docker Engine of one host. Paths, bodies and answers are those of the Engine API."""

    def __init__(self, host: str, connections: Connections) -> None:
        self.host = host
        self._connections = connections
        self._lock = threading.Lock()
        self._client: _Client | None = None
        self._transport: Transport | None = None

    def get(self, path: str, /, **params: Json) -> Json:
        """Return the decoded answer to a GET."""
        return _decode(self._call("GET", path, params))

    def find(self, path: str, /, **params: Json) -> Json | None:
        """Return the decoded answer to a GET, or None where there is no such thing."""
        try:
            return self.get(path, **params)
        except EngineError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return None
            raise

    def post(self, path: str, body: Json = None, /, *, login: str = "", **params: Json) -> Json:
        """Return the decoded answer to a POST; `login` goes with it, as `registry_login` returns it."""
        headers = {"headers": {LOGIN: login}} if login else {}
        return _decode(self._call("POST", path, params, json=body, **headers))

    def put(self, path: str, content: bytes, /, **params: Json) -> None:
        """Send bytes, such as a tar for a container."""
        self._call("PUT", path, params, data=content)

    def delete(self, path: str, /, **params: Json) -> None:
        """Remove something; that it is gone already, or that somebody else is just removing it, is no error."""
        try:
            self._call("DELETE", path, params)
        except EngineError as error:
            going = error.status == HTTPStatus.CONFLICT and "already in progress" in error.message
            if error.status != HTTPStatus.NOT_FOUND and not going:
                raise

    def pull(self, name: str, tag: str) -> Iterator[Json]:
        """Yield the events of a pull, by tag or digest, with the operator's own login to the image's registry."""
        return self._events(lambda client: client.pull(name, tag, stream=True, decode=True))

    def build(self, content: bytes, tag: str, arguments: Mapping[str, str]) -> Iterator[Json]:
        """Yield the events of a build from a tar, with the operator's own logins to registries."""
        # The proxies in this machine's Docker configuration are not the node's.
        options = {"custom_context": True, "rm": True, "forcerm": True, "decode": True, "use_config_proxy": False}
        file = BytesIO(content)
        return self._events(lambda client: client.build(fileobj=file, tag=tag, buildargs=dict(arguments), **options))

    def load(self, content: bytes | Iterable[bytes]) -> None:
        """Load images from a tar; one that is read as it is sent says how long it is."""
        for _ in self._events(lambda client: client.load_image(content)):
            pass

    def registry_digest(self, image: str) -> str:
        """Return the digest of an image in its registry, asked with the operator's own login."""
        return str(self._in_registry(image)["Descriptor"]["digest"])

    def registry_architectures(self, image: str) -> tuple[str, ...]:
        """Return the architectures for which a registry has an image, asked with the operator's own login."""
        found = {str(one.get("architecture", "")) for one in self._in_registry(image).get("Platforms") or []}
        # A build's attestation is in the list, too.
        return tuple(sorted(found - {"", "unknown"}))

    def registry_login(self, registry: str) -> str:
        """Return the operator's own login to a registry, as an engine takes it in a header; nothing, if there is none."""
        found = self._connected().own_login(registry)
        return encode_header(found).decode() if found else ""

    def _in_registry(self, image: str) -> Json:
        client: Any = self._connected()
        with self._explained():
            try:
                return client.inspect_distribution(image)
            except requests.ReadTimeout as error:  # the engine waits for it as long as it takes
                cause = f"the registry does not answer within {TIMEOUT_SECONDS} s"
                raise EngineError(self.host, HTTPStatus.GATEWAY_TIMEOUT, cause) from error

    def logs(self, path: str, /, *, patience: float | None = STREAM_SECONDS, **params: Json) -> Iterator[str]:
        """Yield the lines of a container's or a service's log; `patience` is how many seconds it may be silent."""
        params = {"stdout": True, "stderr": True} | params
        response = self._call("GET", path, params, stream=True, timeout=(TIMEOUT_SECONDS, patience))
        # Frames of 8 bytes (stream, three zeros, length) and a payload: Engine API, "Attach to a container".
        # docker-py's own reader would take the timeout away, and fails on a header that is cut off.
        with self._explained():
            while len(header := response.raw.read(8)) == 8:
                payload = response.raw.read(struct.unpack(">BxxxL", header)[1])
                yield from payload.decode(errors="replace").splitlines()

    def download(self, path: str, /, **params: Json) -> Generator[bytes, None, None]:
        """Yield the bytes of an answer that may be larger than the memory, such as a tar of a container's files."""
        response = self._call("GET", path, params, stream=True)
        with self._explained(), closing(response):
            yield from response.iter_content(CHUNK)

    def _call(self, method: str, path: str, params: Mapping[str, Json], **options: Any) -> requests.Response:
        client = self._connected()
        # Filters are JSON in the query; of all else requests makes what the engine reads.
        query = {name: convert_filters(value) if name == "filters" else value for name, value in params.items()}
        options = {"params": query, "timeout": TIMEOUT_SECONDS} | options
        with self._explained():
            return client.request(method, f"{BASE_URL}/v{client.api_version}{path}", **options)

    def _events(self, begin: Callable[[Any], Iterable[Json]]) -> Iterator[Json]:
        """Yield the events of long work; an error among them is the engine's."""
        client = self._connected()
        # docker-py takes the line end behind the last event, where it comes alone, for an event that is broken.
        with self._explained(), suppress(StreamParseError):
            for event in begin(client):
                if "error" in event:
                    raise EngineError(self.host, HTTPStatus.INTERNAL_SERVER_ERROR, _in_a_line(str(event["error"])))
                yield event

    def _connected(self) -> "_Client":
        with self._lock:
            lost = self._transport is not None and not self._transport.is_active()
            # Again when the connection was lost: a live screen shows the host again when it is back.
            if self._client is None or lost:
                connection = self._connections.opened(self.host)
                self._client, self._transport = self._negotiated(connection.sessions), connection.transport
            return self._client

    def _negotiated(self, sessions: Sessions) -> "_Client":
        """Return a client that speaks the older of what the engine speaks and what docker-py was written for."""
        adapter = Adapter(sessions, self._connections.command("docker", "system", "dial-stdio"))
        try:
            client = _Client(adapter, DEFAULT_DOCKER_API_VERSION)
            newest = client.version(api_version=False)["ApiVersion"]
            return _Client(adapter, newest) if version_lt(newest, client.api_version) else client
        except (*BROKEN, KeyError) as error:
            raise self._explain(error) from error

    def _explain(self, error: Exception) -> StepError:
        """Ask the host why its engine does not answer: the tunnel says nothing but that it closed."""
        if greets := greeting(self._connections.run(self.host, "true")):
            return StepError(self.host, greets, NO_GREETING)
        said = self._connections.run(self.host, "docker", "version", "--format", "{{.Server.Version}}")
        text = said.last if said.err.strip() else str(error)
        if said.code == 127 or "command not found" in text:
            return self._explain_missing()
        if "permission denied" in text.lower():
            remedy = (
                "Add the user to the docker group there (sudo usermod -aG docker USER), or set ssh.sudo = true in hosts.toml"
            )
            return StepError(self.host, "this user may not use Docker", remedy)
        if "a password is required" in text or "may not run sudo" in text or "not in the sudoers" in text:
            return StepError(
                self.host, "sudo asks for a password", "Allow it without one for this user, or set ssh.sudo = false"
            )
        if "Cannot connect to the Docker daemon" in text or "Is the docker daemon running" in text:
            return StepError(self.host, "the Docker Engine does not run", "Start it there: sudo systemctl start docker")
        return StepError(self.host, f"the Docker Engine does not answer: {text}", "Try there: docker info")

    def _explain_missing(self) -> StepError:
        """Look where docker may be: commands over SSH have a shorter path than a login's shell."""
        if place := self._connections.run(self.host, "sh", "-c", FIND_DOCKER).out.strip():
            cause = f"docker is {place}, which is not on the path (PATH) of commands over SSH"
            return StepError(self.host, cause, f"Make it known there: sudo ln -s {place} /usr/bin/docker")
        return StepError(self.host, "Docker is not installed", "Install Docker Engine there, then run this again")

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except requests.HTTPError as error:
            raise EngineError(self.host, error.response.status_code, _message(error.response)) from error
        except BROKEN as error:
            remedy = "Run the same command again: what was done stays done"
            raise StepError(self.host, f"the connection broke: {_innermost(error)}", remedy) from error


def _innermost(error: BaseException) -> str:
    """Return what broke, in its own words: urllib3 shows what it wraps as Python does."""
    while error.args and isinstance(error.args[-1], BaseException):
        error = error.args[-1]
    return str(error) or type(error).__name__


class _Client(APIClient):
    """docker-py's client on an adapter that is connected already."""

    def __init__(self, adapter: "Adapter", version: str) -> None:
        super().__init__(BASE_URL, version, TIMEOUT_SECONDS)
        # With --debug it would write down each address, and a build's has its arguments: an HTTP proxy's password.
        logging.getLogger("urllib3").setLevel(logging.INFO)
        # A proxy of this machine is for the internet, not for an SSH channel.
        self.trust_env = False
        self.mount(BASE_URL, adapter)
        self._auth_configs = logins.load()

    def own_login(self, registry: str) -> Any:
        """Return the operator's own login to a registry, or None."""
        return self._auth_configs.resolve_authconfig(registry)

    def request(self, *args: Any, **options: Any) -> requests.Response:
        """Send a request; a refusal raises. docker-py gives a load a minute, and a pull or a build no end."""
        if options.get("stream") and not isinstance(options["timeout"], tuple):
            options["timeout"] = STREAM_SECONDS
        response = super().request(*args, **options)
        response.raise_for_status()
        return response


def _decode(response: requests.Response) -> Json:
    return response.json() if response.content else None


def _message(response: requests.Response) -> str:
    try:
        return _in_a_line(str(response.json()["message"]))
    except (ValueError, KeyError, TypeError):
        return _in_a_line(response.text) or response.reason


def _in_a_line(said: str) -> str:
    """Return what an engine says of an error as it can be told: it may repeat a registry's whole page, or a signed address."""
    text = " ".join(said.split())
    return text if len(text) <= HEAD + TAIL else f"{text[:HEAD]} … {text[-TAIL:]}"
