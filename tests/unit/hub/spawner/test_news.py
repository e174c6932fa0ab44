"""How far a server is and why it does not come, read off what engines really answer (26.1.5)."""

from typing import Any

import pytest

from hub.spawner import news
from tests.unit.hub.asked import task

HOSTS = {"n1": "worker1"}
NO_PLACE = (
    "starting container failed: failed to create task for container: OCI runtime create failed: runc create failed: unable to "
    'start container process: error during container init: error mounting "/mnt/shared/course" to rootfs at '
    '"/home/jovyan/course": create mount destination for /home/jovyan/course mount: mkdirat /merged/home/jovyan/course'
)
NO_RIGHT = ("operation not permitted", "permission denied")
PLACE = "The folder /home/jovyan/course has no place in your files yet, and the cluster may not make one there."


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ("new", "Looking for a node"),
        ("pending", "Looking for a node"),
        ("assigned", "Placed on worker1"),
        ("accepted", "Placed on worker1"),
        ("preparing", "worker1 prepares the image and your files"),
        ("ready", "Starting on worker1"),
        ("starting", "Starting on worker1"),
        ("running", "Started on worker1; waiting for it to answer"),
    ],
)
def test_each_state_is_told(state: str, message: str) -> None:
    """In words for the person who waits."""
    assert news.read([task(state)], HOSTS).message == message


def test_the_bar_only_moves_on() -> None:
    """A later state is never further back."""
    order = ["new", "pending", "assigned", "accepted", "preparing", "ready", "starting", "running"]
    bar = [news.read([task(state)], HOSTS).progress for state in order]
    assert (bar == sorted(bar), bar[0] > 0, bar[-1] < 100) == (True, True, True)


@pytest.mark.parametrize(
    ("found", "words", "reason"),
    [
        (task("rejected", "No such image: registry.lab:5000/x:y"), "worker1 does not have the image of your server", "image"),
        (task("failed", "starting container failed: mkdir /x: read-only file system"), "worker1 has the folder with", "home"),
        (task("rejected", "stat /mnt/homes/x: stale NFS file handle"), "worker1 has lost the connection to the file", "home"),
        (task("rejected", "stat /mnt/x: Transport endpoint is not connected"), "worker1 has lost the connection", "home"),
        (
            task("rejected", 'invalid mount config for type "bind": bind source path does not exist: /mnt/homes/ada'),
            "worker1 does not have the folder with your files: it is not mounted there",
            "home",
        ),
        (
            task(
                "failed",
                "starting container failed: error while mounting volume '/x': failed to mount local volume: no",
                code=128,
            ),
            "worker1 cannot reach the file server with your files",
            "home",
        ),
        (task("rejected", "create v: quota size requested but no quota support"), "cannot limit the size of your home", "home"),
        (
            task("rejected", "node is missing network attachments, ip addresses may be exhausted"),
            "The cluster has no network address left",
            "addresses",
        ),
        (task("rejected", "write /x: no space left on device"), "worker1 has no disk space left", "disk"),
        (
            task("rejected", "network sandbox join failed: error creating vxlan interface: file exists"),
            "worker1 cannot join the network of the servers",
            "network",
        ),
        (task("rejected", "Pool overlaps with other one on this address space"), "worker1 cannot join the network", "network"),
        (
            task("rejected", "Range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available"),
            "worker1 has fewer CPUs than your server may use",
            "rejected",
        ),
        *((task("failed", f"{NO_PLACE}: {why}: unknown"), PLACE, "place") for why in NO_RIGHT),
        (task("failed", "task: non-zero exit (3)", code=3), "Your server ended while it started (exit code 3)", "exit"),
        (task("failed", "task: non-zero exit (137)", code=137), "most often for want of memory (exit code 137)", "memory"),
        (task("complete"), "Your server ended while it started (exit code 0)", "exit"),
        (task("running", DesiredState="shutdown"), "worker1 does not answer any more", "node"),
        (task("rejected", "something new"), "worker1 refuses to start your server", "rejected"),
        (
            task("pending", "no suitable node (insufficient resources on 3 nodes)"),
            "No node has 2 CPUs and 8 GB memory free",
            "resources",
        ),
        (task("pending", "no suitable node (missing plugin on 3 nodes)"), "No node has the volume driver", "driver"),
        (
            task("pending", "no suitable node (scheduling constraints not satisfied on 3 nodes)"),
            "No node that may run your server is up and has its image",
            "placement",
        ),
    ],
)
def test_a_refused_or_failed_task_is_told_in_plain_words(found: dict[str, Any], words: str, reason: str) -> None:
    """With a label for metrics, and the engine's own words for the administrator."""
    told = news.read([found], HOSTS, "2 CPUs and 8 GB memory")
    assert (words in told.failed, told.reason) == (True, reason)
    assert told.detail == found["Status"]["Err"]


@pytest.mark.parametrize(
    ("found", "ran"),
    [
        (task("failed", "task: non-zero exit (3)", code=3), True),
        (task("failed", "starting container failed: x", code=128), False),
        (task("rejected", "No such image: x"), False),
        (task("running"), True),
        (task("preparing"), False),
    ],
)
def test_whether_a_container_has_run_is_known(found: dict[str, Any], ran: bool) -> None:
    """Only then there may be files and last lines."""
    assert news.read([found], HOSTS).ran is ran


def test_a_task_that_waits_without_a_reason_is_waited_for() -> None:
    """Swarm says why it places a task nowhere; before that it has not tried."""
    assert news.read([task("pending")], HOSTS).failed == ""


@pytest.mark.parametrize(
    ("tasks", "code"),
    [
        ([task("running")], None),
        *(([task(state)], None) for state in ("new", "pending", "assigned", "accepted", "preparing", "ready", "starting")),
        ([task("failed", code=3)], 3),
        ([task("complete")], 0),
        ([], 0),
        ([task("shutdown", CreatedAt="2026-11-25T08:00:00Z"), task("new")], None),
        ([task("failed", code=1, CreatedAt="2026-11-25T08:00:00Z"), task("running")], None),
        ([task("ready", DesiredState="ready")], None),
        ([task("running", DesiredState="shutdown")], 0),
    ],
)
def test_a_server_that_is_being_placed_is_not_dead(tasks: list[dict[str, Any]], code: int | None) -> None:
    """Stock takes new, allocated, assigned, accepted and ready for dead; a task that Swarm has given up is."""
    assert news.status(tasks) == code


@pytest.mark.parametrize(("running", "left"), [(0, 2), (1, 1), (2, 0), (3, -1)])
def test_addresses_are_counted(running: int, left: int) -> None:
    """Without the subnet's own three, one a node, and one a task."""
    network = {"Id": "net", "IPAM": {"Config": [{"Subnet": "10.99.0.0/29"}]}}
    attached: dict[str, Any] = {"NetworksAttachments": [{"Network": {"ID": "net"}}]}
    elsewhere: dict[str, Any] = {"NetworksAttachments": [{"Network": {"ID": "other"}}]}
    tasks = [task("running", **attached) for _ in range(running)] + [task("failed", **attached), task("running", **elsewhere)]
    assert news.addresses_left(network, tasks, [], 3) == left


def test_a_service_with_an_address_of_its_own_takes_one_more() -> None:
    """In the mode `vip`."""
    network = {"Id": "net", "IPAM": {"Config": [{"Subnet": "10.99.0.0/29"}]}}
    services: list[dict[str, Any]] = [
        {"Endpoint": {"VirtualIPs": [{"NetworkID": "net", "Addr": "10.99.0.5/29"}]}},
        {"Endpoint": {}},
    ]
    assert news.addresses_left(network, [], services, 3) == 1


def test_a_marker_that_is_not_there_is_told_as_what_it_means() -> None:
    """For the administrator, who has never heard of it; the person reads what any folder that is missing gives."""
    error = 'invalid mount config for type "bind": bind source path does not exist: /mnt/homes/.swarmhub'
    found = news.read([task("rejected", error)], HOSTS)
    assert found.detail.startswith("/mnt/homes is not mounted there, or another file system is (invalid mount config")
    assert found.failed.startswith("worker1 does not have the folder with your files")
