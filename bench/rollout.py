"""Measure what people feel of a rollout, and how long one takes, on a deployed lab.

    python -m bench.rollout [ROUNDS [SERVERS]]

SERVERS servers run (20): two notebooks with a kernel that counts, which ten websockets each listen to, and stubs, which know
no websocket. In each round a deploy changes one setting, then Swarm alone replaces the hub (`docker service update --force`);
then the proxy is replaced so. All the while new connections through the proxy ask the hub and a notebook every 50 ms. At the
end the hub has 200 users and 50 servers, and its memory is read. The bench deploys lab/hosts.toml before and after, and
removes what it has made.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from bench.counted import Count
from bench.probe import Probe
from lab import machine, topology
from swarmhub.people.api import HubApi
from tests.lab import forks
from tests.lab.counting import unverified
from tests.lab.support import BIN, HUB, PROXY, REAL, ROOT, STUB, Lab, variant

NOTEBOOKS, SOCKETS = 2, 10
USERS, MOST_SERVERS, AT_ONCE = 200, 50, 4
# What hub and notebook answer to everybody.
HEALTH, VERSION = f"{topology.HUB_URL}/hub/health", f"{topology.HUB_URL}/user/bench0/api"
PATIENCE_SECONDS = 120
MEMORY = """
docker stats --no-stream --format '{{.MemUsage}}' "$0"
docker exec "$0" sh -c 'grep -h "^Name\\|^VmRSS" /proc/[0-9]*/status'
"""
HOMES = f"{HUB}-home-bench"
FORGET_PLACES = "docker config ls --quiet --filter name=$0 | xargs --no-run-if-empty docker config rm"
# A server that was stopped takes its time to end.
FORGET_HOMES = """
for volume in $(docker volume ls --quiet --filter "name=$0"); do
    docker ps --all --quiet --filter "volume=$volume" | xargs --no-run-if-empty docker rm --force
    docker volume rm "$volume"
done
"""


@dataclass(frozen=True)
class Felt:
    """What one replacement took, and what people felt of it, in seconds and numbers."""

    seconds: float
    hub_away: float
    notebook_away: float
    silent: float
    dropped: int
    lost: int


def main(rounds: int, servers: int) -> None:
    """Measure, print, and take away what the measurement has made."""
    client = machine.connect()
    if client is None:
        sys.exit("no Docker Engine answers: fab lab.up")
    lab = Lab(client, forks.execute)
    _fab("deploy", "--yes")  # so that what is measured changes one setting, and no image
    names = [f"bench{number}" for number in range(USERS)]
    with ExitStack() as stack:
        hub = stack.enter_context(_admin(lab))
        stack.callback(_forget_homes, lab)
        stack.enter_context(_users(hub, names[:servers]))
        print(f"load of this machine: {os.getloadavg()[0]:.1f}")
        print(f"memory of the hub, {servers} users, no server:  {_memory(lab)}")
        stack.enter_context(_servers(hub, names[:servers], NOTEBOOKS))
        counts = [stack.enter_context(Count.going(hub.server(name), SOCKETS)) for name in names[:NOTEBOOKS]]
        print(f"memory of the hub, {servers} users and servers: {_memory(lab)}\n")
        _rounds(lab, counts, rounds)
        stack.enter_context(_users(hub, names[servers:]))
        stack.enter_context(_servers(hub, names[servers:MOST_SERVERS]))
        print(f"\nmemory of the hub, {USERS} users, {MOST_SERVERS} servers: {_memory(lab)}")
        _swarm_replaces(lab, HUB)
        _until(lab.hub_answers, "the hub answers")
        print(f"the same, after a start of the hub:     {_memory(lab)}")


def _rounds(lab: Lab, counts: Sequence[Count], rounds: int) -> None:
    """Measure each kind of replacement in turn, and print a table."""
    found: dict[str, list[Felt]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(rounds):
            kinds: dict[str, Callable[[], object]] = {
                "fab deploy, one setting": partial(_deploys, Path(folder), f"Bench {number}"),
                "Swarm alone, the hub": partial(_swarm_replaces, lab, HUB),
                "Swarm alone, the proxy": partial(_swarm_replaces, lab, PROXY),
            }
            for kind, replace in kinds.items():
                found.setdefault(kind, []).append(_felt(replace, counts))
    _fab("deploy")
    heads = "".join(f" {head:>14}" for head in ("seconds", "hub away", "notebook away", "no answer"))
    print(f"{'median (slowest)':<24}{heads}  websockets dropped, kernels lost")
    for kind, felt in found.items():
        names = ("seconds", "hub_away", "notebook_away", "silent")
        seconds = "".join(f" {_told([getattr(one, name) for one in felt]):>14}" for name in names)
        print(f"{kind:<24}{seconds}  {sum(one.dropped for one in felt)}, {sum(one.lost for one in felt)}")


def _felt(replace: Callable[[], object], counts: Sequence[Count]) -> Felt:
    """Replace something while the hub is asked and the kernels count; then all is as before."""
    open_before = sum(count.open for count in counts)
    trust = unverified()
    with Probe.asking(HEALTH, trust) as hub, Probe.asking(VERSION, trust) as notebook:
        started = time.perf_counter()
        replace()
        seconds = time.perf_counter() - started
        _until(lambda: hub.is_good() and notebook.is_good(), "hub and notebook answer through the proxy")
    dropped = open_before - sum(count.open for count in counts)
    lost = sum(not count.goes_on(PATIENCE_SECONDS) for count in counts)
    for count in counts:
        count.listen_again()
    return Felt(seconds, hub.away, notebook.away, hub.silent, dropped, lost)


def _deploys(folder: Path, title: str) -> None:
    _fab("deploy", hosts=str(variant(folder, ("[github]", f'[page]\nname = "{title}"\n\n[github]'))))


def _fab(*words: str, hosts: str = "lab/hosts.toml") -> None:
    environment = {**os.environ, "SWARMHUB_HOSTS": hosts}
    done = subprocess.run([str(BIN / "fab"), *words], cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stdout[-2000:] + done.stderr[-2000:])


def _swarm_replaces(lab: Lab, service: str) -> None:
    lab.docker("service", "update", "--quiet", "--force", "--no-resolve-image", service)


def _memory(lab: Lab) -> str:
    """Return what the hub's container and its processes have."""
    whole, *lines = lab.on(topology.MANAGER.name, "sh", "-c", MEMORY, lab.container()).splitlines()
    words = [line.split() for line in lines]
    each = [(name[1], int(size[1]) / 1024) for name, size in zip(words[::2], words[1::2], strict=False)]
    largest = sorted((one for one in each if one[1] > 1), key=lambda one: -one[1])[:2]
    return f"{whole.split('/')[0].strip()} in all; " + ", ".join(f"{name} {size:.0f} MiB" for name, size in largest)


@contextmanager
def _admin(lab: Lab) -> Iterator[HubApi]:
    """Give the hub's API with a token of an admin's, which is gone afterwards."""
    made = json.loads(lab.hub_api("POST", "users/ada/tokens", '{"note": "bench", "expires_in": 3600}'))
    try:
        yield HubApi(topology.HUB_URL, unverified(), SecretStr(made["token"]))
    finally:
        lab.hub_api("DELETE", f"users/ada/tokens/{made['id']}")


@contextmanager
def _users(hub: HubApi, names: Sequence[str]) -> Iterator[None]:
    """Add users; remove them in the end."""
    try:
        hub.post("users", {"usernames": list(names)})
        yield
    finally:
        _each(names, lambda name: hub.delete(f"users/{name}"))


@contextmanager
def _servers(hub: HubApi, names: Sequence[str], notebooks: int = 0) -> Iterator[None]:
    """Start the servers, so many of them real notebooks; stop them in the end."""

    def start(place_and_name: tuple[int, str]) -> None:
        place, name = place_and_name
        hub.post(f"users/{name}/server", {"user_options": {"profile": REAL if place < notebooks else STUB}})
        _until(lambda: hub.get(f"users/{name}")["servers"].get("", {}).get("ready"), f"{name}'s server is ready")

    def stop(name: str) -> None:
        hub.delete(f"users/{name}/server")
        _until(lambda: not hub.get(f"users/{name}")["servers"], f"{name}'s server stops")

    try:
        _each([*enumerate(names)], start)
        yield
    finally:
        _each(names, stop)


def _forget_homes(lab: Lab) -> None:
    """Remove the homes that the servers have left, and where they are."""
    lab.on(topology.MANAGER.name, "sh", "-c", FORGET_PLACES, HOMES)
    for node in topology.NODES:
        lab.on(node.name, "sh", "-c", FORGET_HOMES, HOMES)


def _each(things: Sequence[Any], do: Callable[[Any], object]) -> None:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(do, things))


def _until(holds: Callable[[], object], what: str) -> None:
    machine.wait_for(holds, PATIENCE_SECONDS, f"not within {PATIENCE_SECONDS} s: {what}")


def _told(seconds: Sequence[float]) -> str:
    return f"{statistics.median(seconds):.2f} ({max(seconds):.2f})"


if __name__ == "__main__":
    words = [int(word) for word in sys.argv[1:]]
    main(words[0] if words else 5, words[1] if len(words) > 1 else 20)
