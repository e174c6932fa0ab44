"""An image that no registry gives comes from a node that holds it: 110 s at a load of 15, 20 of them for a dead source.

Where containerd keeps a worker's images, one hub update more, and another one for the way back.
"""

import contextlib
import json
import re
from collections.abc import Iterator
from functools import partial

import pytest

from hub.shared import services
from lab import topology
from lab.machine import LabError
from swarmhub import settings as settings_file
from tests.lab.support import HUB, ROOT, Lab, Settings, Started

IMAGES = settings_file.load(ROOT / "lab" / "hosts.toml").images
NODES = tuple(node.name for node in topology.NODES)
MANAGER, WORKER, OTHER = topology.MANAGER.name, *(node.name for node in topology.WORKERS)
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
CONTAINERD = '{"features": {"containerd-snapshotter": true}}'
# What the test has named by its content, and what it has built.
UNNAME = f"""
docker images --format '{{{{.Repository}}}}:{{{{.Tag}}}}' |
    grep -E '^({services.KEPT}|{HUB}-notebook):' | xargs -r docker image rm --force
"""
# To a port on which nothing listens: a pull fails, and the node still reaches all else.
NO_REGISTRY = "cp /etc/hosts /tmp/hosts && echo 127.0.0.1 registry.lab >> /etc/hosts"
# What a transfer keeps on a node is on a disk of that size.
SMALL = ("--opt", "type=tmpfs", "--opt", "device=tmpfs", "--opt", "o=size=3m")


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


def test_a_node_whose_disk_is_full_is_told_and_the_others_have_the_image(deployed: Lab, settings: Settings) -> None:
    """In one line, with what helps; a rerun brings it there, too. No hub update."""
    hosts = settings((f'image = "{IMAGES[-1]}"', f'image = "{OWN}"'))
    try:
        id_ = build(deployed, LAYER)
        deployed.docker("volume", "create", *SMALL, f"{HUB}_transfer", node=WORKER)
        done = deployed.fab("prepull-all", hosts=hosts)
        assert done.code == 1, done.text
        (line,) = [one for one in done.err.splitlines() if "no space left on device" in one]
        assert line.startswith(f"{WORKER}: ")
        assert "cannot keep the image" in line
        assert "Free some disk there" in line
        assert (image(deployed, WORKER), image(deployed, OTHER)) == ("", id_)
        deployed.docker("volume", "rm", f"{HUB}_transfer", node=WORKER)
        done = deployed.fab("prepull-all", hosts=hosts)
        assert done.code == 0, done.text
        assert f"bring image {OWN} on {OTHER}" not in done.out
        assert ({image(deployed, node) for node in NODES}, left(deployed)) == ({id_}, [])
    finally:
        forget(deployed)


def restart(lab: Lab, node: str) -> None:
    """Restart a node's engine, and wait until the swarm has it again."""
    lab.on(node, "sv", "-w", "60", "restart", "docker")
    state = ("node", "inspect", node, "--format", "{{.Status.State}}")
    lab.wait(lambda: store(lab, node) and lab.docker(*state) == "ready", 60, f"{node} is away")


def store(lab: Lab, node: str) -> str:
    """Return how a node's engine keeps images; nothing while it does not answer."""
    with contextlib.suppress(LabError):
        return lab.docker("info", "--format", "{{.DriverStatus}}", node=node)
    return ""


@pytest.fixture
def in_containerd(deployed: Lab) -> Iterator[Lab]:
    """Let containerd keep a worker's images: it has none then; and cut it off from the registry."""
    deployed.on(OTHER, "sh", "-c", f"{NO_REGISTRY} && mkdir -p /etc/docker && echo '{CONTAINERD}' > /etc/docker/daemon.json")
    try:
        restart(deployed, OTHER)
        assert "io.containerd.snapshotter" in store(deployed, OTHER)
        yield deployed
    finally:
        for node in NODES:
            deployed.on(
                node, "sh", "-c", UNNAME if node != OTHER else "docker images -q | sort -u | xargs -r docker image rm -f; true"
            )
        deployed.on(OTHER, "sh", "-c", "cat /tmp/hosts > /etc/hosts; rm -f /etc/docker/daemon.json")
        restart(deployed, OTHER)


def kept_by(lab: Lab, node: str) -> set[str]:
    """Return the names of their contents by which a node knows images."""
    return {*lab.docker("images", "--format", "{{.Repository}}:{{.Tag}}", services.KEPT, node=node).split()}


def test_nodes_with_different_image_stores_run_the_same_images(in_containerd: Lab, settings: Settings) -> None:
    """One that is built here and one that only other nodes hold, there and back; nothing is left to plan or to prune."""
    lab, hosts = in_containerd, settings(("[notebook]\n", '[notebook]\npackages = ["cowsay==6.1"]\n'))
    done = lab.fab("deploy", "--yes", hosts=hosts)
    assert done.code == 0, done.text
    found = re.search(r"build (jupyterhub-notebook:[0-9a-f]{12}) on ", done.out)
    assert found, done.text
    assert all(f"bring image {one} on {OTHER}" in done.out for one in (found[1], IMAGES[-1]))
    names = kept_by(lab, OTHER)
    assert (len(names), {*map(frozenset, (kept_by(lab, node) for node in NODES))}) == (2, {frozenset(names)})
    ids = {lab.docker("image", "inspect", found[1], "--format", "{{.Id}}", node=node) for node in NODES}
    assert len(ids) == 2

    for user, profile in (("ada", "Without JupyterLab"), ("grace", "Extra tools")):
        lab.start_server(user, profile=profile, on=OTHER)
        assert lab.node_of(user) == OTHER
    assert "cowsay" in lab.in_server("ada", "/opt/venv/bin/python -c 'import cowsay; print(cowsay.__name__)'")
    for user in ("ada", "grace"):
        lab.stop_server(user)
    lab.forget_homes()
    told = json.loads(lab.fab("doctor", "--json", hosts=hosts).out)["findings"]
    assert [one for one in told if one["check"] == "image" and one["level"] != "ok"] == []
    lab.fab("prune", "--yes", hosts=hosts)
    assert "nothing on 3 nodes" in lab.fab("prune", hosts=hosts).out
    assert kept_by(lab, OTHER) == names

    for node in (MANAGER, WORKER):
        for name in {found[1], *names & kept_by(lab, node)} - {*kept_extra(lab, node)}:
            lab.docker("image", "rm", "--force", name, node=node)
    done = lab.fab("prepull-all", hosts=hosts)
    assert done.code == 0, done.text
    assert all(f"bring image {found[1]} on {node}" in done.out for node in (MANAGER, WORKER))
    assert not lab.left_to_change(hosts)


def kept_extra(lab: Lab, node: str) -> list[str]:
    """Return the names of the image that is not built here."""
    return [
        str(one) for one in json.loads(lab.docker("image", "inspect", IMAGES[-1], "--format", "{{json .RepoTags}}", node=node))
    ]
