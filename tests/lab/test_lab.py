"""The lab itself: it is what the other tests stand on, and a product of its own."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import docker
import pytest

from lab import containers, keys, topology
from tests.lab.forks import execute
from tests.lab.support import Lab


def test_up_again_changes_nothing(lab: Lab) -> None:
    """`lab.up` on a lab that is up leaves every container as it is."""
    before = {name: container["Id"] for name, container in containers.running(lab.client).items()}
    assert lab.fab("lab.up").code == 0
    assert {name: container["Id"] for name, container in containers.running(lab.client).items()} == before


def test_survives_a_reboot(deployed: Lab) -> None:
    """After all of its containers were stopped, `lab.up` brings back the same swarm with the hub that ran on it."""
    before = deployed.fingerprint()
    with ThreadPoolExecutor() as pool:
        names = map(containers.container_name, containers.running(deployed.client))
        list(pool.map(partial(deployed.client.stop, timeout=5), names))
    assert deployed.fab("lab.up").code == 0
    done = deployed.fab("deploy")
    assert done.code == 0, done.text
    after = deployed.fingerprint()
    assert {key for key in before if before[key] != after[key]} <= {"task"}


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("fab", ["--list"]),
        ("invoke", ["--list"]),
        ("fab", ["no-such-task"]),
        ("fab", ["-H", topology.WORKERS[0].name, "network"]),
        ("fab", ["nodes"]),
    ],
)
def test_a_fork_of_fab_is_fab(lab: Lab, tool: str, arguments: list[str]) -> None:
    """It ends and says what a process of its own does, each on its output."""
    assert lab.fab(*arguments, tool=tool) == replace(lab, run=execute).fab(*arguments, tool=tool)


def test_ports_are_published_on_this_machine_only(lab: Lab) -> None:
    """Nothing of the lab listens on an address that another machine can reach."""
    addresses = {
        binding["HostIp"]
        for part in containers.PARTS
        for bindings in _ports(lab.client, part.name).values()
        for binding in bindings or []
    }
    assert addresses == {"127.0.0.1"}


def test_status_names_every_part(lab: Lab) -> None:
    """`lab.status` lists every part with its state."""
    done = lab.fab("lab.status")
    assert done.code == 0
    assert [line.split()[0] for line in done.out.splitlines()] == [part.name for part in containers.PARTS]


def test_nodes_are_bare_hosts(lab: Lab) -> None:
    """A node's engine is its own: another one on every node, and three nodes in one swarm."""
    engines = {lab.docker("info", "--format", "{{.ID}}", node=node.name) for node in topology.NODES}
    listed = [json.loads(line) for line in lab.docker("node", "ls", "--format", "{{json .}}").splitlines()]
    assert len(engines) == 3
    assert {node["Hostname"] for node in listed} == {node.name for node in topology.NODES}


def test_secrets_are_read_by_their_owner_only(lab: Lab) -> None:
    """All of `lab/state` is closed, and each secret in it once more."""
    secrets = ("ssh_key", "oauth.env", keys.ZONE_KEY, keys.DNS_CREDENTIALS)
    assert oct(topology.STATE.stat().st_mode & 0o777) == "0o700"
    assert {oct((topology.STATE / name).stat().st_mode & 0o777) for name in secrets} == {"0o600"}


def test_a_lab_from_before_it_had_a_key_for_dns_is_given_one(tmp_path: Path) -> None:
    """Its other keys, and with them its nodes, stay."""
    state = keys.ensure(tmp_path / "state")
    before = {path.name: path.read_bytes() for path in state.folder.iterdir()}
    for name in (keys.ZONE_KEY, keys.DNS_CREDENTIALS):
        (state / name).unlink()
    keys.ensure(state.folder)
    after = {path.name: path.read_bytes() for path in state.folder.iterdir()}
    assert {name for name in before | after if before.get(name) != after.get(name)} == {keys.ZONE_KEY, keys.DNS_CREDENTIALS}


def _ports(client: docker.APIClient, name: str) -> dict[str, list[dict[str, str]] | None]:
    found: dict[str, list[dict[str, str]] | None] = client.inspect_container(containers.container_name(name))[
        "NetworkSettings"
    ]["Ports"]
    return found
