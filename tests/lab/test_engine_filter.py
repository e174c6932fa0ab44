"""The hub behind the engine's filter: servers come and go as before, and nothing else gets through."""

import json
from collections.abc import Iterator

import pytest

from tests.lab.support import HUB, PROXY, Lab

SOCKET = "/run/engine/docker.sock"


@pytest.fixture(scope="module")
def filtered(settled: Lab) -> Iterator[Lab]:
    """Give the deployed lab, and forget the homes that the tests make."""
    yield settled
    settled.forget_homes()


def in_hub(lab: Lab, *command: str) -> str:
    """Run a command in the hub's container."""
    container = lab.container()
    return lab.docker("exec", container, *command)


def ask(lab: Lab, method: str, path: str, body: object = None) -> str:
    """Ask the filter as somebody who has broken into the hub would; return the message of what it answers."""
    given = ("-H", "Content-Type: application/json", "-d", json.dumps(body)) if body is not None else ()
    said = in_hub(lab, "curl", "-sS", "--unix-socket", SOCKET, "-X", method, *given, f"http://engine/v1.44{path}")
    return str(json.loads(said)["message"])


@pytest.mark.parametrize("profile", ["Small", "Extra tools"])
@pytest.mark.quick
def test_servers_start_stop_and_keep_their_files(filtered: Lab, profile: str) -> None:
    """Of every image, on the node that has the home."""
    for content in ("one", "two"):
        filtered.start_server("ada", profile=profile)
        filtered.in_server("ada", f"echo {content} >> kept")
        kept = filtered.in_server("ada", "cat kept")
        filtered.stop_server("ada")
    assert kept.split()[-2:] == ["one", "two"]


def test_a_user_may_be_called_like_a_service_beside_the_hub(filtered: Lab) -> None:
    """The server has another name, and the service goes on as it was."""
    before = filtered.service_version(PROXY)
    filtered.start_server("proxy")
    assert (
        filtered.docker("service", "inspect", f"{PROXY}-user", "--format", '{{index .Spec.Labels "swarmhub.user"}}') == "proxy"
    )
    filtered.hub_api("DELETE", "users/proxy/server")
    listed = ("service", "ls", "-q", "--filter", f"name={PROXY}-user")
    filtered.wait(lambda: not filtered.docker(*listed), 60, "the server does not stop")
    assert filtered.service_version(PROXY) == before


def test_the_operators_tools_work(filtered: Lab) -> None:
    """A smoke test on one node, which starts a server where it is told to."""
    done = filtered.fab("-H", "swarm-worker1", "smoke")
    assert done.code == 0, done.text


def test_the_hub_has_no_other_socket(filtered: Lab) -> None:
    """And cannot put another one in the filter's place."""
    assert in_hub(filtered, "sh", "-c", "ls /var/run/docker.sock 2>&1 || true").endswith("No such file or directory")
    assert "Read-only file system" in in_hub(filtered, "sh", "-c", f"rm {SOCKET} 2>&1 || true")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/containers/create", {"Image": "x", "HostConfig": {"Privileged": True}}),
        ("GET", "/secrets", None),
        ("POST", "/services/create", {"Name": f"{HUB}-ada", "TaskTemplate": {"ContainerSpec": {"Image": "x"}}}),
        ("DELETE", f"/services/{HUB}", None),
        ("DELETE", f"/services/{HUB}-engine", None),
        ("POST", "/swarm/leave?force=true", None),
    ],
)
@pytest.mark.quick
def test_what_no_server_needs_is_refused(filtered: Lab, method: str, path: str, body: object) -> None:
    """By the filter, with the reason; the cluster is as it was."""
    before = filtered.docker("service", "ls", "--format", "{{.ID}} {{.Name}}")
    assert ask(filtered, method, path, body).startswith("swarmhub's filter refuses")
    assert filtered.docker("service", "ls", "--format", "{{.ID}} {{.Name}}") == before
