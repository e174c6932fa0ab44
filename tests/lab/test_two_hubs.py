"""Two hubs on one swarm, whose names nest: each has all of its own, and neither feels the other's end.

It costs a first deploy of a second hub, two starts of a server and a teardown, together about 45 s, and no update of the hub.
"""

import json
import re
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lab import machine, topology
from tests.lab import empty
from tests.lab.empty import Listing
from tests.lab.scripts import START_SERVER
from tests.lab.support import HUB, ROOT, STUB, Lab, variant
from tests.unit.support.authority import Authority

MANAGER = topology.MANAGER.name
SECOND = f"{HUB}2"
DOMAIN, PORT = "two.localhost", 9443
# Port 80 is the first hub's, and with it certbot's challenge: the second has a certificate of the operator's own.
OF_CERTBOT = (ROOT / "lab" / "hosts.toml").read_text().partition("[certs]\n")[2]
FIRST_HUB = f'[hub]\ndomain = "{topology.DOMAIN}"'
NAMED = f'service = "{SECOND}"'
SECOND_HUB = f'[proxy]\nhttp_port = 9080\n\n[hub]\n{NAMED}\nport = {PORT}\ndomain = "{DOMAIN}"'

# The rest of what identifies the lab's objects is of both.
OF_FIRST = ("service", "network", "volume", "task", "certificate")


@dataclass(frozen=True)
class Both:
    """The lab with both hubs, the second one's hosts.toml, and what was there before it."""

    lab: Lab
    hosts: Path
    before: Listing
    fingerprint: dict[str, str]


def make(folder: Path, named: str = NAMED) -> Path:
    """Write the second hub's hosts.toml, its certificate and its secrets into a folder."""
    authority = Authority.make("Second hub's CA")
    chain, key = authority.issue(DOMAIN, start=datetime.now(UTC) - timedelta(hours=1))
    for name, content in {"ca.pem": authority.pem, "certificate.pem": chain, "key.pem": key}.items():
        (folder / name).write_text(content)
    secrets = (topology.STATE / "oauth.env").read_text()
    callback = f"OAUTH_CALLBACK_URL=https://{DOMAIN}:{PORT}/hub/oauth_callback"
    (folder / "oauth.env").write_text(re.sub("^OAUTH_CALLBACK_URL=.*", callback, secrets, flags=re.MULTILINE))
    own = "".join(f'{name} = "{folder}/{name}.pem"\n' for name in ("certificate", "key", "ca"))
    replaced = (
        (OF_CERTBOT, own),
        (FIRST_HUB, SECOND_HUB.replace(NAMED, named)),
        ('"state/oauth.env"', f'"{folder}/oauth.env"'),
    )
    return variant(folder, *replaced)


@pytest.fixture(scope="module")
def _reachable() -> Iterator[None]:
    """Let this machine reach the second hub's port, which the manager's container does not publish."""
    tunnel = f"{PORT}:127.0.0.1:{PORT}"
    command = ["ssh", "-F", str(topology.STATE / "ssh_config"), "-N", "-L", tunnel, MANAGER]
    with subprocess.Popen(command) as ssh:
        machine.wait_for(_is_open, 20, "the tunnel does not open")
        yield
        ssh.terminate()


def _is_open() -> bool:
    with closing(socket.socket()) as asking:
        return asking.connect_ex(("127.0.0.1", PORT)) == 0


@pytest.fixture(scope="module")
def both(settled: Lab, _reachable: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    """Deploy the second hub while somebody works in the first, and start the same user's server there."""
    settled.start_server("ada")
    before, fingerprint = listing(settled), settled.fingerprint()
    hosts = make(tmp_path_factory.mktemp("second"))
    done = settled.fab("deploy", "--yes", hosts=hosts)
    assert done.code == 0, done.text
    body = json.dumps({"user_options": {"profile": STUB}})
    said = settled.execute(SECOND, "sh", "-c", START_SERVER, "sh", "ada", body)
    assert '"ready": true' in said, said
    yield Both(settled, hosts, before, fingerprint)
    if SECOND in settled.docker("service", "ls", "--format", "{{.Name}}"):
        settled.fab("teardown", "--yes", "--with-data", "--name", DOMAIN, hosts=hosts)
    settled.stop_server("ada")


def listing(lab: Lab) -> Listing:
    """Return all that nodes and swarm hold, but for containers, which Swarm lets go of in its own time."""
    found = {kind: _tagged(names) for kind, names in empty.listing(lab).items() if not kind.startswith("containers")}
    return found | {"certificates": lab.on(MANAGER, "find", "/etc/letsencrypt", "-name", "*.pem").split()}


def _tagged(names: list[str]) -> list[str]:
    """Leave out what builds have left without a tag: the teardown of any hub takes it."""
    return [name for name in names if not name.startswith("<none>:<none>")]


def services_and_users(lab: Lab, hosts: Path | str) -> tuple[list[str], list[str]]:
    """Return the services and the users with servers that a hub's status shows."""
    said = json.loads(lab.fab("status", "--json", hosts=hosts).out)
    return [said["hub"]["service"], *(one["service"] for one in said["beside"])], [one["user"] for one in said["servers"]]


def test_the_second_deploy_changes_nothing_of_the_first(both: Both) -> None:
    """Its plan is empty as the second one's is, and every object of it is the same one."""
    assert both.lab.left_to_change() == ""
    now = both.lab.fingerprint()
    assert {kind: now[kind] for kind in OF_FIRST} == {kind: both.fingerprint[kind] for kind in OF_FIRST}


def test_each_shows_only_its_own(both: Both) -> None:
    """The same user has a server at each, and each one's history has its own runs."""
    first, second = services_and_users(both.lab, topology.HOSTS), services_and_users(both.lab, both.hosts)
    assert first == ([HUB, f"{HUB}-engine", f"{HUB}-proxy", f"{HUB}-renewal"], ["ada"])
    assert second == ([SECOND, f"{SECOND}-engine", f"{SECOND}-proxy"], ["ada"])
    (run,) = json.loads(both.lab.fab("history", "--json", hosts=both.hosts).out)
    assert run["command"] == "deploy"


def test_a_hub_whose_servers_could_be_called_like_the_others_is_refused(both: Both, tmp_path: Path) -> None:
    """In a plan, and so before anything is changed: user `two` of the first hub would have its name."""
    hosts = make(tmp_path, f'service = "{HUB}-two"')
    done = both.lab.fab("plan", hosts=hosts)
    told = f"servers of the hubs {HUB}-two and {HUB} could have the same names. Give this hub another name"
    assert (done.code, told in done.text, done.text.count("could have the same names")) == (1, True, 1), done.text


def test_the_end_of_one_leaves_the_other_whole(both: Both) -> None:
    """After the second one's teardown with all data the swarm is as before its deploy, and the first one's server goes on."""
    done = both.lab.fab("teardown", "--yes", "--with-data", "--name", DOMAIN, hosts=both.hosts)
    assert done.code == 0, done.text
    assert listing(both.lab) == both.before
    assert both.lab.fingerprint() == both.fingerprint
    assert both.lab.left_to_change() == ""
    assert both.lab.in_server("ada", "echo here") == "here"
