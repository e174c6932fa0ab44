"""The firewall's service, as it is wanted."""

from swarmhub.firewall import rules, spec
from swarmhub.firewall.rules import Endpoints

HUB, IMAGE = "jupyterhub", "sha256:firewall"
RULES = rules.desired(HUB, [Endpoints(("10.0.0.11",))], [], 4789, [])
WANTED = spec.desired(HUB, IMAGE, RULES)


def test_it_runs_on_every_node_in_the_hosts_own_network_with_no_right_but_over_that() -> None:
    """What it needs of its host is mounted read-only, without what is mounted below."""
    template = WANTED["TaskTemplate"]
    container = template["ContainerSpec"]
    assert (WANTED["Mode"], template["Networks"]) == ({"Global": {}}, [{"Target": "host"}])
    assert (container["CapabilityDrop"], container["CapabilityAdd"]) == (["ALL"], ["CAP_NET_ADMIN", "CAP_NET_RAW"])
    assert container["Privileges"] == {"NoNewPrivileges": True, "SELinuxContext": {"Disable": True}}
    assert {(one["ReadOnly"], one["BindOptions"]["NonRecursive"]) for one in container["Mounts"]} == {(True, True)}


def test_to_keep_servers_apart_it_sees_their_namespaces_come_and_go() -> None:
    """It may enter them, and has their network, whose servers they are, and the rules for them besides."""
    servers = spec.Servers("jupyter", (HUB, "jupyterhub-proxy"), rules.isolating(HUB))
    container = spec.desired(HUB, IMAGE, RULES, servers)["TaskTemplate"]["ContainerSpec"]
    variables = dict(line.partition("=")[::2] for line in container["Env"])
    last = container["Mounts"][-1]
    assert container["CapabilityAdd"] == ["CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_SYS_ADMIN"]
    assert (last["Source"], last["BindOptions"], last["ReadOnly"]) == ("/run/docker", {"Propagation": "rslave"}, True)
    assert [variables[name] for name in ("NETWORK", "HUB", "OURS")] == ["jupyter", HUB, f"{HUB} {HUB}-proxy"]
    assert variables["ISOLATED4"].splitlines() == list(rules.isolating(HUB).ipv4)


def test_the_rules_are_in_its_environment() -> None:
    """The script decides nothing."""
    variables = dict(line.partition("=")[::2] for line in WANTED["TaskTemplate"]["ContainerSpec"]["Env"])
    assert variables == {"CHAIN": RULES.chain, "IPV4": "\n".join(RULES.ipv4), "IPV6": "\n".join(RULES.ipv6)}
