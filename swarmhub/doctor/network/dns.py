"""The domain's addresses, as the manager resolves them, against the manager's own."""

from collections.abc import Mapping, Sequence
from ipaddress import ip_address

from swarmhub.doctor.finding import Finding, failure, ok, warning
from swarmhub.host import Host

CHECK = "dns"
SECONDS = "5"
# A name below the domain that nobody has: a wildcard answers for it.
PROBE = "swarmhub-doctor"


def observe(manager: Host, domain: str) -> tuple[str, ...]:
    """Ask the manager's resolver for the domain."""
    done = manager.run("timeout", SECONDS, "getent", "ahosts", domain)
    return tuple(dict.fromkeys(line.split()[0] for line in done.out.splitlines() if line.strip()))


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
