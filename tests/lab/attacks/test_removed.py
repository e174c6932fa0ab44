"""Attacks by people who have been removed: while it happens, and over every way back. About 100 s, with two
updates of the hub.
"""

import contextlib
import http.client
import json
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, expect

from lab import topology
from tests.lab.browsing import log_in
from tests.lab.support import HUB, REAL, Done, Lab, Settings, variant
from tests.lab.test_rollback import releases
from tests.lab.tokens import revoke, status_of, token_of

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
KNOCK_SECONDS = 0.05
AT_ADAS = "/user/ada/api/contents"
# For so long a server goes by what the hub has said.
CACHED_SECONDS = 30


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


@dataclass
class Knocking:
    """Asks the hub at its public address with tokens, without a pause; whose were answered is kept."""

    tokens: Mapping[str, str]
    answered: set[str] = field(default_factory=set)
    _over: threading.Event = field(default_factory=threading.Event)

    @contextlib.contextmanager
    def on(self) -> Iterator[None]:
        """Knock as long as something lasts."""
        thread = threading.Thread(target=self._knock)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()

    def _knock(self) -> None:
        while not self._over.wait(KNOCK_SECONDS):
            for name, token in self.tokens.items():
                with contextlib.suppress(OSError, http.client.HTTPException):
                    if _status(token) == HTTPStatus.OK:
                        self.answered.add(name)


def _status(token: str, path: str = "/hub/api/user") -> int:
    """Return what the public address answers to a token; that TLS verifies is test_deploy's matter."""
    address = urlsplit(topology.HUB_URL)
    trust = ssl._create_unverified_context()  # noqa: S323 - the lab's own
    connection = http.client.HTTPSConnection("127.0.0.1", address.port, timeout=5, context=trust)
    with contextlib.closing(connection):
        connection.request("GET", path, headers={"Authorization": f"token {token}", "Host": address.netloc})
        return connection.getresponse().status


@dataclass(frozen=True)
class WayBack:
    """A way back with the database, to when all had their rights: who was answered meanwhile, and the tokens of then.

    `of_hopper` is good for Ada's server, as long as he is an admin.
    """

    tokens: Mapping[str, str]
    of_hopper: str
    withdrawn: float
    answered: set[str]
    back: Done


# Whom the way back would bring back: who they are, and what was taken from them since.
TAKEN = {
    "grace": "the userlist names her no more",
    "mallory": "deleted in the console",
    "ada": "the token was revoked, the account stays",
    "eve": "deleted, and added again in the console",
}


@pytest.fixture(scope="module")
def way_back(settled: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WayBack]:
    """Copy a database in which all have their rights, take them away, and go back to the release and the database of then."""
    folder = tmp_path_factory.mktemp("removed")
    (folder / "users").write_text("ada admin\nlinus\n")
    hosts = variant(folder, ('"userlist"', f'"{folder / "users"}"'))
    for name in ("mallory", "eve", "hopper"):
        settled.hub_api("POST", f"users/{name}")
    settled.hub_api("PATCH", "users/hopper", '{"admin": true}')
    settled.hub_api("POST", "groups/staff")
    settled.hub_api("POST", "groups/staff/users", '{"users": ["hopper"]}')
    tokens = {name: token_of(settled, name) for name in TAKEN}
    of_hopper = token_of(settled, "hopper")
    settled.start_server("ada", profile=REAL)
    assert {_status(token) for token in tokens.values()} == {HTTPStatus.OK}
    done = settled.fab("deploy", "--yes", hosts=hosts)
    assert done.code == 0, done.text
    settled.hub_api("DELETE", "users/mallory")
    settled.hub_api("DELETE", "users/eve")
    settled.hub_api("POST", "users/eve")
    assert _status(of_hopper, AT_ADAS) == HTTPStatus.OK
    settled.hub_api("PATCH", "users/hopper", '{"admin": false}')
    withdrawn = time.monotonic()
    settled.hub_api("DELETE", "groups/staff/users", '{"users": ["hopper"]}')
    revoke(settled, "ada")
    knocking = Knocking(tokens)
    with knocking.on():
        back = settled.fab("rollback", "--release", str(releases(settled)[-2]["number"]), "--with-database", "--yes")
        settled.wait(settled.hub_answers, 60, "the hub does not answer")
    yield WayBack(tokens, of_hopper, withdrawn, knocking.answered, back)
    settled.stop_server("ada")
    assert settled.fab("users-sync", "--yes").code == 0
    for name in ("eve", "hopper", "linus"):
        settled.hub_api("DELETE", f"users/{name}")
    settled.hub_api("DELETE", "groups/staff")
    settled.forget_homes()


@pytest.mark.parametrize("name", TAKEN, ids=[f"{name}: {why}" for name, why in TAKEN.items()])
def test_who_has_a_token_from_before(settled: Lab, way_back: WayBack, name: str) -> None:
    """Their token is in the database that is put back. It answers 403, and has not been answered while the hubs changed."""
    assert way_back.back.code == 0, way_back.back.text
    assert (name in way_back.answered, status_of(settled, way_back.tokens[name])) == (False, 403)


@pytest.mark.parametrize(
    ("path", "name"), [("users", "grace"), ("users", "mallory"), ("groups/staff", "hopper")], ids=["list", "console", "group"]
)
def test_who_was_there_before(settled: Lab, way_back: WayBack, path: str, name: str) -> None:
    """Their account, or their place in a group, is in the database that is put back, and the userlist of the older image
    names Grace: neither brings them back.
    """
    answer = json.loads(settled.hub_api("GET", path))
    there = answer["users"] if path.startswith("groups") else [one["name"] for one in answer]
    assert way_back.back.code == 0
    assert name not in there


def test_who_was_an_admin_before(settled: Lab, way_back: WayBack) -> None:
    """Hopper's rights were withdrawn in the console; Ada, who is an admin by the userlist, is still one."""
    assert way_back.back.code == 0
    people = {one["name"]: one for one in json.loads(settled.hub_api("GET", "users"))}
    assert (people["hopper"]["admin"], "admin" in people["hopper"]["roles"], people["ada"]["admin"]) == (False, False, True)


def test_who_was_an_admin_before_at_the_server_of_somebody_else(settled: Lab, way_back: WayBack) -> None:
    """Hopper, who was an admin, has asked Ada's server right before he was none: it went by that for half a minute at most."""
    left = way_back.withdrawn + CACHED_SECONDS - time.monotonic()
    settled.wait(lambda: _status(way_back.of_hopper, AT_ADAS) == HTTPStatus.FORBIDDEN, max(left, 1), "Hopper still gets in")


def test_who_is_put_back_gets_in_again(settled: Lab, way_back: WayBack) -> None:
    """The userlist names Grace again: a new token of hers answers, and the old one does not. She stays over a restart."""
    assert settled.fab("users-sync", "--yes").code == 0
    token = token_of(settled, "grace")
    settled.docker("rm", "--force", settled.container())
    settled.wait(settled.hub_answers, 60, "the hub does not come back")
    assert (status_of(settled, token), status_of(settled, way_back.tokens["grace"])) == (200, 403)


ANOTHER_NUMBER = """
import json, pathlib
file = pathlib.Path("/data/access/accounts")
known = json.loads(file.read_text())
known["github"]["grace"] = "4711"
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
