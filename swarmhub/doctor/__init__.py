"""Everything that commonly goes wrong, checked at once on all hosts; a broken part is a finding, never an error."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from swarmhub.doctor import cluster, local
from swarmhub.doctor.finding import HERE, Finding, from_error
from swarmhub.doctor.hosts import access, clock, homes, kernel, squashed
from swarmhub.doctor.hosts.access import HostAnswers
from swarmhub.doctor.lanes import Cluster
from swarmhub.doctor.network import mtu
from swarmhub.host import Host
from swarmhub.parallel import at_once
from swarmhub.settings import Settings

STEP = "doctor"
OF_THIS_MACHINE = ("settings", "secrets", "callback")
OF_EACH_HOST = ("ssh", "docker", "clock", "disk", "kernel", "mtu", "homes")
OF_THE_CLUSTER = (
    *("swarm", "quorum", "ports", "overlay", "firewall", "addresses", "servers"),
    *("published", "dns", "certificate", "database", "backup", "image", "jupyterhub"),
)
ORDER = (*OF_THIS_MACHINE, *OF_EACH_HOST, *OF_THE_CLUSTER)


def examine(settings: Settings, file: Path, all_hosts: Mapping[str, Host], manager: str) -> list[Finding]:
    """Check everything, in parallel, and return what was found in a fixed order; `file` is that of the settings."""
    names = settings.hosts.all
    answers = at_once([partial(access.observe, all_hosts[name]) for name in names])
    seen = {name: _seen(name, one) for name, one in zip(names, answers, strict=True)}
    probes = {host: one.probe for host, one in seen.items() if one.probe}
    findings = access.judge(seen, settings.ssh.sudo)
    findings += clock.judge(probes) + kernel.judge(probes, settings) + mtu.judge(seen, settings)
    findings += homes.examine(settings, all_hosts, seen, manager)
    findings += squashed.examine(settings, all_hosts, seen)
    findings += cluster.examine(Cluster(settings, file, all_hosts, manager, seen))
    findings += local.observe(settings, file)
    place = {name: number for number, name in enumerate((HERE, *names))}
    return sorted(findings, key=lambda one: (ORDER.index(one.check), place.get(one.host, len(place))))


def _seen(host: str, answer: HostAnswers | BaseException) -> HostAnswers:
    return answer if isinstance(answer, HostAnswers) else HostAnswers(host, trouble=(from_error("ssh", host, answer),))
