"""An image of one's own is built once, and brought to a node without a registry; 30 seconds, and no hub update."""

import json
import re
from collections.abc import Iterator

import pytest

from lab import topology
from tests.lab.support import Lab, Settings

MANAGER, WORKER = topology.MANAGER.name, topology.WORKERS[0].name
NOTEBOOK = "[notebook]\n"
ID = ("image", "inspect", "--format", "{{.Id}}")


def labels(lab: Lab) -> set[str]:
    """Return the labels of the worker."""
    return {*json.loads(lab.docker("node", "inspect", WORKER, "--format", "{{json .Spec.Labels}}"))}


@pytest.fixture
def tidy(deployed: Lab) -> Iterator[Lab]:
    """Give the deployed lab, and remove what was built and brought."""
    before = labels(deployed)
    yield deployed
    for node in (MANAGER, WORKER):
        for id_ in {*deployed.docker("images", "--quiet", "jupyterhub-notebook", node=node).split()}:
            deployed.docker("image", "rm", "--force", id_, node=node)
    for label in labels(deployed) - before:
        deployed.docker("node", "update", "--label-rm", label, WORKER)


def test_a_package_is_built_into_an_image_and_brought_to_a_node(tidy: Lab, settings: Settings) -> None:
    """A second build does nothing; the node has the same image, which holds the package and runs as the image's own user."""
    hosts = settings((NOTEBOOK, f'{NOTEBOOK}packages = ["cowsay==6.1"]\n'))
    built = tidy.fab("build-notebook", hosts=hosts)
    assert built.code == 0, built.text
    found = re.search(r"build (jupyterhub-notebook:[0-9a-f]{12}) on swarm-manager1: cowsay==6.1 on ", built.out)
    assert found, built.text
    assert f"{found[1]}: built already" in tidy.fab("build-notebook", hosts=hosts).out
    done = tidy.fab("-H", WORKER, "prepull", hosts=hosts)
    assert done.code == 0, done.text
    assert f"bring image {found[1]} on {WORKER}" in done.out
    assert tidy.docker(*ID, found[1], node=WORKER) == tidy.docker(*ID, found[1], node=MANAGER)
    told = 'id -un; python3 -c "import cowsay; print(cowsay.__name__)"; jupyterhub-singleuser --version'
    said = tidy.docker("run", "--rm", "--entrypoint", "sh", found[1], "-c", told, node=WORKER).split()
    assert said[:2] == ["jovyan", "cowsay"]
    assert said[2].startswith("6.")


def test_a_package_that_does_not_exist_is_told_in_pips_words_and_changes_nothing(deployed: Lab, settings: Settings) -> None:
    """In one line, with what helps."""
    before = deployed.fingerprint()
    done = deployed.fab("build-notebook", hosts=settings((NOTEBOOK, f'{NOTEBOOK}packages = ["no-such-package-of-swarmhub"]\n')))
    assert done.code == 1, done.text
    assert "ERROR: No matching distribution found for no-such-package-of-swarmhub" in done.err
    assert "Change packages in hosts.toml; nothing else was changed" in done.err
    assert deployed.fingerprint() == before
