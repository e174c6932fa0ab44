"""The way back to a release and the database of then, gone once for all that ask for it: about 80 s, two updates of the hub."""

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
from typing import Any
from urllib.parse import urlsplit

from lab import machine, topology
from tests.lab.support import HUB, REAL, ROOT, Done, Lab, variant
from tests.lab.test_images import labels
from tests.lab.tokens import revoke, status_of, token_of

MANAGER, WORKER = topology.MANAGER.name, topology.WORKERS[0].name
BACKUPS = "/var/lib/docker/volumes/jupyterhub_backups/_data"
ADD_USER = """
import sqlite3
db = sqlite3.connect("/data/jupyterhub.sqlite", 20)
db.execute("insert into users (name, admin, created, cookie_id) values ('later', 0, '2026-11-23', 'x')")
db.commit()
"""
USERS = """
import sqlite3
print(*sorted(name for (name,) in sqlite3.connect("/data/jupyterhub.sqlite").execute("select name from users")))
"""
KNOCK_SECONDS = 0.05
AT_ADAS = "/user/ada/api/contents"
# For so long a server goes by what the hub has said.
CACHED_SECONDS = 30
# Whose token the way back would bring back, and what was taken from them since.
TAKEN = {
    "grace": "the userlist names her no more",
    "mallory": "deleted in the console",
    "ada": "the token was revoked, the account stays",
    "eve": "deleted, and added again in the console",
}


@dataclass(frozen=True)
class Seen:
    """What is there: the users as the hub's API gives them, who is in the group staff, the nodes' labels, the hub's spec."""

    users: Mapping[str, Any]
    staff: list[str]
    labels: set[str]
    spec: str


@dataclass(frozen=True)
class WayBack:
    """A deploy, and the way back from it: what was said, and what was there before, in between and afterwards.

    `answered` are those whose tokens were answered while the hub went back, `statuses` what they are good for afterwards, and
    `again` what Grace's old one and a new one are, once the userlist names her again. `at_adas` is what Ada's server answered
    Hopper half a minute after he had been made no admin.
    """

    before: Seen
    there: Seen
    after: Seen
    release: Any
    release_there: Any
    last: Any
    access: str
    deployed: Done
    refused: Done
    back: Done
    left: Done
    answered: set[str]
    statuses: Mapping[str, int]
    again: tuple[int, int]
    at_adas: int


def in_hub(lab: Lab, script: str) -> str:
    """Run Python in the hub's container."""
    return lab.execute(HUB, "python3", "-c", script)


def releases(lab: Lab) -> Any:
    """Return the releases, the oldest first."""
    return json.loads(lab.fab("releases", "--json").out)


def go(lab: Lab, folder: Path) -> WayBack:
    """Deploy another list and no second image; take from people what they have, and let somebody come and the schema move on;
    go back, with the database; bring the lab in line with its own userlist.
    """
    users = (ROOT / "lab" / "userlist").read_text() + "lovelace\n"
    (folder / "users").write_text(users)
    without = ('image = "registry.lab:5000/notebook-extra:lab"', 'memory_limit = "2G"')
    hosts = variant(folder, ('"userlist"', f'"{folder / "users"}"'), without)
    tokens = _give(lab)
    of_hopper = token_of(lab, "hopper")
    lab.start_server("ada", profile=REAL)
    assert {_status(token) for token in [*tokens.values(), of_hopper]} == {HTTPStatus.OK}
    before = _seen(lab)
    deployed = lab.fab("deploy", "--yes", hosts=hosts)
    assert deployed.code == 0, deployed.text
    assert _status(of_hopper, AT_ADAS) == HTTPStatus.OK
    asked = time.monotonic()
    (folder / "users").write_text(users.replace("grace\n", ""))
    _take(lab, hosts)
    there = _seen(lab)
    *_, release, release_there = releases(lab)
    access = lab.on(MANAGER, "stat", "-c", "%a", f"{BACKUPS}/{release_there['copy']}")
    in_hub(lab, ADD_USER)
    _give_schema(lab, release, "older")
    refused = lab.fab("rollback")
    knocking = Knocking(tokens)
    with knocking.on():
        back = lab.fab("rollback", "--release", str(release["number"]), "--with-database")
        assert back.code == 0, back.text
        lab.wait(lab.hub_answers, 60, "the hub does not answer")
    statuses = {name: status_of(lab, token) for name, token in tokens.items()}
    after, last, left = _seen(lab), releases(lab)[-1], lab.fab("plan", "--exit-code")
    with contextlib.suppress(machine.LabError):
        seconds = asked + CACHED_SECONDS - time.monotonic()
        lab.wait(lambda: _status(of_hopper, AT_ADAS) != HTTPStatus.OK, max(seconds, 1), "Hopper still gets in")
    at_adas = _status(of_hopper, AT_ADAS)
    again = _put_back(lab, tokens["grace"])
    # The way back has made a release that says so, too; other tests go back to that.
    for one in releases(lab):
        if one["schema"] == "older":
            _give_schema(lab, one, release["schema"])
    return WayBack(
        before,
        there,
        after,
        release,
        release_there,
        last,
        access,
        deployed,
        refused,
        back,
        left,
        knocking.answered,
        statuses,
        again,
        at_adas,
    )


def _give(lab: Lab) -> dict[str, str]:
    for name in ("mallory", "eve", "hopper"):
        lab.hub_api("POST", f"users/{name}")
    lab.hub_api("PATCH", "users/hopper", '{"admin": true}')
    lab.hub_api("POST", "groups/staff")
    lab.hub_api("POST", "groups/staff/users", '{"users": ["hopper"]}')
    return {name: token_of(lab, name) for name in TAKEN}


def _take(lab: Lab, hosts: Path) -> None:
    for name in ("mallory", "eve"):
        lab.hub_api("DELETE", f"users/{name}")
    lab.hub_api("POST", "users/eve")
    lab.hub_api("PATCH", "users/hopper", '{"admin": false}')
    lab.hub_api("DELETE", "groups/staff/users", '{"users": ["hopper"]}')
    revoke(lab, "ada")
    done = lab.fab("users-sync", "--yes", hosts=hosts)
    assert (done.code, "remove grace" in done.out) == (0, True), done.text


def _put_back(lab: Lab, old: str) -> tuple[int, int]:
    """Let the lab's own userlist be in force, and nobody else in; return what Grace's tokens are good for after a restart."""
    lab.stop_server("ada")
    done = lab.fab("users-sync", "--yes")
    assert done.code == 0, done.text
    for name in ("eve", "hopper"):
        lab.hub_api("DELETE", f"users/{name}")
    lab.hub_api("DELETE", "groups/staff")
    new = token_of(lab, "grace")
    lab.docker("rm", "--force", lab.container())
    lab.wait(lab.hub_answers, 60, "the hub does not come back")
    statuses = status_of(lab, old), status_of(lab, new)
    lab.forget_homes()
    return statuses


def _seen(lab: Lab) -> Seen:
    users = {one["name"]: one for one in json.loads(lab.hub_api("GET", "users"))}
    staff = json.loads(lab.hub_api("GET", "groups/staff"))["users"]
    spec = lab.docker("service", "inspect", HUB, "--format", "{{json .Spec}}")
    return Seen(users, staff, labels(lab, WORKER), spec)


def _give_schema(lab: Lab, release: Any, schema: str) -> None:
    """Let a release say that its hub works with a schema of the database: its record is made again."""
    name = f"{HUB}-release-{release['number']}"
    data = {key: value for key, value in release.items() if key != "id"} | {"schema": schema}
    lab.docker("config", "rm", name)
    script = f'printf %s "$0" | docker config create --label swarmhub.release={HUB} {name} -'
    lab.on(MANAGER, "sh", "-c", script, json.dumps(data))


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
