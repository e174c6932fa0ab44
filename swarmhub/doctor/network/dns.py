"""The domain's addresses, as the manager resolves them, against the manager's own."""

import ssl
from collections.abc import Mapping, Sequence
from ipaddress import ip_address

from swarmhub.doctor.finding import Finding, failure, ok, warning
from swarmhub.host import Host
from swarmhub.settings import Settings

CHECK = "dns"
SECONDS, TLS_SECONDS = "5", 5
# A name below the domain that nobody has: a wildcard answers for it.
PROBE = "swarmhub-doctor"


def examine(head: Host, settings: Settings, own: Mapping[str, Sequence[str]], manager: str) -> list[Finding]:
    """Ask for the domain, and for what is below it where users have domains; `own` are the addresses of every host."""
    domain = settings.hub.domain
    answers = observe(head, domain)
    if settings.proxy.behind:
        return [judge_front(domain, answers, manager)]
    found = [judge(domain, answers, own, manager)]
    if by_ipv6(answers):
        is_served = observe_ipv6(head, settings.hub.port)
        found.append(judge_ipv6(domain, answers, is_served, settings.hub.publish, manager))
    if settings.hub.subdomains:
        found.append(judge_subdomains(domain, observe(head, f"{PROBE}.{domain}"), answers, manager))
    return found


def observe(manager: Host, domain: str) -> tuple[str, ...]:
    """Ask the manager's resolver for the domain.

    On a host without IPv6 `ahosts` leaves out what others are told; `hosts` asks for IPv6 first, and then for nothing else.
    """
    asked = [manager.run("timeout", SECONDS, "getent", base, domain).out for base in ("ahosts", "hosts")]
    return tuple(dict.fromkeys(line.split()[0] for text in asked for line in text.splitlines() if line.strip()))


def judge(domain: str, answers: Sequence[str], own: Mapping[str, Sequence[str]], manager: str) -> Finding:
    """Compare; `own` are the addresses of every host."""
    mine = set(own.get(manager, ()))
    remedy = f"Let {domain} lead to the manager: {' or '.join(_useful(mine)) or 'its address'}"
    if not answers:
        return failure(CHECK, manager, f"{domain} has no address", remedy)
    if all(ip_address(one).is_loopback for one in answers):
        text = f"{domain} is {', '.join(answers)} to the manager itself, so DNS cannot be seen from there"
        return warning(CHECK, manager, text, f"Take {domain} out of /etc/hosts there")
    others = [one for one in answers if one not in mine and not ip_address(one).is_loopback]
    if not others:
        return ok(CHECK, manager, f"{domain} leads to {', '.join(answers)}, the manager's own")
    named = ", ".join(_with_owner(one, own) for one in others)
    if len(others) < len(answers):
        return warning(CHECK, manager, f"{domain} leads to {named} as well, which is not the manager", remedy)
    is_behind_nat = not any(ip_address(one).is_global for one in mine) and all(ip_address(one).is_global for one in others)
    if is_behind_nat:
        text = f"{domain} leads to {named}; the manager has private addresses only"
        return warning(CHECK, manager, text, "Fine if that address forwards ports 80 and 443 to the manager")
    return failure(CHECK, manager, f"{domain} leads to {named}, which is not the manager", remedy)


def judge_front(domain: str, answers: Sequence[str], manager: str) -> Finding:
    """Say where the domain leads to of a hub behind a reverse proxy, whose address there may be any."""
    if not answers:
        return failure(CHECK, manager, f"{domain} has no address", f"Let {domain} lead to the reverse proxy in front")
    return ok(CHECK, manager, f"{domain} leads to {', '.join(answers)}; a reverse proxy is in front")


def by_ipv6(answers: Sequence[str]) -> list[str]:
    """Return those of the domain's addresses that browsers try first."""
    return [one for one in answers if ip_address(one).version == 6 and not ip_address(one).is_loopback]


def observe_ipv6(manager: Host, port: int) -> bool | None:
    """Tell whether the hub's port answers by IPv6 on the manager itself; None where it does not by IPv4 either.

    A port of the routing mesh may take such a connection, and then says nothing: only TLS tells.
    """
    return _serves(manager, "::1", port) if _serves(manager, "127.0.0.1", port) else None


def _serves(manager: Host, address: str, port: int) -> bool:
    anybody = ssl.create_default_context()
    anybody.check_hostname, anybody.verify_mode = False, ssl.CERT_NONE
    try:
        with manager.tunnel(address, port, TLS_SECONDS) as plain, anybody.wrap_socket(plain):
            return True
    except OSError:
        return False


def judge_ipv6(domain: str, answers: Sequence[str], is_served: bool | None, publish: str, manager: str) -> Finding:
    """Say whether people come in by the IPv6 addresses that the domain has."""
    addresses = ", ".join(by_ipv6(answers))
    if is_served:
        return ok(CHECK, manager, f"{domain} is {addresses} by IPv6, and the hub's port answers by IPv6")
    other = 'publish = "host" below [hub]' if publish == "ingress" else "the engine's userland proxy, which listens by IPv6, on"
    remedy = f"Remove the AAAA record of {domain}, or set {other} (docs/network.md, IPv6)"
    if is_served is None:
        text = f"{domain} is {addresses} by IPv6; whether the hub's port answers there is seen once it is deployed"
        return warning(CHECK, manager, text, remedy)
    return failure(CHECK, manager, f"{domain} is {addresses} by IPv6, where the hub's port does not answer", remedy)


def judge_subdomains(domain: str, answers: Sequence[str], of_domain: Sequence[str], manager: str) -> Finding:
    """Compare what a name below the domain leads to with what the domain does."""
    remedy = f"Add a DNS record for *.{domain} that leads where {domain} does"
    if not answers:
        return failure(CHECK, manager, f"{PROBE}.{domain} has no address, and users' servers will have none", remedy)
    if set(answers) != set(of_domain):
        text = f"{PROBE}.{domain} leads to {', '.join(answers)}, and {domain} to {', '.join(of_domain) or 'nowhere'}"
        return failure(CHECK, manager, text, remedy)
    return ok(CHECK, manager, f"*.{domain} leads where {domain} does")


def _with_owner(address: str, own: Mapping[str, Sequence[str]]) -> str:
    owner = next((host for host, addresses in own.items() if address in addresses), "")
    return f"{address} ({owner})" if owner else address


def _useful(addresses: set[str]) -> list[str]:
    """Leave out what DNS never leads to."""
    kept = [ip_address(one) for one in addresses]
    return sorted(str(one) for one in kept if not (one.is_loopback or one.is_link_local))
