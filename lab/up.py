"""Bring the lab up, take it down, and say how it is."""

import contextlib
import http.client
import shutil
import socket
import ssl
import time
from concurrent.futures import ThreadPoolExecutor

import docker

from lab import containers, images, keys, machine, topology
from lab.keys import State
from lab.machine import LabError, Say, wait_for
from lab.topology import MANAGER, NODES, WORKERS
from swarmhub.certificate import https

READY_SECONDS = 60


def up(say: Say) -> None:
    """Make a swarm of three nodes with all that stands around it; what is there already stays.

    Raises:
        LabError: a part of it does not come up; the message names it.

    """
    started = time.monotonic()
    # Two labs share this machine's engine and the images.
    with machine.alone(say):
        client = machine.ensure_engine(say)
        built = images.ensure(client, say)
    state = keys.ensure()
    containers.ensure(client, built, state, say)
    keys.write_ssh(state)
    _write_hosts()
    with ThreadPoolExecutor() as pool:
        published = pool.submit(_publish, client, built, say)
        for wait in [pool.submit(_wait_for_node, client, node.name, node.ssh_port) for node in NODES]:
            wait.result()
        _ensure_swarm(client, say)
        if _trust_acme(state):
            # A Pebble that was restarted has forgotten its accounts; certbot has not.
            containers.run(client, MANAGER.name, "rm", "-rf", "/etc/letsencrypt/accounts")
        _wait_for_port("github", topology.GITHUB_PORT)
        published.result()
    say(f"the lab is up ({time.monotonic() - started:.0f} s)")


def down(say: Say, with_images: bool = False) -> None:
    """Remove the lab's containers and files, and stop the engine if `up` started it."""
    with machine.alone(say):
        client, others = machine.connect(), []
        if client is not None:
            for name in containers.remove(client):
                say(f"removed {name}")
            others = containers.others(client)
            if with_images and not others:
                images.remove(client)
        shutil.rmtree(topology.STATE, ignore_errors=True)
        if topology.NUMBER:
            (topology.ROOT.parent / topology.HOSTS).unlink(missing_ok=True)
        if not others and machine.stop_engine():
            say("stopped dockerd, which the lab had started")


def status() -> list[tuple[str, str, str]]:
    """Return name, state and where to reach it, of every part of the lab."""
    client = machine.connect()
    found = containers.running(client) if client is not None else {}
    rows = []
    for part in containers.PARTS:
        state = found[part.name]["Status"] if part.name in found else "absent"
        ports = ", ".join(f"127.0.0.1:{outside} → {inside}" for inside, outside in part.ports.items())
        rows.append((part.name, state, ports))
    return rows


def _write_hosts() -> None:
    """Write the hosts.toml of a second lab; the first one's is committed."""
    first = topology.ROOT / "hosts.toml"
    if topology.NUMBER:
        (topology.ROOT.parent / topology.HOSTS).write_text(topology.hosts_toml(first.read_text()))


def _publish(client: docker.APIClient, built: images.Images, say: Say) -> None:
    _wait_for_port("registry", topology.REGISTRY_PORT)
    images.publish(client, built, say)


def _wait_for_node(client: docker.APIClient, name: str, ssh_port: int) -> None:
    def engine_answers() -> bool:
        with contextlib.suppress(LabError):
            return bool(containers.run(client, name, "docker", "info", "--format", "{{.ID}}"))
        return False

    wait_for(engine_answers, READY_SECONDS, f"{name}: its dockerd did not answer within {READY_SECONDS} s: {_see(name)}")
    wait_for(lambda: _greets(ssh_port), READY_SECONDS, f"{name}: sshd did not answer on 127.0.0.1:{ssh_port}: {_see(name)}")


def _ensure_swarm(client: docker.APIClient, say: Say) -> None:
    def swarm_state(name: str) -> str:
        return containers.run(client, name, "docker", "info", "--format", "{{.Swarm.LocalNodeState}}")

    if swarm_state(MANAGER.name) == "inactive":
        say("making the swarm")
        containers.run(client, MANAGER.name, "docker", "swarm", "init", "--advertise-addr", MANAGER.address)
        # Beyond its limit of five, an engine removes the oldest task before it stops the last one: here 2.5 s an update.
        containers.run(client, MANAGER.name, "docker", "swarm", "update", "--task-history-limit", "50")
    token = containers.run(client, MANAGER.name, "docker", "swarm", "join-token", "-q", "worker")
    for worker in WORKERS:
        if swarm_state(worker.name) == "inactive":
            containers.run(client, worker.name, "docker", "swarm", "join", "--token", token, MANAGER.address)

    def all_ready() -> bool:
        with contextlib.suppress(LabError):
            listed = containers.run(client, MANAGER.name, "docker", "node", "ls", "--format", "{{.Hostname}} {{.Status}}")
            return {f"{node.name} Ready" for node in NODES} <= set(listed.splitlines())
        return False

    wait_for(all_ready, READY_SECONDS, f"the swarm's nodes were not Ready within {READY_SECONDS} s: {_see(MANAGER.name)}")


def _trust_acme(state: State) -> bool:
    """Add the ACME servers' roots to `acme-ca.crt`, and tell whether there are new ones: each start of Pebble makes them."""
    path = state / "acme-ca.crt"
    before = path.read_text()
    for service in topology.SERVICES:
        if service.name.startswith("acme"):
            root = _acme_root(service.hostname, service.ports[15000], state)
            if root not in path.read_text():
                path.write_text(path.read_text() + root)
    return path.read_text() != before


def _acme_root(hostname: str, port: int, state: State) -> str:
    trust = ssl.create_default_context(cafile=str(state / "ca.crt"))

    def ask() -> str:
        with contextlib.suppress(OSError, http.client.HTTPException):
            return https.get(hostname, port, "/roots/0", trust, address="127.0.0.1")[1]
        return ""

    return wait_for(ask, READY_SECONDS, f"{hostname} did not answer on 127.0.0.1:{port}")


def _wait_for_port(name: str, port: int) -> None:
    def accepts() -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 2):
            return True
        return False

    wait_for(accepts, READY_SECONDS, f"{name} did not answer on 127.0.0.1:{port}: {_see(name)}")


def _greets(port: int) -> bool:
    """Tell whether an SSH server says its version: docker's proxy accepts before sshd listens."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 2) as connection:
        return connection.recv(4) == b"SSH-"
    return False


def _see(name: str) -> str:
    return f"docker logs {containers.container_name(name)}"


def guide() -> str:
    """Return where the lab's hub is, whom to log in as, and what to try next."""
    return f"""
Your hub is at {topology.HUB_URL}
  It has the lab's own staging certificate, so the browser warns: go on.
  "Sign in with GitHub" leads to the lab's stand-in for GitHub, where you choose who you are:
    ada      an admin
    grace    may log in
    mallory  may not
    linus    may not, until he is added: by ada (Admin, Add Users), or in lab/userlist

Try next:
  export SWARMHUB_HOSTS={topology.HOSTS}
  .venv/bin/fab deploy                      again: nothing to change
  echo linus >> lab/userlist                let somebody else in …
  .venv/bin/fab deploy                      … the plan says that only the hub restarts; notebooks go on
  .venv/bin/fab rollback                    and back
  .venv/bin/fab status                      how it is; doctor: what is wrong; history: what was done
  .venv/bin/fab --list                      everything else
  ssh -F lab/{topology.STATE.name}/ssh_config swarm-worker1 docker ps

Your own hosts: edit hosts.toml and hub/userlist, unset SWARMHUB_HOSTS, fab deploy.
Take the lab away: make clean
"""
