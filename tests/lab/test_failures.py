"""What goes wrong on real machines gets one line with host, step, cause and remedy; the rest goes on."""

import base64
import re
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from lab import containers, topology
from tests.lab.support import HUB, Lab, Settings, interrupt, moved_away

MANAGER = topology.MANAGER.name
WORKER, LAST = (worker.name for worker in topology.WORKERS)
NOTEBOOK = "registry.lab:5000/notebook"


def user(name: str, host: str = MANAGER) -> dict[str, object]:
    """Return the change of the ssh_config that logs in to one host as somebody else."""

    def change(config: str) -> str:
        return re.sub(rf"(Host {host}\n(?:  .*\n)*?  User )root", rf"\g<1>{name}", config)

    return {"ssh": change}


def test_unreachable_host_is_named_and_the_others_are_finished(deployed: Lab, settings: Settings) -> None:
    """A host that does not answer fails `prepull-all` with its name; the nodes that lacked the image have it afterwards."""
    extra = "Host swarm-worker3\n  HostName 127.0.0.1\n  Port 9\n"
    hosts = settings(('"swarm-worker2"]', '"swarm-worker2", "swarm-worker3"]'), ssh=lambda config: config + extra)
    deployed.docker("image", "rm", "-f", deployed.fingerprint()[f"notebook image on {LAST}"], node=LAST)
    done = deployed.fab("prepull-all", hosts=hosts)
    assert done.code == 1
    assert re.search(
        r"^swarm-worker3: prepull-all: cannot reach .*127\.0\.0\.1:9: connection refused\. ", done.err, re.MULTILINE
    )
    assert deployed.docker("image", "ls", "-q", NOTEBOOK, node=LAST)


@pytest.mark.quick
def test_a_host_that_does_not_answer_is_left_out_of_a_deploy(deployed: Lab, settings: Settings) -> None:
    """It is named in the table, with what helps; where nothing else is to do, nothing is done, and that is no failure."""
    extra = "Host swarm-worker3\n  HostName 127.0.0.1\n  Port 9\n"
    hosts = settings(('"swarm-worker2"]', '"swarm-worker2", "swarm-worker3"]'), ssh=lambda config: config + extra)
    before = deployed.fingerprint()
    done = deployed.fab("deploy", hosts=hosts)
    assert done.code == 0, done.text
    assert re.search(
        r"^swarm-worker3: cannot reach .* A deploy leaves it out; when it is back, deploy again\.", done.out, re.MULTILINE
    )
    assert "firewall   left as it is until all nodes answer" in done.out
    assert deployed.fingerprint() == before


def test_a_node_that_is_silent_is_left_out_and_has_nothing_to_catch_up(deployed: Lab, settings: Settings) -> None:
    """It accepts connections and says nothing, as a machine that hangs: the hub is updated without it. About 45 s."""
    hosts, silent = settings(("[github]", '[page]\nname = "Another"\n\n[github]')), containers.container_name(LAST)
    deployed.client.pause(silent)
    try:
        done = deployed.fab("deploy", hosts=hosts)
        assert done.code == 0, done.text
        port = topology.NODES[-1].ssh_port
        assert f"{LAST}: SSH to root@127.0.0.1:{port} failed: it accepts the connection, and says nothing" in done.out
        again = deployed.fab("plan", "--without", LAST, "--exit-code", hosts=hosts)
        assert (again.code, f"{LAST} is away: left out by --without" in again.out) == (0, True), again.text
    finally:
        deployed.client.unpause(silent)
    listed = ("node", "ls", "--filter", f"name={LAST}", "--format", "{{.Status}}")
    deployed.wait(lambda: deployed.docker(*listed) == "Ready", 60, f"{LAST} does not come back")
    assert deployed.left_to_change(hosts) == ""


def test_refused_key_is_named(lab: Lab, settings: Settings, tmp_path: Path) -> None:
    """A host that takes none of the operator's keys: the line names user and address, and how to try."""
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    hosts = settings(ssh=lambda config: config.replace(str(topology.STATE / "ssh_key"), str(key)))
    done = lab.fab("network", hosts=hosts)
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert f"root@127.0.0.1:{topology.MANAGER.ssh_port} refuses your key" in done.err


@pytest.mark.quick
def test_unknown_host_key_is_refused(lab: Lab, settings: Settings, tmp_path: Path) -> None:
    """A host whose key no known_hosts names is not talked to; the line shows its fingerprint and how to trust it."""
    hosts = settings(ssh=lambda config: config.replace(str(topology.STATE / "known_hosts"), str(tmp_path / "none")))
    done = lab.fab("network", hosts=hosts)
    public = topology.STATE / f"{MANAGER}.ssh_host_key.pub"
    shown = subprocess.run(["ssh-keygen", "-lf", str(public)], capture_output=True, text=True, check=True).stdout
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert f"unknown host key ssh-ed25519 {shown.split()[1]}" in done.err
    assert f"trust it: fab trust {MANAGER}" in done.err


@pytest.mark.parametrize("trusted", [True, False], ids=["and trusted", "alone"])
def test_revoked_host_key_is_refused(lab: Lab, settings: Settings, tmp_path: Path, trusted: bool) -> None:
    """Somebody has stolen a host's key, and known_hosts says so: the host is not talked to, whatever other lines say, and to
    trust it is no remedy. Half a second.
    """
    key = (topology.STATE / f"{MANAGER}.ssh_host_key.pub").read_text()
    known = tmp_path / "known_hosts"
    own = f"[127.0.0.1]:{topology.MANAGER.ssh_port} {key}\n" if trusted else ""
    known.write_text(f"@cert-authority * {key}\n{own}@revoked * {key}\n")
    hosts = settings(ssh=lambda config: config.replace(str(topology.STATE / "known_hosts"), str(known)))
    for task in (("network",), ("trust", MANAGER)):
        done = lab.fab(*task, hosts=hosts)
        assert (done.code, done.err.count("\n")) == (1, 1), done.text
        assert "is REVOKED in known_hosts" in done.err
        assert "fab trust" not in done.err


def test_changed_host_key_is_refused(lab: Lab, settings: Settings, tmp_path: Path) -> None:
    """A host that shows another key than the known one is not talked to; the line shows both fingerprints."""
    other = (topology.STATE / f"{WORKER}.ssh_host_key.pub").read_text()
    known = tmp_path / "known_hosts"
    known.write_text(f"[127.0.0.1]:{topology.MANAGER.ssh_port} {other}")
    hosts = settings(ssh=lambda config: config.replace(str(topology.STATE / "known_hosts"), str(known)))
    done = lab.fab("network", hosts=hosts)
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert "the host key has CHANGED" in done.err
    assert done.err.count("SHA256:") == 2
    assert f"If the host was reinstalled: fab trust {MANAGER}" in done.err


@pytest.mark.quick
def test_host_without_docker_is_named(deployed: Lab) -> None:
    """A node on which Docker is not installed fails the pull with that cause; the others are not stopped by it."""
    with moved_away(deployed, LAST, "/usr/bin/docker"):
        done = deployed.fab("prepull-all")
    assert done.code == 1
    assert f"{LAST}: prepull-all: Docker is not installed. Install Docker Engine there" in done.err
    assert WORKER not in done.err


@pytest.mark.quick
def test_user_without_docker_is_told_the_two_ways_out(lab: Lab, settings: Settings) -> None:
    """A user outside the docker group gets one line with both remedies."""
    done = lab.fab("network", hosts=settings(**user("ops")))
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert f"{MANAGER}: network: this user may not use Docker" in done.err
    assert "docker group" in done.err
    assert "ssh.sudo = true" in done.err


def test_user_with_sudo_can_do_all_of_it(deployed: Lab, settings: Settings) -> None:
    """With ssh.sudo a plain user deploys like root: nothing is left to change."""
    hosts = settings(("[ssh]", "[ssh]\nsudo = true"), **user("ops"))
    done = deployed.fab("deploy", hosts=hosts)
    assert done.code == 0, done.text
    assert "nothing to change" in done.out


def test_user_without_sudo_is_told_so(lab: Lab, settings: Settings) -> None:
    """ssh.sudo for a user that sudo asks for a password: one line says that."""
    done = lab.fab("network", hosts=settings(("[ssh]", "[ssh]\nsudo = true"), **user("guest")))
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert f"{MANAGER}: network: sudo asks for a password" in done.err


def test_manager_that_is_a_worker_is_named(lab: Lab, settings: Settings) -> None:
    """A worker under hosts.managers gets one line that says so, and how to promote it."""
    workers = f'["{WORKER}", "{LAST}"]'
    hosts = settings((f'managers = ["{MANAGER}"]', f'managers = ["{WORKER}"]'), (workers, f'["{MANAGER}", "{LAST}"]'))
    done = lab.fab("nodes", hosts=hosts)
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert f"{WORKER}: nodes: is a worker in the swarm" in done.err
    assert f"docker node promote {WORKER}" in done.err


@pytest.mark.parametrize("step", ["deploy", "service", "network", "certs", "build-hub", "volume", "nodes"])
@pytest.mark.quick
def test_worker_for_a_managers_step_is_wrong_usage(lab: Lab, step: str) -> None:
    """-H with a worker is refused by every manager's step with exit code 2, before any connection."""
    done = lab.fab("-H", WORKER, step, SSH_AUTH_SOCK="")
    assert (done.code, done.out) == (2, "")
    assert f"-H {WORKER}: that is a worker" in done.err


def test_drained_and_unnamed_nodes_are_shown(deployed: Lab, settings: Settings) -> None:
    """A drained node and a node that hosts.toml does not name are shown with the remedy; neither stops the table."""
    deployed.docker("node", "update", "--availability", "drain", WORKER)
    try:
        done = deployed.fab("nodes", hosts=settings((f'"{WORKER}", "{LAST}"', f'"{WORKER}"')))
    finally:
        deployed.docker("node", "update", "--availability", "active", WORKER)
    assert done.code == 0, done.text
    assert f"{WORKER}: is set to drain" in done.out
    assert f"fab undrain {WORKER}" in done.out
    assert f"{LAST}: is in the swarm, not in hosts.toml" in done.out


def test_node_outside_the_swarm_stops_a_deploy(deployed: Lab) -> None:
    """A host that left the swarm is named with the way back, and the deploy stops there."""
    left = deployed.docker("info", "--format", "{{.Swarm.NodeID}}", node=LAST)
    deployed.leave_swarm(LAST)
    try:
        done = deployed.fab("deploy")
        assert done.code == 1
        assert f"{LAST}: is in no swarm" in done.out
        assert "Let it join: fab swarm-init" in done.out
    finally:
        token = deployed.docker("swarm", "join-token", "-q", "worker")
        deployed.docker("swarm", "join", "--token", token, topology.MANAGER.address, node=LAST)
        deployed.docker("node", "rm", "--force", left)


def test_hub_that_refuses_its_database_says_why_and_what_helps(deployed: Lab, settings: Settings, tmp_path: Path) -> None:
    """Damaged, or another program's: the step fails with the hub's reason; with its own database again, it is taken up."""
    database = "/var/lib/docker/volumes/jupyterhub-data/_data/jupyterhub.sqlite"
    with closing(sqlite3.connect(tmp_path / "others.sqlite")) as others:
        others.execute("create table orders (id int)")
    content = base64.b64encode((tmp_path / "others.sqlite").read_bytes()).decode()
    deployed.on(MANAGER, "cp", "--preserve", database, f"{database}.kept")
    try:
        deployed.on(MANAGER, "sh", "-c", f"echo nothing that SQLite reads > {database}")
        damaged = deployed.fab("service", hosts=settings(("[github]", '[page]\nname = "Another"\n\n[github]')))
        deployed.on(MANAGER, "sh", "-c", f"echo {content} | base64 -d > {database}")
        # Rolled back, the service is as wanted, and crashes all the same.
        foreign = deployed.fab("service")
        left = deployed.on(MANAGER, "base64", "-w0", database)
    finally:
        deployed.on(MANAGER, "mv", f"{database}.kept", database)
    for done, why in (
        (damaged, "is damaged: file is not a database"),
        (foreign, "it has tables that are no JupyterHub's: orders"),
    ):
        assert (done.code, done.err.count("\n")) == (1, 1), done.text
        assert done.err.startswith(f"{MANAGER}: service: service {HUB} does not run: "), done.text
        assert f"{why}. Put a backup back: fab restore, then fab deploy" in done.err, done.text
    assert left == content
    deployed.wait(deployed.hub_answers, 60, "the hub does not come back")


def test_a_tag_that_the_registry_has_not_is_told_once(deployed: Lab, settings: Settings) -> None:
    """Neither images nor service can be planned without it."""
    done = deployed.fab("deploy", hosts=settings(("notebook:lab", "notebook:none")))
    assert (done.code, done.err.count("\n")) == (1, 1), done.text
    assert re.search("notebook:none.* Check the name and the tag", done.err), done.err
    assert "there is no plan for images, service; nothing was changed" in done.out


@pytest.mark.quick
def test_interrupted_pull_can_be_run_again(deployed: Lab) -> None:
    """Ctrl-C in the middle of a pull ends at once, leaves no half-made state, and the next run finishes."""
    deployed.docker("image", "rm", "-f", deployed.fingerprint()[f"notebook image on {LAST}"], node=LAST)
    done = interrupt("prepull-all", when="pull registry.lab", seconds=10)
    assert done.code == 130
    assert "interrupted" in done.err
    assert "Traceback" not in done.err
    assert deployed.fab("prepull-all").code == 0
