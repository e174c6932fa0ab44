"""What is examined on the cluster, and how: several lanes side by side, in each one thing after the other."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex

from swarmhub.doctor.finding import Finding, from_error
from swarmhub.doctor.hosts.access import HostAnswers
from swarmhub.doctor.images import versions
from swarmhub.host import Host
from swarmhub.parallel import at_once
from swarmhub.settings import Settings

Lane = tuple[str, Callable[[], list[Finding]]]


@dataclass(frozen=True)
class Cluster:
    """What is examined: the settings, the hosts, and what each of them said of itself."""

    settings: Settings
    file: Path
    hosts: Mapping[str, Host]
    manager: str
    seen: Mapping[str, HostAnswers]
    id: str = field(default_factory=lambda: token_hex(3))
    gate: versions.Gate = field(default_factory=versions.Gate)

    @property
    def manager_host(self) -> Host:
        """Return the manager to ask."""
        return self.hosts[self.manager]


def side_by_side(cluster: Cluster, lanes: Sequence[Lane]) -> list[Finding]:
    """Work in all lanes at once; one that breaks is a finding."""
    answers = at_once([work for _, work in lanes])
    findings: list[Finding] = []
    for (check, _), answer in zip(lanes, answers, strict=True):
        findings += [from_error(check, cluster.manager, answer)] if isinstance(answer, BaseException) else answer
    return findings


def one_by_one(cluster: Cluster, *lanes: Lane) -> list[Finding]:
    """Work in one after the other, which share a session on the manager; one that breaks is a finding."""
    findings: list[Finding] = []
    for check, work in lanes:
        try:
            findings += work()
        except Exception as error:
            findings.append(from_error(check, cluster.manager, error))
    return findings
