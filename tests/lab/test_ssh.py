"""Servers and machines that are not as ours: few sessions, greetings, other languages. About 3 s each, and no update."""

import os
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from lab import machine, topology
from tests.lab.grouped import KNOWN, USER, logged_in
from tests.lab.support import Lab, Settings

MANAGER = topology.MANAGER.name
CONFIG = "/etc/ssh/sshd_config.d/test.conf"
RELOADED = "ss -Hltn 'sport = :22' | grep -q LISTEN"


@contextmanager
def sshd(lab: Lab, line: str, *nodes: str) -> Iterator[None]:
    """Configure the nodes' sshd for a while."""
    for node in nodes:
        lab.on(node, "sh", "-c", f"echo '{line}' > {CONFIG}; sv hup ssh")
    try:
        for node in nodes:
            lab.wait(partial(listens, lab, node), 20, f"sshd on {node} does not come back")
        yield
    finally:
        for node in nodes:
            lab.on(node, "sh", "-c", f"rm {CONFIG}; sv hup ssh")


def listens(lab: Lab, node: str) -> bool:
    """Tell whether a node's sshd listens, as it does again when it has read its configuration."""
    return lab.on(node, "sh", "-c", f"{RELOADED} && echo yes || :") == "yes"


@pytest.mark.parametrize("sessions", [1, 2])
def test_a_hardened_sshd_permits_few_sessions(deployed: Lab, sessions: int) -> None:
    """A deploy takes further connections for what one does not permit."""
    with sshd(deployed, f"MaxSessions {sessions}", *(node.name for node in topology.NODES)):
        assert f"maxsessions {sessions}" in deployed.on(MANAGER, "sshd", "-T")
        done = deployed.fab("deploy")
    assert (done.code, "nothing to change" in done.out, done.err) == (0, True, ""), done.text
    assert not re.search("Exception|Traceback", done.text)


def test_an_sshd_that_permits_no_session_is_told_in_a_line(deployed: Lab) -> None:
    """With the setting that helps."""
    with sshd(deployed, "MaxSessions 0", MANAGER):
        done = deployed.fab("status")
    assert done.code == 1
    assert f"{MANAGER}: status: its sshd permits no session at all. Permit some there: MaxSessions 10" in done.err


@pytest.fixture
def keys(tmp_path: Path) -> Iterator[Path]:
    """Start an agent with eight keys, of which the lab's is the last; return its socket."""
    socket = tmp_path / "agent"
    with subprocess.Popen(["ssh-agent", "-D", "-a", str(socket)], stdout=subprocess.DEVNULL) as agent:
        machine.wait_for(socket.exists, 10, "the agent does not start")
        for number in range(7):
            other = tmp_path / f"key{number}"
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(other)], check=True)
        added = [*sorted(tmp_path.glob("key?")), topology.STATE / "ssh_key"]
        subprocess.run(["ssh-add", "-q", *map(str, added)], env={**os.environ, "SSH_AUTH_SOCK": str(socket)}, check=True)
        yield socket
        agent.terminate()


def by_agent(socket: Path, *lines: str) -> Callable[[str], str]:
    """Return the change of an ssh_config that takes the key from an agent and says this of identities."""

    def change(config: str) -> str:
        with_agent = re.sub(r"  (IdentityFile|IdentitiesOnly) .*\n", "", config)
        return "".join((with_agent, f"\nHost *\n  IdentityAgent {socket}\n", *(f"  {line}\n" for line in lines)))

    return change


PUBLIC = f"IdentityFile {topology.STATE / 'ssh_key.pub'}"


@pytest.mark.parametrize("lines", [(PUBLIC,), (PUBLIC, "IdentitiesOnly yes")], ids=["first", "only"])
def test_of_many_keys_in_an_agent_the_named_one_is_offered(
    deployed: Lab, settings: Settings, keys: Path, lines: tuple[str, ...]
) -> None:
    """IdentityAgent says which agent, IdentityFile which of its keys comes first: sshd listens to six."""
    done = deployed.fab("status", hosts=settings(ssh=by_agent(keys, *lines)), SSH_AUTH_SOCK="")
    assert done.code == 0, done.text


def test_too_many_keys_are_told(deployed: Lab, settings: Settings, keys: Path) -> None:
    """With the lines that help."""
    # A newer sshd turns a machine away for a while that has offered it too much.
    with sshd(deployed, "PerSourcePenalties no", *(node.name for node in topology.NODES)):
        done = deployed.fab("status", hosts=settings(ssh=by_agent(keys)), SSH_AUTH_SOCK="")
    assert done.code == 1
    assert "refuses the first of your agent's keys, and listens to no more. Name the key for" in done.err


def test_included_files_and_matches_are_read(deployed: Lab, settings: Settings, tmp_path: Path) -> None:
    """As ssh reads them; what ssh refuses is told in its words."""
    (tmp_path / "included").write_text((topology.STATE / "ssh_config").read_text())
    config = f"Include {tmp_path}/inc*\n\nMatch originalhost elsewhere\n  User nobody\n  Port 9\n"
    done = deployed.fab("status", hosts=settings(ssh=lambda _: config))
    assert done.code == 0, done.text
    done = deployed.fab("status", hosts=settings(ssh=lambda _: config.replace("Include", "Includes")))
    assert (done.code, "ssh cannot use its configuration" in done.err, "Traceback" in done.err) == (1, True, False)


def test_a_hub_that_only_its_manager_reaches_is_asked_by_it(deployed: Lab, settings: Settings, tmp_path: Path) -> None:
    """As from a laptop that comes in through a jump host: health, and the hub's API."""
    secrets = (topology.STATE / "oauth.env").read_text().replace(f":{topology.MANAGER.ports[443]}/", ":9/")
    (tmp_path / "oauth.env").write_text(secrets)
    hosts = settings()
    hosts.write_text(hosts.read_text().replace(str(topology.STATE / "oauth.env"), str(tmp_path / "oauth.env")))
    done = deployed.fab("users", hosts=hosts)
    assert (done.code, "ada" in done.out) == (0, True), done.text


@pytest.fixture
def bashrc(deployed: Lab) -> Iterator[Callable[[str], None]]:
    """Give what writes the first lines of a user's ~/.bashrc on the manager, which sshd's bash reads for each command."""
    file = f"/home/{USER}/.bashrc"
    deployed.on(MANAGER, "sh", "-c", f"{KNOWN}; cp {file} {file}.before")

    def write(lines: str) -> None:
        deployed.on(MANAGER, "sh", "-c", f"printf '%s\\n' '{lines}' | cat - {file}.before > {file}")

    yield write
    deployed.on(MANAGER, "mv", f"{file}.before", file)


def test_a_greeting_and_a_short_path_are_told(deployed: Lab, settings: Settings, bashrc: Callable[[str], None]) -> None:
    """Both in one line with the cause, and no answer that nobody can read."""
    hosts = settings(ssh=logged_in)
    bashrc("echo Welcome to the lab")
    done = deployed.fab("network", hosts=hosts)
    assert (done.code, done.err.count("\n")) == (1, 1), done.text
    assert f"{MANAGER}: network: its login shell prints something where commands run: 'Welcome to the lab'" in done.err
    assert "'Welcome to the lab'" in deployed.fab("doctor", hosts=hosts).text
    bashrc("mkdir -p ~/few; ln -sf /usr/bin/env /usr/bin/sh /usr/bin/true ~/few/; PATH=~/few")
    done = deployed.fab("network", hosts=hosts)
    assert (done.code, done.err.count("\n")) == (1, 1), done.text
    assert f"{MANAGER}: network: docker is /usr/bin/docker, which is not on the path (PATH) of commands over SSH" in done.err
