"""`fab doctor` with real faults: each is made on the lab, seen with its remedy, and undone.

A run of the doctor shows all the faults of an illness at once; a test asks for one of its lines.
"""

import json
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lab import machine, topology
from tests.lab.support import BIN, END_SECONDS, ROOT, Done, Lab, Settings, variant
from tests.lab.test_own_certs import Files
from tests.unit.support.authority import Authority

MANAGER = topology.MANAGER.name
WORKER, LAST = (worker.name for worker in topology.WORKERS)
NOTEBOOK, METADATA = "registry.lab:5000/notebook:lab", "a cloud's metadata"
WORKERS = f'workers = ["{WORKER}", "{LAST}"]'


@dataclass(frozen=True)
class Examined:
    """What the doctor said, and what `--json` gave of it."""

    done: Done
    findings: list[dict[str, str]]

    def of(self, check: str, host: str) -> str:
        """Return the lines of a check on a host, each with its level before it."""
        found = [one for one in self.findings if (one["check"], one["host"]) == (check, host)]
        return "\n".join(f"{one['level']}: {one['text']} | {one['remedy']}" for one in found)


def examine(lab: Lab, hosts: Path | str = topology.HOSTS, **environ: str) -> Examined:
    """Run the doctor for machines."""
    done = lab.fab("doctor", "--json", hosts=hosts, **environ)
    assert "Traceback" not in done.err
    return Examined(done, json.loads(done.out)["findings"])


@contextmanager
def undone(lab: Lab, node: str, do: str, undo: str) -> Iterator[None]:
    """Run a shell command on a node, and another at the end."""
    lab.on(node, "sh", "-c", do)
    try:
        yield
    finally:
        lab.on(node, "sh", "-c", undo)


def blocked(lab: Lab, node: str, rule: str) -> object:
    """Let a node's firewall keep out what others send to a port."""
    return undone(lab, node, f"iptables -I INPUT {rule}", f"iptables -D INPUT {rule}")


def skewed(lab: Lab, node: str, seconds: int) -> object:
    """Let a node's clock be another one, for whoever asks `date`."""
    script = f'printf \'#!/bin/sh\\nexec /usr/bin/date -d "{seconds} seconds" "$@"\\n\' > /usr/local/bin/date'
    return undone(lab, node, f"{script} && chmod 755 /usr/local/bin/date", "rm /usr/local/bin/date")


def led_elsewhere(lab: Lab) -> object:
    """Let DNS answer a worker's address for the hub's domain."""
    name, right, wrong = topology.DOMAIN, topology.MANAGER.address, topology.WORKERS[0].address
    reload = "kill -HUP $(pidof dnsmasq)"
    file = "/srv/lab/hosts"
    to, back = f"s/^{right} {name}$/{wrong} {name}/", f"s/^{wrong} {name}$/{right} {name}/"
    return undone(lab, "dns", f"sed -i '{to}' {file}; {reload}", f"sed -i '{back}' {file}; {reload}")


def expired(lab: Lab) -> object:
    """Put a certificate in place that expired three days ago and is for another name."""
    live = f"/etc/letsencrypt/live/{topology.DOMAIN}"
    chain, _ = Authority.make("Some CA").issue("other.example.org", start=datetime.now(UTC) - timedelta(days=33), days=30)
    return undone(
        lab,
        MANAGER,
        f"mv {live} {live}.away; mkdir {live}; cat > {live}/fullchain.pem <<'EOF'\n{chain}\nEOF\n",
        f"rm -r {live}; mv {live}.away {live}",
    )


@contextmanager
def image_gone(lab: Lab, node: str, instead: str = "") -> Iterator[None]:
    """Take the notebook image's name away on a node, or give it to another image."""
    lab.docker("tag", NOTEBOOK, "kept:1", node=node)
    lab.docker(*(("tag", instead, NOTEBOOK) if instead else ("rmi", NOTEBOOK)), node=node)
    try:
        yield
    finally:
        lab.docker("tag", "kept:1", NOTEBOOK, node=node)
        lab.docker("rmi", "kept:1", node=node)


@contextmanager
def older_notebook(lab: Lab) -> Iterator[str]:
    """Make a notebook image on the manager whose JupyterHub says that it is 5.4.0."""
    metadata = "/opt/venv/lib/python3*/site-packages/jupyterhub-*.dist-info/METADATA"
    lines = f"FROM {NOTEBOOK}\\nUSER root\\nRUN sed -i s/^Version:.*/Version:5.4.0/ {metadata}\\n"
    lab.on(MANAGER, "sh", "-c", f"printf '{lines}' | DOCKER_BUILDKIT=0 docker build -qt older:5 -")
    try:
        yield "older:5"
    finally:
        lab.docker("rmi", "-f", "older:5")


@contextmanager
def drained(lab: Lab, node: str) -> Iterator[None]:
    """Let a node take no work."""
    lab.docker("node", "update", "--availability", "drain", node)
    try:
        yield
    finally:
        lab.docker("node", "update", "--availability", "active", node)


@contextmanager
def promoted(lab: Lab, node: str) -> Iterator[None]:
    """Make a worker the second manager; two need each other until it is none any more, so that is waited for."""
    lab.docker("node", "promote", node)
    try:
        lab.wait(lambda: _says(lab, "Reachable", node, "{{.ManagerStatus}}"), 60, f"{node} becomes no manager")
        yield
    finally:
        lab.docker("node", "demote", node)
        is_manager = ("info", "--format", "{{.Swarm.ControlAvailable}}")
        lab.wait(lambda: lab.docker(*is_manager, node=node) == "false", 60, f"{node} stays a manager")


@contextmanager
def vxlan_left(lab: Lab, node: str) -> Iterator[None]:
    """Have a VXLAN device on a node as an engine leaves one, with the number of an overlay; the network is called `left`."""
    lab.docker("network", "create", "--driver", "overlay", "left")
    option = '{{index .Options "com.docker.network.driver.overlay.vxlanid_list"}}'
    number = lab.docker("network", "inspect", "left", "--format", option)
    try:
        with undone(lab, node, f"ip link add vx-left type vxlan id {number} dstport 4789", "ip link delete vx-left"):
            yield
    finally:
        lab.docker("network", "rm", "left")


HOMES = """
[home]
quota = "5G"

[[folders]]
type = "path"
path = "/mnt/shared"
mount = "/srv/shared"

"""
EXTRA = f"""
Host gone
  HostName 127.0.0.1
  Port 9

Host stranger
  HostName localhost
  Port {topology.WORKERS[0].ssh_port}
  User root
  UserKnownHostsFile "{topology.STATE}/known_hosts"

Host guest
  HostName 127.0.0.1
  Port {topology.WORKERS[0].ssh_port}
  User guest
  IdentityFile "{topology.STATE}/ssh_key"
  IdentitiesOnly yes
  UserKnownHostsFile "{topology.STATE}/known_hosts"
"""


@pytest.fixture(scope="module")
def healthy(settled: Lab) -> Examined:
    """Examine the lab as a deploy leaves it."""
    return examine(settled)


@pytest.fixture(scope="module")
def sick(lab: Lab, healthy: Examined, tmp_path_factory: pytest.TempPathFactory) -> Examined:
    """Examine a lab on which everything is wrong that can be at the same time."""
    folder = tmp_path_factory.mktemp("sick")
    (folder / "crowd").write_text("".join(f"student{number}\n" for number in range(300)) + "ada admin\n")
    (folder / "oauth.env").write_text(
        "GITHUB_CLIENT_ID=a\nOAUTH_CALLBACK_URL=https://elsewhere.example.org/hub/oauth_callback\n"
    )
    hosts = variant(
        folder,
        (WORKERS, WORKERS.replace("]", ', "gone", "stranger", "guest"]')),
        ('"state/oauth.env"', f'"{folder / "oauth.env"}"'),
        ('"userlist"', f'"{folder / "crowd"}"'),
        ('domain = "hub.localhost"', 'domain = "hub.localhost"\npublish = "ingress"'),
        ("[github]", f'{HOMES}[network]\nendpoint_mode = "vip"\nencrypted = true\n\n[github]'),
        ssh=lambda config: config + EXTRA,
    )
    with ExitStack() as faults:
        older = faults.enter_context(older_notebook(lab))
        for fault in (
            blocked(lab, WORKER, "-p udp --dport 4789 -j DROP"),
            # Dropped, it would keep containers on every node from starting for 10 s.
            blocked(lab, LAST, "-p tcp --syn --dport 7946 -j REJECT --reject-with tcp-reset"),
            blocked(lab, MANAGER, "-p tcp --syn --dport 2377 -j DROP"),
            skewed(lab, WORKER, 120),
            undone(lab, LAST, "ip link set eth0 mtu 1400", "ip link set eth0 mtu 1500"),
            led_elsewhere(lab),
            expired(lab),
            undone(lab, LAST, "umount /mnt/shared", "mount /mnt/shared"),
            vxlan_left(lab, LAST),
            image_gone(lab, LAST),
            image_gone(lab, MANAGER, instead=older),
        ):
            faults.enter_context(fault)  # type: ignore[arg-type]
        return examine(lab, hosts)


@pytest.fixture(scope="module")
def ailing(lab: Lab, healthy: Examined, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Examined]:
    """Examine the lab with a second manager, then without a worker's engine, then with that engine on a new disk of 64 MB."""
    folder = tmp_path_factory.mktemp("alone")
    alone = variant(folder, (f'["{MANAGER}"]', f'["{LAST}"]'), (WORKERS, "workers = []"), ("staging = true", "staging = false"))
    stop, start = (f"sv -w 30 {verb} docker" for verb in ("stop", "start"))
    small = "mount -t tmpfs -o size=64m none /var/lib/docker"
    answers = {}
    # Not the one whose engine is stopped next: a manager that has just been demoted may take the quorum with it.
    with drained(lab, LAST), promoted(lab, WORKER):
        answers["two managers"] = examine(lab)
    with undone(lab, LAST, f"{stop} && {small}", f"{stop}; umount /var/lib/docker; {start}"):
        answers["stopped engine"] = examine(lab)
        lab.on(LAST, "sh", "-c", start)
        lab.wait(lambda: _ok(lab, LAST, "docker", "version"), 30, f"the engine of {LAST} does not start")
        answers["no swarm"] = examine(lab, alone)
    lab.wait(lambda: _says(lab, "Ready", LAST, "{{.Status}}"), 60, f"{LAST} does not come back")
    return answers


def _says(lab: Lab, word: str, node: str, form: str) -> bool:
    return _ok(lab, MANAGER, "sh", "-c", f"docker node ls --filter name={node} --format '{form}' | grep -q {word}")


def _ok(lab: Lab, node: str, *command: str) -> bool:
    try:
        lab.on(node, *command)
    except machine.LabError:
        return False
    return True


def test_healthy_cluster_has_no_failure(healthy: Examined) -> None:
    """After a deploy nothing fails, on any host; what is left to say: a staging certificate, and servers without a limit."""
    assert healthy.done.code == 0, healthy.done.text
    bad = [(one["check"], one["level"]) for one in healthy.findings if one["level"] != "ok"]
    assert bad == [("servers", "warning"), ("certificate", "warning")]


def test_every_check_is_made_on_a_healthy_cluster(healthy: Examined) -> None:
    """None is left out in silence."""
    made = {one["check"] for one in healthy.findings}
    words = (
        "settings secrets callback ssh docker clock disk kernel mtu swarm quorum ports overlay addresses published dns firewall"
    )
    assert made == {*words.split(), "certificate", "image", "jupyterhub", "servers"}


def test_the_firewall_rules_of_each_host_are_listed(healthy: Examined) -> None:
    """What is refused, in words, from each host's own firewall."""
    found = {one["host"]: one for one in healthy.findings if one["check"] == "firewall"}
    assert {host: one["level"] for host, one in found.items()} == dict.fromkeys((MANAGER, WORKER, LAST), "ok")
    for address in (METADATA, *(node.address for node in topology.NODES)):
        assert address in found[WORKER]["text"]


def test_nothing_of_the_trial_is_left(lab: Lab, sick: Examined) -> None:
    """The overlay's trial leaves no container, no image and no network on any node, on a sick cluster too."""
    for node in topology.NODES:
        lab.wait(lambda node=node: not _left(lab, node.name), 30, f"something is left on {node.name}")  # type: ignore[misc]


def _left(lab: Lab, node: str) -> str:
    lists = (
        ("ps", "-aq", "--filter", "name=doctor"),
        ("ps", "-aq", "--filter", "label=swarmhub.doctor"),
        ("network", "ls", "-q", "--filter", "name=swarmhub-doctor"),
    )
    images = [line for line in lab.docker("image", "ls", "--format", "{{.Repository}}", node=node).split() if "doctor" in line]
    return "".join([*(lab.docker(*one, node=node) for one in lists), *images])


@pytest.mark.parametrize(
    ("check", "host", "expected"),
    [
        ("ssh", "gone", r"failure: cannot reach .*127\.0\.0\.1:9: connection refused \| Is it up"),
        ("ssh", "stranger", r"failure: unknown host key ssh-ed25519 SHA256:.* \| If that is the host's own key, trust it"),
        ("docker", "guest", r"failure: this user may not use Docker \| .*docker group"),
        ("clock", WORKER, r"failure: 120 s ahead of the other nodes \| .*set-ntp"),
        ("clock", LAST, r"ok: "),
        ("kernel", MANAGER, r"failure: kernel \S+ has no IPVS, which the settings need \| .*publish = \"host\""),
        ("kernel", WORKER, r"failure: kernel \S+ has no ESP, which the settings need \| .*encrypted = false"),
        ("mtu", LAST, r'failure: eth0 takes 1400 bytes, .* \| .*"com\.docker\.network\.driver\.mtu" = "1400"'),
        ("mtu", WORKER, r"ok: "),
        ("homes", LAST, r"failure: /mnt/shared is on this host's own disk \| Mount it there"),
        ("homes", WORKER, r"ok: /mnt/shared is there"),
        ("homes", WORKER, r"(ok: Docker's volumes take quotas|failure: Docker's volumes are not on XFS .* \| Mount XFS)"),
        (
            "ports",
            MANAGER,
            rf"failure: 2377/tcp at 10\.213\.\d\.11 does not answer {WORKER}, {LAST} \| Open it there",
        ),
        ("ports", LAST, rf"failure: 7946/tcp at 10\.213\.\d\.22 refuses {MANAGER}, {WORKER} \| Open it there"),
        ("ports", WORKER, r"ok: 7946/tcp"),
        ("overlay", WORKER, rf"failure: no packet .* with .*{MANAGER}.* \| .*open 4789/udp between"),
        # A refused gossip port counts only for the one that joins the network last: it waits for the others' answer.
        (
            "overlay",
            LAST,
            r"(ok: .* with 1 other node|failure: .* does not start: it has been preparing .* \| .*7946/tcp first)",
        ),
        (
            "overlay",
            LAST,
            r"failure: its engine has left the VXLAN device vx-left: no container on left .* \| .*ip link delete vx-left",
        ),
        (
            "addresses",
            MANAGER,
            r"warning: 10\.0\.\d+\.0/24 has room for 1\d\d more servers, 301 of 301 .* \| .*subnet = .*dnsrr",
        ),
        ("published", MANAGER, r"ok: port 80 is the proxy's"),
        ("published", MANAGER, r"ok: port 443 is the proxy's"),
        (
            "dns",
            MANAGER,
            rf"failure: hub\.localhost leads to \S+\.21 \({WORKER}\), .* \| Let hub\.localhost lead to .*10\.213\.\d\.11",
        ),
        ("certificate", MANAGER, r"failure: it is for other\.example\.org, not for hub\.localhost \| Get another one"),
        ("certificate", MANAGER, r"failure: it expired 3 days ago, on .* \| Get another one: fab certs"),
        ("image", LAST, rf"failure: holds no {NOTEBOOK} \| fab -H {LAST} prepull"),
        ("image", MANAGER, r"failure: holds another .* \| fab -H swarm-manager1 prepull"),
        ("image", WORKER, r"ok: "),
        ("jupyterhub", MANAGER, rf"failure: the hub has JupyterHub 6\S+, {NOTEBOOK} has 5\.4\.0: .* \| Use a notebook image"),
        ("secrets", "here", r"failure: .*GITHUB_CLIENT_SECRET: is not set \| .*export GITHUB_CLIENT_SECRET="),
        (
            "callback",
            "here",
            r"failure: .*'https://elsewhere\.example\.org/.* does not lead to this hub \| .*https://hub\.localhost",
        ),
    ],
)
def test_fault_is_named_with_its_remedy(sick: Examined, check: str, host: str, expected: str) -> None:
    """Each fault is a line of its own on the host that has it, and says what helps; its neighbours stay well."""
    others = [one for one in sick.findings if one["check"] == check]
    assert re.search(f"^{expected}", sick.of(check, host), re.MULTILINE), others


@pytest.mark.parametrize("host", ["gone", "stranger"])
def test_host_that_cannot_be_asked_is_one_line(sick: Examined, host: str) -> None:
    """A host that does not let anybody in does not repeat that in every check."""
    assert [one["check"] for one in sick.findings if one["host"] == host] == ["ssh"]


def test_failure_is_exit_code_1(sick: Examined) -> None:
    """A script can ask for it."""
    assert sick.done.code == 1


@pytest.mark.parametrize(
    ("when", "check", "host", "expected"),
    [
        ("two managers", "quorum", MANAGER, r"warning: two managers are worse than one: .* \| Add a third, or demote one"),
        ("two managers", "swarm", WORKER, r"warning: is a manager in the swarm \| .*fab swarm-init"),
        ("two managers", "swarm", LAST, r"warning: is set to drain \| "),
        ("stopped engine", "docker", LAST, r"failure: the Docker Engine does not run \| Start it there"),
        ("stopped engine", "disk", LAST, r"failure: 0\.1 GB free in /var/lib/docker, .* \| Free some there"),
        ("stopped engine", "dns", MANAGER, r"ok: "),
        ("no swarm", "swarm", LAST, r"failure: is in no swarm .* \| .*fab swarm-init"),
        ("no swarm", "certificate", LAST, r"warning: no certificate for .* yet \| Get it: fab certs"),
        ("no swarm", "image", LAST, rf"warning: no node holds {NOTEBOOK} yet \| "),
    ],
)
def test_broken_swarm_is_named_with_its_remedy(
    ailing: dict[str, Examined], when: str, check: str, host: str, expected: str
) -> None:
    """Two managers, a drained node, a stopped engine, a full disk, no swarm: each is a line, and the rest is checked."""
    said = ailing[when].of(check, host)
    assert re.search(f"^{expected}", said, re.MULTILINE), said


def test_works_before_the_first_deploy(deployed: Lab, tmp_path: Path) -> None:
    """With nothing deployed yet there are warnings for what is still to come, and no failure."""
    # With a certificate of its own: port 80 is the other hub's.
    files = Files.make(
        tmp_path,
        ("[hub]", '[hub]\nservice = "fresh"\nport = 9443'),
        ("[github]", '[network]\nname = "fresh"\n\n[github]'),
        ("notebook:lab", "notebook:none"),
    )
    found = examine(deployed, files.hosts)
    assert found.done.code == 0, found.done.text
    assert {one["check"] for one in found.findings if one["level"] == "warning"} >= {"image", "jupyterhub"}


def test_lines_are_for_people(deployed: Lab, settings: Settings) -> None:
    """Without --json a line a finding: failures last, with the remedy behind, and a last line that counts."""
    done = deployed.fab("doctor", hosts=settings(("registry.lab:5000/notebook:lab", "debian:trixie-slim")))
    lines = done.out.splitlines()
    assert done.code == 1
    assert re.match(rf"failure +jupyterhub +{MANAGER} +debian:trixie-slim has no jupyterhub-singleuser\. Use an", lines[-2])
    assert re.fullmatch(r"\d failures?, \d warnings?, \d\d ok", lines[-1])


def test_interrupted_doctor_leaves_nothing(deployed: Lab) -> None:
    """Ctrl-C in the middle of the overlay's trial removes what it has made."""
    command, environment = [str(BIN / "fab"), "doctor"], {"SWARMHUB_HOSTS": topology.HOSTS}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as fab:
        deployed.wait(lambda: _left(deployed, MANAGER), 20, "the doctor tries no overlay")
        fab.send_signal(signal.SIGINT)
        _, err = fab.communicate(timeout=END_SECONDS)
    assert (fab.returncode, "Traceback" in err) == (130, False), err
    for node in topology.NODES:
        deployed.wait(lambda node=node: not _left(deployed, node.name), 30, f"something is left on {node.name}")  # type: ignore[misc]
