"""Three managers: the hub moves from one to another and back, and the swarm goes on after two of them are lost.

All of it is about five minutes. It begins with the swarm of lab/hosts.toml, and leaves it so: one
manager, two workers.
"""

import json
import re
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from lab import machine, topology
from swarmhub.history import entries
from tests.lab.scripts import HUB_API
from tests.lab.support import FILTER, HUB, PROXY, Lab, Started, variant

FIRST, SECOND, THIRD = (node.name for node in topology.NODES)
DATA = "jupyterhub-data"
CERTIFICATES, RENEWAL = "/etc/letsencrypt", f"{HUB}-renewal"
AUTHORITY, CERTBOT = "acme-staging.lab:14000", "registry.lab:5000/certbot:lab"
CONF, LIVE = f"{CERTIFICATES}/renewal/{topology.DOMAIN}.conf", f"{CERTIFICATES}/live/{topology.DOMAIN}/fullchain.pem"
INTO = f"-v {CERTIFICATES}:{CERTIFICATES} -v /root/lab-ca.crt:/ca.crt -e REQUESTS_CA_BUNDLE=/ca.crt {CERTBOT}"
REGISTER = f"docker run --rm {INTO} register -n --agree-tos --email other@hub.localhost --server https://{AUTHORITY}/dir"


@dataclass(frozen=True)
class Managed:
    """The lab with three managers; a hosts.toml for each of the first two as the one that has the hub."""

    lab: Lab
    by_first: Path
    by_second: Path

    def node_of(self, service: str) -> str:
        """Return the node on which a service of the hub's runs."""
        return self.lab.docker("service", "ps", service, "--filter", "desired-state=running", "--format", "{{.Node}}")

    def ask(self, path: str, node: str) -> str:
        """Ask the hub on a node."""
        return self.lab.execute(HUB, "sh", "-c", HUB_API, "sh", "GET", path, "", node=node)

    def server(self, user: str, node: str) -> dict[str, object]:
        """Return what the hub on a node says of a user's server."""
        found: dict[str, object] = json.loads(self.ask(f"users/{user}", node))["servers"].get("", {})
        return found

    def routes(self, node: str) -> str:
        """Return what the hub's proxy knows, asked through the hub on a node."""
        return self.ask("proxy", node)

    def volume(self, node: str) -> str:
        """Return what is in the hub's volume on a node."""
        folder = self.lab.docker("volume", "inspect", DATA, "--format", "{{.Mountpoint}}", node=node)
        return self.lab.on(node, "ls", "-A", folder)


def managers(folder: Path, *names: str, ssh: Callable[[str], str] | None = None) -> Path:
    """Write a hosts.toml with these managers, and no workers."""
    folder.mkdir()
    quoted = ", ".join(f'"{name}"' for name in names)
    return variant(folder, (f'["{FIRST}"]', f"[{quoted}]"), (f'workers = ["{SECOND}", "{THIRD}"]\n', ""), ssh=ssh)


@pytest.fixture(scope="module")
def managed(used: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Managed]:
    """Make managers of all nodes; in the end, bring the hub back, and make workers of two of them."""
    used.let_stand()
    folder = tmp_path_factory.mktemp("managers")
    made = Managed(used, managers(folder / "first", FIRST, SECOND, THIRD), managers(folder / "second", SECOND, FIRST, THIRD))
    done = used.fab("swarm-init", hosts=made.by_first)
    assert done.code == 0, done.text
    used.on(FIRST, "sh", "-c", f"echo '# of an operator' > {CERTIFICATES}/cli.ini")
    register(used, SECOND)
    yield made
    for node in (FIRST, SECOND):
        used.on(node, "rm", "-f", f"{CERTIFICATES}/cli.ini", "/root/lab-ca.crt")
    start_engines(used)
    for node in (SECOND, THIRD):
        used.wait(partial(engine_answers, used, node), 60, f"the engine of {node} does not come back")
    for command in (("recover-quorum", "--yes"), ("move-hub", FIRST, "--yes")):
        done = used.fab(*command, hosts=made.by_first)
        assert done.code == 0, done.text
    used.wait(lambda: len(re.findall("Leader|Reachable", " ".join(_managers(used)))) == len(topology.NODES), 180, "one is away")
    done = used.fab("swarm-init")
    assert done.code == 0, done.text
    used.let_stand()


def register(lab: Lab, node: str) -> None:
    """Let certbot on a node have an account of its own at the authority, as another hub there would."""
    authorities = (topology.STATE / "acme-ca.crt").read_text()
    lab.on(node, "sh", "-c", f"mkdir -p {CERTIFICATES} && cat > /root/lab-ca.crt <<'EOF'\n{authorities}\nEOF\n")
    lab.on(node, "sh", "-c", REGISTER)


@contextmanager
def led_to(lab: Lab, node: topology.Node) -> Iterator[None]:
    """Let DNS lead to another node than the first one."""

    def lead(before: str, after: str) -> None:
        line = f"s/^{before} {topology.DOMAIN}$/{after} {topology.DOMAIN}/"
        lab.on("dns", "sh", "-c", f"sed -i '{line}' /srv/lab/hosts; kill -HUP $(pidof dnsmasq)")

    lead(topology.MANAGER.address, node.address)
    try:
        yield
    finally:
        lead(node.address, topology.MANAGER.address)


def accounts(lab: Lab, node: str) -> set[str]:
    """Return the accounts at the authority that a node has."""
    return {*lab.on(node, "ls", f"{CERTIFICATES}/accounts/{AUTHORITY}/dir").split()}


def engine_answers(lab: Lab, node: str) -> bool:
    """Tell whether a node's engine answers."""
    with suppress(machine.LabError):
        return bool(lab.docker("info", "--format", "{{.ID}}", node=node))
    return False


def test_the_hub_moves_and_servers_go_on(managed: Managed) -> None:
    """With its users, tokens and certificate; a server's process stays, its route comes back, and a deploy has nothing to do.

    What it leaves starts no hub, and the hosts.toml of before is refused with the line to change.
    """
    lab = managed.lab
    lab.start_server("grace", on=THIRD)
    pid = lab.docker(
        "inspect",
        "--format",
        "{{.State.Pid}}",
        lab.docker("ps", "-q", "--filter", "name=jupyterhub-grace", node=THIRD),
        node=THIRD,
    )
    asked = lab.fab("move-hub", SECOND, hosts=managed.by_first)
    assert (asked.code, "Move the hub? There is no terminal to ask on" in asked.err) == (2, True), asked.text
    assert managed.node_of(HUB) == FIRST
    done = lab.fab("move-hub", SECOND, "--yes", hosts=managed.by_first)
    assert done.code == 0, done.text
    assert [managed.node_of(name) for name in (HUB, FILTER, PROXY)] == [SECOND] * 3
    assert f'managers = ["{SECOND}", "{FIRST}", "{THIRD}"]' in done.out
    assert f"let {topology.DOMAIN} lead to {SECOND} (" in done.out
    assert managed.server("grace", SECOND)["ready"] is True
    lab.wait(lambda: "/user/grace/" in managed.routes(SECOND), 30, "grace has no route")
    now = lab.docker("ps", "-q", "--filter", "name=jupyterhub-grace", node=THIRD)
    assert lab.docker("inspect", "--format", "{{.State.Pid}}", now, node=THIRD) == pid
    assert "moved-to-swarm-worker1-" in managed.volume(FIRST)
    assert "jupyterhub.sqlite" not in managed.volume(FIRST)
    refused = lab.fab("deploy", hosts=managed.by_first)
    assert refused.code == 1
    assert f"the hub runs on {SECOND}, where its database and certificate are. Put {SECOND} first" in refused.err
    assert lab.left_to_change(managed.by_second) == ""
    again = lab.fab("move-hub", SECOND, "--yes", hosts=managed.by_second)
    assert (again.code, f"the hub is on {SECOND}" in again.out) == (0, True), again.text


def test_the_certificate_is_renewed_where_the_hub_is(managed: Managed) -> None:
    """By the account that it was got by, though this manager has one of its own; certbot's own configuration came along."""
    lab = managed.lab
    account = re.findall(r"^account = (\S+)", lab.on(SECOND, "cat", CONF), re.MULTILINE)
    there, before = accounts(lab, SECOND), lab.on(SECOND, "cat", LIVE)
    assert ({*account} == accounts(lab, FIRST), len(account), len(there)) == (True, 1, 2), there
    assert "of an operator" in lab.on(SECOND, "cat", f"{CERTIFICATES}/cli.ini")
    with led_to(lab, topology.WORKERS[0]):
        # certbot takes it for due, and is not to wait for half a day.
        lab.on(SECOND, "sed", "-i", "1i renew_before_expiry = 9999 days", CONF)
        lab.on(SECOND, "rm", f"{CERTIFICATES}/swarmhub-renewal-{HUB}.json")
        running = lab.docker("ps", "-q", "--filter", f"label=com.docker.swarm.service.name={RENEWAL}", node=SECOND)
        lab.docker("kill", running, node=SECOND)
        lab.wait(lambda: lab.on(SECOND, "cat", LIVE) != before, 120, "the certificate is not renewed")
        lab.on(SECOND, "sed", "-i", "/^renew_before_expiry = 9999 days/d", CONF)
    assert re.findall(r"^account = (\S+)", lab.on(SECOND, "cat", CONF), re.MULTILINE) == account
    assert accounts(lab, SECOND) == there
    state = json.loads(lab.on(SECOND, "cat", f"{CERTIFICATES}/swarmhub-renewal-{HUB}.json"))
    assert state["failures"] == 0, state


@pytest.mark.parametrize("said", ["certificate: ", "jupyterhub-engine: "])
def test_an_interrupted_move_leaves_one_hub(managed: Managed, said: str) -> None:
    """Ctrl-C while data are copied, and while the hub and its filter are between two nodes: it goes on where it was."""
    lab = managed.lab
    done = Started.begin("move-hub", FIRST, "--yes", until=said, hosts=managed.by_second).end(120, signal.SIGINT)
    assert done.code == 130, done.text
    lab.wait(lambda: '"version"' in answer(managed, SECOND), 60, "no hub answers")
    assert managed.node_of(HUB) == SECOND
    assert managed.server("grace", SECOND)["ready"] is True


def test_no_hub_starts_with_what_it_has_left_behind(managed: Managed) -> None:
    """Sent there past swarmhub, it says where the hub is, and ends; Swarm goes back to the node that has its data."""
    lab = managed.lab
    pins = [f"node.id=={lab.docker('node', 'inspect', node, '--format', '{{.ID}}')}" for node in (SECOND, FIRST)]
    lab.docker("service", "update", "--detach", "--constraint-rm", pins[0], "--constraint-add", pins[1], HUB)
    lab.wait(lambda: update_of_hub(lab) == "rollback_completed", 120, "Swarm does not go back")
    assert "this hub does not start: it was moved to swarm-worker1, and its data here are of before" in lab.log_of(tail="50")
    # Swarm calls a rollback complete before its task is wanted to run.
    lab.wait(lambda: managed.node_of(HUB) == SECOND, 60, "the hub is not where its data are")
    lab.wait(lambda: '"version"' in answer(managed, SECOND), 60, "no hub answers")


def test_the_hub_moves_back(managed: Managed) -> None:
    """To a node that has data of before, which stay aside; a plan is empty then, and others' accounts stay where they are."""
    lab = managed.lab
    done = lab.fab("move-hub", FIRST, "--yes", hosts=managed.by_second)
    assert done.code == 0, done.text
    assert [managed.node_of(name) for name in (HUB, FILTER, PROXY)] == [FIRST] * 3
    assert managed.server("grace", FIRST)["ready"] is True
    assert "jupyterhub.sqlite" not in managed.volume(SECOND)
    assert len(accounts(lab, FIRST)) == 1
    lab.stop_server("grace")
    assert lab.left_to_change(managed.by_first) == ""


def update_of_hub(lab: Lab) -> str:
    """Return how the hub's last update stands."""
    return lab.docker("service", "inspect", HUB, "--format", "{{if .UpdateStatus}}{{.UpdateStatus.State}}{{end}}")


def answer(managed: Managed, node: str) -> str:
    """Return what the hub on a node answers; nothing while there is none."""
    with suppress(machine.LabError):
        return managed.ask("", node)
    return ""


def test_a_swarm_that_has_lost_two_of_three_managers_goes_on(managed: Managed) -> None:
    """Every command says so and names the way back, which asks, and keeps services, secrets and configs; the hub starts again.

    The managers that were away find the one that went on when they are back, and are managers again.
    """
    lab, hosts = managed.lab, managed.by_first
    kept = objects_of(lab)
    lose_quorum(lab)
    for command in (("status",), ("plan",), ("users",), ("drain", SECOND, "--yes")):
        said = lab.fab(*command, hosts=hosts)
        assert said.code == 1, said.text
        assert "fab recover-quorum" in said.text, said.text
    asked = lab.fab("recover-quorum", hosts=hosts)
    assert (asked.code, "really not be brought back?" in asked.err) == (2, True), asked.text
    assert is_lost(lab)
    recover(managed, kept)
    bring_back(lab)
    deploy = lab.fab("deploy", "--yes", hosts=hosts)
    assert deploy.code == 0, deploy.text


def objects_of(lab: Lab) -> list[set[str]]:
    """Return the ids of all services, secrets and configs; of the history, the oldest goes with each new entry."""
    listed = [{*lab.docker(kind, "ls", "--quiet").split()} for kind in ("service", "secret", "config")]
    return [ids - {*lab.docker("config", "ls", "--quiet", "--filter", f"label={entries.LABEL}").split()} for ids in listed]


def lose_quorum(lab: Lab, *command: str) -> None:
    """Stop the engines of two of three managers, or end them by another command; return when the third one has noticed."""
    for node in (SECOND, THIRD):
        lab.on(node, *(command or ("sv", "-w", "60", "stop", "docker")))
    lab.wait(lambda: is_lost(lab), 60, "the quorum is not lost")


def recover(managed: Managed, kept: list[set[str]]) -> None:
    """Let the manager that is left go on, with all that there was, and wait for the hub."""
    lab = managed.lab
    done = lab.fab("recover-quorum", "--yes", hosts=managed.by_first)
    assert done.code == 0, done.text
    assert f"{FIRST} Leader" in lab.docker("node", "ls", "--format", "{{.Hostname}} {{.ManagerStatus}}").splitlines()
    found = objects_of(lab)
    assert (found[:2], kept[2] - found[2]) == (kept[:2], set())
    lab.wait(lambda: lab.hub_answers(), 90, "the hub does not start again")


def start_engines(lab: Lab) -> None:
    """Start the engines again that were stopped."""
    for node in (SECOND, THIRD):
        lab.on(node, "sv", "-w", "60", "start", "docker")


def bring_back(lab: Lab) -> None:
    """Start the engines again, and wait until their nodes are managers again."""
    start_engines(lab)
    lab.wait(
        lambda: _managers(lab) == [f"{FIRST} Leader", f"{SECOND} Reachable", f"{THIRD} Reachable"], 180, "not all come back"
    )


def _managers(lab: Lab) -> list[str]:
    """Return the nodes that are ready, and what they are to the managers."""
    form = "{{.Hostname}} {{.Status}} {{.ManagerStatus}}"
    with suppress(machine.LabError):
        return sorted(one.replace(" Ready", "") for one in lab.docker("node", "ls", "--format", form).splitlines())
    return []


def is_lost(lab: Lab) -> bool:
    """Tell whether the first manager's engine says that the swarm has no leader."""
    return "does not have a leader" in lab.docker("info", "--format", "{{.Swarm.Error}}")
