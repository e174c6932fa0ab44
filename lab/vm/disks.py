"""Make the machines' disks with this machine's engine: the system, and all images that a deploy needs there.

A simulated processor takes twenty times as long as a real one: nothing is built, pulled or unpacked on one.
"""

import contextlib
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import docker
from docker.errors import NotFound

from lab import containers, images, keys, machine, topology
from lab.images import MachineImages
from lab.keys import State
from lab.machine import LabError, Say, wait_for
from lab.vm import machines
from swarmhub import settings
from swarmhub.engine import context
from swarmhub.images.hub import build

HOSTS = topology.ROOT / "vm" / "hosts.toml"
# The container in which the disks are filled: a node of the lab, from the machines' own image.
NAME = "kernel"
NOTEBOOK = "swarmhub-lab/notebook:lab"
BUILD_SECONDS = 1800
SOCKET = "/var/run/docker.sock"
OUTSIDE = "/run/outside.sock"


def ensure(client: docker.APIClient, say: Say) -> State:
    """Make the disks of this checkout, unless they are there.

    Raises:
        LabError: this machine cannot; the message says what is missing.

    """
    if platform.machine().lower() not in ("x86_64", "amd64"):
        raise LabError(f"Debian's kernel is tried on amd64 only, and this is {platform.machine()}")
    machine.install_missing({"qemu-system-x86_64": "qemu-system-x86"}, say)
    state = keys.ensure(machines.STATE)
    keys.write_ssh(state, machines.NODES)
    keys.write_callback(state, machines.HUB_URL)
    built = images.for_machines(client, say)
    tags = [image.tag for image in build.wanted(settings.load(HOSTS))]
    system = context.digest({"key": state.bytes("ssh_key.pub")}, built.machine)
    wanted = {"root": system, "docker": context.digest({}, built.notebook, *tags)}
    stale = [name for name, of in wanted.items() if not _is_made_of(state, name, of)]
    for name in stale:
        (state / f"{name}.img").unlink(missing_ok=True)
    if stale:
        _make(client, built, state, say)
    for name, of in wanted.items():
        (state / f"{name}.made-of").write_text(of)
    return state


def _is_made_of(state: State, disk: str, what: str) -> bool:
    note = state / f"{disk}.made-of"
    return (state / f"{disk}.img").exists() and note.exists() and note.read_text() == what


def _make(client: docker.APIClient, built: MachineImages, state: State, say: Say) -> None:
    say("making the machines' disks")
    with contextlib.suppress(NotFound):
        client.remove_container(containers.container_name(NAME), force=True, v=True)
    _create(client, built, state)
    client.start(containers.container_name(NAME))
    try:
        wait_for(lambda: _answers(client), 120, f"{NAME}: its dockerd did not answer within 120 s")
        if not (state / "docker.img").exists():
            _fill(client, built, say)
        say("writing the machines' disks")
        containers.run(client, NAME, "lab-disks", "/out")
    finally:
        client.remove_container(containers.container_name(NAME), force=True, v=True)


def _fill(client: docker.APIClient, built: MachineImages, say: Say) -> None:
    containers.run(client, NAME, "docker", "swarm", "init", "--advertise-addr", "eth0")
    for source, name in ((images.OUR_BASE, images.BASE), (built.notebook, NOTEBOOK)):
        copy = f"docker -H unix://{OUTSIDE} save {source} | docker load --quiet && docker tag {source} {name}"
        containers.run(client, NAME, "sh", "-ec", copy)
    _build_hub(say)


def _create(client: docker.APIClient, built: MachineImages, state: State) -> None:
    ssh = machines.MANAGER.node.ssh_port
    nested: dict[str, Any] = containers.NESTED_ENGINE
    host_config = client.create_host_config(
        port_bindings={22: ("127.0.0.1", ssh)},
        # Its volume stays: with the layers of the last build, the next one takes seconds.
        binds=[f"{topology.FILLED}:/var/lib/docker", f"{SOCKET}:{OUTSIDE}", f"{state.folder}:/out"],
        **nested,
    )
    client.create_container(
        built.machine,
        name=containers.container_name(NAME),
        hostname=machines.MANAGER.name,
        labels={topology.LABEL: NAME},
        ports=[22],
        host_config=host_config | {"MaskedPaths": [], "ReadonlyPaths": []},
    )
    names = {"ssh_host_ed25519_key": machines.MANAGER.name} | {f"{node.name}.key": node.name for node in machines.NODES}
    files = {f"etc/ssh/{file}": state.bytes(f"{name}.ssh_host_key") for file, name in names.items()}
    files["etc/ssh/lab_authorized_keys"] = state.bytes("ssh_key.pub")
    client.put_archive(containers.container_name(NAME), "/", context.archive(files, mode=0o600))


def _answers(client: docker.APIClient) -> bool:
    with contextlib.suppress(LabError):
        return bool(containers.run(client, NAME, "docker", "version", "--format", "{{.Server.Version}}"))
    return False


def _build_hub(say: Say) -> None:
    """Build the hub's and the proxy's image as an operator would: the machines find them by their tags."""
    say("building the hub's image (5 min, if its packages are not there yet)")
    fab = [str(Path(sys.executable).parent / "fab"), "-H", machines.MANAGER.name, "build-hub"]
    done = subprocess.run(
        fab,
        cwd=topology.ROOT.parent,
        env={**os.environ, "SWARMHUB_HOSTS": str(HOSTS)},
        capture_output=True,
        text=True,
        check=False,
        timeout=BUILD_SECONDS,
    )
    if done.returncode:
        raise LabError(f"the hub's image is not built: {(done.stdout + done.stderr).strip()[-600:]}")
