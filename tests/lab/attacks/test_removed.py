"""Attacks by somebody who has been removed. About fifteen seconds, without a deploy."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import topology
from tests.lab.support import HUB, Lab, Settings
from tests.lab.tokens import status_of, token_of

MANAGER = topology.MANAGER.name
# Asks twenty times a second, until the token is good for nothing.
KNOCK = """
import sys, time, urllib.request
end = time.monotonic() + 45
while time.monotonic() < end:
    headers = {"Authorization": "token " + sys.argv[1]}
    address = "http://127.0.0.1:8081/hub/api/users/grace/server"
    try:
        urllib.request.urlopen(urllib.request.Request(address, b"{}", headers, method="POST"), timeout=5)
    except OSError as error:
        if getattr(error, "code", 0) == 403:
            break
    time.sleep(0.05)
"""


@pytest.fixture
def without_grace(deployed: Lab, settings: Settings, tmp_path: Path) -> Iterator[Path]:
    """Give settings whose userlist does not name Grace; in the end the lab's own list is in force again."""
    file = tmp_path / "users"
    file.write_text("ada admin\n")
    assert deployed.fab("users-sync", "--yes").code == 0
    yield settings(('"userlist"', f'"{file}"'))
    assert deployed.fab("users-sync", "--yes").code == 0
    deployed.forget_homes()


def test_who_keeps_asking_for_a_server(deployed: Lab, without_grace: Path) -> None:
    """Grace asks for a server without a pause while she is removed: her token, account and servers are gone."""
    token = token_of(deployed, "grace")
    knock = f"docker exec {deployed.container()} python3 -c '{KNOCK}' {token} >/dev/null 2>&1 &"
    deployed.on(MANAGER, "sh", "-c", knock)
    listed = ("service", "ls", "-q", "--filter", f"name={HUB}-grace")
    deployed.wait(lambda: deployed.docker(*listed), 20, "Grace has no server")
    done = deployed.fab("users-sync", "--yes", hosts=without_grace)
    assert done.code == 0, done.text
    assert status_of(deployed, token) == 403
    assert deployed.docker(*listed) == ""
