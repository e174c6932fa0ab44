"""A teardown leaves every node as it was before the first deploy."""

import json
from collections import Counter
from pathlib import Path

from lab import topology
from swarmhub import settings as settings_file
from tests.lab import empty
from tests.lab.empty import Listing
from tests.lab.scripts import CACHE
from tests.lab.support import HUB, ROOT, Lab, interrupt

MANAGER = topology.MANAGER.name
EXTRA = 'image = "registry.lab:5000/notebook-extra:lab"'


def test_a_teardown_asks_first(used: Lab) -> None:
    """Unasked nothing is removed; data go only with the cluster's name, and people are named."""
    before = used.fingerprint()
    asked = used.fab("teardown")
    assert (asked.code, "To answer yes: --yes" in asked.err) == (2, True)
    assert f"remove service {HUB} on {MANAGER} (the hub stops)" in asked.out
    unnamed = used.fab("teardown", "--with-data", "--yes")
    assert (unnamed.code, "To answer: --name" in unnamed.err) == (2, True)
    wrong = used.fab("teardown", "--with-data", "--yes", "--name", "hub.example.org")
    assert (wrong.code, "'hub.example.org' is not the cluster's name" in wrong.err) == (2, True)
    assert used.fingerprint() == before


def test_nothing_of_ours_is_left_on_any_node(used: Lab, first_listing: Listing, group_hosts: Path, tmp_path: Path) -> None:
    """After a teardown, stopped in the middle and run again, all nodes hold what they held before the run's first deploy.

    A user of the docker group, who is not root, goes on with it, and removes what is root's. The settings name one image less
    then: a release has its name.
    """
    assert first_listing["services"] == first_listing["secrets"] == first_listing["configs"] == []
    used.let_stand(group_hosts)
    used.forget_homes()
    later = tmp_path / "hosts.toml"
    later.write_text(group_hosts.read_text().replace(EXTRA, 'memory_limit = "2G"'))
    kept_by_others = _foreign(empty.listing(used), _named(used, group_hosts))
    stopped = interrupt("teardown", "--yes", when="remove image")
    assert stopped.code == 130, stopped.text
    kept = used.fab("teardown", "--yes", hosts=later)
    assert kept.code == 0, kept.text
    assert "keep       volume jupyterhub-data, volume jupyterhub_backups, /etc/letsencrypt on swarm-manager1" in kept.out
    assert used.docker("volume", "ls", "--quiet").split() == ["jupyterhub-data", "jupyterhub_backups"]
    done = used.fab("teardown", "--with-data", "--name", topology.DOMAIN, "--yes", hosts=later)
    assert done.code == 0, done.text
    # Swarm lets go of the containers of tasks that ended long ago in its own time.
    used.wait(lambda: not used.docker("ps", "--all", "--quiet"), 30, "containers stay")
    # What tests have removed with the images that they made missing is no matter of the teardown's.
    assert _differences(empty.listing(used), first_listing | _ours(first_listing, kept_by_others)) == {}


def _differences(found: Listing, wanted: Listing) -> Listing:
    """Return what is there too much (+) or missing (-), and nothing else: whole listings are hundreds of lines."""
    counted = {name: (Counter(found[name]), Counter(lines)) for name, lines in wanted.items()}
    signs = {
        name: [*(f"+ {one}" for one in here - there), *(f"- {one}" for one in there - here)]
        for name, (here, there) in counted.items()
    }
    return {name: lines for name, lines in signs.items() if lines}


def _named(lab: Lab, hosts: Path) -> set[str]:
    """Return the images that hosts.toml or a release names: tests have had settings of their own."""
    settings = settings_file.load(ROOT / topology.HOSTS)
    releases = [one["settings"] for one in json.loads(lab.fab("releases", "--json", hosts=hosts).out)]
    servers = [server for one in releases for server in (one["notebook"], *one["profiles"])]
    images = {server["image"] for server in servers if "image" in server}
    return images | {*settings.images, settings.certs.certbot, settings.hub.base_image}


def _foreign(listing: Listing, named: set[str]) -> Listing:
    """Return the images of each node that a teardown leaves alone: nothing of the hub's has such a name."""
    return {
        name: [one for one in images if one.split()[0] not in named and not one.startswith((HUB, "<none>"))]
        for name, images in listing.items()
        if "images on" in name
    }


def _ours(first: Listing, foreign: Listing) -> Listing:
    """Return the images that each node held at first, and those of others that it held before the teardown."""
    return {
        name: sorted({*(one for one in first[name] if not one.startswith(CACHE)), *others}) for name, others in foreign.items()
    }
