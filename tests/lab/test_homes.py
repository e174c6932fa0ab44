"""Files that stay: through stops, other images and a hub's restart, on one node or on all; never an empty home instead.

The home that is full or read-only costs some 25 seconds.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import pytest

from lab import topology
from lab.packages import LabError
from tests.lab.killing import restart_hub
from tests.lab.support import HUB, REAL, Lab, piped, variant

WORKER, LAST = (worker.name for worker in topology.WORKERS)
NODES = tuple(node.name for node in topology.NODES)
USER, FOREIGNER = "grace", "ada"
FOLDERS = "/mnt/shared/homes /mnt/shared/course /mnt/shared/team"
# Of the profiles that there are, one of each image.
PLAIN, EXTRA = "Exercises", "Projects"
SHARED = """
[home]
type = "path"
path = "/mnt/shared/homes"

[[folders]]
type = "path"
path = "/mnt/shared/course"
mount = "/home/jovyan/course"

[[folders]]
type = "path"
path = "/mnt/shared"
name = "team"
mount = "/srv/team"
read_only = false
groups = ["team"]

[[folders]]
name = "scratch"
mount = "/srv/scratch"
read_only = false
per_node = true

[groups]
team = ["grace"]

[jupyterhub.SwarmSpawner]
extra_container_spec = {mounts = [{Type = "tmpfs", Target = "/more"}], env = {AT = "{{.Node.Hostname}}"}}

"""
# On a node, the user's home is a file system of its own, with room for nothing.
SMALL = f"/mnt/shared/homes/{USER}"
# As JupyterLab asks its server.
ASKED = """
import json, os, urllib.error, urllib.request
def ask(method, path, **body):
    url = "http://127.0.0.1:8888" + os.environ["JUPYTERHUB_SERVICE_PREFIX"] + path
    headers = {"Authorization": "token " + os.environ["JUPYTERHUB_API_TOKEN"]}
    request = urllib.request.Request(url, json.dumps(body).encode() if body else None, headers, method=method)
    try:
        return urllib.request.urlopen(request).read().decode()
    except urllib.error.HTTPError as error:
        return str(error.code)
new = {"type": "file", "format": "text", "content": "x" * 9999}
print(ask("GET", "lab/api/update"))
print(ask("PUT", "api/contents/new", **new))
print(ask("DELETE", "api/contents/big"))
print(json.loads(ask("PUT", "api/contents/new", **new))["size"])
"""
LIMITED = """
[home]
quota = "20M"

"""


@pytest.fixture(scope="module")
def tidy(used: Lab) -> Iterator[Lab]:
    """Give a lab without homes, and leave none there, and nothing on the shared path."""
    used.forget_homes()
    yield used
    for user in (USER, FOREIGNER):
        used.stop_server(user)
    used.forget_homes()
    used.on(LAST, "sh", "-c", f"rm -rf {FOLDERS} /mnt/shared/.swarmhub")
    for node in NODES:
        used.wait(partial(without_scratch, used, node), 60, f"the volume scratch on {node} cannot be removed")


def without_scratch(lab: Lab, node: str) -> bool:
    """Remove the volume that a node has for itself, if no server that ends has it any more."""
    with suppress(LabError):
        lab.docker("volume", "rm", "--force", "scratch", node=node)
        return True
    return False


@pytest.fixture(scope="module")
def volumes(tidy: Lab, furnished: Lab) -> Lab:
    """Have two images to choose from; homes are volumes, each on its node. The user has one on a worker, with a file."""
    tidy.start_server(USER, profile=PLAIN, on=WORKER)
    tidy.in_server(USER, "echo mine > kept")
    tidy.stop_server(USER)
    return tidy


@pytest.fixture(scope="module")
def shared_hosts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the settings with homes and folders on a path that every node mounts."""
    return variant(tmp_path_factory.mktemp("homes"), ("[github]", f"{SHARED}[github]"))


@pytest.fixture(scope="module")
def shared(tidy: Lab, shared_hosts: Path) -> Lab:
    """Deploy homes and folders on a path that every node mounts."""
    tidy.on(LAST, "sh", "-c", f"mkdir {FOLDERS}; echo lesson > /mnt/shared/course/one; chown 1000 /mnt/shared/team")
    deploy(tidy, shared_hosts)
    return tidy


@pytest.fixture(scope="module")
def limited(tidy: Lab, tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """Deploy homes of 20 MB."""
    deploy(tidy, variant(tmp_path_factory.mktemp("homes"), ("[github]", f"{LIMITED}[github]")))
    return tidy


def deploy(lab: Lab, hosts: Path) -> None:
    """Deploy lab/hosts.toml with more tables."""
    done = lab.fab("deploy", hosts=hosts)
    assert done.code == 0, done.text


@contextmanager
def away(lab: Lab, node: str, how: str) -> Iterator[None]:
    """Drain a node, or stop its engine, for a while."""
    state = ("node", "inspect", node, "--format", "{{.Status.State}} {{.Spec.Availability}}")
    if how == "drained":
        lab.docker("node", "update", "--availability", "drain", node)
    else:
        # Stopped while it ends a server, an engine keeps the container for ever; while it leaves the network, it cannot join it
        # again: "error creating vxlan interface: file exists".
        server = ("ps", "--all", "--quiet", "--filter", f"name={HUB}-{USER}")
        lab.wait(lambda: not lab.docker(*server, node=node), 30, f"{node} does not remove the server's container")
        network = ("network", "ls", "--quiet", "--filter", "name=^jupyter$")
        lab.wait(lambda: not lab.docker(*network, node=node), 30, f"{node} does not leave the network")
        lab.on(node, "sv", "-w", "30", "stop", "docker")
        lab.wait(lambda: "down" in lab.docker(*state), 60, f"{node} does not go down")
    try:
        yield
    finally:
        lab.on(node, "sv", "start", "docker")
        lab.docker("node", "update", "--availability", "active", node)
        lab.wait(lambda: lab.docker(*state) == "ready active", 60, f"{node} does not come back")


@contextmanager
def unmounted(lab: Lab, node: str) -> Iterator[None]:
    """Let a node lose the folder that all share, for a while."""
    lab.on(node, "umount", "/mnt/shared")
    try:
        yield
    finally:
        lab.on(node, "mount", "/mnt/shared")


def test_a_home_is_there_again_with_another_image_on_the_same_node(volumes: Lab) -> None:
    """Without any wish for a node, the user returns to the one that has the files, whatever image was chosen."""
    volumes.start_server(USER, profile=EXTRA)
    assert volumes.in_server(USER, "cat kept $LAB_EXTRA_TOOLS").splitlines()[0] == "mine"
    assert volumes.node_of(USER) == WORKER
    volumes.stop_server(USER)


def test_a_named_server_has_the_same_home(volumes: Lab) -> None:
    """It runs beside the other, on the node with the files; one more than the limit is refused."""
    profile = json.dumps({"profile": PLAIN})
    volumes.hub_api("POST", f"users/{USER}/servers/second", profile)
    named = f"{USER}--second"
    volumes.wait(lambda: named in _ready(volumes), 120, "the named server does not start")
    assert (volumes.node_of(named), volumes.in_server(named, "cat kept")) == (WORKER, "mine")
    refused = volumes.hub_api("POST", f"users/{USER}/servers/third", profile)
    assert "already has the maximum of 1 named servers" in json.loads(refused)["message"]
    volumes.hub_api("DELETE", f"users/{USER}/servers/second", json.dumps({"remove": True}))
    gone = ("service", "ls", "-q", "--filter", f"name={HUB}-{named}")
    volumes.wait(lambda: not volumes.docker(*gone), 60, "the named server does not stop")


def _ready(lab: Lab) -> list[str]:
    """Return the user's servers that are ready, as in the names of their services."""
    servers = json.loads(lab.hub_api("GET", f"users/{USER}"))["servers"]
    return [f"{USER}--{name}" for name, server in servers.items() if server["ready"]]


def test_a_home_outlives_the_hub(volumes: Lab) -> None:
    """A server goes on while its hub restarts; the new hub knows it, stops it, and knows where its home is."""
    volumes.start_server(USER, profile=PLAIN)
    restart_hub(volumes)
    assert volumes.in_server(USER, "cat kept") == "mine"
    volumes.stop_server(USER)
    volumes.start_server(USER, profile=PLAIN)
    assert (volumes.node_of(USER), volumes.in_server(USER, "cat kept")) == (WORKER, "mine")
    volumes.stop_server(USER)


@pytest.mark.parametrize(("how", "why"), [("drained", "is being serviced"), ("stopped", "does not answer at the moment")])
def test_a_home_whose_node_is_away_is_not_replaced_by_an_empty_one(volumes: Lab, how: str, why: str) -> None:
    """The user is told where the files are and that they are kept; no other node makes a home; later it is there again."""
    with away(volumes, WORKER, how):
        said = volumes.ask_for_server(USER, profile=PLAIN)
        made = [node for node in NODES if node != WORKER and volumes.homes(node)]
    assert said == f"Your files are on {WORKER}, which {why}. They are kept; try again when it is back."
    assert made == []
    volumes.start_server(USER, profile=PLAIN)
    assert volumes.in_server(USER, "cat kept") == "mine"
    volumes.stop_server(USER)


def test_a_home_on_a_shared_path_follows_its_user(shared: Lab) -> None:
    """What was written on one node is there on another, and belongs to the user."""
    shared.start_server(USER, on=WORKER)
    shared.in_server(USER, "echo mine > kept")
    shared.stop_server(USER)
    shared.start_server(USER, on=LAST)
    assert (shared.node_of(USER), shared.in_server(USER, "cat kept")) == (LAST, "mine")
    assert shared.on(LAST, "stat", "-c", "%u %a", f"/mnt/shared/homes/{USER}") == "1000 700"
    shared.stop_server(USER)


def test_shared_folders_are_read_by_all_and_written_by_a_group(shared: Lab) -> None:
    """Course material cannot be changed; what a member of the group writes is there on every node; others do not have it."""
    shared.start_server(USER, on=WORKER)
    found = shared.in_server(USER, "cat course/one; touch course/two 2>&1; echo ours > /srv/team/plan")
    assert found.splitlines()[0] == "lesson"
    assert "Read-only file system" in found
    assert shared.on(LAST, "cat", "/mnt/shared/team/plan") == "ours"
    assert shared.in_server(
        USER, "touch /srv/scratch/mine; stat -c %U /srv/scratch; df --output=fstype /more | tail -1; echo $AT"
    ) == (f"jovyan\ntmpfs\n{WORKER}")
    shared.start_server(FOREIGNER, on=LAST)
    assert shared.in_server(FOREIGNER, "cat course/one; ls /srv") == "lesson\nscratch"
    for user in (USER, FOREIGNER):
        shared.stop_server(user)


def test_a_node_that_lost_the_shared_folder_makes_no_empty_home(shared: Lab) -> None:
    """The user is told which node does not have the files, also where a folder of that name is on the node's own disk."""
    with unmounted(shared, LAST):
        shared.on(LAST, "mkdir", "-p", SMALL)
        said = shared.ask_for_server(USER, on=LAST)
        made = shared.on(LAST, "sh", "-c", "find /mnt/shared -type f; rm -r /mnt/shared/homes")
    assert said.startswith(f"{LAST} does not have the folder with your files: it is not mounted there.")
    assert made == ""
    shared.start_server(USER, on=LAST)
    shared.stop_server(USER)


@pytest.fixture
def full(shared: Lab) -> Iterator[Lab]:
    """Let the user's home be full, as a node has it."""
    shared.on(WORKER, "mount", "-t", "tmpfs", "-o", "size=1m,uid=1000", "tmpfs", SMALL)
    shared.on(WORKER, "sh", "-c", f"head -c 2M /dev/zero > {SMALL}/big || chown 1000 {SMALL}/big")
    try:
        yield shared
    finally:
        shared.stop_server(USER)
        shared.on(WORKER, "umount", SMALL)


def test_who_has_a_full_home_gets_in_and_can_delete(full: Lab) -> None:
    """JupyterLab says that it is full; a file that is deleted makes room."""
    full.start_server(USER, on=WORKER, profile=REAL)
    told, refused, _, size = full.in_server(USER, f"python3 - <<'END'\n{ASKED}\nEND").splitlines()
    assert "Your home, /home/jovyan, is full" in told
    assert (refused, size) == ("500", "9999")


def test_who_has_a_read_only_home_is_told(full: Lab) -> None:
    """The engine cannot make the place of a shared folder in it, or else the server ends: nothing would be kept."""
    full.on(WORKER, "mount", "-o", "remount,ro", SMALL)
    said = full.ask_for_server(USER, on=WORKER, profile=REAL)
    assert not said or said.startswith(f"{WORKER} has the folder with your files read-only")
    full.wait(lambda: "read-only" in full.log_of(tail="60"), 60, "the log does not tell it")


def test_a_home_is_opened_without_a_server(shared: Lab, shared_hosts: Path) -> None:
    """In a shell, as the owner of the files; its container does not stay."""
    shared.on(LAST, "sh", "-c", f"echo mine > {SMALL}/kept; chown 1000 {SMALL}/kept")
    done = piped("cat kept; id -u; rm kept\n", "shell", "--home", USER, hosts=shared_hosts)
    assert (done.code, done.out) == (0, "mine\n1000\n"), done.err
    assert shared.docker("ps", "--all", "--quiet", "--filter", "label=swarmhub.shell") == ""


def test_a_home_with_a_quota_takes_no_more(limited: Lab) -> None:
    """20 MB fit into a home of 20M, the 21st is refused. Where the lab's kernel has no quotas, the user is told so instead."""
    mounted = limited.on(WORKER, "findmnt", "--noheadings", "--output", "OPTIONS", "--target", "/var/lib/docker/volumes")
    if "prjquota" not in mounted:
        said = limited.ask_for_server(FOREIGNER, on=WORKER)
        assert said.startswith(f"{WORKER} cannot limit the size of your home, as the settings ask.")
        return  # this kernel has no XFS with project quotas (docs/lab.md): no home can be filled
    limited.start_server(FOREIGNER, on=WORKER)
    fill = "head -c {} /dev/zero > {} 2>&1 || echo refused"
    assert limited.in_server(FOREIGNER, fill.format("19M", "fits")) == ""
    assert "refused" in limited.in_server(FOREIGNER, fill.format("2M", "does-not"))
    limited.stop_server(FOREIGNER)
