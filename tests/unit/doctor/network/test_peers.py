"""The swarm's TCP ports, knocked at."""

import socket
import subprocess

import pytest

from swarmhub.doctor.network import peers
from swarmhub.doctor.network.peers import Knock, Peer
from swarmhub.errors import StepError
from swarmhub.host import Output
from tests.unit.doctor.answers import SpeakingHost

A, B, C = (
    Peer("a", "10.0.0.1", is_manager=True),
    Peer("b", "10.0.0.2", is_manager=False),
    Peer("c", "10.0.0.3", is_manager=False),
)
ALL = (A, B, C)


def test_each_knocks_at_the_others() -> None:
    """7946 of every other node, 2377 of the managers, in one command."""
    host = SpeakingHost("b", bash="10.0.0.1 2377 0\n10.0.0.1 7946 124\n10.0.0.3 7946 1\n")
    knocks = peers.observe(host, B, ALL)
    assert host.ran[0][4:] == ("10.0.0.3:7946", "10.0.0.1:7946", "10.0.0.1:2377")
    assert [(one.target, one.port, one.is_open, one.was_refused) for one in knocks] == [
        ("a", 2377, True, False),
        ("a", 7946, False, False),
        ("c", 7946, False, True),
    ]
    assert peers.observe(SpeakingHost("a"), A, (A,)) == []


def test_host_without_bash_is_told() -> None:
    """It cannot try; which ports to see to is said."""
    with pytest.raises(StepError, match="without bash"):
        peers.observe(SpeakingHost("a", bash=Output(127, "", "not found")), A, ALL)


def test_many_nodes_knock_at_the_next_ones() -> None:
    """The work of each stays bounded, and every node is knocked at."""
    many = [Peer(str(n), f"10.0.1.{n}", is_manager=False) for n in range(100)]
    assert {len(peers.neighbours(node, many)) for node in many} == {peers.NEIGHBOURS}
    assert {other.host for node in many for other in peers.neighbours(node, many)} == {node.host for node in many}


def test_closed_port_is_said_of_the_node_that_does_not_answer() -> None:
    """With those whom it does not answer, in one line a port; a firewall that rejects is told from silence."""
    knocks = [Knock("a", "b", 7946, False), Knock("c", "b", 7946, False), Knock("a", "c", 7946, True)]
    found = peers.judge(ALL, knocks)
    assert [(one.host, one.level) for one in found] == [("b", "failure"), ("c", "ok")]
    assert found[0].text == "7946/tcp at 10.0.0.2 does not answer a, c"
    (refused,) = peers.judge(ALL, [Knock("a", "b", 7946, False, was_refused=True)])
    assert "refuses a" in refused.text


def test_script_knocks_in_a_real_shell() -> None:
    """An open port is 0, a closed one something else."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        is_open, is_closed = server.getsockname()[1], closed.getsockname()[1]
        words = [f"127.0.0.1:{is_open}", f"127.0.0.1:{is_closed}"]
        done = subprocess.run(["bash", "-c", peers.SCRIPT, "bash", *words], capture_output=True, text=True, check=True)
    codes = {int(port): int(code) for _, port, code in map(str.split, done.stdout.splitlines())}
    assert (codes[is_open], codes[is_closed]) == (0, 1)
