"""Run a container to its end, for what no API of the engine does."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from swarmhub import context
from swarmhub.host import Host, Json, Output


def once(host: Host, body: Json, *, files: Mapping[str, bytes] | None = None, say: Callable[[str], object] = str) -> Output:
    """Make a container, put `files` into it, run it to its end, remove it, and return what it printed.

    `body` is that of the request that makes a container. Each line is given to `say` as it comes.
    """
    with made(host, body, files) as container:
        host.engine.post(f"/containers/{container}/start")
        lines = []
        for line in host.engine.logs(f"/containers/{container}/logs", follow=True):
            lines.append(line)
            say(line)
        code = host.engine.post(f"/containers/{container}/wait")["StatusCode"]
    return Output(code, "\n".join(lines), "")


@contextmanager
def made(host: Host, body: Json, files: Mapping[str, bytes] | None = None) -> Iterator[str]:
    """Make a container, give its id, and remove it in the end, whatever has happened."""
    container = str(host.engine.post("/containers/create", body)["Id"])
    try:
        if files:
            host.engine.put(f"/containers/{container}/archive", context.archive(files), path="/")
        yield container
    finally:
        host.engine.delete(f"/containers/{container}", force=True, v=True)
