"""The kernel features that the settings need: IPVS for the routing mesh and VIPs, ESP for an encrypted overlay."""

from collections.abc import Mapping

from swarmhub.doctor.finding import Finding, failure, ok, warning
from swarmhub.doctor.probe import Probe
from swarmhub.settings import Settings

CHECK = "kernel"
MODULES = {"IPVS": "ip_vs", "ESP": "esp4"}


def needed(settings: Settings) -> dict[str, str]:
    """Return the features that the settings need, and how to do without each."""
    wants: dict[str, str] = {}
    if settings.hub.publish == "ingress" or settings.network.endpoint_mode == "vip":
        wants["IPVS"] = 'hub.publish = "host" and network.endpoint_mode = "dnsrr"'
    if settings.network.encrypted:
        wants["ESP"] = "network.encrypted = false"
    return wants


def judge(probes: Mapping[str, Probe], settings: Settings) -> list[Finding]:
    """Return a line a host for each feature that is missing, or one for all that are there."""
    wants = needed(settings)
    return [finding for host, probe in probes.items() for finding in _of(host, probe, wants)]


def _of(host: str, probe: Probe, wants: Mapping[str, str]) -> list[Finding]:
    findings = []
    for name, without in wants.items():
        answer = probe.kernel.get(name, "unknown")
        if answer == "no":
            remedy = f"Install the kernel's extra modules and boot that kernel, or do without: {without}"
            findings.append(failure(CHECK, host, f"kernel {probe.release} has no {name}, which the settings need", remedy))
        elif answer == "unknown":
            remedy = f"Try there: sudo modprobe {MODULES[name]}; or do without: {without}"
            findings.append(warning(CHECK, host, f"it cannot be told whether kernel {probe.release} has {name}", remedy))
    has = f"has {' and '.join(wants)}" if wants else "the settings need neither IPVS nor ESP"
    return findings or [ok(CHECK, host, f"kernel {probe.release}: {has}")]
