"""The rules that keep notebooks away from the nodes: what each host's firewall holds."""

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import pairwise

from swarmhub.doctor.finding import Finding, failure, from_error, ok, warning
from swarmhub.engine import containers
from swarmhub.errors import StepError
from swarmhub.firewall import firewall, image
from swarmhub.firewall.rules import METADATA
from swarmhub.host import Host, Output
from swarmhub.parallel import at_once
from swarmhub.settings.target import target

CHECK = "firewall"
# A large cluster has more addresses than a line takes.
SHOWN = 5
# The script's own words, beside the rules.
APART, CLOSED = "isolated on ", "without ip6tables"
# Their ports are not told.
KNOWN = {target(one)[0].removesuffix("/32").removesuffix("/128") for one in METADATA}


def observe(host: Host, service: str) -> Output:
    """List the rules on a host.

    Raises:
        StepError: no container of the firewall runs there.

    """
    running = containers.of_service(host, service)
    if not running:
        raise StepError(
            host.name,
            "notebooks there reach the nodes: the container that keeps the firewall rules does not run",
            "To see why: fab firewall",
        )
    return containers.execute(host, running[0]["Id"], "/bin/sh", image.IN_CONTAINER, "list")


def examine(hosts: Sequence[Host], hub: str) -> list[Finding]:
    """Ask the hosts, and return a line for each."""
    answers = at_once([partial(observe, host, firewall.name(hub)) for host in hosts])
    return judge({host.name: answer for host, answer in zip(hosts, answers, strict=True)})


def judge(answers: Mapping[str, Output | BaseException]) -> list[Finding]:
    """Return the rules of each host in words, or that they are not active."""
    return [from_error(CHECK, host, one) if isinstance(one, BaseException) else _of(host, one) for host, one in answers.items()]


def missing(manager: str) -> Finding:
    """Return that a hub runs without the firewall that the settings want."""
    return failure(CHECK, manager, "notebooks reach the nodes: there are no firewall rules", "Create them: fab firewall")


def _of(host: str, done: Output) -> Finding:
    if done.code:
        said = done.last if done.err.strip() else "rules are missing"
        remedy = "They are put back within seconds; if not, see there: sudo iptables -S"
        return failure(CHECK, host, f"the firewall rules are not active: {said}", remedy)
    if CLOSED in done.out:
        return _without_ipv6(host, is_closed=APART in done.out)
    return ok(CHECK, host, f"notebooks reach neither {listed(done.out)}")


def _without_ipv6(host: str, *, is_closed: bool) -> Finding:
    remedy = "To see why: sudo ip6tables -S; or make the network without IPv6"
    if is_closed:
        text = "ip6tables does not work there: servers that start there lose their IPv6 addresses on the servers' network"
        return warning(CHECK, host, text, remedy)
    text = "ip6tables does not work there: a server with an IPv6 address reaches by it what the rules refuse"
    return failure(CHECK, host, text, f"{remedy}, or set isolate_servers = true in [firewall]: it takes these addresses")


def listed(rules: str) -> str:
    """Return what rules refuse, in words."""
    alone, addresses, ports = [], [], []
    for line in rules.splitlines():
        words = line.split()
        options = dict(pairwise(words))
        where, protocol = options.get("-d", "").removesuffix("/32").removesuffix("/128"), options.get("-p")
        if "--dports" in options:
            ports.append(f"{protocol} {options['--dports']}")
        elif "RETURN" in words or line.startswith(APART):
            continue
        elif where in KNOWN:
            alone.append("a cloud's metadata")
        elif "--dport" in options:
            alone.append(f"{where} {protocol} {options['--dport']}")
        elif where and protocol is None:
            alone.append(where)
        elif where:
            addresses.append(where)
    known = list(dict.fromkeys(addresses))
    more = [f"{len(known) - SHOWN} more"] if len(known) > SHOWN else []
    places = ", ".join(["the host", *known[:SHOWN], *more])
    each_other = " nor each other" if APART in rules else ""
    return f"{', '.join(dict.fromkeys(alone))} nor {' and '.join(dict.fromkeys(ports))} of {places}{each_other}"
