"""The program that every node runs in a transfer, and the image that it runs in: Python alone, taken from the hub's image."""

import gzip
import hashlib
import io
import tarfile
from collections.abc import Mapping
from functools import cache

from hub.shared import services
from swarmhub.engine import containers, context
from swarmhub.errors import StepError
from swarmhub.host import Host
from swarmhub.inside import SCRIPTS

LABELS = {containers.LABEL: "transfer"}
FOLDER, MODULE = "/relay", "swarmhub.inside.relay"
PACK, PACKED = "/pack.py", "/tmp/python.tar"  # noqa: S108 - in a container of its own
COMMAND = ["/python", "-B", "-S", "-m", MODULE]
ENVIRONMENT = [f"PYTHONPATH={FOLDER}", "PYTHONUNBUFFERED=1"]


@cache
def files() -> Mapping[str, bytes]:
    """Return the program, as it is put into a container."""
    inside = FOLDER.lstrip("/")
    relay = {f"{inside}/swarmhub/inside/relay/{path}": content for path, content in context.read(SCRIPTS / "relay").items()}
    return {f"{inside}/swarmhub/__init__.py": b"", f"{inside}/swarmhub/inside/__init__.py": b"", **relay}


def pack(manager: Host, image: str) -> bytes:
    """Return Python as a layer, from the hub's `image` on the manager.

    Raises:
        StepError: there is no such image, or it cannot be packed.

    """
    if manager.engine.find(f"/images/{image}/json") is None:
        raise StepError(manager.name, f"there is no image {image}, whose Python brings images to nodes", "First: fab build-hub")
    command = ["python3", "-I", "-S", PACK, FOLDER, f"{MODULE}.__main__", PACKED]
    body = {"Image": image, "Entrypoint": command, "Cmd": [], "User": "0", "Labels": LABELS}
    with containers.made(manager, body, {**files(), PACK.lstrip("/"): context.lines(SCRIPTS / "pack.py")}) as container:
        manager.engine.post(f"/containers/{container}/start")
        if manager.engine.post(f"/containers/{container}/wait")["StatusCode"]:
            said = list(manager.engine.logs(f"/containers/{container}/logs"))
            raise StepError(manager.name, f"Python of {image} cannot be packed: {said[-1:]}", "Build it again: fab build-hub")
        content = b"".join(manager.engine.download(f"/containers/{container}/archive", path=PACKED))
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        layer = tar.extractfile(tar.getmembers()[0])
        return layer.read() if layer else b""


def tag(hub: str, layer: bytes) -> str:
    """Return the image's name, which is its content's."""
    return f"{services.transfer(hub)}:{hashlib.sha256(layer).hexdigest()[:12]}"


def ensure(host: Host, hub: str, architecture: str, layer: bytes) -> str:
    """Give a node the image, if it lacks it, and return its id there."""
    named = tag(hub, layer)
    if (found := host.engine.find(f"/images/{named}/json")) is None:
        host.engine.load(gzip.compress(context.image(named, architecture, layer), 6, mtime=0))
        found = host.engine.get(f"/images/{named}/json")
    return str(found["Id"])
