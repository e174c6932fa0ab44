"""The program that every node runs in a transfer, and the image that it runs in: Python alone, taken from the hub's image."""

import gzip
import io
import tarfile
from collections.abc import Mapping, Sequence
from functools import cache, partial

from hub.shared import services
from swarmhub.engine import containers, context
from swarmhub.errors import StepError
from swarmhub.host import EngineError, Host
from swarmhub.inside import SCRIPTS
from swarmhub.parallel import gather
from swarmhub.plan.plans import remedy

LABELS = {containers.LABEL: "transfer"}
FOLDER, MODULE = "/relay", "swarmhub.inside.relay"
PACK, PACKED = "/pack.py", "/tmp/python.tar"  # noqa: S108 - in a container of its own
COMMAND = ["/python", "-B", "-S", "-m", MODULE]
ENVIRONMENT = [f"PYTHONPATH={FOLDER}", "PYTHONUNBUFFERED=1"]


@cache
def files() -> Mapping[str, bytes]:
    """Return the program, as it is put into a container."""
    package = f"{FOLDER.lstrip('/')}/swarmhub"
    relay = {f"{package}/inside/relay/{path}": content for path, content in context.read(SCRIPTS / "relay").items()}
    own = {f"{package}/inside/unix.py": context.lines(SCRIPTS / "unix.py"), **relay}
    return {f"{package}/__init__.py": b"", f"{package}/inside/__init__.py": b"", **own}


def ensure(manager: Host, python: str, hub: str, hosts: Sequence[Host]) -> dict[str, str | StepError]:
    """Give nodes the image, where they lack it, and return its id on each, or why it has none.

    Raises:
        StepError: the manager has no image `python` of the hub, or its Python cannot be packed.

    """
    within = manager.engine.find(f"/images/{python}/json")
    if within is None:
        raise StepError(
            manager.name, f"there is no image {python}, whose Python brings images to nodes", "First: fab build-hub"
        )
    sent = {**files(), PACK.lstrip("/"): context.lines(SCRIPTS / "pack.py")}
    tag = f"{services.transfer(hub)}:{context.digest(sent, within['Id'])}"
    found = dict(zip(hosts, gather([partial(_find, host, tag) for host in hosts]), strict=True))
    lacking = [host for host, one in found.items() if one is None]
    if lacking:
        content = _image(manager, python, tag, sent)
        found |= dict(zip(lacking, gather([partial(_load, host, tag, content) for host in lacking]), strict=True))
    return {host.name: one for host, one in found.items() if one is not None}


def _image(manager: Host, python: str, tag: str, sent: Mapping[str, bytes]) -> bytes:
    """Return the image, of the Python that a container of the hub's image packs."""
    command = ["python3", "-I", "-S", PACK, FOLDER, f"{MODULE}.__main__", PACKED]
    body = {"Image": python, "Entrypoint": command, "Cmd": [], "User": "0", "Labels": LABELS}
    with containers.made(manager, body, sent) as container:
        manager.engine.post(f"/containers/{container}/start")
        said = list(manager.engine.logs(f"/containers/{container}/logs", follow=True))
        if manager.engine.post(f"/containers/{container}/wait")["StatusCode"]:
            raise StepError(manager.name, f"Python of {python} cannot be packed: {said[-1:]}", "Build it again: fab build-hub")
        content = b"".join(manager.engine.download(f"/containers/{container}/archive", path=PACKED))
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        layer = tar.extractfile(tar.getmembers()[0])
        packed = layer.read() if layer else b""
    architecture = str(manager.engine.get("/version").get("Arch", "amd64"))
    return gzip.compress(context.image(tag, architecture, packed), 6, mtime=0)


def _find(host: Host, tag: str) -> str | None:
    found = host.engine.find(f"/images/{tag}/json")
    return str(found["Id"]) if found else None


def _load(host: Host, tag: str, content: bytes) -> str:
    try:
        host.engine.load(content)
    except EngineError as error:
        raise StepError(host.name, f"cannot load {tag}: {error.message}", remedy(error)) from error
    return str(host.engine.get(f"/images/{tag}/json")["Id"])
