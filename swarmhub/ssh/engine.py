"""Speak the Docker Engine API over a host's SSH connection."""

import json
import struct
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from typing import Any

import requests
from docker import auth
from docker.constants import DEFAULT_DOCKER_API_VERSION
from docker.transport.sshconn import SSHConnection, SSHConnectionPool, SSHHTTPAdapter
from docker.utils import compare_version
from paramiko import SSHException, Transport
from urllib3.exceptions import HTTPError

from swarmhub.errors import StepError
from swarmhub.host import STREAM_SECONDS, EngineError, Json
from swarmhub.ssh.connection import Connections

TIMEOUT_SECONDS = 60
CHUNK = 1 << 20
# So many questions go to an engine at once, each on a channel of its own: a process on the host, which is dearer than the
# answer where the host is near. With the commands of a connection, they stay below sshd's MaxSessions of 10.
NEAR, FAR = 2, 6
NEAR_SECONDS = 0.02
# One that is answered late, such as for a container's end, holds the others up no longer than that.
PATIENCE_SECONDS = 1
BASE_URL = "http://engine"
# requests passes on what urllib3 and Paramiko raise while a stream is read.
BROKEN = (requests.RequestException, HTTPError, SSHException, OSError, EOFError)


class SshEngine:
    """The Docker Engine of one host. Paths, bodies and answers are those of the Engine API."""

    def __init__(self, host: str, connections: Connections) -> None:
        self.host = host
        self._connections = connections
        self._lock = threading.Lock()
        self._session: requests.Session | None = None
        self._transport: Transport | None = None
        self._version = ""

    def get(self, path: str, /, **params: Json) -> Json:
        """Return the decoded answer to a GET."""
        return _decode(self._call("GET", path, params=_query(params)))

    def find(self, path: str, /, **params: Json) -> Json | None:
        """Return the decoded answer to a GET, or None where there is no such thing."""
        try:
            return self.get(path, **params)
        except EngineError as error:
            if error.status == 404:
                return None
            raise

    def post(self, path: str, body: Json = None, /, **params: Json) -> Json:
        """Return the decoded answer to a POST."""
        return _decode(self._call("POST", path, params=_query(params), json=body))

    def put(self, path: str, content: bytes, /, **params: Json) -> None:
        """Send bytes, such as a tar for a container."""
        self._call("PUT", path, params=_query(params), data=content)

    def delete(self, path: str, /, **params: Json) -> None:
        """Remove something; that it is gone already is no error."""
        try:
            self._call("DELETE", path, params=_query(params))
        except EngineError as error:
            if error.status != 404:
                raise

    def stream(self, path: str, /, *, content: bytes | None = None, image: str = "", **params: Json) -> Iterator[Json]:
        """Yield the events of a POST that reports progress: a pull or a build.

        With `image`, the operator's own login to that image's registry is sent along.

        Raises:
            EngineError: the engine reports an error, before or during the work.

        """
        headers = {"Content-Type": "application/x-tar"} if content is not None else {}
        headers |= self._registry_login(image) if image else {}
        response = self._call(
            "POST", path, params=_query(params), data=content, headers=headers, stream=True, timeout=STREAM_SECONDS
        )
        with self._losing():
            for line in response.iter_lines(chunk_size=None):
                event = json.loads(line) if line else {}
                if "error" in event:
                    raise EngineError(self.host, 500, event["error"])
                yield event

    def logs(self, path: str, /, *, patience: float | None = STREAM_SECONDS, **params: Json) -> Iterator[str]:
        """Yield the lines of a container's or a service's log; `patience` is how many seconds it may be silent."""
        query = _query({"stdout": True, "stderr": True} | params)
        response = self._call("GET", path, params=query, stream=True, timeout=patience)
        # Frames of 8 bytes (stream, three zeros, length) and a payload: Engine API, "Attach to a container".
        with self._losing():
            while len(header := response.raw.read(8)) == 8:
                payload = response.raw.read(struct.unpack(">BxxxL", header)[1])
                yield from payload.decode(errors="replace").splitlines()

    def download(self, path: str, /, **params: Json) -> Generator[bytes, None, None]:
        """Yield the bytes of an answer that may be larger than the memory, such as a tar of a container's files."""
        response = self._call("GET", path, params=_query(params), stream=True, timeout=STREAM_SECONDS)
        with self._losing(), closing(response):
            yield from response.iter_content(CHUNK)

    def _call(self, method: str, path: str, **options: Any) -> requests.Response:
        session = self._connected()
        options.setdefault("timeout", TIMEOUT_SECONDS)
        with self._losing():
            response = session.request(method, f"{BASE_URL}/v{self._version}{path}", **options)
        if response.status_code >= 400:
            raise EngineError(self.host, response.status_code, _message(response))
        return response

    def _connected(self) -> requests.Session:
        with self._lock:
            lost = self._transport is not None and not self._transport.is_active()
            # Anew when the connection was lost: whoever watches sees the host again when it is back.
            if self._session is None or lost:
                transport = self._connections.opened(self.host).transport
                command = self._connections.command("docker", "system", "dial-stdio")
                session = requests.Session()
                session.trust_env = False
                session.mount(BASE_URL, _Adapter(transport, command))
                try:
                    newest = session.get(f"{BASE_URL}/version", timeout=TIMEOUT_SECONDS).json()["ApiVersion"]
                except (*BROKEN, KeyError, ValueError, TypeError) as error:
                    raise self._explain(error) from error
                # The older of what the engine speaks and what docker-py was written for.
                known = DEFAULT_DOCKER_API_VERSION
                self._version = newest if compare_version(newest, known) > 0 else known
                self._session, self._transport = session, transport
            return self._session

    def _explain(self, error: Exception) -> StepError:
        """Ask the host why its engine does not answer: the tunnel says nothing but that it closed."""
        said = self._connections.run(self.host, "docker", "version", "--format", "{{.Server.Version}}")
        text = said.err.strip().splitlines()[-1] if said.err.strip() else str(error)
        if said.code == 127 or "command not found" in text:
            return StepError(self.host, "Docker is not installed", "Install Docker Engine there, then run this again")
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

    @contextmanager
    def _losing(self) -> Iterator[None]:
        try:
            yield
        except BROKEN as error:
            remedy = "Run the same command again: what was done stays done"
            raise StepError(self.host, f"the connection broke: {error}", remedy) from error

    def _registry_login(self, image: str) -> dict[str, str]:
        registry, _ = auth.resolve_repository_name(image)
        header = auth.load_config()
        login = auth.resolve_authconfig(header, registry)
        return {"X-Registry-Auth": auth.encode_header(login).decode()} if login else {}


class _Adapter(SSHHTTPAdapter):
    """docker-py's SSH adapter on a transport that is open already."""

    def __init__(self, transport: Transport, command: str) -> None:
        super().__init__("ssh://", timeout=TIMEOUT_SECONDS, shell_out=True)
        self._pool = _Pool(transport, command)

    def send(self, request: Any, stream: bool = False, *args: Any, **options: Any) -> requests.Response:
        """Send a request when a channel is free; what is read as it comes may take long, and is not counted."""
        at_most = self._pool.at_most
        if stream or not at_most.acquire(timeout=PATIENCE_SECONDS):
            return super().send(request, stream, *args, **options)
        try:
            response = super().send(request, stream, *args, **options)
            _ = response.content  # the channel is free when it has been read
            return response
        finally:
            at_most.release()

    def get_connection(self, url: Any, proxies: Any = None) -> Any:
        # docker-py would open a pool, and so an SSH channel, for every address.
        return self._pool


class _Pool(SSHConnectionPool):
    def __init__(self, transport: Transport, command: str) -> None:
        super().__init__(timeout=TIMEOUT_SECONDS)
        self._transport, self._command = transport, command
        self.at_most = threading.Semaphore(NEAR)
        self._is_known = False

    def _new_conn(self) -> Any:
        return _Channel(self._transport, self._command, self._found)

    def _found(self, seconds: float) -> None:
        """Learn from the first channel, by the time it took to open, how far the host is; open more while it is asked."""
        is_first, self._is_known = not self._is_known, True
        if is_first and seconds >= NEAR_SECONDS:
            self.at_most = threading.Semaphore(1)  # and one more for each that is ready
            others: list[Any] = [self._get_conn(None) for _ in range(FAR - 1)]
            for channel in others:
                threading.Thread(target=self._open, args=(channel,), daemon=True).start()

    def _open(self, channel: Any) -> None:
        with suppress(*BROKEN):  # whoever needs it finds out
            if channel.sock is None:
                channel.connect()
        self._put_conn(channel)
        self.at_most.release()


class _Channel(SSHConnection):
    def __init__(self, transport: Transport, command: str, opened: Callable[[float], None]) -> None:
        super().__init__(transport, TIMEOUT_SECONDS)
        self._transport, self._command, self._opened = transport, command, opened

    def connect(self) -> None:
        started = time.monotonic()
        channel = self._transport.open_session()
        self._opened(time.monotonic() - started)
        channel.settimeout(self.timeout)
        channel.exec_command(self._command)
        self.sock = channel  # type: ignore[assignment]  # the stubs know docker-py's own socket only


def _query(params: Mapping[str, Json]) -> dict[str, str]:
    """Encode parameters as the API wants them: maps and lists as JSON, booleans as 0 or 1."""
    return {
        name: json.dumps(value)
        if isinstance(value, dict | list)
        else str(int(value))
        if isinstance(value, bool)
        else str(value)
        for name, value in params.items()
    }


def _decode(response: requests.Response) -> Json:
    return response.json() if response.content else None


def _message(response: requests.Response) -> str:
    try:
        return str(response.json()["message"])
    except (ValueError, KeyError):
        return response.text.strip() or response.reason
