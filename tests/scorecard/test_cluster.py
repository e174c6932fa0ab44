"""What is done to the cluster: containers are killed, nodes are lost, servers come and go."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from lab import containers, topology
from lab.machine import LabError
from swarmhub.errors import StepError
from swarmhub.people.api import HubApi
from tests.lab.counting import counting, server_of_ada
from tests.lab.killing import killed_in_a_start, restart_hub
from tests.lab.support import HUB, PROXY, Lab
from tests.report import Row
from tests.scorecard import servers
from tests.scorecard.counts import times

MANAGER = topology.MANAGER.name
WORKER, LAST = (worker.name for worker in topology.WORKERS)
pytestmark = pytest.mark.timeout(3600)
# What a hub that starts needs: it does not end before its engine answers.
READY_SECONDS, ROUTES_SECONDS, NOTICED_SECONDS = 15, 30, 60


def test_hub_killed(deployed: Lab, seen: Row) -> None:
    """9. The hub is killed with 20 servers up."""
    users = [f"card{number}" for number in range(times(20))]
    servers.start(deployed, users)
    before, seconds = servers.tasks(deployed, users), []
    with server_of_ada(deployed) as server, counting(deployed, server):
        for _ in range(times(20)):
            began = time.monotonic()
            restart_hub(deployed)
            seconds.append(time.monotonic() - began)
        # Before the homes of all are forgotten.
        assert servers.tasks(deployed, users) == before
        known = json.loads(deployed.hub_api("GET", "users?state=ready"))
        assert {one["name"] for one in known} >= set(users)
        servers.stop(deployed, users)
    seen(f"{len(seconds)} times with {len(users)} servers: none lost, a kernel's websocket kept")
    seen(f"the hub answers after {min(seconds):.0f} to {max(seconds):.0f} s")
    assert max(seconds) <= READY_SECONDS


def test_proxy_killed(deployed: Lab, seen: Row) -> None:
    """10. The proxy is killed."""
    seconds = []
    with server_of_ada(deployed) as server:
        for _ in range(times(5)):
            proxy, began = deployed.container(PROXY), time.monotonic()
            deployed.docker("kill", proxy)
            deployed.wait(partial(_is_reached, server), 90, "the proxy has no route to the server")
            seconds.append(time.monotonic() - began)
    seen(f"{len(seconds)} times: a server's route is back after {min(seconds):.0f} to {max(seconds):.0f} s")
    assert max(seconds) <= ROUTES_SECONDS


def test_worker_lost(deployed: Lab, seen: Row) -> None:
    """11. A worker is lost with people on it."""
    service = deployed.start_server("grace", on=LAST)
    deployed.in_server("grace", "echo thesis > thesis.txt")
    name, began = containers.container_name(LAST), time.monotonic()
    deployed.client.kill(name)
    try:
        deployed.wait(lambda: _state(deployed, LAST) == "down", 120, "the swarm does not notice")
        noticed = time.monotonic() - began
        deployed.start_server("ada")
        deployed.stop_server("ada")
        told = deployed.ask_for_server("grace")
        shown = deployed.fab("status")
        assert LAST in shown.text
    finally:
        deployed.client.start(name)
    deployed.wait(lambda: _state(deployed, LAST) == "ready", 120, "the node does not come back")
    deployed.wait(lambda: deployed.docker("service", "ls", "-q", "--filter", f"name={service}") == "", 120, "it goes on")
    deployed.start_server("grace")
    assert deployed.in_server("grace", "cat thesis.txt") == "thesis"
    deployed.stop_server("grace")
    deployed.forget_homes()
    seen(f"noticed after {noticed:.0f} s; others can start; hers, whose home is there: “{told or 'waits for the node'}”")
    seen("when it is back, she finds her files")
    assert noticed <= NOTICED_SECONDS


def test_engines_restarted(deployed: Lab, seen: Row) -> None:
    """12. The manager's engine is restarted; then all nodes are, at once."""
    deployed.start_server("grace", on=LAST)
    began = time.monotonic()
    deployed.on(MANAGER, "sv", "-w", "60", "restart", "docker")
    deployed.wait(deployed.hub_answers, 180, "the hub does not come back")
    seen(f"after the engine's restart the hub answers after {time.monotonic() - began:.0f} s; a server on another node went on")
    names = [containers.container_name(node.name) for node in topology.NODES]
    began = time.monotonic()
    with ThreadPoolExecutor() as pool:
        list(pool.map(deployed.client.kill, names))
        list(pool.map(deployed.client.start, names))
    deployed.wait(deployed.hub_answers, 180, "the hub does not come back")
    seen(f"after all nodes were switched off and on, the hub answers after {time.monotonic() - began:.0f} s")
    deployed.wait(lambda: {_state(deployed, node.name) for node in topology.NODES} == {"ready"}, 120, "a node is away")
    deployed.wait(lambda: deployed.docker("service", "ls", "-q", "--filter", f"name={HUB}-grace") == "", 120, "it goes on")
    deployed.start_server("grace")
    deployed.stop_server("grace")
    deployed.forget_homes()
    assert deployed.left_to_change() == ""


def test_many_starts(deployed: Lab, seen: Row) -> None:
    """15. 200 servers start and stop; hubs are replaced in mid-start."""
    count, replaced, before = times(200), times(20), _services(deployed)
    users = [f"card{number % 20}" for number in range(count)]
    began = time.monotonic()
    for at in range(0, count, 20):
        servers.start(deployed, users[at : at + 20])
        servers.stop(deployed, users[at : at + 20])
    seen(f"{count} starts and stops in {time.monotonic() - began:.0f} s")
    for _ in range(replaced):
        killed_in_a_start(deployed, "card0")
    assert _services(deployed) == before
    deployed.forget_homes()
    running = json.loads(deployed.hub_api("GET", "users?state=active"))
    assert running == []
    seen(f"{replaced} hubs replaced in mid-start: no service that the hub does not know, none missing that it knows")


def _services(lab: Lab) -> set[str]:
    return set(lab.docker("service", "ls", "--format", "{{.Name}}").split())


def _state(lab: Lab, node: str) -> str:
    try:
        return lab.docker("node", "inspect", node, "--format", "{{.Status.State}}")
    except LabError:
        return ""


def _is_reached(server: HubApi) -> bool:
    try:
        return bool(server.get("status")["started"])
    except StepError:
        return False
