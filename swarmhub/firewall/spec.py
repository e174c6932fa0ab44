"""The firewall's service, as it is wanted: a container on every node, with the rules and what it needs of its host."""

from dataclasses import dataclass
from typing import Any

from hub.shared import services
from swarmhub.engine.swarm import replicated
from swarmhub.engine.swarm.replicated import LABEL, SECOND
from swarmhub.firewall import image as firewall_image
from swarmhub.firewall.rules import ChainRules

# Its value is the image's tag: the spec itself names the image by its id, which no engine seeks in a registry.
IMAGE_LABEL = "swarmhub.firewall"
# Where an engine keeps the network namespaces of its containers, in netns/.
ENGINE_FOLDER = "/run/docker"
# 10 MiB, and as much again for each program that it starts for a server.
MEMORY = replicated.GIB // 4


@dataclass(frozen=True)
class Servers:
    """The servers to isolate from each other: those of a hub on a network, but for our services, and by which rules."""

    network: str
    ours: tuple[str, ...]
    rules: ChainRules


def desired(hub: str, image: str, rules: ChainRules, servers: Servers | None = None, logs: str = "") -> dict[str, Any]:
    """Return the service's whole spec; `logs` is the driver by which the engines keep logs."""
    # The older kind of iptables opens a raw socket; to enter a server's network namespace takes SYS_ADMIN.
    locked = replicated.privileges("NET_ADMIN", "NET_RAW", *(["SYS_ADMIN"] if servers else []))
    container = {
        "Image": image,
        "Command": ["/bin/sh", firewall_image.IN_CONTAINER, "keep"],
        "Env": [f"{name}={value}" for name, value in _environment(hub, rules, servers).items()],
        "Mounts": [*(_mount(folder) for folder in firewall_image.FOLDERS), *([_namespaces()] if servers else [])],
        **locked,
        "Privileges": {**locked["Privileges"], "SELinuxContext": {"Disable": True}},
        "Healthcheck": {
            "Test": ["CMD", "/bin/sh", firewall_image.IN_CONTAINER, "check"],
            "Interval": 10 * SECOND,
            # A busy node takes seconds for each program; one that is taken for ill would lose its rules for a moment.
            "Timeout": 30 * SECOND,
            "StartPeriod": 60 * SECOND,
            **replicated.FIRST,
            "Retries": 3,
        },
        "StopGracePeriod": 10 * SECOND,
    }
    return {
        "Name": services.firewall(hub),
        "Labels": {LABEL: hub, IMAGE_LABEL: firewall_image.tag(hub)},
        "TaskTemplate": {
            "ContainerSpec": container,
            "Networks": [{"Target": "host"}],
            "RestartPolicy": {"Condition": "any", "Delay": 2 * SECOND},
            **replicated.limits(MEMORY),
            **replicated.logged(logs),
        },
        "Mode": {"Global": {}},
        "UpdateConfig": {"Parallelism": 0, "FailureAction": "continue", "Order": "stop-first"},
        "EndpointSpec": {"Mode": "dnsrr"},
    }


def _environment(hub: str, rules: ChainRules, servers: Servers | None) -> dict[str, str]:
    of_node = {"CHAIN": rules.chain, "IPV4": "\n".join(rules.ipv4), "IPV6": "\n".join(rules.ipv6)}
    if servers is None:
        return of_node
    within = {"ISOLATED4": "\n".join(servers.rules.ipv4), "ISOLATED6": "\n".join(servers.rules.ipv6)}
    return {**of_node, "NETWORK": servers.network, "HUB": hub, "OURS": " ".join(servers.ours), **within}


def _namespaces() -> dict[str, Any]:
    """Return the mount in which the network namespaces of containers come and go as they do on the host."""
    return {
        "Type": "bind",
        "Source": ENGINE_FOLDER,
        "Target": "/engine",
        "ReadOnly": True,
        "BindOptions": {"Propagation": "rslave"},
    }


def _mount(folder: str) -> dict[str, Any]:
    # Without what is mounted below: a container that held its host's mounts would keep them from being unmounted.
    alone = {"Propagation": "rprivate", "NonRecursive": True}
    return {
        "Type": "bind",
        "Source": f"/{folder}",
        "Target": f"{firewall_image.HOST}/{folder}",
        "ReadOnly": True,
        "BindOptions": alone,
    }
