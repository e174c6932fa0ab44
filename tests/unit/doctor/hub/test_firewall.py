"""What the doctor says of the rules in a host's firewall."""

import pytest

from swarmhub.doctor.finding import Level
from swarmhub.doctor.hub import firewall
from swarmhub.firewall import rules as firewall_rules
from swarmhub.firewall.rules import Endpoints
from swarmhub.host import Output
from tests.unit.support.fakes import MANAGER, WORKER1, FakeHost

LISTED = ("docker", "exec", "c1", "/bin/sh", "/firewall.sh", "list")


def listed(*addresses: str, deny: tuple[str, ...] = ()) -> str:
    """Return the rules of a cluster in words."""
    rules = firewall_rules.desired("jupyterhub", [Endpoints(addresses)], [], 4789, deny)
    return firewall.listed("\n".join(("-N SWARMHUB-jupyterhub", *rules.ipv4, *rules.ipv6)))


def test_rules_are_told_in_words() -> None:
    """What is refused whole, then the ports and whose they are, many of them counted; that servers are kept apart."""
    assert listed("10.0.0.11", "10.0.0.21", deny=("10.1.0.5:5432",)) == (
        "10.1.0.5 tcp 5432, 10.1.0.5 udp 5432, a cloud's metadata"
        " nor tcp 22,2375,2376,2377,7946 and udp 4789,7946 of the host, 10.0.0.11, 10.0.0.21"
    )
    told = listed(*(f"10.0.0.{number}" for number in range(1, 21)))
    assert told.endswith("of the host, 10.0.0.1, 10.0.0.2, 10.0.0.3, 10.0.0.4, 10.0.0.5, 15 more")
    rules = firewall_rules.desired("jupyterhub", [], [], 4789, ())
    assert firewall.listed("\n".join((*rules.ipv4, "isolated on jupyter"))).endswith("of the host nor each other")


def test_each_host_is_asked_in_its_container() -> None:
    """Nobody else on the host needs to be root for it."""
    rules = Output(0, "-A X -d 10.0.0.1/32 -j REJECT\n", "")
    host = FakeHost(WORKER1, {"GET /containers/json": [{"Id": "c1"}]}, {" ".join(LISTED): rules})
    (finding,) = firewall.examine([host], "jupyterhub")
    asked = host.engine.sent("GET /containers/json").params["filters"]
    assert (finding.level, finding.host) == (Level.OK, WORKER1)
    assert asked == {"label": ["com.docker.swarm.service.name=jupyterhub_firewall"]}


def test_rules_that_do_not_stand_are_a_failure_with_what_the_host_says() -> None:
    """Or that they are missing, where it says nothing."""
    answers = {MANAGER: Output(1, "", "iptables: Permission denied.\n"), WORKER1: Output(1, "", "")}
    findings = firewall.judge(answers)
    assert [(one.level, one.text) for one in findings] == [
        (Level.FAILURE, "the firewall rules are not active: iptables: Permission denied."),
        (Level.FAILURE, "the firewall rules are not active: rules are missing"),
    ]


@pytest.mark.parametrize(
    ("isolated", "level", "told"),
    [
        ("isolated on jupyter\n", Level.WARNING, "lose their IPv6 addresses"),
        ("", Level.FAILURE, "reaches by it what the rules refuse"),
    ],
)
def test_a_host_that_cannot_filter_ipv6_is_to_be_looked_at(isolated: str, level: Level, told: str) -> None:
    """Servers lose their IPv6 addresses there, where they are kept apart; else nothing closes that way."""
    rules = f"-A X -d 10.0.0.1/32 -j REJECT\n{isolated}without ip6tables\n"
    (finding,) = firewall.judge({MANAGER: Output(0, rules, "")})
    assert (finding.level, told in finding.text) == (level, True)


def test_a_host_without_its_container_is_a_failure() -> None:
    """And the others are asked."""
    (finding,) = firewall.examine([FakeHost(WORKER1, {"GET /containers/json": []})], "jupyterhub")
    assert (finding.level, "the container that keeps the firewall rules does not run" in finding.text) == (Level.FAILURE, True)
