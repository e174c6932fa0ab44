"""What a server can take from the cluster, and homes that nobody can start with."""

from typing import Any

import pytest

from swarmhub.doctor.hub import servers
from swarmhub.notebooks.homes import HomeRecord
from tests.unit.support.fakes import MANAGER, WORKER1, WORKER2, settings

PLACES = (HomeRecord("c1", "home-ada", "ada", "n1"), HomeRecord("c2", "home-grace", "grace", "n2"))
PROFILES = [{"name": "Small", "memory_limit": "1G"}, {"name": "Large"}]


def nodes(*roles: str) -> list[dict[str, Any]]:
    """Return nodes as an engine lists them."""
    named = zip((MANAGER, WORKER1, WORKER2), roles, strict=False)
    return [
        {"ID": f"n{number}", "Spec": {"Role": role}, "Description": {"Hostname": name}}
        for number, (name, role) in enumerate(named, 1)
    ]


@pytest.mark.parametrize(
    ("given", "which"),
    [({}, "servers have"), ({"profiles": PROFILES}, "servers with the profile Large have")],
    ids=["all", "a profile"],
)
def test_servers_without_a_memory_limit_on_the_only_manager_are_a_warning(given: dict[str, Any], which: str) -> None:
    """One of them could end the manager, and nothing could be changed any more."""
    (found,) = servers.judge(settings(**given), nodes("manager", "worker"), (), MANAGER)
    assert (found.level, found.host) == ("warning", MANAGER)
    assert str(found).startswith(f"{which} no memory limit and may run on {MANAGER}, the only manager")
    assert str(found).endswith('Set memory_limit in [notebook], or nodes = "workers"')


@pytest.mark.parametrize(
    ("given", "roles"),
    [
        ({}, ("manager", "manager", "manager")),
        ({"notebook": {"memory_limit": "1G"}}, ("manager", "worker")),
        ({"notebook": {"nodes": "workers"}}, ("manager", "worker")),
        ({"profiles": PROFILES[:1]}, ("manager",)),
        ({"jupyterhub": {"Spawner": {"mem_limit": "1G"}}}, ("manager", "worker")),
    ],
    ids=["three managers", "a limit", "workers only", "all profiles", "JupyterHub's own option"],
)
def test_a_manager_that_servers_cannot_end_is_well(given: dict[str, Any], roles: tuple[str, ...]) -> None:
    """Others take over, or no server takes its memory."""
    assert [one.level for one in servers.judge(settings(**given), nodes(*roles), (), MANAGER)] == ["ok"]


def test_homes_where_no_server_may_start_are_told() -> None:
    """With whose they are, and the constraint of hosts.toml."""
    (found,) = servers.judge(settings(notebook={"nodes": "workers"}), nodes("manager", "worker"), PLACES, MANAGER)
    assert (found.level, found.host) == ("warning", MANAGER)
    assert f"homes are on {MANAGER}, where hosts.toml lets no server start (node.role==worker): ada" in str(found)


def with_cpus(*numbers: int, **labels: str) -> list[dict[str, Any]]:
    """Return nodes with so many CPUs; the last one has labels."""
    found = nodes(*("manager", "worker", "worker")[: len(numbers)])
    for node, number in zip(found, numbers, strict=True):
        node["Description"]["Resources"] = {"NanoCPUs": number * servers.NANO}
        node["Spec"]["Labels"] = {}
    found[-1]["Spec"]["Labels"] = labels
    return found


LARGE = [{"name": "Small", "cpu_limit": 2}, {"name": "Large", "cpu_limit": 8, "node_labels": {"size": "large"}}]


@pytest.mark.parametrize(
    ("given", "there", "told"),
    [
        ({"notebook": {"cpu_limit": 4}}, with_cpus(4, 2), {WORKER1: "servers may use 4 CPUs, and there are 2"}),
        ({"notebook": {"cpu_limit": 4, "nodes": "workers"}}, with_cpus(2, 4), {}),
        ({"profiles": LARGE}, with_cpus(4, 4, size="large"), {WORKER1: "servers of Large may use 8 CPUs, and there are 4"}),
        ({"profiles": LARGE}, with_cpus(4, 4, 16, size="large"), {}),
        ({"notebook": {"cpu_limit": 4}}, nodes("manager", "worker"), {}),
    ],
    ids=["all", "workers only", "too large for its node", "each where it runs", "not known"],
)
def test_a_node_without_the_cpus_of_a_limit_refuses_servers(
    given: dict[str, Any], there: list[dict[str, Any]], told: dict[str, str]
) -> None:
    """Docker starts no container that may use more CPUs than there are; it is told for each node where that would be."""
    limits = {"memory_limit": "1G"}
    given = {**given, "notebook": {**limits, **given.get("notebook", {})}}
    found = {one.host: one for one in servers.judge(settings(**given), there, (), MANAGER) if one.level == "failure"}
    assert {host: one.text.partition(":")[0] for host, one in found.items()} == told
