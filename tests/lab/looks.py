"""Looks at the whole lab, past swarmhub and in one go: what its objects are, and all that a plan looks at."""

import hashlib
import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import docker

from lab import containers, topology
from swarmhub.firewall import firewall

ROOT = Path(__file__).resolve().parents[2]
MANAGER = topology.MANAGER.name
IMAGE = "docker service inspect jupyterhub --format '{{.Spec.TaskTemplate.ContainerSpec.Image}}'"
OBJECTS = {
    "service": "docker service inspect jupyterhub --format '{{.ID}} {{.Version.Index}}'",
    "network": "docker network inspect jupyter --format '{{.ID}}'",
    "volume": "docker volume inspect jupyterhub-data --format '{{.CreatedAt}}'",
    "secrets": "docker secret ls --format '{{.ID}} {{.Name}}'",
    "task": "docker service ps jupyterhub --format '{{.ID}}' --filter desired-state=running",
    "certificate": f"cat /etc/letsencrypt/live/{topology.DOMAIN}/fullchain.pem",
    "hub image": f"docker image inspect $({IMAGE}) --format '{{{{.Id}}}} {{{{.RepoTags}}}}'",
}
IMAGES = {
    name: f"docker image ls --no-trunc --format '{{{{.ID}}}}' registry.lab:5000/{name}"
    for name in ("notebook", "notebook-extra")
}
# What makes a plan besides hosts.toml and what lies beside that.
SOURCES = ("fabfile.py", "hub", "lab", "swarmhub", "tasks")
# HTTP/1.0 has no chunks: an answer ends with its connection, and is one line of JSON.
ASK = r"""
for my $path (@ARGV) {
    my $engine = IO::Socket::UNIX->new(Peer => "/var/run/docker.sock") or die "the engine does not answer";
    print $engine "GET $path HTTP/1.0\r\nHost: engine\r\n\r\n";
    my $answer = do { local $/; <$engine> };
    $answer =~ m{^HTTP/1\.\d 200 .*?\r\n\r\n(.*?)\s*$}s or die "$path: $answer";
    print "$1\n";
}
"""
# The firewall's rules are made from what their own look finds.
SCRIPT = f"""
perl -MIO::Socket::UNIX -e "$0" "$@" || exit 1
if [ -d /etc/letsencrypt ]; then tar -C /etc -c letsencrypt | sha256sum; fi
{firewall.SCRIPT}
"""
# What is kept of each answer; the rest changes by itself, or only with what is kept.
OF_NODE = {
    "/info": ("ID", "ServerVersion", "DockerRootDir", "Swarm.NodeID", "Swarm.LocalNodeState", "Swarm.ControlAvailable"),
    "/images/json": ("Id", "RepoTags", "RepoDigests"),
    "/volumes": ("Name", "Driver", "Options", "Labels", "CreatedAt"),
}
OF_MANAGER = {
    "/services": ("ID", "Spec"),
    "/nodes": ("ID", "Spec", "Status", "ManagerStatus", "Description.Hostname"),
    "/swarm": ("ID", "DataPathPort"),
    "/secrets": ("ID", "Spec"),
    "/configs": ("ID", "Spec"),
    "/networks": ("Id", "Name", "Driver", "Scope", "Attachable", "Options", "IPAM"),
    f"/tasks?filters={quote(json.dumps({'service': [firewall.name('jupyterhub')]}))}": (
        "NodeID",
        "CreatedAt",
        "Spec",
        "Status.State",
    ),
}


def objects(client: docker.APIClient) -> dict[str, str]:
    """Return what tells every object of a deployment from one that was made anew."""
    asked = {
        node.name: {f"{name} image on {node.name}": command for name, command in IMAGES.items()} for node in topology.NODES
    }
    asked[MANAGER] |= OBJECTS
    with ThreadPoolExecutor() as pool:
        answers = [*pool.map(partial(_answers, client), asked, asked.values())]
    return {name: answer for one in answers for name, answer in one.items()}


def _answers(client: docker.APIClient, node: str, commands: Mapping[str, str]) -> dict[str, str]:
    """Run shell commands inside a node, in one go: to start one takes longer than to answer."""
    script = "set -e\n" + "\necho =====\n".join(commands.values())
    said = containers.run(client, node, "sh", "-c", script).split("=====")
    return {name: answer.strip() for name, answer in zip(commands, said, strict=True)}


def planned_on(client: docker.APIClient, hosts: Path, environ: Mapping[str, str]) -> str:
    """Return a digest of all that a plan looks at, here and on every node: as long as it is the same, so is the plan.

    But for what only time changes, which no test is long enough for: a certificate that falls due.

    Raises:
        LabError: an engine does not answer.

    """
    with ThreadPoolExecutor() as pool:
        answers = [*pool.map(partial(_of_node, client), (node.name for node in topology.NODES))]
    files = [_file(one) for name in SOURCES for one in _files(ROOT / name)] + [_file(one) for one in _files(hosts.parent)]
    return hashlib.sha256(json.dumps([files, dict(environ), str(hosts), answers], sort_keys=True).encode()).hexdigest()


def _of_node(client: docker.APIClient, node: str) -> list[Any]:
    asked = OF_NODE | (OF_MANAGER if node == MANAGER else {})
    said = containers.run(client, node, "sh", "-c", SCRIPT, ASK, *asked).split("\n")
    answers, rest = said[: len(asked)], said[len(asked) :]
    return [*(_kept(json.loads(answer), kept) for answer, kept in zip(answers, asked.values(), strict=True)), *rest]


def _kept(answer: Any, fields: tuple[str, ...]) -> Any:
    """Return the fields that are kept of an object, or of each of a list, in an order that is always the same."""
    if isinstance(answer, dict) and "Volumes" in answer:
        answer = answer["Volumes"] or []
    if isinstance(answer, dict):
        return [_field(answer, name) for name in fields]
    return sorted((_kept(one, fields) for one in answer), key=json.dumps)


def _field(answer: Any, name: str) -> Any:
    for part in name.split("."):
        answer = (answer or {}).get(part)
    return sorted(answer) if name.startswith("Repo") and answer else answer


def _files(place: Path) -> list[Path]:
    if place.is_file():
        return [place]
    return sorted(one for one in place.rglob("*") if one.is_file() and "__pycache__" not in one.parts)


def _file(file: Path) -> tuple[str, int, int]:
    about = file.stat()
    return str(file), about.st_mtime_ns, about.st_size
