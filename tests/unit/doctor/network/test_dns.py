"""The domain's addresses against the manager's own."""

import socket

import pytest

from swarmhub.doctor.network import dns
from tests.unit.doctor.answers import SpeakingHost
from tests.unit.support.authority import Authority, serving
from tests.unit.support.fakes import MANAGER, WORKER1, FakeHost

OWN = {MANAGER: ["127.0.0.1", "10.0.0.11", "fe80::1"], WORKER1: ["127.0.0.1", "10.0.0.21"]}
PUBLIC = {MANAGER: ["8.8.4.4"]}


@pytest.mark.parametrize(
    ("answers", "own", "level", "words"),
    [
        (["10.0.0.11"], OWN, "ok", "the manager's own"),
        ([], OWN, "failure", "has no address"),
        (["10.0.0.21"], OWN, "failure", f"10.0.0.21 ({WORKER1}), which is not the manager"),
        (["10.0.0.99"], OWN, "failure", "10.0.0.99, which is not the manager"),
        (["8.8.8.8"], OWN, "warning", "private addresses only"),
        (["8.8.8.8"], PUBLIC, "failure", "which is not the manager"),
        (["10.0.0.11", "2001:db8::1"], OWN, "warning", "2001:db8::1 as well"),
        (["127.0.1.1"], OWN, "warning", "DNS cannot be seen"),
    ],
)
def test_answer_is_judged(answers: list[str], own: dict[str, list[str]], level: str, words: str) -> None:
    """Behind a NAT, a public address may be right."""
    found = dns.judge("hub.example.org", answers, own, MANAGER)
    assert (found.level, words in found.text) == (level, True), found.text


def test_remedy_names_the_managers_address() -> None:
    """And neither loopback nor link-local ones."""
    assert dns.judge("hub.example.org", [], OWN, MANAGER).remedy == "Let hub.example.org lead to the manager: 10.0.0.11"


def test_managers_resolver_is_asked() -> None:
    """Each address once."""
    host = SpeakingHost(timeout="10.0.0.11   STREAM hub\n10.0.0.11   DGRAM\n2001:db8::1 STREAM\n")
    assert dns.observe(host, "hub.example.org") == ("10.0.0.11", "2001:db8::1")


@pytest.mark.parametrize(
    ("answers", "level", "words"),
    [
        (["10.0.0.11", "2001:db8::1"], "ok", "*.hub.example.org leads where hub.example.org does"),
        ([], "failure", "swarmhub-doctor.hub.example.org has no address"),
        (["10.0.0.99"], "failure", "leads to 10.0.0.99, and hub.example.org to 2001:db8::1, 10.0.0.11"),
    ],
)
def test_names_below_the_domain_lead_where_it_does(answers: list[str], level: str, words: str) -> None:
    """In whatever order; the remedy is one record for all of them."""
    found = dns.judge_subdomains("hub.example.org", answers, ["2001:db8::1", "10.0.0.11"], MANAGER)
    assert (found.level, words in found.text) == (level, True), found.text
    assert level == "ok" or found.remedy == "Add a DNS record for *.hub.example.org that leads where hub.example.org does"


@pytest.mark.parametrize(
    ("is_served", "publish", "level", "remedy"),
    [
        (True, "ingress", "ok", ""),
        (False, "ingress", "failure", 'Remove the AAAA record of hub.example.org, or set publish = "host" below [hub]'),
        (False, "host", "failure", "Remove the AAAA record of hub.example.org, or set the engine's userland proxy"),
        (None, "host", "warning", "Remove the AAAA record of hub.example.org"),
    ],
)
def test_browsers_try_an_ipv6_address_first(is_served: bool | None, publish: str, level: str, remedy: str) -> None:
    """One behind which nothing answers makes each of them wait."""
    answers = ["10.0.0.11", "2001:db8::1", "::1"]
    found = dns.judge_ipv6("hub.example.org", answers, is_served, publish, MANAGER)
    assert (found.level, "2001:db8::1 by IPv6" in found.text) == (level, True)
    assert found.remedy.startswith(remedy)


def test_a_proxy_in_front_may_have_any_address() -> None:
    """But the domain has to have one."""
    assert dns.judge_front("hub.example.org", ["8.8.8.8"], MANAGER).level == "ok"
    assert dns.judge_front("hub.example.org", [], MANAGER).level == "failure"


@pytest.mark.parametrize(("open_at", "is_served"), [((), None), (("127.0.0.1",), False), (("127.0.0.1", "::1"), True)])
def test_ipv6_is_tried_by_tls(open_at: tuple[str, ...], is_served: bool | None, authority: Authority) -> None:
    """Where the port answers by IPv4: the routing mesh takes a connection, and then says nothing."""
    with serving(*authority.issue("hub.example.org")) as port:

        class Manager(FakeHost):
            def tunnel(self, address: str, _: int, seconds: float) -> socket.socket:
                if address not in open_at:
                    raise ConnectionRefusedError
                return socket.create_connection(("127.0.0.1", port), seconds)

        assert dns.observe_ipv6(Manager(), 443) is is_served
