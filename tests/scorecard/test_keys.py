"""What is done to host keys: each time somebody else may be listening, and is told nothing."""

import re
import subprocess
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import pytest

from lab import topology
from tests.lab.support import Lab, Settings
from tests.report import Row
from tests.scorecard.counts import times

pytestmark = pytest.mark.timeout(1800)
MANAGER, JUMP = topology.MANAGER, topology.WORKERS[0]
COMMANDS = (("network",), ("plan",), ("deploy", "--yes"))
LOG = "/var/log/sshd.log"
# What sshd logs when a client offers a name or a key; of a client that leaves before, it logs the address alone.
ASKED = re.compile(r"Accepted|Failed|authenticating user|invalid user|userauth|Postponed", re.IGNORECASE)
SAYS = {
    "unknown": "unknown host key ssh-ed25519 SHA256:",
    "changed": "the host key has CHANGED: it shows SHA256:",
    "of another type": "host key",
    "revoked": "is REVOKED in known_hosts",
}
PLACES = ("direct", "behind a jump host", "the jump host")


@dataclass(frozen=True)
class Shown:
    """The node whose key is not the one that is known, how the ssh_config leads there, and what is known of its key."""

    node: topology.Node
    by_jump: bool
    kind: str

    @property
    def name(self) -> str:
        """Return the name under which known_hosts has the node."""
        return self.node.address if self.by_jump and self.node is MANAGER else f"[127.0.0.1]:{self.node.ssh_port}"

    def known(self, other: str, of_type: str) -> str:
        """Return known_hosts: right for all nodes, but for this one."""
        keys = {one.name: _public(one.name) for one in topology.NODES}
        right = [f"[127.0.0.1]:{one.ssh_port} {keys[one.name]}" for one in topology.NODES if one is not self.node]
        wrong = {
            "unknown": "",
            "changed": f"{self.name} {other}",
            "of another type": f"{self.name} {of_type}",
            "revoked": f"{self.name} {keys[self.node.name]}\n@revoked * {keys[self.node.name]}",
        }[self.kind]
        behind = f"{MANAGER.address} {keys[MANAGER.name]}" if self.node is not MANAGER else ""
        return "\n".join([*right, behind, wrong, ""])

    def config(self, text: str, known: Path) -> str:
        """Return the ssh_config that leads to the manager so."""
        text = text.replace(str(topology.STATE / "known_hosts"), str(known))
        if not self.by_jump:
            return text
        here = f"HostName 127.0.0.1\n  Port {MANAGER.ssh_port}\n"
        assert here in text
        return text.replace(here, f"HostName {MANAGER.address}\n  Port 22\n  ProxyJump {JUMP.name}\n")


def test_host_keys(deployed: Lab, settings: Settings, tmp_path: Path, seen: Row) -> None:
    """8. A host's key is unknown, changed, of another type or revoked: a host, one behind a jump host, or the jump host."""
    other, of_type = (_made(tmp_path, kind) for kind in ("ed25519", "ecdsa"))
    known = tmp_path / "known"
    assert ASKED.search(_asked_at(deployed, MANAGER.name)), "sshd notes nothing of those who log in"
    cases = [*product(PLACES, SAYS)]
    rounds = max(1, times(50) // len(cases))
    for number, (place, kind) in enumerate(cases * rounds):
        shown = Shown(JUMP if place == PLACES[2] else MANAGER, place != PLACES[0], kind)
        known.write_text(shown.known(other, of_type))
        hosts = settings(ssh=lambda text, shown=shown: shown.config(text, known))
        _forget(deployed)
        done = deployed.fab(*COMMANDS[number % len(COMMANDS)], hosts=hosts)
        assert (done.code, SAYS[kind] in done.text, "Traceback" in done.text) == (1, True, False), (
            f"{place}, {kind}: {done.text}"
        )
        assert (f"jump host {JUMP.name}" in done.text or "jump host 127" in done.text) == (place == PLACES[2]), done.text
        assert [name for name in {MANAGER.name, shown.node.name} if ASKED.search(_asked_at(deployed, name))] == [], (
            f"{place}, {kind}"
        )
    seen(f"{len(cases) * rounds} times, {len(SAYS)} kinds at {len(PLACES)} places: refused with the host and the fingerprint")
    seen("no name and no key was offered to it: sshd has noted none")


def _public(node: str) -> str:
    return (topology.STATE / f"{node}.ssh_host_key.pub").read_text().strip()


def _made(folder: Path, kind: str) -> str:
    """Return the public half of a new key."""
    file = folder / kind
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-f", str(file)], check=True)
    return file.with_suffix(".pub").read_text().strip()


def _asked_at(lab: Lab, node: str) -> str:
    return lab.on(node, "cat", LOG)


def _forget(lab: Lab) -> None:
    for node in (MANAGER, JUMP):
        lab.on(node.name, "truncate", "-s", "0", LOG)
