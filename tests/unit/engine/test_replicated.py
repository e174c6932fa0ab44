"""A service is sent with what its nodes need to get its image back."""

import pytest

from swarmhub.engine import replicated
from tests.unit.support.fakes import MANAGER, FakeHost, FakeProgress

FOUND = {"ID": "s1", "Version": {"Index": 7}}


@pytest.mark.parametrize(
    ("image", "login"),
    [
        ("private.lab:5000/certbot:1", "hush"),
        ("certbot/certbot:v5", "hub's"),
        ("other.lab/certbot:1", ""),
        # It is built here; a login would be handed to the swarm for nothing.
        ("jupyterhub:0f", ""),
    ],
)
def test_the_operators_login_to_the_images_registry_goes_with_a_service(image: str, login: str) -> None:
    """With a new one and with an update, whose version is that of the plan."""
    host = FakeHost(MANAGER, {"login private.lab:5000": "hush", "login docker.io": "hub's"})
    spec = {"Name": "x", "TaskTemplate": {"ContainerSpec": {"Image": image}}}
    replicated.send(spec, None, host, FakeProgress())
    replicated.send(spec, FOUND, host, FakeProgress())
    created, updated = (host.engine.sent(f"POST /services/{one}") for one in ("create", "s1/update"))
    assert (created.login, updated.login, updated.params) == (login, login, {"version": 7})
