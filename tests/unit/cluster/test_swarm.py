"""The swarm of hosts.toml: who makes it, who joins it as what, and who is refused."""

from typing import Any

import pytest
from pydantic import SecretStr

from swarmhub.cluster import swarm
from swarmhub.cluster.nodes import Member, Swarm
from swarmhub.cluster.swarm import Ticket
from swarmhub.errors import StepError, StepErrors
from swarmhub.host import EngineError, Output
from swarmhub.plan.plans import Plan
from tests.unit.support.fakes import MANAGER, WORKER1, WORKER2, Clock, FakeHost, FakeProgress, in_turn, settings
from tests.unit.support.swarms import MEMBERS, OUTSIDE, WHOLE, member, node, with_nodes

MANAGER2 = "swarm-manager2"
TOKEN = "SWMTKN-1-secret"
TICKET = Ticket(("10.0.0.11:2377",), {"manager": SecretStr(f"{TOKEN}-manager"), "worker": SecretStr(f"{TOKEN}-worker")})
TWO = settings(hosts={"managers": [MANAGER, MANAGER2], "workers": [WORKER1]})
SILENT = StepError(WORKER1, "no answer", "Is it up?")


def joins(members: dict[str, Member | StepError], found: Swarm = WHOLE, **tables: Any) -> Plan:
    """Return the joins for hosts that say this of themselves."""
    return swarm.plan_joins(settings(**tables), {**MEMBERS, **members}, found, TICKET)


def sentences(plan: Plan) -> list[str]:
    """Return what a plan does."""
    return [change.sentence for change in plan.changes]


def test_a_ticket_is_read_off_a_manager() -> None:
    """Tokens and the addresses of all managers come from the manager that is asked; the tokens' repr shows nothing."""
    answers = {
        "GET /swarm": {"JoinTokens": {"Manager": "m", "Worker": "w"}},
        "GET /info": {"Swarm": {"RemoteManagers": [{"Addr": "10.0.0.12:2377"}, {"Addr": "10.0.0.11:2377"}]}},
    }
    ticket = swarm.observe(FakeHost(answers=answers))
    assert ticket.addresses == ("10.0.0.11:2377", "10.0.0.12:2377")
    assert {role: token.get_secret_value() for role, token in ticket.tokens.items()} == {"manager": "m", "worker": "w"}
    assert TOKEN not in repr(TICKET)


@pytest.mark.parametrize(("count", "warns"), [(1, False), (2, True), (3, False), (4, True)])
def test_an_even_number_of_managers_is_warned_of(count: int, warns: bool) -> None:
    """Two managers lose the quorum with either of them."""
    hosts = {"managers": [f"m{number}" for number in range(count)], "workers": []}
    assert bool(swarm.warning(settings(hosts=hosts))) is warns


def test_where_no_host_is_in_a_swarm_there_is_nobody_to_ask() -> None:
    """Then the first manager makes one."""
    assert swarm.acting(settings(), dict.fromkeys(MEMBERS, OUTSIDE), MANAGER) is None


def test_the_manager_that_is_in_the_swarm_is_asked() -> None:
    """The first manager of hosts.toml may be the one that is to join."""
    members = {MANAGER: OUTSIDE, MANAGER2: member("n2", is_manager=True), WORKER1: member("n3")}
    assert swarm.acting(TWO, members, MANAGER) == MANAGER2


def test_no_swarm_is_made_beside_one_that_a_host_is_in() -> None:
    """A worker of a swarm whose managers hosts.toml does not name stops it."""
    with pytest.raises(StepError, match=f"{WORKER1}: is in another swarm"):
        swarm.acting(settings(), {MANAGER: OUTSIDE, WORKER1: member("n2"), WORKER2: OUTSIDE}, MANAGER)


def test_no_swarm_is_made_while_a_host_cannot_be_asked() -> None:
    """The host that does not answer may be a manager of the swarm that there is."""
    with pytest.raises(StepErrors, match="no answer"):
        swarm.acting(settings(), {MANAGER: OUTSIDE, WORKER1: SILENT, WORKER2: OUTSIDE}, MANAGER)


@pytest.mark.parametrize(
    ("tables", "address", "command"),
    [
        ({}, "", "docker swarm init"),
        ({"hosts": {"advertise": "eth1"}}, "eth1", "docker swarm init --advertise-addr eth1"),
    ],
)
def test_a_swarm_is_made_with_the_address_that_docker_or_the_settings_choose(
    progress: FakeProgress, tables: dict[str, Any], address: str, command: str
) -> None:
    """Without a setting the engine's own choice counts."""
    (change,) = swarm.plan_init(settings(**tables), MANAGER).changes
    host = FakeHost()
    change.apply(host, progress)
    assert host.engine.sent("POST /swarm/init").body == {"ListenAddr": "0.0.0.0:2377", "AdvertiseAddr": address}
    assert (change.host, change.command) == (MANAGER, command)


def test_a_swarm_takes_its_networks_from_the_addresses_that_the_settings_give(progress: FakeProgress) -> None:
    """All of its networks, the one of published ports too: Docker's own choice may be the company's."""
    (change,) = swarm.plan_init(settings(network={"pool": "172.28.0.0/16"}), MANAGER).changes
    host = FakeHost()
    change.apply(host, progress)
    sent = host.engine.sent("POST /swarm/init").body
    assert (sent["DefaultAddrPool"], sent["SubnetSize"]) == (["172.28.0.0/16"], 24)
    assert change.command == "docker swarm init --default-addr-pool 172.28.0.0/16"


def test_an_engine_that_cannot_choose_an_address_names_the_setting(progress: FakeProgress) -> None:
    """Two interfaces: the engine refuses, and the line says which setting decides."""
    said = (
        "could not choose an IP address to advertise since this system has multiple addresses on different interfaces "
        "(10.0.0.11 on eth0 and 192.168.1.11 on eth1) - specify one with --advertise-addr"
    )
    (change,) = swarm.plan_init(settings(), MANAGER).changes
    with pytest.raises(StepError, match=r'10\.0\.0\.11 on eth0 .*hosts\.advertise = "eth1"'):
        change.apply(FakeHost(answers={"POST /swarm/init": EngineError(MANAGER, 400, said)}), progress)


@pytest.mark.parametrize("plan", [swarm.plan_init(settings(), MANAGER), joins({WORKER1: OUTSIDE})], ids=["init", "join"])
def test_the_networks_of_a_swarm_that_a_host_has_left_are_waited_for(progress: FakeProgress, clock: Clock, plan: Plan) -> None:
    """An engine shows them until their last container has ended, as if they were the new swarm's."""
    host = FakeHost(answers={"GET /networks": in_turn([{"Name": "jupyter"}], [{"Name": "jupyter"}], [])})
    plan.changes[0].apply(host, progress)
    assert [str(one) for one in host.engine.requests][:3] == ["GET /networks"] * 3
    assert len(clock.slept) == 2


def test_a_network_of_a_swarm_that_was_left_and_stays_is_named(progress: FakeProgress, clock: Clock) -> None:
    """A container that somebody keeps on it holds it; no swarm is made."""
    (change,) = swarm.plan_init(settings(), MANAGER).changes
    host = FakeHost(answers={"GET /networks": [{"Name": "jupyter"}]})
    with pytest.raises(StepError, match=r"still has networks of a swarm that it has left: jupyter"):
        change.apply(host, progress)
    assert clock.slept


@pytest.mark.parametrize(
    ("listening", "is_kept"),
    [
        ("", False),
        ('LISTEN 0 4096 *:7946 *:* users:(("dockerd",pid=7,fd=9))', True),
        ("LISTEN 0 4096 *:7946 *:*", True),
        ('LISTEN 0 4096 *:7946 *:* users:(("serf",pid=7,fd=9))', False),
        ("LISTEN 0 4096 127.0.0.1:7946 0.0.0.0:*", False),
    ],
    ids=["free", "the engine's", "whose it is nobody tells", "another program's", "on one address"],
)
@pytest.mark.parametrize("plan", [swarm.plan_init(settings(), MANAGER), joins({WORKER1: OUTSIDE})], ids=["init", "join"])
def test_an_engine_that_keeps_the_port_of_its_last_swarm_enters_no_other(
    progress: FakeProgress, clock: Clock, plan: Plan, listening: str, is_kept: bool
) -> None:
    """It would reach no other node there; what else listens on that port is no reason to refuse."""
    host = FakeHost(MANAGER, commands={"ss -Hltnp sport = :7946": Output(0, listening, "")})
    if not is_kept:
        plan.changes[0].apply(host, progress)
        assert (len(host.engine.asked("POST")), clock.slept) == (1, [])
        return
    with pytest.raises(StepError, match=r"still has port 7946 .* sudo systemctl restart docker; then: fab swarm-init"):
        plan.changes[0].apply(host, progress)
    assert host.engine.asked("POST") == []
    assert sum(clock.slept) == pytest.approx(15, abs=1)


def test_a_swarm_that_is_whole_needs_no_joins() -> None:
    """All hosts are in: nothing to do, and it says so."""
    plan = joins({})
    assert (plan.changes, plan.summary) == ((), "3 of 3 hosts are in the swarm")


def test_missing_hosts_join_in_their_role() -> None:
    """Each host joins as what hosts.toml says; with a manager among them one after the other."""
    plan = swarm.plan_joins(TWO, {MANAGER: MEMBERS[MANAGER], MANAGER2: OUTSIDE, WORKER1: OUTSIDE}, WHOLE, TICKET)
    assert sentences(plan) == [
        f"join the swarm as a manager on {MANAGER2}",
        f"join the swarm as a worker on {WORKER1}",
    ]
    assert (plan.at_once, joins({WORKER1: OUTSIDE}).at_once) == (False, True)


def test_a_host_joins_paused_with_its_roles_token_in_the_body(progress: FakeProgress) -> None:
    """No task is placed on it before its image is there, and no message or repr shows the token."""
    plan = joins({WORKER1: OUTSIDE})
    host = FakeHost(WORKER1)
    plan.changes[0].apply(host, progress)
    assert host.engine.sent("POST /swarm/join").body == {
        "ListenAddr": "0.0.0.0:2377",
        "AdvertiseAddr": "",
        "RemoteAddrs": ["10.0.0.11:2377"],
        "JoinToken": f"{TOKEN}-worker",
        "Availability": "pause",
    }
    assert TOKEN not in repr(plan) + str(progress)


def as_it_joins(*states: str) -> FakeHost:
    """Return a host whose join takes longer than its engine waits, and what it says of itself then."""
    slow = EngineError(
        WORKER1, 503, "Timeout was reached before node joined. The attempt to join will continue in the background."
    )
    said = in_turn(*({"Swarm": {"LocalNodeState": state}} for state in states))
    return FakeHost(WORKER1, {"POST /swarm/join": slow, "GET /info": said})


@pytest.mark.parametrize("states", [("pending", "inactive"), ("pending",)], ids=["it gives up", "for ever"])
def test_managers_that_do_not_answer_are_a_closed_port(progress: FakeProgress, clock: Clock, states: tuple[str, ...]) -> None:
    """A join that times out names the port and the addresses."""
    (change,) = joins({WORKER1: OUTSIDE}).changes
    with pytest.raises(StepError, match=r"does not reach the managers: .* Is 2377/tcp open on 10\.0\.0\.11:2377"):
        change.apply(as_it_joins(*states), progress)


@pytest.mark.usefixtures("clock")
def test_a_join_that_an_engine_goes_on_with_is_waited_for(progress: FakeProgress) -> None:
    """On a slow machine, it takes longer than the engine's answer."""
    (change,) = joins({WORKER1: OUTSIDE}).changes
    host = as_it_joins("pending", "pending", "active")
    change.apply(host, progress)
    assert host.engine.asked("GET") == ["GET /networks", *["GET /info"] * 3]


@pytest.mark.parametrize(
    ("said", "address"),
    [("2: eth1    inet 10.1.2.3/24 brd 10.1.2.255 scope global eth1\n", "10.1.2.3"), ("", "eth1")],
    ids=["its address", "no ip command"],
)
def test_an_interface_is_told_to_the_engine_by_its_address(progress: FakeProgress, said: str, address: str) -> None:
    """An engine refuses an interface with two addresses by IPv6, and a link-local one is on each."""
    (change,) = swarm.plan_init(settings(hosts={"managers": [MANAGER], "workers": [], "advertise": "eth1"}), MANAGER).changes
    host = FakeHost(commands={"ip -4 -o addr show dev eth1 scope global": Output(0, said, "")})
    change.apply(host, progress)
    assert host.engine.sent("POST /swarm/init").body["AdvertiseAddr"] == address


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (member("other"), r"is in another swarm\. .*docker swarm leave;"),
        (member("other", is_manager=True), r"is in another swarm\. .*docker swarm leave --force"),
        (member("", state="locked"), "docker swarm unlock"),
        (member(""), r"left its swarm only half\. There: docker swarm leave --force"),
        (member("", state="error"), "its engine says: error"),
    ],
)
def test_a_host_that_is_somewhere_else_is_refused(found: Member, said: str) -> None:
    """Nobody is taken out of another swarm by us; the line says how."""
    with pytest.raises(StepErrors, match=said):
        joins({WORKER1: found})


def test_a_host_that_does_not_answer_keeps_no_other_from_joining() -> None:
    """The others join; that one is an error at the end."""
    assert sentences(joins({WORKER1: SILENT, WORKER2: OUTSIDE})) == [f"join the swarm as a worker on {WORKER2}"]
    with pytest.raises(StepErrors, match="no answer"):
        swarm.require_reached({**MEMBERS, WORKER1: SILENT})


def roles(found: Swarm, *joined: str, hub: str = "n1", members: Any = MEMBERS, wanted: Any = None) -> list[str]:
    """Return what remains to do when all have joined."""
    return sentences(swarm.plan_roles(wanted or settings(), members, found, joined, manager=MANAGER, hub=hub))


def test_who_has_just_joined_is_marked() -> None:
    """The mark tells a node that waits from one that an operator has paused; hosts in their roles are left alone."""
    assert roles(WHOLE) == []
    assert roles(WHOLE, WORKER1) == [f"mark {WORKER1} (it waits for its image) on {MANAGER}"]


def test_promotions_come_before_demotions() -> None:
    """A manager that is replaced goes when its successor is one."""
    found = with_nodes(node("n2", WORKER1, "manager"))
    wanted = settings(hosts={"managers": [MANAGER, WORKER2], "workers": [WORKER1]})
    assert roles(found, wanted=wanted) == [f"promote {WORKER2} on {MANAGER}", f"demote {WORKER1} on {MANAGER}"]


def test_a_demotion_that_loses_the_quorum_is_refused() -> None:
    """With the other manager down nobody could decide anything."""
    down = node("n9", "lost", "manager", is_reachable=False, state="down")
    with pytest.raises(StepError, match="would lose the quorum: 1 of the 2"):
        roles(with_nodes(node("n2", WORKER1, "manager"), down))


def test_the_hubs_manager_is_not_demoted() -> None:
    """The hub runs on a manager only."""
    with pytest.raises(StepError, match="holds the hub"):
        roles(with_nodes(node("n2", WORKER1, "manager")), hub="n2")


@pytest.mark.parametrize(
    ("left", "forgotten"),
    [
        (node("old", WORKER1), True),
        (node("old", WORKER1, state="down"), True),
        (node("old", WORKER1, address="10.0.9.9"), False),
        (node("old", "another-host"), False),
        (node("old", WORKER1, "manager", state="unknown", is_reachable=False), True),
    ],
)
def test_the_id_that_a_host_had_before_is_forgotten(left: Any, forgotten: bool) -> None:
    """Only what has a host's name and address, and is no host of today, is that host's earlier self."""
    assert bool(roles(with_nodes(left))) is forgotten


def test_a_node_is_marked_when_it_is_ready(progress: FakeProgress, clock: Clock) -> None:
    """The step ends when the node that has joined is seen ready; its other labels stay."""
    spec = {"Role": "worker", "Availability": "pause", "Labels": {"rack": "4"}}
    joining = {"ID": "n2", "Version": {"Index": 7}, "Spec": spec, "Status": {"State": "unknown"}}
    ready = {**joining, "Status": {"State": "ready"}}
    host = FakeHost(answers={"GET /nodes/n2": in_turn(joining, ready)})
    plan = swarm.plan_roles(settings(), MEMBERS, WHOLE, [WORKER1], manager=MANAGER)
    plan.changes[0].apply(host, progress)
    sent = host.engine.sent("POST /nodes/n2/update")
    assert (sent.params, sent.body) == ({"version": 7}, {**spec, "Labels": {"rack": "4", "swarmhub.waits": "image"}})
    assert len(clock.slept) == 1


def test_a_node_that_does_not_become_ready_is_an_error(progress: FakeProgress, clock: Clock) -> None:
    """A closed port between the nodes shows here."""
    host = FakeHost(answers={"GET /nodes/n2": {"Status": {"State": "down"}}})
    plan = swarm.plan_roles(settings(), MEMBERS, WHOLE, [WORKER1], manager=MANAGER)
    with pytest.raises(StepError, match=r"is not ready after 60 s\..*7946"):
        plan.changes[0].apply(host, progress)
    assert clock.now > 1060


def test_a_promotion_ends_when_the_node_manages(progress: FakeProgress, clock: Clock) -> None:
    """The manager's status is what tells, not the role that was asked for."""
    found = {"Version": {"Index": 7}, "Spec": {"Role": "worker", "Availability": "active"}}
    host = FakeHost(answers={"GET /nodes/n3": in_turn(found, found, {**found, "ManagerStatus": {"Reachability": "reachable"}})})
    wanted = settings(hosts={"managers": [MANAGER, WORKER2], "workers": [WORKER1]})
    swarm.plan_roles(wanted, MEMBERS, WHOLE, [], manager=MANAGER).changes[0].apply(host, progress)
    assert host.engine.sent("POST /nodes/n3/update").body["Role"] == "manager"
    assert len(clock.slept) == 1


def test_the_id_of_a_manager_that_is_lost_is_demoted_before_it_is_forgotten(progress: FakeProgress) -> None:
    """Docker removes no manager."""
    lost = node("old", WORKER1, "manager", state="unknown", is_reachable=False)
    found = {"Version": {"Index": 7}, "Spec": {"Role": "manager", "Availability": "active"}}
    known = {**found, "ManagerStatus": {"Reachability": "unreachable"}}
    host = FakeHost(answers={"GET /nodes/old": in_turn(known, known, found)})
    change = swarm.plan_roles(settings(), MEMBERS, with_nodes(lost), [], manager=MANAGER).changes[0]
    change.apply(host, progress)
    assert [call for call in host.engine.asked() if not call.startswith("GET")] == [
        "POST /nodes/old/update",
        "DELETE /nodes/old",
    ]
    # One that a recovery has left out is a manager by its role alone.
    host = FakeHost(answers={"GET /nodes/old": found})
    change.apply(host, progress)
    assert [call for call in host.engine.asked() if not call.startswith("GET")] == ["DELETE /nodes/old"]
