"""The spec of a server's service; `server` has the keys of [notebook]."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from docker.types import ContainerSpec, Placement, Resources, TaskTemplate

from hub import FOLDER
from hub.shared import services
from hub.shared.servers import extras, mounts, nodes

Arguments = Mapping[str, Any]

CONFIG_FOLDER = mounts.CONFIG_FOLDER
# What every server gets there, each file as a Swarm config, by where it is below that folder.
NOTEBOOK = FOLDER / "notebook"
CONFIG_FILES = (
    "jupyter_server_config.py",
    "swarmhub_server.py",
    "labextensions/swarmhub/package.json",
    "labextensions/swarmhub/static/swarmhub.js",
)
# On every server's service: the hub's service, whose server it is, its profile and its name.
LABELS = ("swarmhub.notebooks", "swarmhub.user", "swarmhub.profile", "swarmhub.server")
# swarmhub labels each node that holds an image so, by the first digits of its digest, id or content.
IMAGE_LABEL = "swarmhub.image"
DIGEST = re.compile(rf"(?:sha256|{re.escape(services.KEPT)}):([0-9a-f]{{12}})[0-9a-f]*\Z")
# What root in a server keeps by drop_capabilities = false: what sudo, apt and docker-stacks' start scripts take. Of Docker's
# own set, raw packets would pass the firewall between servers, and a notebook has no need of device files, chroot, file
# capabilities and the audit log.
ROOT = ("CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "NET_BIND_SERVICE", "SETGID", "SETPCAP", "SETUID")
UNLOCKED = {"cap_drop": ["ALL"], "cap_add": [f"CAP_{name}" for name in ROOT]}
# Of a content's hash, in the name of a Swarm config; an earlier release wrote fewer.
DIGITS, FORMER_DIGITS = mounts.HASH, mounts.FORMER_HASH
CPU = 1_000_000_000
UNITS = (("TB", 2**40), ("GB", 2**30), ("MB", 2**20), ("KB", 2**10))
# JupyterHub's option for each of our keys; its name in capitals is the variable by which a server learns of it.
SIZES = {
    "memory_limit": "mem_limit",
    "memory_guarantee": "mem_guarantee",
    "cpu_limit": "cpu_limit",
    "cpu_guarantee": "cpu_guarantee",
}


@dataclass(frozen=True)
class Extra:
    """What [jupyterhub.SwarmSpawner] says besides: keyword arguments of docker-py's types (`hub.shared.servers.extras`)."""

    container: Arguments = field(default_factory=dict)
    resources: Arguments = field(default_factory=dict)
    placement: Arguments = field(default_factory=dict)
    task: Arguments = field(default_factory=dict)


def task_template(server: Arguments, container: Arguments, placed: list[str], network: str, extra: Extra) -> TaskTemplate:
    """Return what the task is made from; `container` is what differs from start to start, `placed` constraints."""
    shared_memory = [mounts.memory(server["shared_memory"])] if server.get("shared_memory") else []
    # Older engines do not know the privilege, and leave it out.
    locked = {"cap_drop": ["ALL"], "privileges": {"NoNewPrivileges": True}} if server["drop_capabilities"] else UNLOCKED
    inside = {
        **container,
        **locked,
        "env": mounts.literal(container["env"]),
        "image": server["image"],
        "mounts": [*container["mounts"], *shared_memory],
        # docker-stacks images carry a check of 3 x 3 s, by which Swarm kills what starts slowly; the hub asks by itself.
        "healthcheck": {"Test": ["NONE"]},
    }
    task = {
        "container_spec": ContainerSpec(**extras.merged(inside, extra.container)),
        "resources": resources(server, extra.resources),
        "placement": Placement(**{**extra.placement, "constraints": [*placed, *extra.placement.get("constraints", ())]}),
        "networks": _networks(network, extra.task.get("networks") or ()),
        # Swarm's default is to start a server again that its user has shut down.
        "restart_policy": {"Condition": "none"},
    }
    return TaskTemplate(**{**task, **{name: one for name, one in extra.task.items() if name != "networks"}})


def _networks(network: str, more: Iterable[Any]) -> list[Any]:
    """Return the networks that a server is on: the hub's, by which alone it is reached, and those that an operator adds."""
    return [network, *(one for one in more if (one.get("Target") if isinstance(one, dict) else one) != network)]


def resources(server: Arguments, extra: Arguments) -> Resources:
    """Return limits and guarantees."""
    given = {
        "cpu_limit": _cpus(server.get("cpu_limit")),
        "cpu_reservation": _cpus(server.get("cpu_guarantee")),
        "mem_limit": server.get("memory_limit"),
        "mem_reservation": server.get("memory_guarantee"),
        "generic_resources": server.get("generic_resources") or None,
    }
    found = Resources(**{**given, **extra})
    if server.get("processes"):  # docker-py has no argument for it
        found.setdefault("Limits", {})["Pids"] = server["processes"]
    return found


def environment(server: Arguments) -> dict[str, str]:
    """Return the variables that a server gets besides JupyterHub's own: its sizes, for what shows them, and the settings'."""
    sizes = {trait.upper(): str(server[key]) for key, trait in SIZES.items() if server.get(key)}
    # Where NVIDIA's runtime is the default one, images whose own value is "all" see every card, reserved or not.
    cards = {} if server["generic_resources"] else {"NVIDIA_VISIBLE_DEVICES": "void"}
    return {**sizes, **cards, **server["environment"]}


def constraints(server: Arguments) -> list[str]:
    """Return on which nodes it may run: those that hold its image and have the labels that it asks for."""
    labels = nodes.labelled(server["node_labels"])
    digest = DIGEST.search(server["image"])
    return [f"node.labels.{IMAGE_LABEL}.{digest[1]}==held", *labels] if digest else labels


def needs(server: Arguments) -> str:
    """Return what a node must have free for it, as people read it."""
    cpus, memory = server.get("cpu_guarantee"), server.get("memory_guarantee")
    parts = [f"{cpus:g} CPU{'s' if cpus > 1 else ''}"] if cpus else []
    parts += [f"{amount(memory)} of memory"] if memory else []
    parts += [f"{count} {name}" for name, count in server["generic_resources"].items()]
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def _cpus(count: float | None) -> int | None:
    return int(count * CPU) if count else None


def amount(size: int) -> str:
    """Return a number of bytes as people read it."""
    name, unit = next((name, unit) for name, unit in UNITS if size >= unit or unit == UNITS[-1][1])
    return f"{round(size / unit, 1):g} {name}"
