"""Hub and proxy on the newest base, kept for every operator, deployed, and taken back; four minutes, most of it the build."""

import json
import re
import shutil
from pathlib import Path

from lab import topology
from tests.lab.support import HUB, PROXY, Lab, Settings

MANAGER = topology.MANAGER.name
BASE = "debian:trixie-slim"
LABELS = ("image", "inspect", "--format", "{{json .Config.Labels}}")


def images(lab: Lab) -> list[str]:
    """Return the images that hub and proxy run."""
    asked = ("service", "inspect", HUB, PROXY, "--format", "{{.Spec.TaskTemplate.ContainerSpec.Image}}")
    return lab.docker(*asked).split()


def test_fresh_images_are_built_kept_deployed_and_taken_back(deployed: Lab, settings: Settings, tmp_path: Path) -> None:
    """The base's digest is its registry's; another checkout with the file wants the same images, and rollback the old ones."""
    before, hosts = images(deployed), settings()
    built = deployed.fab("build-hub", "--fresh", hosts=hosts)
    assert built.code == 0, built.text
    lock = (tmp_path / "base.lock").read_text()
    kept = dict(re.findall(r'(\w+) = "(.*)"', lock))
    in_registry = deployed.docker("image", "inspect", f"{BASE}@{kept['digest']}", "--format", "{{index .RepoDigests 0}}")
    assert (kept["image"], in_registry.rpartition("@")[2]) == (BASE, kept["digest"])
    new = [re.search(rf"build ({name}:[0-9a-f]{{12}}) on {MANAGER}", built.out) for name in (HUB, PROXY)]
    tags = [found[1] for found in new if found]
    assert len({*tags} - {*before}) == 2
    for tag in tags:
        labels = json.loads(deployed.docker(*LABELS, tag))
        assert labels["org.opencontainers.image.base.digest"] == kept["digest"]
    assert images(deployed) == before

    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for name in ("hosts.toml", "base.lock"):
        shutil.copy(tmp_path / name, elsewhere / name)
    done = deployed.fab("deploy", "--yes", hosts=elsewhere / "hosts.toml")
    assert done.code == 0, done.text
    assert "build-hub  build" not in done.out
    assert images(deployed) == tags
    hub = json.loads(deployed.fab("status", "--json", hosts=hosts).out)["hub"]
    assert (hub["image"], hub["installed"] >= kept["fresh"][:16]) == (tags[0], True)

    back = deployed.fab("rollback", "--yes", hosts=hosts)
    assert back.code == 0, back.text
    assert images(deployed) == [before[0], tags[1]]
