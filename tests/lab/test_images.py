"""Every image that servers may run is on every node, and the swarm knows where."""

import json
import re
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from hub.shared import services
from lab import containers, keys, topology
from swarmhub import settings as settings_file
from tests.lab.support import FILTER, HUB, ROOT, Lab, Settings

IMAGES = settings_file.load(ROOT / "lab" / "hosts.toml").images
NODES = tuple(node.name for node in topology.NODES)
# An image of one layer with something that no other has, only in the registry; and a byte of its largest file there is changed.
LIAR = """
rm -rf /tmp/liar && mkdir /tmp/liar && cd /tmp/liar && head -c 777777 /dev/urandom > more
printf "FROM scratch\\nCOPY more /more\\n" > Dockerfile
docker build --quiet --tag $1 . && docker push --quiet $1 && docker image rm --force $1
"""
LIES = """
file=$(find /var/lib/registry -name data -size +700k -size -900k | xargs ls -t | head -1)
printf x | dd of="$file" bs=1 seek=1000 conv=notrunc
"""
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


@pytest.fixture
def private(deployed: Lab, tmp_path: Path) -> tuple[Lab, str, Path, Path]:
    """Return the lab, an image in the registry with a password, and Docker configurations with and without the login."""
    image, state = f"{topology.PRIVATE}/notebook:1", topology.STATE
    user, _, password = (state / keys.LOGIN).read_text().partition(":")
    here = f"127.0.0.1:{topology.PRIVATE_PORT}/notebook"
    deployed.client.tag(f"127.0.0.1:{topology.REGISTRY_PORT}/notebook:lab", here, "1")
    pushed = deployed.client.push(here, "1", auth_config={"username": user, "password": password})
    assert "errorDetail" not in pushed, pushed
    without, known = tmp_path / "without", tmp_path / "known"
    for folder, logins in (
        (without, {}),
        (known, {topology.PRIVATE: {"auth": b64encode(f"{user}:{password}".encode()).decode()}}),
    ):
        folder.mkdir()
        (folder / "config.json").write_text(json.dumps({"auths": logins}))
    return deployed, image, known, without


def test_a_registry_with_a_password_is_asked_with_the_operators_login(
    private: tuple[Lab, str, Path, Path], settings: Settings
) -> None:
    """Without it, one line says what helps; with it, the image comes, and the node keeps nothing of the login. Ten seconds."""
    deployed, image, known, without = private
    password = (topology.STATE / keys.LOGIN).read_text().partition(":")[2]
    hosts = settings((f'image = "{IMAGES[-1]}"', f'image = "{image}"'))
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


def test_a_server_brings_a_private_image_back_to_a_node_that_has_lost_it(
    private: tuple[Lab, str, Path, Path], settings: Settings
) -> None:
    """By the operator's login, which the filter alone has: neither the hub nor what the engine shows. One deploy, 60 s."""
    lab, image, known, without = private
    hosts = settings((f'image = "{IMAGES[-1]}"', f'image = "{image}"'))
    done = lab.fab("deploy", "--yes", hosts=hosts, DOCKER_CONFIG=str(known))
    assert done.code == 0, done.text
    assert f"create secret {HUB}-login-private.lab_50-" in done.out
    lab.docker("image", "rm", "--force", image, node=WORKER)
    held = lab.docker("image", "ls", "--quiet", "--digests", image.rpartition(":")[0], node=WORKER)
    for id_ in {*held.split()}:
        lab.docker("image", "rm", "--force", id_, node=WORKER)
    lab.start_server("ada", profile="Extra tools", on=WORKER)
    assert lab.docker("image", "ls", "--quiet", "--digests", image.rpartition(":")[0], node=WORKER)
    lab.stop_server("ada")
    password = (topology.STATE / keys.LOGIN).read_text().partition(":")[2]
    mounted = lab.execute(FILTER, "sh", "-c", "ls /run/secrets")
    assert mounted.split() == [f"registry-login.{topology.PRIVATE}"]
    assert "registry-login" not in lab.execute(HUB, "sh", "-c", "ls /run/secrets; env")
    shown = lab.docker("service", "inspect", HUB, FILTER) + done.text
    assert [one for one in (password, "PullOptions", "RegistryAuth") if one in shown] == []
    # A server pulls by digest: the tag comes with the next pull. Who has no login leaves the filter its own.
    assert lab.fab("-H", WORKER, "prepull", hosts=hosts, DOCKER_CONFIG=str(known)).code == 0
    assert lab.fab("plan", "--exit-code", hosts=hosts, DOCKER_CONFIG=str(without)).code == 0


def test_the_service_of_the_renewal_brings_a_private_image_back_to_a_manager_that_has_lost_it(
    private: tuple[Lab, str, Path, Path], settings: Settings
) -> None:
    """By the operator's login, which the swarm keeps with the service and shows nobody; no hub update."""
    lab, _, known, _ = private
    image, renewal = f"{topology.PRIVATE}/certbot:1", services.renewal(HUB)
    user, _, password = (topology.STATE / keys.LOGIN).read_text().partition(":")
    here = f"127.0.0.1:{topology.PRIVATE_PORT}/certbot"
    lab.client.tag(f"127.0.0.1:{topology.REGISTRY_PORT}/certbot:lab", here, "1")
    pushed = lab.client.push(here, "1", auth_config={"username": user, "password": password})
    assert "errorDetail" not in pushed, pushed
    hosts = settings(('image = "registry.lab:5000/certbot:lab"', f'image = "{image}"'))
    done = lab.fab("deploy", "--yes", hosts=hosts, DOCKER_CONFIG=str(known))
    assert done.code == 0, done.text
    assert f"update service {renewal}" in done.out
    lab.docker("service", "scale", "--detach", f"{renewal}=0")
    running = ("ps", "--quiet", "--filter", f"label=com.docker.swarm.service.name={renewal}")
    lab.wait(lambda: not lab.docker(*running), 60, "the renewal does not stop")
    lab.on(topology.MANAGER.name, "sh", "-c", f"docker ps -aq --filter ancestor={image} | xargs -r docker rm -f")
    lab.docker("image", "rm", "--force", image)
    lab.docker("service", "scale", "--detach", f"{renewal}=1")
    lab.wait(lambda: lab.docker(*running), 120, "the renewal does not run again")
    shown = lab.docker("service", "inspect", renewal) + done.text
    assert [one for one in (password, "PullOptions", "RegistryAuth") if one in shown] == []


def test_a_registry_that_lies_about_a_layer_is_told_and_no_node_is_opened_for_its_image(
    deployed: Lab, settings: Settings
) -> None:
    """In one line with the host, and what helps."""
    image = f"{topology.REGISTRY}/liar:1"
    deployed.on(topology.MANAGER.name, "sh", "-c", LIAR, "sh", image)
    containers.run(deployed.client, "registry", "sh", "-c", LIES)
    hosts = settings((f'image = "{IMAGES[-1]}"', f'image = "{image}"'))
    before = labels(deployed, WORKER)
    done = deployed.fab("-H", WORKER, "prepull", hosts=hosts)
    assert done.code == 1, done.text
    (line,) = [one for one in done.err.splitlines() if f"cannot pull {image}" in one]
    assert line.startswith(f"{WORKER}: ")
    assert "verification failed" in line
    assert labels(deployed, WORKER) == before


@pytest.fixture
def other_kind(deployed: Lab) -> Iterator[str]:
    """Let a worker call itself another machine than the others, as one with another processor would; its engine restarts."""
    name, run = topology.WORKERS[1].name, "/etc/sv/docker/run"
    platform = ("node", "inspect", name, "--format", "{{.Description.Platform.Architecture}} {{.Status.State}}")
    before = deployed.docker(*platform)
    deployed.on(name, "sed", "-i", "s/^exec dockerd/exec setarch linux32 dockerd/", run)
    try:
        deployed.on(name, "sv", "-w", "60", "restart", "docker")
        deployed.wait(lambda: re.fullmatch(r"(i686|armv\w+) ready", deployed.docker(*platform)), 60, f"{name} is {before}")
        yield name
    finally:
        deployed.on(name, "sed", "-i", "s/^exec setarch linux32 /exec /", run)
        deployed.on(name, "sv", "-w", "60", "restart", "docker")
        deployed.wait(lambda: deployed.docker(*platform) == before, 60, f"{name} is not {before} again")


def test_a_node_that_cannot_run_an_image_is_told_and_gets_no_servers_and_the_deploy_goes_on(
    deployed: Lab, other_kind: str, settings: Settings
) -> None:
    """Of an image that it lacks, by the registry's list; of one that it holds, by the image itself. One deploy, 70 s."""
    repository = IMAGES[-1].rpartition(":")[0]
    image = f"{repository}:listed"
    listed(
        repository.partition("/")[2], "listed", "amd64" if deployed.on(WORKER, "uname", "-m").strip() == "x86_64" else "arm64"
    )
    hosts = settings((f'image = "{IMAGES[-1]}"', f'image = "{image}"'))
    done = deployed.fab("deploy", "--yes", hosts=hosts)
    assert done.code == 0, done.text
    for one in (IMAGES[0], image):
        said = (
            rf"images +{other_kind} is \w+, and {re.escape(one)} is for \w+: no server with it is placed there\. Name an image"
        )
        assert len(re.findall(said, done.out)) == 1, done.out
    assert f"pull {image} on {other_kind}" not in done.out
    assert {node: len(labels(deployed, node)) for node in NODES} == {NODES[0]: 2, NODES[1]: 2, other_kind: 0}
    told = json.loads(deployed.fab("doctor", "--json", hosts=hosts).out)["findings"]
    found = [one["level"] for one in told if one["host"] == other_kind and "no server with it is placed there" in one["text"]]
    assert found == ["warning"] * 2


def listed(repository: str, tag: str, architecture: str) -> None:
    """Put a list of one into the lab's registry, as for an image of several architectures."""
    where, kind = f"http://127.0.0.1:{topology.REGISTRY_PORT}/v2/{repository}/manifests", "distribution.manifest"
    accept = f"application/vnd.docker.{kind}.v2+json"
    with urlopen(Request(f"{where}/lab", headers={"Accept": accept})) as answer:  # noqa: S310 - the lab's own
        one = {"mediaType": accept, "size": len(answer.read()), "digest": answer.headers["Docker-Content-Digest"]}
    kind = f"application/vnd.docker.{kind}.list.v2+json"
    body = {
        "schemaVersion": 2,
        "mediaType": kind,
        "manifests": [one | {"platform": {"architecture": architecture, "os": "linux"}}],
    }
    put = Request(f"{where}/{tag}", json.dumps(body).encode(), {"Content-Type": kind}, method="PUT")  # noqa: S310
    with urlopen(put) as answer:  # noqa: S310
        assert answer.status == 201


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
