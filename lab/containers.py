"""Start and stop the lab's containers on this machine's engine."""

import contextlib
import struct
from collections.abc import Iterator
from typing import Any

import docker
from docker.errors import APIError, NotFound

from lab import keys, topology
from lab.images import Images
from lab.keys import State
from lab.machine import LabError, Say
from lab.topology import Node, Service
from swarmhub.engine import context

PARTS: tuple[Node | Service, ...] = (*topology.SERVICES, *topology.NODES)

# What dockerd inside a container needs. "--privileged" would ask for CAP_SYS_RESOURCE too,
# which a machine that is itself confined cannot give.
NESTED_ENGINE = {
    "cap_add": ["ALL"],
    "cap_drop": ["SYS_RESOURCE"],
    "security_opt": ["seccomp=unconfined", "apparmor=unconfined"],
    "device_cgroup_rules": ["a *:* rwm"],
}
FRAME_HEAD = 8
# Where each node finds the volume that all of them share; it mounts it on /mnt/shared, as it would a file server's.
EXPORT = "/srv/export"


def ensure(client: docker.APIClient, images: Images, state: State, say: Say) -> None:
    """Create what is missing or stale and start what is stopped."""
    _ensure_network(client)
    stale = {part.name for part in PARTS if not _is_current(client, part, images, state)}
    if stale & {node.name for node in topology.NODES}:
        # A swarm whose member was made anew lists it twice: all of it is made anew.
        stale |= {node.name for node in topology.NODES}
    for part in PARTS:
        if part.name in stale:
            say(f"creating {part.name}")
            with contextlib.suppress(NotFound):
                client.remove_container(container_name(part.name), force=True, v=True)
            _create(client, part, images, state)
        try:
            client.start(container_name(part.name))
        except APIError as error:
            raise LabError(f"{part.name} does not start: {error.explanation}") from error


def remove(client: docker.APIClient) -> list[str]:
    """Remove every container of a lab with its volumes, the volumes that stay and the network; return the names."""
    ours = client.containers(all=True, filters={"label": topology.LABEL})
    for container in ours:
        client.remove_container(container["Id"], force=True, v=True)
    with contextlib.suppress(NotFound):
        client.remove_network(topology.NETWORK)
    for volume in (topology.SHARED, topology.FILLED):
        with contextlib.suppress(NotFound):
            client.remove_volume(volume)
    return [container["Names"][0].lstrip("/") for container in ours]


def running(client: docker.APIClient) -> dict[str, dict[str, Any]]:
    """Map the lab's containers, running or not, to what the engine lists of them."""
    listed = client.containers(all=True, filters={"label": topology.LABEL})
    return {container["Labels"][topology.LABEL]: container for container in listed}


def others(client: docker.APIClient) -> list[str]:
    """Return the names of the containers of other labs."""
    listed = client.containers(all=True)
    theirs = [one for one in listed if topology.ANY_LABEL in " ".join(one["Labels"]) and topology.LABEL not in one["Labels"]]
    return [one["Names"][0].lstrip("/") for one in theirs]


def run(client: docker.APIClient, name: str, *command: str) -> str:
    """Run a command in the container of a node or service and return its output.

    Raises:
        LabError: the command failed, or the container runs none.

    """
    try:
        started = client.exec_create(container_name(name), list(command))
    except APIError as error:
        raise LabError(f"{name}: {error.explanation}") from error
    output = _output(client, started["Id"]).decode().strip()
    if client.exec_inspect(started["Id"])["ExitCode"]:
        raise LabError(f"{name}: {' '.join(command[:3])} failed: {output[-400:]}")
    return output


def _output(client: docker.APIClient, id_: str) -> bytes:
    """Start what was created to be executed, and return all that it says.

    docker-py's own `exec_start` reads past its buffer, from the socket: what the engine has sent together with its answer's
    head, as it does where this machine is slow to read, is lost.
    """
    url = f"{client.base_url}/v{client.api_version}/exec/{id_}/start"
    answer = client.post(url, json={"Detach": False, "Tty": False}, timeout=client.timeout)
    answer.raise_for_status()
    return b"".join(_frames(answer.content))


def _frames(said: bytes) -> Iterator[bytes]:
    """Split what is said into its frames: a byte that tells which output, three of nothing, the size, and so many bytes."""
    place = 0
    while place < len(said):
        (size,) = struct.unpack_from(">4xL", said, place)
        place += FRAME_HEAD
        yield said[place : place + size]
        place += size


def container_name(name: str) -> str:
    """Return the name that a node's or service's container has on this machine."""
    return f"{topology.NETWORK}-{name}"


def _ensure_network(client: docker.APIClient) -> None:
    try:
        client.inspect_network(topology.NETWORK)
    except NotFound:
        pool = docker.types.IPAMPool(subnet=topology.SUBNET)
        ipam = docker.types.IPAMConfig(pool_configs=[pool])
        client.create_network(topology.NETWORK, driver="bridge", ipam=ipam, labels={topology.LABEL: "network"})


def _is_current(client: docker.APIClient, part: Node | Service, images: Images, state: State) -> bool:
    try:
        found = client.inspect_container(container_name(part.name))
    except NotFound:
        return False
    return bool(_labels(part, images, state).items() <= found["Config"]["Labels"].items())


def _labels(part: Node | Service, images: Images, state: State) -> dict[str, str]:
    """Return what tells a container of this clone and this definition from any other."""
    files = {"hosts": topology.hosts_file().encode()} | _of_dns(part, state)
    made_of = context.digest(files, repr(part), _image(part, images), state.id)
    return {topology.LABEL: part.name, f"{topology.LABEL}.made-of": made_of}


def _image(part: Node | Service, images: Images) -> str:
    return images.node if isinstance(part, Node) else images.services


def _create(client: docker.APIClient, part: Node | Service, images: Images, state: State) -> None:
    is_node = isinstance(part, Node)
    endpoint = client.create_endpoint_config(aliases=[part.hostname], ipv4_address=part.address)
    nested: dict[str, Any] = NESTED_ENGINE if is_node else {}
    host_config = client.create_host_config(
        port_bindings={inside: ("127.0.0.1", outside) for inside, outside in part.ports.items()},
        dns=None if part.name == "dns" else [topology.DNS],
        restart_policy={"Name": "unless-stopped"},
        binds=[f"{topology.SHARED}:{EXPORT}"] if is_node else None,
        **nested,
    )
    if is_node:
        # What the docker command calls "systempaths=unconfined"; docker-py has no argument for it.
        host_config |= {"MaskedPaths": [], "ReadonlyPaths": []}
    client.create_container(
        _image(part, images),
        name=container_name(part.name),
        hostname=part.hostname,
        command=list(part.command) if isinstance(part, Service) else None,
        environment=_environment(part, state),
        labels=_labels(part, images, state),
        ports=list(part.ports),
        volumes=["/var/lib/docker"] if is_node else None,
        networking_config={"EndpointsConfig": {topology.NETWORK: endpoint}},
        host_config=host_config,
    )
    client.put_archive(container_name(part.name), "/", context.archive(_files(part, state)))


def _environment(what: Node | Service, state: State) -> dict[str, str]:
    if isinstance(what, Node):
        return {"LAB_DNS": topology.DNS, "LAB_REGISTRY": topology.REGISTRY}
    if what.name == "github":
        lines = state.bytes("oauth.env").decode().splitlines()
        secrets = dict(line.split("=", 1) for line in lines)
        return {"CLIENT_ID": secrets["GITHUB_CLIENT_ID"], "CLIENT_SECRET": secrets["GITHUB_CLIENT_SECRET"]}
    # Else it asks for no proof every other time: what was proved a minute ago still counts.
    return {"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_AUTHZREUSE": "0"}


def _files(what: Node | Service, state: State) -> dict[str, bytes]:
    if isinstance(what, Node):
        key = f"{what.name}.ssh_host_key"
        return {
            "etc/ssh/ssh_host_ed25519_key": state.bytes(key),
            "etc/ssh/ssh_host_ed25519_key.pub": state.bytes(f"{key}.pub"),
            "etc/ssh/lab_authorized_keys": state.bytes("ssh_key.pub"),
            f"etc/docker/certs.d/{topology.PRIVATE}/ca.crt": state.bytes("ca.crt"),
        }
    files = {"srv/lab/hosts": topology.hosts_file().encode()} | _of_dns(what, state)
    files |= {f"srv/lab/{keys.HTPASSWD}": state.bytes(keys.HTPASSWD)} if what.name == "private" else {}
    name = "acme" if what.name.startswith("acme") else what.name
    return files | {
        f"srv/lab/{name}.crt": state.bytes(f"{what.name}.crt"),
        f"srv/lab/{name}.key": state.bytes(f"{what.name}.key"),
    }


def _of_dns(what: Node | Service, state: State) -> dict[str, bytes]:
    return {f"srv/lab/{keys.ZONE_KEY}": state.bytes(keys.ZONE_KEY)} if what.name == "dns" else {}
