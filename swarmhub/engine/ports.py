"""Who listens on a port of a host: a container, a service of the swarm, or a process."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from swarmhub.engine.containers import SERVICE_LABEL
from swarmhub.host import EngineError, Host


@dataclass(frozen=True)
class PortHolder:
    """What holds a port: `name` as people know it, and the labels of a container; `service` if it is one of the swarm's."""

    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    service: str = ""


def observe(host: Host, port: int) -> PortHolder | None:
    """Name what listens on a TCP port of the host: a container, or else a process."""
    running = host.engine.get("/containers/json", filters={"publish": [f"{port}/tcp"]})
    for item in running:
        if any(one.get("PublicPort") == port for one in item["Ports"]):
            labels = item.get("Labels") or {}
            return PortHolder(f"the container {item['Names'][0].lstrip('/')}", labels, labels.get(SERVICE_LABEL, ""))
    listening = host.run("ss", "-Hltnp", f"sport = :{port}").out.strip()
    if not listening:
        return None
    process = re.search(r'users:\(\("([^"]+)",pid=(\d+)', listening)
    service = _in_routing_mesh(host, port) if process is None or process[1] == "dockerd" else ""
    if service:
        return PortHolder(f"the service {service}", service=service)
    if process:
        return PortHolder(f"the process {process[1]} (pid {process[2]})")
    return PortHolder("a process that this user may not see (try there: sudo ss -ltnp)")


def _in_routing_mesh(host: Host, port: int) -> str:
    """Return the service for which the engine itself listens on a port, on every node."""
    try:
        services = host.engine.get("/services")
    except EngineError:  # only a manager knows
        return ""
    for service in services:
        ports = (service.get("Endpoint") or {}).get("Ports") or []
        if any(one.get("PublishedPort") == port and one.get("PublishMode") == "ingress" for one in ports):
            return str(service["Spec"]["Name"])
    return ""
