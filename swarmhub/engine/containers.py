"""Run a container to its end, for what no API of the engine does; and ask what a running one takes."""

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import datetime

from swarmhub.engine import context
from swarmhub.errors import StepError
from swarmhub.host import STREAM_SECONDS, Host, Json, Output

SERVICE_LABEL = "com.docker.swarm.service.name"
# On every container that is run to its end; its value says what for.
LABEL = "swarmhub"
# Its value on those that the cluster's own schedule of backups has started, which may take hours.
SCHEDULED = "schedule"
# None takes as long: one that is older has been left by a run that was killed.
LEFT_SECONDS = 3600
# What such a container prints is kept in memory: of a database or a home, this is far more than there is to say.
MOST = 64 << 20


def is_plain(listed: Json) -> bool:
    """Tell whether a container, as an engine lists it, is no service's, and none that is run to its end by us."""
    labels = listed.get("Labels") or {}
    return SERVICE_LABEL not in labels and LABEL not in labels


def once(
    host: Host,
    body: Json,
    *,
    files: Mapping[str, bytes] | None = None,
    mode: int = 0o644,
    say: Callable[[str], object] = str,
) -> Output:
    """Make a container, put `files` into it, run it to its end, remove it, and return what it printed.

    `body` is that of the request that makes a container. Each line is given to `say` as it comes.

    Raises:
        StepError: it prints more than anybody would read.

    """
    said: list[str] = []
    left = MOST
    with closing(lines(host, body, files=files, mode=mode)) as running:
        while left > 0:
            try:
                said.append(next(running))
            except StopIteration as end:
                return Output(end.value, "\n".join(said), "")
            left -= len(said[-1]) + 1
            say(said[-1])
    cause = f"a container of {body['Image']} prints more than {MOST >> 20} MB"
    raise StepError(host.name, cause, "Look at what it reads: a database or a home that somebody has made for this")


def lines(
    host: Host,
    body: Json,
    *,
    files: Mapping[str, bytes] | None = None,
    mode: int = 0o644,
    patience: float | None = STREAM_SECONDS,
) -> Generator[str, None, int]:
    """Do the same, yield the lines as they come, and return the exit code; when nobody reads on, the container is removed."""
    with made(host, body, files, mode) as container:
        host.engine.post(f"/containers/{container}/start")
        yield from host.engine.logs(f"/containers/{container}/logs", follow=True, patience=patience)
        return int(host.engine.post(f"/containers/{container}/wait")["StatusCode"])


@contextmanager
def made(host: Host, body: Json, files: Mapping[str, bytes] | None = None, mode: int = 0o644) -> Iterator[str]:
    """Make a container, give its id, and remove it in the end, whatever has happened."""
    container = str(host.engine.post("/containers/create", body)["Id"])
    try:
        if files:
            host.engine.put(f"/containers/{container}/archive", context.archive(files, mode=mode), path="/")
        yield container
    finally:
        host.engine.delete(f"/containers/{container}", force=True, v=True)


def left(listed: Iterable[Json], now: float) -> list[Json]:
    """Return those of the listed containers that killed runs have left; `now` is in seconds since 1970."""
    old = [one for one in listed if LABEL in (one.get("Labels") or {}) and now - one["Created"] > LEFT_SECONDS]
    return [one for one in old if not (one["Labels"][LABEL] == SCHEDULED and one.get("State") == "running")]


def clock(host: Host) -> float:
    """Return what the engine's clock says, in seconds since 1970: by it the engine says when a container was made."""
    return datetime.fromisoformat(host.engine.get("/info")["SystemTime"]).timestamp()


def sweep(host: Host) -> None:
    """Remove the containers that killed runs have left."""
    listed = host.engine.get("/containers/json", all=True, filters={"label": [LABEL]})
    for one in left(listed, clock(host)) if listed else ():
        host.engine.delete(f"/containers/{one['Id']}", force=True, v=True)


def execute(host: Host, container: str, *argv: str) -> Output:
    """Run a command in a container that runs, and return what it printed.

    With the docker command: docker-py waits for the output of an exec without a timeout.
    """
    return host.run("docker", "exec", container, *argv)


def of_service(host: Host, service: str, **params: Json) -> Json:
    """Return the containers that a host has of a service: those that run, or with `all=True` those that have ended too."""
    return host.engine.get("/containers/json", filters={"label": [f"{SERVICE_LABEL}={service}"]}, **params)


def memory(host: Host, container: str) -> int | None:
    """Return the bytes that a container takes, or None when it does not run."""
    stats = host.engine.find(f"/containers/{container}/stats", **{"stream": False, "one-shot": True})
    return read_memory(stats) if stats else None


def read_memory(stats: Json) -> int | None:
    """Return the bytes without the page cache, as `docker stats` counts them.

    cgroup v1 says `total_inactive_file`, v2 `inactive_file`: docker/cli, stats_helpers.go.
    """
    usage: int | None = stats["memory_stats"].get("usage")
    details = stats["memory_stats"].get("stats") or {}
    cache: int = details.get("total_inactive_file", details.get("inactive_file", 0))
    return usage - cache if usage is not None and cache < usage else usage
