"""Secrets that are told from all else, and all that is left of a run where they could be."""

import math
import secrets
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import quote

from lab import topology
from tests.lab.support import Lab
from tests.scorecard.processes import Process

# What a node's engine shows and has kept, by what it is: all containers, ended ones too, and all images.
ON_NODE = {
    "containers": "docker ps --all --quiet | xargs -r docker inspect",
    "logs": 'for one in $(docker ps --all --quiet); do docker logs "$one" 2>&1; done',
    "images": "docker image ls --all --quiet --no-trunc | sort -u | xargs -r docker image inspect",
    "the images' histories": "docker image ls --quiet | sort -u | xargs -r -n 1 docker image history --no-trunc",
    "the engine's log": "cat /var/log/dockerd.log",
}
IN_SWARM = {
    name: f"docker {kind} ls --quiet | xargs -r docker {kind} inspect"
    for name, kind in {"services": "service", "configs": "config", "secrets": "secret", "nodes": "node"}.items()
}
PRINTED = "| tr -cd '\\n[:print:]'"


@dataclass(frozen=True)
class Canary:
    """A secret that is looked for."""

    name: str
    value: str

    @property
    def forms(self) -> set[str]:
        """Return how it may be written: as it is, as in an address, and within anything in base64."""
        whole = self.value.encode()
        coded = {
            b64encode(b" " * shift + whole).decode()[math.ceil(shift * 4 / 3) : (shift + len(whole)) * 4 // 3]
            for shift in range(3)
        }
        return {self.value, quote(self.value, safe=""), *coded}

    def is_in(self, text: str) -> bool:
        """Tell whether a text has it."""
        return any(form in text for form in self.forms)


def made(*names: str) -> dict[str, str]:
    """Return a new value for each name."""
    return {name: f"canary{secrets.token_hex(12)}" for name in names}


def told(canaries: Iterable[Canary], texts: Mapping[str, str]) -> list[str]:
    """Return which is where."""
    return [f"{one.name} in {place}" for one in canaries for place, text in texts.items() if one.is_in(text)]


def started_with(canaries: Iterable[Canary], processes: Iterable[Process]) -> Iterator[tuple[str, str, Process]]:
    """Yield which is in the arguments or in the environment of which process."""
    for one in canaries:
        for process in processes:
            if one.is_in(process.arguments):
                yield one.name, "arguments", process
            if one.is_in(process.environment):
                yield one.name, "environment", process


def left(lab: Lab) -> dict[str, str]:
    """Return all that the engines show and have kept, by what it is."""
    asked = {node.name: {f"{what} of {node.name}": command for what, command in ON_NODE.items()} for node in topology.NODES}
    asked[topology.MANAGER.name] |= IN_SWARM
    return {
        what: lab.on(node, "sh", "-c", f"{{ {command}; }} {PRINTED}")
        for node, commands in asked.items()
        for what, command in commands.items()
    }
