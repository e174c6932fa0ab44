"""The hub behind the engine's filter: servers come and go as before.

What else whoever breaks into the hub might ask for is tried in attacks/test_broken_hub.py. Six starts of a server.
"""

import json
from collections.abc import Iterator

import pytest

from tests.lab.support import PROXY, Lab


@pytest.fixture(scope="module")
def filtered(settled: Lab) -> Iterator[Lab]:
    """Give the deployed lab, and forget the homes that the tests make."""
    yield settled
    settled.forget_homes()


@pytest.mark.parametrize("profile", ["Small", "Extra tools"])
@pytest.mark.quick
def test_servers_start_stop_and_keep_their_files(filtered: Lab, profile: str) -> None:
    """Of every image, on the node that has the home; the node that an administrator wishes for is kept for no later start."""
    wish: dict[str, str] = {}
    for content in ("one", "two"):
        filtered.start_server("ada", profile=profile, **wish)
        filtered.in_server("ada", f"echo {content} >> kept")
        kept, wish = filtered.in_server("ada", "cat kept"), {"on": filtered.node_of("ada")}
        filtered.stop_server("ada")
    assert kept.split()[-2:] == ["one", "two"]
    ada = json.loads(filtered.hub_api("GET", "users/ada?include_stopped_servers=1"))
    assert ada["servers"][""]["user_options"] == {"profile": profile}


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
