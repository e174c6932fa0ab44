"""Attacks by people who have been removed: while it happens, and over every way back. About 30 s, and
what `going_back` costs, where no other test has asked for it.
"""

from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, expect

from lab import topology
from tests.lab.browsing import log_in
from tests.lab.going_back import TAKEN, WayBack
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


@pytest.mark.parametrize("name", TAKEN, ids=[f"{name}: {why}" for name, why in TAKEN.items()])
def test_who_has_a_token_from_before(way_back: WayBack, name: str) -> None:
    """Their token is in the database that is put back. It answers 403, and has not been answered while the hubs changed."""
    assert (name in way_back.answered, way_back.statuses[name]) == (False, 403)


@pytest.mark.parametrize("name", ["grace", "mallory"])
def test_who_was_there_before(way_back: WayBack, name: str) -> None:
    """Their account is in the database that is put back, and the userlist of the older image names Grace: neither brings them
    back.
    """
    assert (name in way_back.before.users, name in way_back.after.users) == (True, False)


def test_who_was_in_a_group_before(way_back: WayBack) -> None:
    """Hopper was taken out of it in the console."""
    assert (way_back.before.staff, way_back.after.staff) == (["hopper"], [])


def test_who_was_an_admin_before(way_back: WayBack) -> None:
    """Hopper's rights were withdrawn in the console; Ada, who is an admin by the userlist, is still one."""
    was, hopper, ada = way_back.before.users["hopper"], way_back.after.users["hopper"], way_back.after.users["ada"]
    assert (was["admin"], hopper["admin"], "admin" in hopper["roles"], ada["admin"]) == (True, False, False, True)


def test_who_was_an_admin_before_at_the_server_of_somebody_else(way_back: WayBack) -> None:
    """Hopper, who was an admin, has asked Ada's server right before he was none: it went by that for half a minute at most."""
    assert way_back.at_adas == HTTPStatus.FORBIDDEN


def test_who_is_put_back_gets_in_again(way_back: WayBack) -> None:
    """The userlist names Grace again: a new token of hers answers, also after a restart, and the old one does not."""
    assert way_back.again == (403, 200)


ANOTHER_NUMBER = """
import json, pathlib
file = pathlib.Path("/data/access/accounts")
known = json.loads(file.read_text())
known["github id"]["grace"] = "4711"
file.write_text(json.dumps(known))
"""


def test_who_has_taken_the_name_of_somebody_else(
    deployed: Lab, without_grace: Path, browser: Browser, context: BrowserContext
) -> None:
    """Grace's name at GitHub has another number than at her first login: it is refused, and the operator reads so. Once she
    has been removed and added, whoever has the name now gets in.
    """
    expect(log_in(context, "grace").locator("#start")).to_be_visible()
    deployed.execute(HUB, "python3", "-c", ANOTHER_NUMBER)
    with browser.new_context(ignore_https_errors=True) as elsewhere:
        page = log_in(elsewhere, "grace")
        expect(page.get_by_role("alert")).to_contain_text("Your name belongs to another account at this hub")
    told = deployed.fab("users")
    assert "somebody else has tried to log in as grace" in told.out, told.text
    assert deployed.fab("users-sync", "--yes", hosts=without_grace).code == 0
    assert deployed.fab("users-sync").code == 0
    with browser.new_context(ignore_https_errors=True) as again:
        expect(log_in(again, "grace").locator("#start")).to_be_visible()
    assert "somebody else" not in deployed.fab("users").out
