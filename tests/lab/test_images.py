"""Every image that servers may run is on every node, and the swarm knows where."""

import json
import re
from base64 import b64encode
from pathlib import Path

from lab import keys, topology
from swarmhub import settings as settings_file
from tests.lab.support import HUB, ROOT, Lab, Settings

IMAGES = settings_file.load(ROOT / "lab" / "hosts.toml").images
NODES = tuple(node.name for node in topology.NODES)
WORKER = topology.WORKERS[0].name


def digest(lab: Lab, image: str, node: str) -> str:
    """Return the first digits of the digest under which a node knows an image."""
    listed = lab.docker("image", "inspect", image, "--format", "{{index .RepoDigests 0}}", node=node)
    return listed.partition("@sha256:")[2][:12]


def labels(lab: Lab, node: str) -> set[str]:
    """Return the labels by which servers are placed on a node."""
    found = json.loads(lab.docker("node", "inspect", node, "--format", "{{json .Spec.Labels}}"))
    return {name for name, value in found.items() if name.startswith("swarmhub.image.") and value == "held"}


def test_every_node_holds_every_image_and_says_so(deployed: Lab) -> None:
    """The same digest everywhere, and a label for each."""
    held = {node: [digest(deployed, image, node) for image in IMAGES] for node in NODES}
    assert len({tuple(digests) for digests in held.values()}) == 1
    assert {node: labels(deployed, node) for node in NODES} == {
        node: {f"swarmhub.image.{one}" for one in digests} for node, digests in held.items()
    }


def test_a_missing_image_is_told_and_brought_back_where_it_is_missing(deployed: Lab) -> None:
    """The plan has the label that goes, the pull, and the label that comes; `prepull` does them; the plan is empty then."""
    image = IMAGES[-1]
    label = f"swarmhub.image.{digest(deployed, image, WORKER)}"
    before, known = deployed.fingerprint(), labels(deployed, WORKER)
    deployed.docker("image", "rm", "--force", image, node=WORKER)
    shown = deployed.fab("plan")
    told = (f"unlabel {WORKER}", f"{label}: held → nothing", f"pull {image} on {WORKER}", f"{label}: nothing → held")
    places = [shown.out.index(part) for part in told]
    assert places == sorted(places)
    done = deployed.fab("-H", WORKER, "prepull")
    assert done.code == 0, done.text
    assert (deployed.fingerprint(), labels(deployed, WORKER)) == (before, known)
    assert deployed.fab("plan", "--exit-code").code == 0


def test_prune_removes_what_nothing_needs_and_leaves_the_rest(deployed: Lab) -> None:
    """Old images and an old config go, told with their sizes; others' stay, and so does all that runs; six seconds."""
    before = deployed.fingerprint()
    repository = IMAGES[0].rpartition(":")[0]
    gone, stay = (f"{HUB}:{'0' * 12}", f"{repository}:old"), ("theirs:1",)
    for name in (*gone, *stay):
        deployed.on(WORKER, "sh", "-c", f"tar c /etc/hostname | docker import - {name}")
    deployed.on(
        topology.MANAGER.name,
        "sh",
        "-c",
        f"echo old | docker config create --label swarmhub.service={HUB} --label swarmhub.file=/x {HUB}-old -",
    )
    refused = deployed.fab("prune")
    assert refused.code == 2, refused.text
    done = deployed.fab("prune", "--yes")
    assert done.code == 0, done.text
    for told in (
        *(f"remove image {name} (0 MB) on {WORKER}" for name in gone),
        f"remove config {HUB}-old on {topology.MANAGER.name}",
    ):
        assert told in done.out
    listed = deployed.docker("images", "--format", "{{.Repository}}:{{.Tag}}", node=WORKER).split()
    assert ({*gone} & {*listed}, {*stay} <= {*listed}) == (set(), True)
    assert deployed.fingerprint() == before
    assert "nothing on 3 nodes" in deployed.fab("prune").out
    deployed.docker("image", "rm", *stay, node=WORKER)


def test_a_tag_that_has_moved_is_found_pulled_and_given_to_the_hub(deployed: Lab) -> None:
    """The doctor and `prepull-all --newer` say what has moved, and that makes a release; and back. Two hub updates, 50 s."""
    image, manager = IMAGES[-1], topology.MANAGER.name
    before = digest(deployed, image, WORKER)
    deployed.docker("image", "tag", image, "kept:1", node=manager)
    deployed.on(manager, "sh", "-c", f"printf 'FROM {image}\\nLABEL newer=1\\n' | docker build -q -t newer:1 -")
    now = moved(deployed, image, "newer:1")
    assert now != before
    # The other way round, from what is the newest now.
    assert moved(deployed, image, "kept:1") == before
    deployed.docker("image", "rm", "kept:1", "newer:1", node=manager)
    # The one in between has no tag any more, and a teardown of any hub would take it.
    for node in NODES:
        deployed.on(
            node, "sh", "-c", "docker image ls --filter dangling=true --quiet | sort -u | xargs -r docker image rm --force"
        )
    assert deployed.fab("plan", "--exit-code").code == 0


def test_a_registry_with_a_password_is_asked_with_the_operators_login(
    deployed: Lab, settings: Settings, tmp_path: Path
) -> None:
    """Without it, one line says what helps; with it, the image comes, and the node keeps nothing of the login. Ten seconds."""
    image, state = f"{topology.PRIVATE}/notebook:1", topology.STATE
    user, _, password = (state / keys.LOGIN).read_text().partition(":")
    here = f"127.0.0.1:{topology.PRIVATE_PORT}/notebook"
    deployed.client.tag(f"127.0.0.1:{topology.REGISTRY_PORT}/notebook:lab", here, "1")
    pushed = deployed.client.push(here, "1", auth_config={"username": user, "password": password})
    assert "errorDetail" not in pushed, pushed
    hosts = settings((f'image = "{IMAGES[-1]}"', f'image = "{image}"'))
    without, known = tmp_path / "without", tmp_path / "known"
    for folder, logins in (
        (without, {}),
        (known, {topology.PRIVATE: {"auth": b64encode(f"{user}:{password}".encode()).decode()}}),
    ):
        folder.mkdir()
        (folder / "config.json").write_text(json.dumps({"auths": logins}))
    refused = deployed.fab("-H", WORKER, "prepull", hosts=hosts, DOCKER_CONFIG=str(without))
    assert refused.code == 1, refused.text
    assert re.search(rf"no node holds {image}, and its registry does not give it: .*Log in to the registry", refused.err), (
        refused.err
    )
    done = deployed.fab("-H", WORKER, "prepull", hosts=hosts, DOCKER_CONFIG=str(known))
    assert done.code == 0, done.text
    assert f"pull {image} on {WORKER}" in done.out
    assert password not in done.text
    assert deployed.on(WORKER, "sh", "-c", "ls /root/.docker 2>/dev/null || :") == ""
    deployed.docker("image", "rm", image, node=WORKER)


def moved(lab: Lab, image: str, other: str) -> str:
    """Move an image's tag in its registry to another image, bring it to all nodes, and return its digest's first digits."""
    manager, before = topology.MANAGER.name, digest(lab, image, WORKER)
    lab.docker("image", "tag", other, image, node=manager)
    lab.docker("push", "--quiet", image, node=manager)
    told = json.loads(lab.fab("doctor", "--json").out)["findings"]
    assert [one["level"] for one in told if f"{image} has moved in its registry: {before} → " in one["text"]] == ["warning"]
    done = lab.fab("prepull-all", "--newer")
    assert done.code == 0, done.text
    now = digest(lab, image, WORKER)
    assert f"{image} has moved: {before} → {now}" in done.out
    assert f"{IMAGES[0]} is the newest" in done.out
    assert {digest(lab, image, node) for node in NODES} == {now}
    return now
