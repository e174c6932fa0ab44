"""What [jupyterhub.SwarmSpawner] may add to a server's spec, by `extra_container_spec` and the like, and may not replace."""

from collections.abc import Iterator, Mapping
from typing import Any

PARTS = {part: f"extra_{part}_spec" for part in ("container", "resources", "placement", "task", "endpoint")}
# Of these, what is said there is added to what every server gets.
ADDED = ("mounts", "env", "configs", "cap_add", "cap_drop")
# A text in the place of one of these lists would count as a list of its letters.
LISTS = (*ADDED, "secrets", "groups", "hosts", "constraints", "preferences", "platforms", "networks", "ports")
# Docker-py's arguments. "": it is as said there; else the setting that decides.
COMMAND = "command of [notebook] or of a profile"
PLACES = "extra_placement_spec, notebook.nodes or node_labels: the node that has a user's home is among what it would replace"
KEYS: Mapping[str, Mapping[str, str]] = {
    "container": {
        "image": "notebook.image, or image of a profile",
        "command": COMMAND,
        "args": COMMAND,
        "healthcheck": "no option: the hub itself asks servers how they are, and Swarm would end those that start slowly",
        "privileges": "drop_capabilities of [notebook] or of a profile",
        **dict.fromkeys(
            (
                *ADDED,
                *("hostname", "workdir", "user", "labels", "stop_grace_period", "secrets", "tty", "groups", "open_stdin"),
                *("hosts", "dns_config", "isolation", "init", "sysctls", "read_only", "stop_signal"),
            ),
            "",
        ),
    },
    "resources": dict.fromkeys(("cpu_limit", "mem_limit", "cpu_reservation", "mem_reservation", "generic_resources"), ""),
    "placement": dict.fromkeys(("constraints", "preferences", "platforms", "maxreplicas"), ""),
    "task": {
        "container_spec": "extra_container_spec: the home is among what it would replace",
        "resources": "memory_limit, cpu_limit and the like of [notebook], or extra_resources_spec",
        "placement": PLACES,
        "networks": "",  # added to the hub's, by which alone a server is reached
        "restart_policy": "no option: the hub starts servers, and one that Swarm starts again has another address",
        "log_driver": "",
        "force_update": "",
    },
    "endpoint": {"mode": "network.endpoint_mode", "ports": ""},
}
# What a hook may not replace either, which no check before the start can see.
NEVER = {("task", key) for key in ("container_spec", "placement")}


def wrong(part: str, key: str) -> str:
    """Return what to set instead of a key of a part; nothing, if it may be said there."""
    if key in KEYS[part]:
        instead = KEYS[part][key]
        return instead if not instead or instead.startswith("no option") else f"use {instead}"
    return f"there is no such key; there are {', '.join(one for one, other in KEYS[part].items() if not other)}"


def replacing(extra: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Yield what an extra spec, as a hook may have set it, would replace and may not."""
    for part, arguments in extra.items():
        for key in arguments:
            if (part, key) in NEVER:
                yield f"{PARTS[part]}: {key}: use {KEYS[part][key]}"


def merged(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> dict[str, Any]:
    """Return docker-py's arguments for a container: lists are added; of two variables of one name, that of the hub counts."""
    both = {key: [*(ours.get(key) or ()), *theirs[key]] for key in ADDED if key != "env" and theirs.get(key)}
    environment = {"env": [*variables(theirs["env"]), *variables(ours["env"])]} if theirs.get("env") else {}
    return {**ours, **{key: value for key, value in theirs.items() if key not in ADDED}, **both, **environment}


def variables(given: Any) -> list[str]:
    """Return variables as NAME=value; docker-py takes a table, too."""
    return [f"{name}={value}" for name, value in given.items()] if isinstance(given, Mapping) else [*given]
