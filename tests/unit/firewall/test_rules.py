"""The rules of the firewall, as a node's iptables takes them."""

from swarmhub.firewall import rules as firewall_rules
from swarmhub.firewall.rules import ChainRules, Endpoints

TCP, UDP = "22,2375,2376,2377,7946", "4789,7946"


def desired(*nodes: Endpoints, swarm: tuple[str, ...] = (), port: int = 4789, deny: tuple[str, ...] = ()) -> ChainRules:
    """Return the rules of the hub "jupyterhub"."""
    return firewall_rules.desired("jupyterhub", nodes, swarm, port, deny)


def bare(rules: tuple[str, ...]) -> list[str]:
    """Return rules without the chain that they stand in."""
    return [rule.removeprefix("-A SWARMHUB-jupyterhub ") for rule in rules]


def test_a_cluster_of_one_address_has_these_rules() -> None:
    """Metadata first, but for DNS; what goes to no port of ours leaves the chain; the rest is refused at the node."""
    assert bare(desired(Endpoints(("10.0.0.11",), (22,))).ipv4) == [
        "-m conntrack --ctdir REPLY -j RETURN",
        "-i docker_gwbridge -o docker_gwbridge -j REJECT",
        "-d 169.254.0.0/16 -p tcp -m tcp --dport 53 -j RETURN",
        "-d 169.254.0.0/16 -p udp -m udp --dport 53 -j RETURN",
        "-d 169.254.0.0/16 -j REJECT",
        "-d 100.100.100.200/32 -p tcp -m tcp --dport 53 -j RETURN",
        "-d 100.100.100.200/32 -p udp -m udp --dport 53 -j RETURN",
        "-d 100.100.100.200/32 -j REJECT",
        "-d 168.63.129.16/32 -p tcp -m tcp --dport 80 -j REJECT --reject-with tcp-reset",
        "-d 168.63.129.16/32 -p udp -m udp --dport 80 -j REJECT",
        "-d 168.63.129.16/32 -p tcp -m tcp --dport 32526 -j REJECT --reject-with tcp-reset",
        "-d 168.63.129.16/32 -p udp -m udp --dport 32526 -j REJECT",
        f"-p tcp -m multiport ! --dports {TCP} -j RETURN",
        f"-p udp -m multiport ! --dports {UDP} -j RETURN",
        "-p tcp -m addrtype --dst-type LOCAL -j REJECT --reject-with tcp-reset",
        "-p udp -m addrtype --dst-type LOCAL -j REJECT",
        "-d 10.0.0.11/32 -p tcp -j REJECT --reject-with tcp-reset",
        "-d 10.0.0.11/32 -p udp -j REJECT",
    ]


def test_ipv6_has_its_own_addresses() -> None:
    """Its metadata addresses, and the nodes' addresses of that kind only."""
    found = bare(desired(Endpoints(("10.0.0.11", "2001:db8::11"))).ipv6)
    assert ("-d fd00:ec2::254/128 -j REJECT" in found, "-d 2001:db8::11/128 -p udp -j REJECT" in found) == (True, True)
    assert "10.0.0.11" not in str(found)


def test_every_address_stands_once_and_in_a_fixed_order() -> None:
    """Those that the hosts tell and that the swarm knows; one that a new node does not have yet is left out."""
    rules = desired(Endpoints(("10.0.0.9", "10.0.0.10")), Endpoints(("10.0.0.8",)), swarm=("10.0.0.9", "", "127.0.0.1"))
    refused = [rule.split()[1] for rule in bare(rules.ipv4) if rule.startswith("-d 10.") and "-p tcp" in rule]
    assert refused == ["10.0.0.8/32", "10.0.0.9/32", "10.0.0.10/32"]
    # Where a node serves metadata itself, all of that address is refused anyway.
    assert desired(Endpoints(("10.0.0.11", "169.254.169.254"))) == desired(Endpoints(("10.0.0.11",)))


def test_ports_are_those_of_the_cluster() -> None:
    """Where sshd or the overlay networks have others, these are closed; 22 always is."""
    rules = str(desired(Endpoints(("10.0.0.11",), (2222,)), port=4790).ipv4)
    assert ("22,2222,2375" in rules, "--dports 4790,7946" in rules) == (True, True)


def test_a_server_reaches_the_hubs_port_on_its_network_and_nothing_else() -> None:
    """It answers everybody; what it has begun is cut, whenever that was; the hub's connections are counted."""
    rules = firewall_rules.isolating("jupyterhub")
    chain = "SWARMHUB-jupyterhub"
    assert rules.ipv4 == (
        f"-A {chain} -m conntrack --ctdir REPLY -j RETURN",
        f"-A {chain} -m conntrack --ctstate INVALID -j DROP",
        f"-A {chain} -p tcp -m tcp --dport 8081 --tcp-flags FIN,SYN,RST,ACK SYN -m connlimit --connlimit-above 50"
        " --connlimit-mask 0 --connlimit-saddr -j REJECT --reject-with tcp-reset",
        f"-A {chain} -p tcp -m tcp --dport 8081 -j RETURN",
        f"-A {chain} -p tcp -j REJECT --reject-with tcp-reset",
        f"-A {chain} -j REJECT",
        f"-A OUTPUT -d PEERS ! -o lo -j {chain}",
        f"-A OUTPUT -d 224.0.0.0/4 ! -o lo -j {chain}",
        f"-A OUTPUT -d 255.255.255.255/32 ! -o lo -j {chain}",
    )
    # In IPv6 it may ask for its neighbours, or it would not find the hub; link-local addresses lead to them, too.
    assert [rule for rule in rules.ipv6 if rule not in rules.ipv4] == [
        *(f"-A {chain} -p ipv6-icmp -m icmp6 --icmpv6-type {kind} -j RETURN" for kind in (135, 136)),
        *(f"-A OUTPUT -d {everybody} ! -o lo -j {chain}" for everybody in ("fe80::/10", "ff00::/8")),
    ]


def test_what_is_denied_besides_is_so_on_all_ports_or_on_one() -> None:
    """Before the rest leaves the chain, and in the rules of its own kind."""
    rules = desired(deny=("10.0.0.5", "10.1.0.0/16:5432", "[fd00::/8]:53"))
    assert bare(rules.ipv4)[2:5] == [
        "-d 10.0.0.5/32 -j REJECT",
        "-d 10.1.0.0/16 -p tcp -m tcp --dport 5432 -j REJECT --reject-with tcp-reset",
        "-d 10.1.0.0/16 -p udp -m udp --dport 5432 -j REJECT",
    ]
    assert "-d fd00::/8 -p udp -m udp --dport 53 -j REJECT" in bare(rules.ipv6)


def test_each_hub_has_its_own_chain_of_a_length_that_the_kernel_takes() -> None:
    """Two long names that begin alike do not share one."""
    long = [firewall_rules.chain(f"the-hub-of-the-department-{number}") for number in (1, 2)]
    assert firewall_rules.chain("jupyterhub") == "SWARMHUB-jupyterhub"
    fits = "h" * (firewall_rules.CHAIN_LENGTH - len("SWARMHUB-"))
    assert firewall_rules.chain(fits) == f"SWARMHUB-{fits}"
    assert (len(set(long)), {len(one) for one in long}) == (2, {firewall_rules.CHAIN_LENGTH})
