"""An image that no registry gives comes from a node that holds it: 110 s at a load of 15, 20 of them for a dead source."""

import contextlib
import json
from functools import partial

from lab import topology
from lab.machine import LabError
from swarmhub import settings as settings_file
from tests.lab.support import HUB, ROOT, Lab, Settings, Started

IMAGES = settings_file.load(ROOT / "lab" / "hosts.toml").images
NODES = tuple(node.name for node in topology.NODES)
MANAGER, WORKER = topology.MANAGER.name, topology.WORKERS[0].name
# Nothing is there: a pull fails at once, as where a registry is gone.
OWN, BEFORE = "gone.lab:5000/own:1", "before:1"
MB = 1_000_000
LOWEST, LAYER = 9 * MB, 6 * MB
# Overlay, SSH and what the swarm says meanwhile.
ASIDE = 2 * MB
KEPT = f"/var/lib/docker/volumes/{HUB}_transfer/_data"
BUILD = """
rm -rf /tmp/own && mkdir /tmp/own && cd /tmp/own && head -c $2 /dev/urandom > more
if docker image inspect $1 > /dev/null 2>&1; then from=$1; else from=scratch; fi
printf "FROM $from\\nCOPY more /more-$2\\n" > Dockerfile
docker build --quiet --tag $1 .
"""


def build(lab: Lab, size: int) -> str:
    """Build the image on the manager, with one more layer of so many bytes than before, and return its id."""
    lab.on(MANAGER, "sh", "-c", BUILD, "sh", OWN, str(size))
    return image(lab, MANAGER)


def image(lab: Lab, node: str) -> str:
    """Return the id of the image on a node; nothing where it is not."""
    with contextlib.suppress(LabError):
        return lab.docker("image", "inspect", OWN, "--format", "{{.Id}}", node=node)
    return ""


def sent(lab: Lab) -> int:
    """Return how many bytes the manager has sent so far."""
    return int(lab.on(MANAGER, "cat", "/sys/class/net/eth0/statistics/tx_bytes"))


def left(lab: Lab) -> list[str]:
    """Return what is left of a transfer on any node, besides the image of its program."""
    kinds = ("ps --all --filter label=swarmhub=transfer", f"volume ls --filter name={HUB}_transfer")
    asked = [lab.docker(*kind.split(), "--quiet", node=node) for node in NODES for kind in kinds]
    return [one for one in [*asked, lab.docker("network", "ls", "--quiet", "--filter", f"name={HUB}_transfer")] if one]


def forget(lab: Lab) -> None:
    """Take the image, and what was kept of it, from all nodes."""
    for node in NODES:
        lab.on(node, "sh", "-c", f"docker image rm --force {OWN} {BEFORE} 2>&1; docker volume rm --force {HUB}_transfer")


def test_an_image_comes_from_the_node_that_holds_it_and_again_after_a_cut(deployed: Lab, settings: Settings) -> None:
    """All nodes get the same image; only the new layer travels, once; after a cut, what has arrived is not sent again."""
    hosts = settings((f'image = "{IMAGES[-1]}"', f'image = "{OWN}"'))
    try:
        id_ = build(deployed, LOWEST)
        done = deployed.fab("prepull-all", hosts=hosts)
        assert done.code == 0, done.text
        assert f"bring image {OWN} on {WORKER}" in done.out
        assert ({image(deployed, node) for node in NODES}, left(deployed)) == ({id_}, [])
        held = json.loads(deployed.docker("node", "inspect", WORKER, "--format", "{{json .Spec.Labels}}"))
        assert held[f"swarmhub.image.{id_.removeprefix('sha256:')[:12]}"] == "held"

        for node in NODES[1:]:  # they keep its layers by another name
            deployed.on(node, "sh", "-c", f"docker tag {OWN} {BEFORE} && docker image rm {OWN}")
        id_ = build(deployed, LAYER)
        arrived = cut(deployed, str(hosts))
        before = sent(deployed)
        done = deployed.fab("prepull-all", hosts=hosts)
        assert done.code == 0, done.text
        # The lowest layer is on every node already, and what had arrived of the other one.
        assert sent(deployed) - before < LAYER - arrived + ASIDE < LOWEST
        assert ({image(deployed, node) for node in NODES}, left(deployed)) == ({id_}, [])
    finally:
        forget(deployed)


def cut(lab: Lab, hosts: str) -> int:
    """Begin, and end the source's part half-way; make sure of what is said, and return how many bytes had arrived."""
    part = partial(lab.on, WORKER, "sh", "-c", f"cat {KEPT}/*.part 2>/dev/null | wc -c")
    lab.on(MANAGER, "tc", "qdisc", "add", "dev", "eth0", "root", "tbf", "rate", "8mbit", "burst", "64k", "latency", "400ms")
    try:
        running = Started.begin("prepull-all", until=f"bring image {OWN}", hosts=hosts)
        lab.wait(lambda: int(part()) > LAYER // 2, 120, "half of the layer does not come")
        lab.on(MANAGER, "sh", "-c", "docker kill $(docker ps --quiet --filter label=swarmhub=transfer)")
        done = running.end()
    finally:
        lab.on(MANAGER, "tc", "qdisc", "del", "dev", "eth0", "root")
    assert done.code == 1, done.text
    assert f"{MANAGER} does not go on" in done.err
    assert "what has arrived is not sent again" in done.err
    assert not image(lab, WORKER)
    return int(part())
