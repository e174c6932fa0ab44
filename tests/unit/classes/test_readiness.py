"""What a class will need, and whether the nodes have it."""

from dataclasses import replace
from typing import Any

import pytest

from swarmhub.classes import readiness
from swarmhub.classes.capacity import NodeRoom
from swarmhub.classes.readiness import ClusterSupply
from swarmhub.classes.roster import RosterEntry
from swarmhub.cluster.nodes import Member
from swarmhub.engine.swarm import configs
from swarmhub.host import Output
from swarmhub.services.addresses import Use
from swarmhub.settings import Settings
from swarmhub.status.machine import FACTS
from tests.unit.support.cluster import Hosts
from tests.unit.support.fakes import MANAGER, WORKER1, WORKER2, server_of, settings

GB = 1 << 30
NODES = (NodeRoom("n1", MANAGER, 4 * GB, 4), NodeRoom("n2", WORKER1, 4 * GB, 4), NodeRoom("n3", WORKER2, 2 * GB, 4))
DISK = {"n1": 50 * GB, "n2": 50 * GB, "n3": 10 * GB}
SEEN = ClusterSupply(NODES, DISK, Use("10.20.0.0/16", 1, 0), {}, frozenset())
TASK = {"ServiceID": "grace", "NodeID": "n2", "CreatedAt": "2026-11-15T10:00:00Z", "DesiredState": "running", "Spec": {}}
CLASS = tuple(RosterEntry(name) for name in ("ada", "grace", "hopper", "knuth", "turing"))


def configured(tables: dict[str, Any] | None = None, **notebook: Any) -> Settings:
    """Return settings in which servers get something."""
    return settings(notebook=notebook, **(tables or {}))


def verdict(given: Settings, seen: ClusterSupply = SEEN, people: tuple[RosterEntry, ...] = CLASS) -> str:
    """Return the verdict on a class."""
    return readiness.verdict(readiness.judge(given, people, {}, seen))


def test_a_class_that_fits_is_enough() -> None:
    """Whoever has a server already needs no other."""
    seen = replace(SEEN, running=frozenset({"ada"}))
    assert verdict(configured(memory_guarantee="1G"), seen) == "enough: 4 servers fit, 1 runs already"
    everybody = replace(SEEN, running=frozenset(person.name for person in CLASS))
    assert verdict(configured(memory_guarantee="1G"), everybody) == "enough: everybody's server runs already"


@pytest.mark.parametrize("key", ["memory_guarantee", "memory_limit"])
def test_memory_that_does_not_suffice_is_told(key: str) -> None:
    """With who is left, on which nodes, and what helps; without a guarantee everybody may use the limit."""
    said = verdict(settings(notebook={key: "2G"}), people=(*CLASS, RosterEntry("zuse")))
    assert said.startswith(
        f"not enough: 1 of 6 servers does not fit: memory on {MANAGER} and {WORKER1} and {WORKER2} (zuse). Add a node, or lower"
    )


def test_cpus_count_where_they_are_guaranteed() -> None:
    """A limit is shared."""
    assert verdict(configured(cpu_limit=4.0)).startswith("enough")
    assert "CPUs on" in verdict(configured(cpu_guarantee=3.0))


def test_a_home_ties_its_user_to_its_node() -> None:
    """Room elsewhere is of no use to them."""
    seen = replace(SEEN, homes=dict.fromkeys(("ada", "grace", "hopper"), "n3"))
    said = verdict(configured(memory_guarantee="1G"), seen)
    assert said.startswith(f"not enough: 1 of 5 servers does not fit: memory on {WORKER2} (hopper)")


@pytest.mark.parametrize(
    ("closed", "home", "remedy"),
    [
        ("set to drain", "n2", f"fab undrain {WORKER1}"),
        ("down", "n2", "Bring it back"),
        ("", "lost", "fab class-archive forgets it"),
    ],
)
def test_a_home_that_cannot_be_reached_is_told(closed: str, home: str, remedy: str) -> None:
    """With what to do about its node."""
    nodes = (NODES[0], replace(NODES[1], closed=closed), NODES[2])
    said = verdict(configured(), replace(SEEN, nodes=nodes, homes={"ada": home}))
    assert (said.startswith("not enough: 1 of 5 servers does not fit"), remedy in said) == (True, True), said


def test_what_a_profile_asks_of_nodes_is_told() -> None:
    """A label that none has, or a resource."""
    assert "docker node update --label-add gpu=true NODE" in verdict(configured(node_labels={"gpu": "true"}))
    assert "Add a node that has GPU" in verdict(configured(generic_resources={"GPU": 1}))


def test_new_homes_need_disk() -> None:
    """As far as a quota says how much; homes that are there have theirs."""
    given = configured({"home": {"quota": "20G"}})
    said = verdict(given)
    assert f"{WORKER2} has 10.7 GB of disk free for 1 new home of up to 21.5 GB" in said
    homes = {person.name: "n1" for person in CLASS}
    assert verdict(given, replace(SEEN, homes=homes)).startswith("enough")
    assert verdict(configured()).startswith("enough")


def test_addresses_and_limits_of_the_hub_count_too() -> None:
    """Whatever the nodes have room for; a VIP takes a second address."""
    vips = configured({"network": {"endpoint_mode": "vip"}})
    said = verdict(vips, replace(SEEN, use=Use("10.0.1.0/24", 247, 0)))
    assert said.startswith("not enough: 10.0.1.0/24 has addresses for 2 servers more. In hosts.toml, below [network]: subnet")
    limited = configured({"limits": {"active_servers": 7}})
    said = verdict(limited, replace(SEEN, use=Use("10.20.0.0/16", 3, 3)))
    assert said.startswith("not enough: limits.active_servers = 7 allows 4 servers more. Raise it in hosts.toml")
    assert verdict(limited).startswith("enough")


def test_the_cluster_is_asked(hosts: Hosts, given: Settings) -> None:
    """For nodes, disks, addresses, homes and servers of those on the roster; a node that hosts.toml does not name is closed."""
    manager = hosts[MANAGER]
    labels = {"swarmhub.home": "jupyterhub", "swarmhub.node": "n2"}
    for user in ("ada", "zuse"):
        configs.create(manager, f"home-{user}", labels | {"swarmhub.user": user}, {})
    task = {**TASK, "Status": {"State": "running", "Timestamp": "2026-11-15T10:00:00Z"}}
    manager.engine.answers |= {"GET /services": [server_of("grace"), server_of("zuse")], "GET /tasks": [task]}
    machine = "0.1 0.1 0.1 1/1 1\n4\nMemTotal: 8 kB\nMemAvailable: 4 kB\n/dev/sda1 100 40 60 40% /\n"
    members = []
    for id_, host in (("n1", manager), ("n2", hosts[WORKER1])):
        host.commands[f"sh -c {FACTS} sh /var/lib/docker"] = Output(0, machine, "")
        members.append((Member(id_, "active", id_ == "n1", "29"), host))
    seen = readiness.observe(given, CLASS, manager, members)
    assert {node.id: node.closed for node in seen.nodes} == {"n1": "", "n2": "", "n3": "not in hosts.toml"}
    workers = given.model_copy(update={"notebook": given.notebook.model_copy(update={"nodes": "workers"})})
    assert readiness.observe(workers, CLASS, manager, members).nodes[0].closed == "takes no servers"
    assert (seen.disk, seen.homes, seen.running) == ({"n1": 61440, "n2": 61440}, {"ada": "n2"}, frozenset({"grace"}))


def test_the_table_says_what_each_node_has_then() -> None:
    """Servers, memory, CPUs, homes of the roster, new homes and free disk."""
    given = configured({"home": {"quota": "1G"}}, memory_guarantee="1G", cpu_guarantee=0.5)
    rows = readiness.rows(readiness.judge(given, CLASS, {}, replace(SEEN, homes={"ada": "n3"})))
    assert rows[0] == (MANAGER, "2", "4.3 GB", "2.1 GB", "4", "3", "0", "2, 2.1 GB", "53.7 GB")
    assert rows[2] == (WORKER2, "1", "2.1 GB", "1.1 GB", "4", "3.5", "1", "0", "10.7 GB")
