"""The swarm's TCP ports between the nodes, really tried: each node knocks at the others."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from swarmhub.doctor.finding import Finding, failure, ok
from swarmhub.errors import StepError
from swarmhub.host import Host

CHECK = "ports"
MANAGEMENT, GOSSIP = 2377, 7946
# Of many nodes each knocks at its next ones: all at all would be 40,000 knocks in a swarm of 200.
NEIGHBOURS = 30
# All at once, in the background; 124 is timeout's word for no answer.
SCRIPT = """
knock() {
  timeout 2 bash -c ": </dev/tcp/$1/$2" 2>/dev/null
  echo "$1 $2 $?"
}
for peer in "$@"; do knock "${peer%:*}" "${peer##*:}" & done
wait
"""


@dataclass(frozen=True)
class Peer:
    """A node as the others reach it."""

    host: str
    address: str
    is_manager: bool
    is_active: bool = True


@dataclass(frozen=True)
class Knock:
    """What came of one try."""

    source: str
    target: str
    port: int
    is_open: bool
    was_refused: bool = False


def neighbours(node: Peer, nodes: Sequence[Peer]) -> list[Peer]:
    """Return the nodes that one node knocks at."""
    at = nodes.index(node)
    return [*nodes[at + 1 :], *nodes[:at]][:NEIGHBOURS]


def observe(host: Host, node: Peer, nodes: Sequence[Peer]) -> list[Knock]:
    """Let one host knock at the others, all at once.

    Raises:
        StepError: it has no bash to do so.

    """
    tries = {f"{other.address}:{GOSSIP}": other for other in neighbours(node, nodes)}
    tries |= {f"{other.address}:{MANAGEMENT}": other for other in nodes if other.is_manager and other != node}
    if not tries:
        return []
    done = host.run("bash", "-c", SCRIPT, "bash", *tries)
    if done.code:
        cause = "the ports between the nodes cannot be tried from here without bash"
        raise StepError(host.name, cause, "Install bash there, or see to 2377/tcp, 7946/tcp+udp and 4789/udp by hand")
    return [_knock(node.host, tries, line.split()) for line in done.out.splitlines()]


def judge(nodes: Sequence[Peer], knocks: Sequence[Knock]) -> list[Finding]:
    """Return a line for each node and port that others knocked at: a firewall is on the node that does not answer."""
    findings = []
    for node in nodes:
        for port in (MANAGEMENT, GOSSIP):
            here = [knock for knock in knocks if knock.target == node.host and knock.port == port]
            if here:
                findings.append(_of(node, port, here))
    return findings


def _of(node: Peer, port: int, knocks: Sequence[Knock]) -> Finding:
    closed = [knock for knock in knocks if not knock.is_open]
    if not closed:
        return ok(CHECK, node.host, f"{port}/tcp is open for {len(knocks)} other node{'s' if len(knocks) > 1 else ''}")
    how = "refuses" if all(knock.was_refused for knock in closed) else "does not answer"
    text = f"{port}/tcp at {node.address} {how} {', '.join(sorted(knock.source for knock in closed))}"
    return failure(CHECK, node.host, text, f"Open it there for the other nodes, such as: sudo ufw allow {port}/tcp")


def _knock(source: str, tries: Mapping[str, Peer], words: Sequence[str]) -> Knock:
    address, port, code = words
    return Knock(source, tries[f"{address}:{port}"].host, int(port), code == "0", was_refused=code not in ("0", "124"))
