"""A bill of materials of the images as they are built: some 15 s, most of it the tool's own environment."""

import json
import os
import subprocess
from pathlib import Path

from lab import topology
from tests.lab.support import ROOT, Lab


def test_the_images_have_bills_of_materials(deployed: Lab) -> None:
    """`make sbom` lists Debian's, Python's and npm's packages of both images, checked against CycloneDX's schema."""
    environ = {**os.environ, "SWARMHUB_HOSTS": topology.HOSTS}
    done = subprocess.run(["make", "sbom"], cwd=ROOT, env=environ, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    hub, proxy = (_addresses(ROOT / "sbom" / f"{name}.cdx.json") for name in ("jupyterhub", "jupyterhub-proxy"))
    for wanted in ("pkg:pypi/jupyterhub@", "pkg:deb/debian/tini@", "pkg:npm/configurable-http-proxy@"):
        assert [one for one in hub if one.startswith(wanted)], wanted
    assert [one for one in proxy if one.startswith("pkg:deb/debian/nginx")]
    assert deployed.hub_answers()


def _addresses(file: Path) -> list[str]:
    found = json.loads(file.read_text())
    assert found["bomFormat"] == "CycloneDX"
    return [one["purl"] for one in found["components"]]
