"""Start and stop the lab's containers on this machine's engine."""

from typing import Any

import docker
from docker.errors import APIError, NotFound

from lab import topology
from lab.images import Images
from lab.keys import State
from lab.machine import LabError, Say
from lab.topology import Node, Service
from swarmhub import context

# What dockerd inside a container needs. "--privileged" would ask for CAP_SYS_RESOURCE too,
# which a machine that is itself confined cannot give.
NESTED_ENGINE = {
    "cap_add": ["ALL"],
    "cap_drop": ["SYS_RESOURCE"],
    "security_opt": ["seccomp=unconfined", "apparmor=unconfined"],
    "device_cgroup_rules": ["a *:* rwm"],
}


def ensure(client: docker.APIClient, images: Images, state: State, say: Say) -> None:
    """Create what is missing or stale and start what is stopped."""
    _ensure_network(client)
    for service in topology.SERVICES:
        _ensure_container(client, service, images.services, state, say)
    for node in topology.NODES:
        _ensure_container(client, node, images.node, state, say)


def remove(client: docker.APIClient) -> list[str]:
    """Remove every container of a lab with its volumes, and the network; return the names."""
    ours = client.containers(all=True, filters={"label": topology.LABEL})
    for container in ours:
        client.remove_container(container["Id"], force=True, v=True)
    try:
        client.remove_network(topology.NETWORK)
    except NotFound:
        pass
    return [container["Names"][0].lstrip("/") for container in ours]


def running(client: docker.APIClient) -> dict[str, dict[str, Any]]:
    """Map the lab's containers, running or not, to what the engine lists of them."""
    listed = client.containers(all=True, filters={"label": topology.LABEL})
    return {container["Labels"][topology.LABEL]: container for container in listed}


def run(client: docker.APIClient, name: str, *command: str) -> str:
    """Run a command in the container of a node or service and return its output.

    Raises:
        LabError: the command failed.
    """
    started = client.exec_create(container_name(name), list(command))
    output = client.exec_start(started["Id"]).decode().strip()
    if client.exec_inspect(started["Id"])["ExitCode"]:
        raise LabError(f"{name}: {' '.join(command[:3])} failed: {output[-400:]}")
    return str(output)


def container_name(name: str) -> str:
    """Return the name that a node's or service's container has on this machine."""
    return f"swarmhub-lab-{name}"


def _ensure_network(client: docker.APIClient) -> None:
    try:
        client.inspect_network(topology.NETWORK)
    except NotFound:
        pool = docker.types.IPAMPool(subnet=topology.SUBNET)
        ipam = docker.types.IPAMConfig(pool_configs=[pool])
        client.create_network(topology.NETWORK, driver="bridge", ipam=ipam, labels={topology.LABEL: "network"})


def _ensure_container(client: docker.APIClient, what: Node | Service, image: str, state: State, say: Say) -> None:
    name = container_name(what.name)
    wanted = {topology.LABEL: what.name, f"{topology.LABEL}.image": image, f"{topology.LABEL}.state": state.id}
    try:
        found = client.inspect_container(name)
    except NotFound:
        found = None
    if found is not None and wanted.items() - found["Config"]["Labels"].items():
        say(f"{what.name} is from another image or another clone: making it anew")
        client.remove_container(name, force=True, v=True)
        found = None
    if found is None:
        say(f"creating {what.name}")
        _create(client, what, image, state, wanted)
    if found is None or not found["State"]["Running"]:
        try:
            client.start(name)
        except APIError as error:
            raise LabError(f"{what.name} does not start: {error.explanation}") from error


def _create(client: docker.APIClient, what: Node | Service, image: str, state: State, labels: dict[str, str]) -> None:
    is_node = isinstance(what, Node)
    hostname = what.name if is_node else what.hostname
    endpoint = client.create_endpoint_config(aliases=[hostname], ipv4_address=what.address)
    host_config = client.create_host_config(
        port_bindings={inside: ("127.0.0.1", outside) for inside, outside in what.ports.items()},
        dns=None if what.name == "dns" else [topology.DNS],
        restart_policy={"Name": "unless-stopped"},
        **(NESTED_ENGINE if is_node else {}),
    )
    if is_node:
        # What the docker command calls "systempaths=unconfined"; docker-py has no argument for it.
        host_config |= {"MaskedPaths": [], "ReadonlyPaths": []}
    client.create_container(
        image,
        name=container_name(what.name),
        hostname=hostname,
        command=None if is_node else list(what.command),
        environment=_environment(what, state),
        labels=labels,
        ports=list(what.ports),
        volumes=["/var/lib/docker"] if is_node else None,
        networking_config=client.create_networking_config({topology.NETWORK: endpoint}),
        host_config=host_config,
    )
    client.put_archive(container_name(what.name), "/", context.archive(_files(what, state)))


def _environment(what: Node | Service, state: State) -> dict[str, str]:
    if isinstance(what, Node):
        return {"LAB_DNS": topology.DNS, "LAB_REGISTRY": topology.REGISTRY}
    if what.name == "github":
        lines = state.bytes("oauth.env").decode().splitlines()
        secrets = dict(line.split("=", 1) for line in lines)
        return {"CLIENT_ID": secrets["GITHUB_CLIENT_ID"], "CLIENT_SECRET": secrets["GITHUB_CLIENT_SECRET"]}
    return {"PEBBLE_VA_NOSLEEP": "1"}


def _files(what: Node | Service, state: State) -> dict[str, bytes]:
    if isinstance(what, Node):
        key = f"{what.name}.ssh_host_key"
        return {
            "etc/ssh/ssh_host_ed25519_key": state.bytes(key),
            "etc/ssh/ssh_host_ed25519_key.pub": state.bytes(f"{key}.pub"),
            "etc/ssh/lab_authorized_keys": state.bytes("ssh_key.pub"),
        }
    files = {"srv/lab/hosts": topology.hosts_file().encode()}
    name = "acme" if what.name.startswith("acme") else what.name
    return files | {
        f"srv/lab/{name}.crt": state.bytes(f"{what.name}.crt"),
        f"srv/lab/{name}.key": state.bytes(f"{what.name}.key"),
    }
