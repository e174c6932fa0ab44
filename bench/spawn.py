"""Time servers until they answer, on a deployed lab: swarmhub's spawner, the stock one, a bare service.

    python -m bench.spawn [ROUNDS [AT_ONCE …]]

All three in one run, in turn, inside the hub's container; without AT_ONCE, one server and eight at once.
"""

import json
import secrets
import statistics
import sys
from pathlib import Path

from lab import containers, machine, topology
from swarmhub import context

INSIDE = Path(__file__).with_name("inside")
HUB = Path(__file__).resolve().parent.parent / "hub"
PLACE = "srv/bench"
KINDS = ("bare", "stock", "ours")


def main(rounds: int, sizes: list[int]) -> None:
    """Measure and print a table; take away what the measurement has left."""
    client = machine.connect()
    if client is None:
        sys.exit("no Docker Engine answers: fab lab.up, then fab deploy")
    hub = containers.run(
        client, topology.MANAGER.name, "docker", "ps", "-q", "--filter", "label=com.docker.swarm.service.name=jupyterhub"
    )
    files = {f"{PLACE}/hub/{name}": content for name, content in context.read(HUB).items()}
    files |= {
        f"{PLACE}/hub_config.py": (INSIDE / "hub.py").read_bytes(),
        f"{PLACE}/measure.py": (INSIDE / "measure.py").read_bytes(),
    }
    client.put_archive(
        containers.container_name(topology.MANAGER.name), "/", context.archive({"tmp/bench.tar": context.archive(files)})
    )
    manager = topology.MANAGER.name
    containers.run(client, manager, "sh", "-c", f"docker exec -i {hub} tar -x -C / < /tmp/bench.tar")
    print(f"{'at once':>8} {'kind':>6} {'median':>8} {'slowest':>8}  of bare")
    try:
        for at_once in sizes:
            out = containers.run(
                client,
                manager,
                "docker",
                "exec",
                "-e",
                f"BENCH_TOKEN={secrets.token_hex(16)}",
                hub,
                "python3",
                f"/{PLACE}/measure.py",
                str(rounds),
                str(at_once),
            )
            _table(at_once, [json.loads(line) for line in out.splitlines() if line.startswith("{")])
    finally:
        for node in topology.NODES:
            for kind in ("volume", "config"):
                if kind == "config" and node is not topology.MANAGER:
                    continue
                listed = containers.run(
                    client, node.name, "docker", kind, "ls", "-q", "--filter", "label=swarmhub.home=bench"
                ).split()
                for one in listed:
                    containers.run(client, node.name, "docker", kind, "rm", one)


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
