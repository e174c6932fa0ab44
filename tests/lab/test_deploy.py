"""The whole document, by the real `fab` on the real swarm."""

import json
from dataclasses import replace

import pytest

from lab import topology
from tests.lab.forks import execute
from tests.lab.support import FILTER, HUB, PROXY, Done, Lab

STEPS = ("check", "network", "volume", "certs", "images", "build-hub", "firewall", "service", "health", "done")


@pytest.mark.quick
def test_first_deploy_succeeds(first_deploy: Done) -> None:
    """A deploy on an empty swarm ends with the hub answering over verified TLS."""
    assert first_deploy.code == 0, first_deploy.text
    assert f"health     {topology.HUB_URL} answers over verified TLS" in first_deploy.out


def test_steps_run_in_their_order(first_deploy: Done) -> None:
    """Every step of a deploy says something, in the order of a deploy; the plan before it is indented."""
    said = [line.split()[0] for line in first_deploy.out.splitlines() if line[:1].strip() and line.split()[0] in STEPS]
    assert tuple(dict.fromkeys(said)) == STEPS


@pytest.mark.quick
def test_second_deploy_changes_nothing(deployed: Lab) -> None:
    """A second deploy, in a process of its own, leaves every object as it was, and says so."""
    before = deployed.fingerprint()
    done = replace(deployed, run=execute).fab("-H", "swarm-manager1", "deploy")
    assert done.code == 0, done.text
    assert "nothing to change" in done.out
    assert deployed.fingerprint() == before


def test_invoke_runs_the_same_deploy(deployed: Lab) -> None:
    """`invoke deploy` finds its hosts in hosts.toml and has nothing left to change."""
    done = replace(deployed, run=execute).fab("deploy", tool="invoke")
    assert done.code == 0, done.text
    assert "nothing to change" in done.out


def test_each_service_has_what_it_needs_and_no_more(deployed: Lab) -> None:
    """The proxy has the ports and the certificate, the hub its data and its secrets, the filter Docker's socket."""
    specs = {name: json.loads(deployed.docker("service", "inspect", name))[0]["Spec"] for name in (HUB, PROXY, FILTER)}
    ports = {
        name: [one["PublishedPort"] for one in (spec.get("EndpointSpec") or {}).get("Ports") or []]
        for name, spec in specs.items()
    }
    assert ports == {HUB: [], PROXY: [443, 80], FILTER: []}
    containers = {name: spec["TaskTemplate"]["ContainerSpec"] for name, spec in specs.items()}
    assert {name: {one["Target"] for one in part["Mounts"]} for name, part in containers.items()} == {
        HUB: {"/data", "/run/engine"},
        PROXY: {"/etc/letsencrypt"},
        FILTER: {"/run/engine", "/var/run/docker.sock"},
    }
    assert {name: {one["File"]["Name"] for one in part.get("Secrets") or []} for name, part in containers.items()} == {
        HUB: {"GITHUB_CLIENT_ID", "GITHUB_CLIENT_SECRET", "PROXY_TOKEN"},
        PROXY: {"PROXY_TOKEN"},
        FILTER: set(),
    }
    for spec in specs.values():
        assert "node.role==manager" in spec["TaskTemplate"]["Placement"]["Constraints"]


def test_hub_runs_on_the_manager(deployed: Lab) -> None:
    """The hub's task is on the node that holds its data."""
    node = deployed.docker("service", "ps", HUB, "--format", "{{.Node}}", "--filter", "desired-state=running")
    assert node == topology.MANAGER.name


@pytest.mark.quick
def test_secrets_show_nowhere(deployed: Lab, first_deploy: Done) -> None:
    """No secret's value is in what fab says (not with --debug either), in the service, in a process list or a log.

    The hub's own log has the client id: it is in the address that every login shows in the browser.
    """
    lines = (topology.STATE / "oauth.env").read_text().splitlines()
    values = [line.split("=", 1)[1] for line in lines if not line.startswith("OAUTH_CALLBACK_URL")]
    # Not "service logs": Swarm never ends that where it removes an old task at the same time.
    hubs = deployed.docker("ps", "--all", "--quiet", "--filter", f"label=com.docker.swarm.service.name={HUB}").split()
    debug = deployed.fab("--debug", "service")
    assert debug.code == 0, debug.text
    places = {
        "deploy": first_deploy.text,
        "--debug": debug.text,
        "service inspect": deployed.docker("service", "inspect", HUB),
        "hub log": "".join(deployed.docker("logs", one) for one in hubs),
        "processes": deployed.on(topology.MANAGER.name, "ps", "axww", "-o", "args"),
        "engine log": deployed.on(topology.MANAGER.name, "cat", "/var/log/dockerd.log"),
    }
    client_id, client_secret = values
    assert [name for name, text in places.items() if client_secret in text] == []
    assert [name for name, text in places.items() if client_id in text and name != "hub log"] == []


def test_all_nodes_hold_one_notebook_image(deployed: Lab) -> None:
    """After a deploy every node holds the same notebook image, and the hub starts exactly that one."""
    found = {
        deployed.docker(
            "image", "inspect", "registry.lab:5000/notebook:lab", "--format", "{{index .RepoDigests 0}}", node=node.name
        )
        for node in topology.NODES
    }
    assert found == {json.loads(deployed.execute(HUB, "cat", "/srv/jupyterhub/settings.json"))["notebook"]["image"]}
