"""VXLAN devices that an engine has left, by what hosts have and by what their last containers came to."""

from typing import Any

import pytest

from swarmhub.doctor.network import vxlan
from swarmhub.doctor.probe import Vxlan
from tests.unit.doctor.answers import info, probe, seen
from tests.unit.support.fakes import MANAGER, WORKER1, FakeHost

OVERLAYS = {4096: "ingress", 4097: "jupyter"}
REFUSED = (
    'network sandbox join failed: subnet sandbox join failed for "10.0.1.0/24": error creating vxlan interface: file exists'
)


def task(minute: int, state: str, error: str = "", node: str = "n2") -> dict[str, Any]:
    """Return a task on an overlay."""
    status = {"State": state, "Err": error}
    return {"NodeID": node, "CreatedAt": f"2026-11-30T09:{minute:02}:00Z", "Status": status, "NetworksAttachments": [{}]}


def judged(*devices: Vxlan, tasks: Any = ()) -> list[str]:
    """Return what is said of a manager that is well and a worker that has these devices."""
    hosts = {MANAGER: seen(), WORKER1: seen(WORKER1, info=info("n2"), probe=probe(vxlans=devices))}
    return [f"{one.level} {one.check} {one.host} {one}" for one in vxlan.judge(OVERLAYS, tasks, hosts, 4789)]


def test_a_device_with_the_number_of_an_overlay_is_named_with_what_removes_it() -> None:
    """And with the network of which no container starts there."""
    said = "its engine has left the VXLAN device vx-1: no container on jupyter starts there. There: sudo ip link delete vx-1"
    assert judged(Vxlan("vx-1", 4097, 4789)) == [f"failure overlay {WORKER1} {said}"]


def test_devices_of_others_are_left_alone() -> None:
    """Of a network that is none of the swarm's, or of another program by another port."""
    assert judged(Vxlan("office", 42, 4789), Vxlan("flannel.1", 4097, 8472)) == []


@pytest.mark.parametrize(
    ("tasks", "is_told"),
    [
        ([task(1, "running"), task(2, "rejected", REFUSED)], True),
        ([task(1, "rejected", REFUSED), task(2, "running")], False),
        ([task(1, "rejected", REFUSED), task(2, "failed", "task: non-zero exit (1)")], True),
        ([task(1, "rejected", "No such image: x")], False),
        ([task(1, "rejected", REFUSED, node="gone")], False),
    ],
    ids=["the last one", "one has started since", "another ended since", "for another reason", "on another node"],
)
def test_a_host_whose_last_container_was_refused_for_one_is_named(tasks: Any, is_told: bool) -> None:
    """Where the device is, only root may see."""
    assert [line.split()[:3] for line in judged(tasks=tasks)] == ([["failure", "overlay", WORKER1]] if is_told else [])


def test_overlays_are_known_by_the_numbers_that_docker_gave_them() -> None:
    """One that is just being made has none yet."""
    option = "com.docker.network.driver.overlay.vxlanid_list"
    networks = [{"Name": "jupyter", "Options": {option: "4097"}}, {"Name": "new", "Options": None}]
    manager = FakeHost(answers={"GET /networks": networks, "GET /tasks": [task(1, "running")]})
    assert vxlan.observe(manager) == ({4097: "jupyter"}, [task(1, "running")])
