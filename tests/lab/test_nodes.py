"""Nodes come and go: joined in their role, emptied with their people named, taken out only where nothing is lost."""

import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from lab import topology
from tests.lab.support import HUB, Lab, Settings

MANAGER = topology.MANAGER.name
WORKER, LAST = (worker.name for worker in topology.WORKERS)
NODES = tuple(node.name for node in topology.NODES)
NOTEBOOK, KEPT = "registry.lab:5000/notebook:lab", "lab-cache:notebook"


# A stand-in for an engine that keeps its port, which one does once in many times: by name and port it looks the same.
KEEPS = """
cp "$(readlink -f "$(command -v python3)")" /tmp/dockerd
/tmp/dockerd -c 'import socket, time; s = socket.create_server(("", 7946)); time.sleep(300)' > /dev/null 2>&1 &
echo $!
"""


def availability(lab: Lab, node: str) -> str:
    """Return the availability of the node that has this name, or of both if there are two."""
    return lab.docker("node", "ls", "--filter", f"name={node}", "--format", "{{.Availability}}")


def set_availability(lab: Lab, value: str, *nodes: str) -> None:
    """Set it past swarmhub."""
    for node in nodes:
        lab.docker("node", "update", "--availability", value, node)


@contextmanager
def server_on(lab: Lab, node: str, user: str) -> Iterator[str]:
    """Have a user work on a node for a while."""
    others = [name for name in NODES if name != node]
    set_availability(lab, "pause", *others)
    try:
        service = lab.start_server(user)
    finally:
        set_availability(lab, "active", *others)
    try:
        yield service
    finally:
        # A server that a drain has stopped leaves its service; the hub forgets it when it looks the next time.
        if lab.docker("service", "ls", "--quiet", "--filter", f"name={service}"):
            lab.docker("service", "rm", service)
        lab.stop_server(user)


@pytest.fixture
def whole(deployed: Lab) -> Iterator[Lab]:
    """Give a test the deployed lab, and bring back a node that it leaves out."""
    before = deployed.seen()
    yield deployed
    if before and deployed.seen() == before:
        return
    for command in (("swarm-init",), ("prepull-all",)):
        done = deployed.fab(*command)
        assert done.code == 0, done.text
    set_availability(deployed, "active", *NODES)


HOME = f"{HUB}-home-ada"


def node_id(lab: Lab, node: str) -> str:
    """Return the id that a node has in the swarm."""
    return lab.docker("info", "--format", "{{.Swarm.NodeID}}", node=node)


@pytest.fixture
def home(whole: Lab) -> Iterator[str]:
    """Let Ada have a home on the last node, with a file in it; return its volume."""
    whole.forget_homes()  # an earlier test may have given her one on another
    whole.start_server("ada", on=LAST)
    whole.in_server("ada", "echo thesis > thesis.txt")
    whole.stop_server("ada")
    yield HOME
    whole.forget_homes()


def recorded(lab: Lab, volume: str) -> str:
    """Return the node that the swarm's record of a home names."""
    return lab.docker("config", "inspect", volume, "--format", '{{index .Spec.Labels "swarmhub.node"}}')


def test_a_host_that_joins_gets_its_image_before_notebooks(whole: Lab, home: str) -> None:
    """A host in no swarm joins as what hosts.toml says; it is opened for notebooks by the step that gives it the image."""
    before = recorded(whole, home)
    whole.leave_swarm(LAST)
    # Under another name its layers stay, and the pull is quick.
    whole.docker("tag", NOTEBOOK, KEPT, node=LAST)
    whole.docker("image", "rm", NOTEBOOK, node=LAST)
    keeping = whole.on(LAST, "sh", "-c", KEEPS)
    kept = whole.fab("swarm-init")
    whole.on(LAST, "kill", keeping)
    assert (kept.code, kept.err.count("\n")) == (1, 1), kept.text
    assert f"{LAST}: swarm-init: is in no swarm, and its engine still has port 7946" in kept.err
    joined = whole.fab("swarm-init")
    assert joined.code == 0, joined.text
    assert f"join the swarm as a worker on {LAST}" in joined.out
    # Its earlier id is gone, too: one node of that name is left.
    assert availability(whole, LAST) == "Pause"
    shown = whole.fab("nodes")
    assert f"{LAST}: waits for its image" in shown.out
    refused = whole.fab("undrain", LAST)
    assert (refused.code, f"fab -H {LAST} prepull" in refused.err) == (1, True)
    opened = whole.fab("prepull-all")
    assert opened.code == 0, opened.text
    assert opened.out.index(f"pull {NOTEBOOK} on {LAST}") < opened.out.index(f"activate {LAST}")
    assert availability(whole, LAST) == "Active"
    whole.docker("image", "rm", KEPT, node=LAST)
    # It is another node to the swarm now, and has the homes that it had.
    known = whole.fab("service")
    assert (known.code, f"record the homes of ada, which {LAST} has" in known.out) == (0, True), known.text
    assert before != recorded(whole, home) == node_id(whole, LAST)


def test_a_swarm_as_wanted_is_left_alone(deployed: Lab) -> None:
    """`swarm-init` on a swarm that is as hosts.toml says changes nothing and says so."""
    before = deployed.docker("node", "ls")
    done = deployed.fab("swarm-init")
    assert (done.code, "3 of 3 hosts are in the swarm" in done.out) == (0, True)
    assert deployed.docker("node", "ls") == before


@pytest.mark.usefixtures("home")
def test_a_swarm_is_made_from_nothing(whole: Lab) -> None:
    """On hosts that are in no swarm `swarm-init` makes it; a deploy brings back the hub with its data, and homes to people."""
    for node in reversed(NODES):
        whole.leave_swarm(node)
    created = whole.docker("volume", "inspect", "jupyterhub-data", "--format", "{{.CreatedAt}}")
    for command in (("restore", "--yes"), ("releases",)):
        said = f"{MANAGER}: {command[0]}: is in no swarm. Make the swarm that hosts.toml describes: fab swarm-init\n"
        assert whole.fab(*command).err == said
    made = whole.fab("swarm-init")
    assert made.code == 0, made.text
    assert "SWMTKN" not in made.text
    deploy = whole.fab("deploy")
    assert deploy.code == 0, deploy.text
    assert [availability(whole, node) for node in NODES] == ["Active"] * 3
    assert whole.docker("volume", "inspect", "jupyterhub-data", "--format", "{{.CreatedAt}}") == created
    whole.start_server("ada")
    assert (whole.node_of("ada"), whole.in_server("ada", "cat thesis.txt")) == (LAST, "thesis")
    whole.stop_server("ada")


def test_a_host_of_another_swarm_is_refused(whole: Lab) -> None:
    """A host that another swarm has is named with the remedy, and stays where it is."""
    whole.leave_swarm(LAST)
    whole.docker("swarm", "init", node=LAST)
    try:
        done = whole.fab("swarm-init")
    finally:
        whole.leave_swarm(LAST)
    assert done.code == 1
    assert f"{LAST}: swarm-init: is in another swarm" in done.err
    assert "docker swarm leave --force" in done.err


def test_roles_follow_hosts_toml(whole: Lab, settings: Settings) -> None:
    """A host in the wrong role is promoted or demoted; two managers are warned of."""
    role = ("node", "inspect", WORKER, "--format", "{{.Spec.Role}}")
    hosts = settings((f'["{MANAGER}"]', f'["{MANAGER}", "{WORKER}"]'), (f'["{WORKER}", "{LAST}"]', f'["{LAST}"]'))
    promoted = whole.fab("swarm-init", hosts=hosts)
    assert (promoted.code, whole.docker(*role)) == (0, "manager"), promoted.text
    assert "2 managers bear no more losses" in promoted.out
    demoted = whole.fab("swarm-init")
    assert (demoted.code, whole.docker(*role)) == (0, "worker"), demoted.text


def test_people_are_named_before_their_node_is_taken(whole: Lab) -> None:
    """While somebody works on a node it is neither drained unasked nor removed; with --yes their server stops for good."""
    with server_on(whole, WORKER, "ada") as service:
        asked = whole.fab("drain", WORKER)
        assert (asked.code, f"ada works on {WORKER}" in asked.err) == (2, True)
        refused = whole.fab("remove-node", WORKER)
        assert (refused.code, "people work there: ada" in refused.err) == (1, True)
        drained = whole.fab("drain", WORKER, "--yes")
        assert (drained.code, "notebooks stop: 1 (ada)" in drained.out) == (0, True)
        assert availability(whole, WORKER) == "Drain"
        back = whole.fab("undrain", WORKER)
        assert (back.code, availability(whole, WORKER)) == (0, "Active"), back.text
        # The hub takes its service away as soon as it sees that.
        whole.wait(lambda: whole.docker("service", "ls", "--quiet", "--filter", f"name={service}") == "", 30, "it goes on")


def test_a_drain_waits_for_people_to_finish(whole: Lab) -> None:
    """`--wait` keeps new servers away, says who is still there, and drains when the last one has gone."""
    with server_on(whole, WORKER, "ada"), ThreadPoolExecutor() as pool:
        draining = pool.submit(whole.fab, "drain", WORKER, "--wait", "5", "--yes")
        whole.wait(lambda: availability(whole, WORKER) == "Pause", 30, "the node is not paused")
        assert not draining.done()
        whole.stop_server("ada")
        done = draining.result(timeout=60)
    assert done.code == 0, done.text
    assert "still there: ada" in done.out
    assert "notebooks stop" not in done.out
    assert availability(whole, WORKER) == "Drain"


def test_the_hubs_node_is_neither_drained_nor_removed(deployed: Lab) -> None:
    """The hub is pinned to its data: the commands say so and change nothing."""
    drain, remove = deployed.fab("drain", MANAGER), deployed.fab("remove-node", MANAGER)
    assert (drain.code, "the hub runs there" in drain.err) == (1, True)
    assert remove.code == 1
    assert "is the swarm's only manager" in remove.err
    assert "holds the hub: the only copy of its database" in remove.err
    assert availability(deployed, MANAGER) == "Active"


def test_a_node_with_data_is_not_removed(whole: Lab) -> None:
    """A volume that a service's name begins may be the only copy: it is named, and the node stays."""
    volume = f"{HUB}-user-ada"
    whole.docker("volume", "create", volume, node=LAST)
    try:
        done = whole.fab("remove-node", LAST)
    finally:
        whole.docker("volume", "rm", volume, node=LAST)
    assert (done.code, f"no other copy: {volume}" in done.err) == (1, True)
    assert availability(whole, LAST) == "Active"


def test_a_removed_node_is_gone_from_the_swarm(whole: Lab) -> None:
    """A node without work and data leaves, and is forgotten; doing it again does nothing."""
    done = whole.fab("remove-node", LAST)
    assert done.code == 0, done.text
    assert availability(whole, LAST) == ""
    assert whole.docker("info", "--format", "{{.Swarm.LocalNodeState}}", node=LAST) == "inactive"
    again = whole.fab("remove-node", LAST)
    assert (again.code, f"{LAST} is not in the swarm" in again.out) == (0, True)


@pytest.mark.parametrize("task", ["drain", "undrain", "remove-node", "trust"])
def test_a_host_that_is_not_known_is_guessed_at(lab: Lab, task: str) -> None:
    """A name that hosts.toml does not have is wrong usage, with the nearest name."""
    done = lab.fab(task, "swarm-worker9")
    assert (done.code, f"did you mean {LAST}?" in done.err) == (2, True)


def test_a_trusted_key_lets_the_host_in(lab: Lab, settings: Settings) -> None:
    """`trust` shows the fingerprint as ssh-keygen does and records the key beside hosts.toml; a changed one is replaced."""
    known = topology.STATE / "known_hosts"
    hosts = settings(ssh=lambda config: config.replace(f'"{known}"', "/nowhere"))
    asked = lab.fab("trust", MANAGER, hosts=hosts)
    public = topology.STATE / f"{MANAGER}.ssh_host_key.pub"
    shown = subprocess.run(["ssh-keygen", "-lf", str(public)], capture_output=True, text=True, check=True).stdout
    assert (asked.code, shown.split()[1] in asked.out, "To answer yes: --yes" in asked.err) == (2, True, True)
    assert not (hosts.parent / "known_hosts").exists()
    trusted = lab.fab("trust-all", "--yes", hosts=hosts)
    assert (trusted.code, lab.fab("nodes", hosts=hosts).code) == (0, 0), trusted.text
    own = (hosts.parent / "known_hosts").read_text()
    (hosts.parent / "known_hosts").write_text(
        own.replace(str(topology.MANAGER.ssh_port), "9").replace(
            str(topology.WORKERS[0].ssh_port), str(topology.MANAGER.ssh_port)
        )
    )
    every = lab.fab("trust-all", "--yes", hosts=hosts)
    assert (every.code, f"fab trust {MANAGER}" in every.err) == (1, True)
    changed = lab.fab("trust", MANAGER, "--yes", hosts=hosts)
    assert (changed.code, "it has CHANGED" in changed.out) == (0, True)
    assert lab.fab("trust", MANAGER, hosts=hosts).out.strip().endswith("trusted already")
