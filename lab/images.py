"""Build the lab's images on this machine's engine, each tagged by the hash of what goes into it."""

import io
import subprocess
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
from docker.errors import APIError, ImageNotFound, NotFound

from lab import keys, machine, topology
from lab.machine import LabError, Say
from swarmhub.engine import context

BASE = "debian:trixie-slim"
OUR_BASE = "swarmhub-lab/base:trixie"


@dataclass(frozen=True)
class Images:
    """The tags of the lab's images on this machine."""

    node: str
    services: str
    certbot: str
    notebook: str
    extra: str

    def published(self) -> dict[str, str]:
        """Map a local tag to the repository and tag under which the nodes find it."""
        return {
            OUR_BASE: "library/debian:trixie-slim",
            self.certbot: "certbot:lab",
            self.notebook: "notebook:lab",
            self.extra: "notebook-extra:lab",
        }


@dataclass(frozen=True)
class MachineImages:
    """The tags of what goes onto the disks of the machines in QEMU."""

    machine: str
    notebook: str


def ensure(client: docker.APIClient, say: Say) -> Images:
    """Build the images that are missing, two at a time, and return their tags."""
    _ensure_base(client, say)
    trusted = _trusted()
    folders: dict[str, dict[str, bytes]] = {"node": {}, "services": {}, "certbot": {}, "notebook": trusted}
    with ThreadPoolExecutor(max_workers=2) as pool:
        jobs = {name: pool.submit(_build, client, name, OUR_BASE, more, say) for name, more in folders.items()}
    built = {name: job.result() for name, job in jobs.items()}
    return Images(**built, extra=_build(client, "notebook-extra", built["notebook"], {}, say))


def for_database(client: docker.APIClient, say: Say) -> str:
    """Build the image of a PostgreSQL server, if it is missing."""
    _ensure_base(client, say)
    return _build(client, "database", OUR_BASE, {}, say)


def for_machines(client: docker.APIClient, say: Say) -> MachineImages:
    """Build the images of the machines in QEMU that are missing: a node with a kernel, and the notebooks'."""
    _ensure_base(client, say)
    node = _build(client, "node", OUR_BASE, {}, say)
    return MachineImages(_build(client, "vm/image", node, {}, say), _build(client, "notebook", OUR_BASE, _trusted(), say))


def publish(client: docker.APIClient, images: Images, say: Say) -> None:
    """Push what the nodes pull to the lab's registry."""
    say(f"publishing images to {topology.REGISTRY}")
    for tag, name in images.published().items():
        repository, _, version = f"127.0.0.1:{topology.REGISTRY_PORT}/{name}".rpartition(":")
        client.tag(tag, repository, version)
        _follow(client.push(repository, version, stream=True, decode=True), f"push of {name}")


def remove(client: docker.APIClient) -> None:
    """Remove the lab's images from this machine."""
    prefixes = ("swarmhub-lab/", f"127.0.0.1:{topology.REGISTRY_PORT}/")
    tags = [tag for image in client.images() for tag in image["RepoTags"] or [] if tag.startswith(prefixes)]
    for tag in tags:
        client.remove_image(tag, force=True)


def _trusted() -> dict[str, bytes]:
    return {"ca/machine.crt": keys.machine_roots()}


def _ensure_base(client: docker.APIClient, say: Say) -> None:
    if _has(client, OUR_BASE):
        return
    if not _has(client, BASE):
        say(f"pulling {BASE}")
        try:
            client.pull(BASE)
        except APIError:
            say(f"no registry answers: making {BASE} with mmdebstrap")
            _make_base(client, say)
            return
    repository, _, tag = OUR_BASE.partition(":")
    client.tag(BASE, repository, tag)


def _make_base(client: docker.APIClient, say: Say) -> None:
    machine.install_missing({"mmdebstrap": "mmdebstrap"}, say)
    with tempfile.TemporaryDirectory() as folder:
        tar = Path(folder) / "base.tar"
        command = ["mmdebstrap", "--quiet", "--variant=minbase", "--include=ca-certificates", "trixie", str(tar)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise LabError(f"mmdebstrap failed: {done.stderr.strip().splitlines()[-1:]}")
        repository, _, tag = OUR_BASE.partition(":")
        client.import_image_from_file(str(tar), repository, tag)


def _build(client: docker.APIClient, name: str, base: str, more: dict[str, bytes], say: Say) -> str:
    files = context.read(topology.ROOT / name) | more
    tag = f"swarmhub-lab/{name}:{context.digest(files, client.inspect_image(base)['Id'])}"
    if not _has(client, tag):
        say(f"building the {name} image")
        archive = context.archive(files)
        output = client.build(
            fileobj=io.BytesIO(archive), custom_context=True, tag=tag, buildargs={"BASE": base}, rm=True, decode=True
        )
        _follow(output, f"build of the {name} image")
    return tag


def _follow(events: Iterable[dict[str, Any]], what: str) -> None:
    last: list[str] = []
    for event in events:
        last = [*last, event.get("stream", "").strip()][-8:]
        if "error" in event:
            raise LabError(f"{what} failed: {event['error']}\n" + "\n".join(line for line in last if line))


def _has(client: docker.APIClient, tag: str) -> bool:
    try:
        client.inspect_image(tag)
    except (ImageNotFound, NotFound):
        return False
    return True
