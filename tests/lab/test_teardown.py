"""A teardown leaves every node as it was before the first deploy."""

from collections.abc import Callable

import pytest

from lab import topology
from tests.lab.scripts import CACHE
from tests.lab.support import HUB, PROXY, Lab, interrupt

MANAGER = topology.MANAGER.name
NODES = tuple(node.name for node in topology.NODES)
EVERYTHING = {
    "containers": ("ps", "--all", "--format", "{{.Names}}"),
    "images": ("image", "ls", "--no-trunc", "--format", "{{.Repository}}:{{.Tag}} {{.ID}}"),
    "volumes": ("volume", "ls", "--format", "{{.Name}}"),
    "networks": ("network", "ls", "--format", "{{.Name}}"),
}
IN_THE_SWARM = {
    "services": ("service", "ls", "--format", "{{.Name}}"),
    "secrets": ("secret", "ls", "--format", "{{.Name}}"),
    "configs": ("config", "ls", "--format", "{{.Name}}"),
    "labels": ("node", "inspect", *NODES, "--format", "{{.Spec.Labels}} {{.Spec.Availability}}"),
}


def listing(lab: Lab) -> dict[str, list[str]]:
    """Return all that nodes and swarm hold, whoever put it there."""
    found = {f"{kind} on {node}": lab.docker(*command, node=node) for node in NODES for kind, command in EVERYTHING.items()}
    found |= {kind: lab.docker(*command) for kind, command in IN_THE_SWARM.items()}
    found |= {f"rules on {node}": lab.on(node, "sh", "-c", "iptables -S; ip6tables -S") for node in NODES}
    found |= {f"certificates on {node}": lab.on(node, "sh", "-c", "ls -d /etc/letsencrypt || true") for node in NODES}
    return {name: sorted(text.splitlines()) for name, text in found.items()}


def packages(lab: Lab, service: str) -> str:
    """Return the image below a service's in which its packages have just been installed."""
    image = lab.docker("service", "inspect", service, "--format", "{{.Spec.TaskTemplate.ContainerSpec.Image}}")
    while lab.docker("image", "inspect", image, "--format", "{{.Config.WorkingDir}}") != "/opt/proxy":
        image = lab.docker("image", "inspect", image, "--format", "{{.Parent}}")
    return image


@pytest.fixture
def bare(used: Lab, wipe: Callable[[], None]) -> Lab:
    """Give a test a lab as before the first deploy, but for foreign tags that keep layers which are slow to come by.

    Whatever has such a tag is somebody else's, and a teardown has to leave it alone.
    """
    for service in (HUB, PROXY):
        used.docker("tag", packages(used, service), f"{CACHE}:{service}")
    for node in NODES:
        used.docker("tag", "registry.lab:5000/notebook:lab", f"{CACHE}:notebook", node=node)
    wipe()
    for node in NODES:
        for container in used.docker("ps", "--all", "--quiet", node=node).split():
            used.docker("rm", "--force", container, node=node)
        for image in used.docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}} {{.ID}}", node=node).splitlines():
            if not image.startswith(CACHE):
                name, _, id_ = image.partition(" ")
                used.docker("image", "rm", "--force", id_ if "<none>" in name else name, node=node)
    return used


def test_a_teardown_asks_first(used: Lab) -> None:
    """Unasked nothing is removed; data go only with the cluster's name, and people are named."""
    before = used.fingerprint()
    asked = used.fab("teardown")
    assert (asked.code, "say --yes" in asked.err) == (2, True)
    assert f"remove service {HUB} on {MANAGER} (the hub stops)" in asked.out
    unnamed = used.fab("teardown", "--with-data", "--yes")
    assert (unnamed.code, "say --name" in unnamed.err) == (2, True)
    wrong = used.fab("teardown", "--with-data", "--yes", "--name", "hub.example.org")
    assert (wrong.code, "'hub.example.org' is not the cluster's name" in wrong.err) == (2, True)
    assert used.fingerprint() == before


def test_nothing_of_ours_is_left_on_any_node(bare: Lab) -> None:
    """After a deploy and a teardown, stopped in the middle and run again, all nodes hold what they held before the deploy."""
    before = listing(bare)
    assert before["services"] == before["secrets"] == before["configs"] == []
    deploy = bare.fab("deploy")
    assert deploy.code == 0, deploy.text
    # What has been begun ends first: an engine takes its time to remove an image.
    stopped = interrupt("teardown", "--yes", when="remove image", seconds=60)
    assert stopped.code == 130, stopped.text
    kept = bare.fab("teardown", "--yes")
    assert kept.code == 0, kept.text
    assert "keep       volume jupyterhub-data, /etc/letsencrypt on swarm-manager1" in kept.out
    assert bare.docker("volume", "ls", "--quiet") == "jupyterhub-data"
    done = bare.fab("teardown", "--with-data", "--name", topology.DOMAIN, "--yes")
    assert done.code == 0, done.text
    assert listing(bare) == before
