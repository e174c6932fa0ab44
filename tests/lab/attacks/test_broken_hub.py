"""Attacks by whoever has broken into the hub, at the engine's filter: with the hub's code, settings and socket.

One program in the hub's container tries all of them: about nine seconds, and no deploy.
"""

import base64
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lab.attacks.asked_calls import BODIES, CALLS, CONFIGS, QUERIES, WIRE, V
from tests.lab.attacks.asked_services import DATABASE, FOREIGN, NETWORKS, OTHER, RECORD, SECRET, TWICE, WITH, WITHOUT, Tries
from tests.lab.support import FILTER, HUB, PROXY, Lab

pytestmark = pytest.mark.quick

# By attempt: the statuses of all answers, and what the last one says.
Answers = dict[str, tuple[Any, str]]

PROGRAM = Path(__file__).with_name("in_hub.py").read_text()
SOCKET = "/run/engine/docker.sock"
ATTACKS: dict[str, Tries] = {
    "service without": WITHOUT,
    "service with": WITH,
    "service": TWICE,
    "body": BODIES,
    "call": CALLS,
    "query": QUERIES,
    "config": CONFIGS,
    "wire": WIRE,
}
REFUSED: Tries = {f"{kind}: {name}": one for kind, tries in ATTACKS.items() for name, one in tries.items()}

MALLORY = f"{HUB}-mallory"
SERVERS = f'filters={{"label":["swarmhub.notebooks={HUB}"]}}'
# In their order: what is made first is asked about, and goes last.
ALLOWED: Tries = {
    "the version": {"line": ["GET", "/version"]},
    "the nodes": {"line": ["GET", f"{V}/nodes"]},
    "the servers' network": {"line": ["GET", f"{V}/networks/jupyter"]},
    "the hub's configs": {"line": ["GET", f'{V}/configs?filters={{"name":["{HUB}-home-"]}}']},
    "a server": {"edit": [["Name"], MALLORY]},
    "the servers": {"line": ["GET", f"{V}/services?{SERVERS}"]},
    "their tasks": {"line": ["GET", f"{V}/tasks?{SERVERS}"]},
    "the server's service": {"line": ["GET", f"{V}/services/{MALLORY}"]},
    "the server's tasks": {"line": ["GET", f'{V}/tasks?filters={{"service":["{MALLORY}"]}}']},
    "the server's end": {"line": ["DELETE", f"{V}/services/{MALLORY}"]},
}


def cluster(lab: Lab) -> str:
    """Return what of the swarm an attack might have changed."""
    listed = [lab.docker(kind, "ls", "--format", "{{.ID}} {{.Name}}") for kind in ("service", "config", "secret", "network")]
    versions = lab.docker("service", "inspect", HUB, PROXY, FILTER, DATABASE, FOREIGN, "--format", "{{.ID}} {{.Version.Index}}")
    return "\n".join([*listed, versions])


@pytest.fixture(scope="module")
def furnished_swarm(settled: Lab) -> Iterator[Lab]:
    """Give the deployed lab, with what is somebody else's: two services, a home's record and a secret."""
    service = ("service", "create", "--quiet", "--detach", "--no-resolve-image", "--replicas", "0")
    settled.docker(*service, "--name", DATABASE, "registry.lab:5000/notebook:lab")
    settled.docker(*service, "--name", FOREIGN, "--label", f"swarmhub.notebooks={OTHER}", "registry.lab:5000/notebook:lab")
    labels = ("--label", f"swarmhub.home={OTHER}", "--label", "swarmhub.user=eve", "--label", "swarmhub.node=x")
    settled.docker("config", "create", *labels, RECORD, "/etc/hostname")
    settled.docker("secret", "create", SECRET, "/etc/hostname")
    yield settled
    settled.docker("service", "rm", DATABASE, FOREIGN)
    settled.docker("config", "rm", RECORD)
    settled.docker("secret", "rm", SECRET)


@pytest.fixture(scope="module")
def answers(furnished_swarm: Lab) -> Answers:
    """Send all requests from the hub's container; the cluster is afterwards as it was before."""
    before = cluster(furnished_swarm)
    tries = REFUSED | {f"allowed: {name}": one | {"is_allowed": True} for name, one in ALLOWED.items()}
    ids = furnished_swarm.docker("network", "inspect", *NETWORKS, "--format", "{{.ID}}").split()
    asked = json.dumps([*tries.values()])
    for name, id_ in zip(NETWORKS, ids, strict=True):
        asked = asked.replace(f"ID-OF-{name}", id_)
    named = json.dumps(dict(zip(tries, json.loads(asked), strict=True)))
    packed = base64.b64encode(zlib.compress(named.encode())).decode()  # an argument has 128 KiB
    found: Answers = json.loads(furnished_swarm.execute(HUB, "python3", "-c", PROGRAM, packed))
    found["the cluster"] = (before, cluster(furnished_swarm))
    return found


@pytest.mark.parametrize("attack", REFUSED)
def test_who_has_broken_into_the_hub_asks_for(answers: Answers, attack: str) -> None:
    """Whoever has broken into the hub sends it to the filter: refused, by the filter or as no request at all."""
    statuses, said = answers[attack]
    assert statuses, f"no answer: {said}"
    assert {*statuses} <= {400, 403}, said
    if attack.partition(":")[0] != "wire" and " HEAD " not in f" {attack} ":
        assert json.loads(said)["message"].startswith("swarmhub's filter refuses")


@pytest.mark.parametrize("name", ALLOWED)
def test_the_hub_asks_for(answers: Answers, name: str) -> None:
    """The hub itself, in the same program: the engine answers, so a refusal above is not by accident."""
    statuses, said = answers[f"allowed: {name}"]
    assert statuses in ([200], [201]), said


def test_who_has_broken_into_the_hub_has_changed_nothing(answers: Answers) -> None:
    """No service, config, secret or network has come, gone or changed, whoever's it is."""
    before, after = answers["the cluster"]
    assert before == after


def test_who_has_broken_into_the_hub_looks_for_another_socket(settled: Lab) -> None:
    """They look for the engine's own socket, and put another one in the filter's place: neither is there to be had."""
    assert settled.execute(HUB, "sh", "-c", "ls /var/run/docker.sock 2>&1 || true").endswith("No such file or directory")
    assert "Read-only file system" in settled.execute(HUB, "sh", "-c", f"rm {SOCKET} 2>&1 || true")
