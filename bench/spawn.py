"""Time servers until they answer, on a deployed lab: swarmhub's spawner, the stock one, a bare service.

    python -m bench.spawn [ROUNDS [AT_ONCE …]]

All three in one run, in turn, in a container of the hub's image beside the hub; without AT_ONCE, one server and eight at
once. Where the deployed hub asks the engine through the filter, swarmhub's spawner has one of its own between them too.
"""

import json
import statistics
import sys
from pathlib import Path
from typing import Any

from lab import containers, machine, topology
from swarmhub.engine import context

INSIDE = Path(__file__).with_name("inside")
HUB_FILES = Path(__file__).resolve().parent.parent / "hub"
HUB, FILTER, BENCH = "jupyterhub", "jupyterhub-engine", "bench"
PLACE = "srv/bench"
SOCKET = "/var/run/docker.sock"
INSPECT = "docker service inspect $(docker service ls -q)"
KINDS = ("bare", "stock", "ours")


def main(rounds: int, sizes: list[int]) -> None:
    """Measure and print a table; take away what the measurement has left."""
    client = machine.connect()
    if client is None:
        sys.exit("no Docker Engine answers: fab lab.up, then fab deploy")
    services = {one["Spec"]["Name"]: one["Spec"] for one in json.loads(_on_manager(client, "sh", "-c", INSPECT))}
    if HUB not in services:
        sys.exit("no hub is deployed: SWARMHUB_HOSTS=lab/hosts.toml fab deploy")
    try:
        _on_manager(client, *_service(services[HUB], services.get(FILTER)))
        bench = _on_manager(client, "docker", "ps", "-q", "--filter", f"label=com.docker.swarm.service.name={BENCH}")
        _bring(client, bench)
        print(f"{'at once':>8} {'kind':>6} {'median':>8} {'slowest':>8}  of bare")
        for at_once in sizes:
            command = ("docker", "exec", bench, "python3", f"/{PLACE}/measure.py", str(rounds), str(at_once))
            out = _on_manager(client, *command)
            _table(at_once, [json.loads(line) for line in out.splitlines() if line.startswith("{")])
    finally:
        _clear_away(client)


def _service(hub: dict[str, Any], its_filter: dict[str, Any] | None) -> list[str]:
    """Return the command that starts a container beside the hub: with the socket, which the hub is without."""
    container = hub["TaskTemplate"]["ContainerSpec"]
    variables = [one for one in container["Env"] if not one.startswith("PROXY_API_URL=")]
    files = [f"source={one['ConfigName']},target={one['File']['Name']}" for one in container["Configs"]]
    if its_filter:
        (policies,) = its_filter["TaskTemplate"]["ContainerSpec"]["Configs"]
        files.append(f"source={policies['ConfigName']},target=/{PLACE}/policies.json")
    options = {
        "name": [BENCH],
        "network": ["jupyter"],
        "constraint": hub["TaskTemplate"]["Placement"]["Constraints"],
        "mount": [f"type=bind,source={SOCKET},target={SOCKET}"],
        "env": variables,
        "config": files,
    }
    given = [word for option, values in options.items() for value in values for word in (f"--{option}", value)]
    return ["docker", "service", "create", "--quiet", *given, container["Image"], "sleep", "infinity"]


def _bring(client: Any, bench: str) -> None:
    """Bring this checkout's hub, and the measurement, into the container."""
    files = {f"{PLACE}/hub/{name}": content for name, content in context.read(HUB_FILES).items()}
    files |= {
        f"{PLACE}/hub_config.py": (INSIDE / "hub.py").read_bytes(),
        f"{PLACE}/measure.py": (INSIDE / "measure.py").read_bytes(),
    }
    archive = context.archive({"tmp/bench.tar": context.archive(files)})
    client.put_archive(containers.container_name(topology.MANAGER.name), "/", archive)
    _on_manager(client, "sh", "-c", f"docker exec -i {bench} tar -x -C / < /tmp/bench.tar")


def _clear_away(client: Any) -> None:
    label = f"label=swarmhub.home={BENCH}"
    for name in _on_manager(client, "docker", "service", "ls", "-q", "--filter", f"name={BENCH}").split():
        _on_manager(client, "docker", "service", "rm", name)
    for one in _on_manager(client, "docker", "config", "ls", "-q", "--filter", label).split():
        _on_manager(client, "docker", "config", "rm", one)
    for node in topology.NODES:
        for one in containers.run(client, node.name, "docker", "volume", "ls", "-q", "--filter", label).split():
            # The container that had it is still going.
            rm = f"timeout 30 sh -c 'until docker volume rm {one} 2>/dev/null; do sleep 0.2; done'"
            containers.run(client, node.name, "sh", "-c", rm)


def _on_manager(client: Any, *command: str) -> str:
    return containers.run(client, topology.MANAGER.name, *command)


def _table(at_once: int, rounds: list[dict[str, list[float]]]) -> None:
    bare = statistics.median(max(one["bare"]) for one in rounds)
    for kind in KINDS:
        # Of several at once the last one counts: then all of a class are in.
        last = [max(one[kind]) for one in rounds]
        print(
            f"{at_once:>8} {kind:>6} {statistics.median(last):>7.2f}s {max(last):>7.2f}s  {statistics.median(last) / bare:.2f}"
        )


if __name__ == "__main__":
    words = [int(word) for word in sys.argv[1:]]
    main(words[0] if words else 3, words[1:] or [1, 8])
