"""The clocks of the nodes against each other: certificates, tokens and Raft expect the same time."""

from collections.abc import Mapping

from swarmhub.doctor.finding import Finding, failure, ok, warning
from swarmhub.doctor.probe import Probe

CHECK = "clock"
WARNS, FAILS = 5, 60
REMEDY = "Let it keep time by itself: sudo timedatectl set-ntp true, or install chrony"


def judge(probes: Mapping[str, Probe]) -> list[Finding]:
    """Compare each clock with the middle one; between two that are equally in the middle, this machine's decides."""
    if not probes:
        return []
    offsets = sorted(probe.offset for probe in probes.values())
    middles = (offsets[(len(offsets) - 1) // 2], offsets[len(offsets) // 2])
    middle = min(middles, key=abs)
    leads = {host: probe.offset - middle for host, probe in probes.items()}
    farthest = max(abs(lead) for lead in leads.values())
    spread = offsets[-1] - offsets[0]
    return [
        _of(host, lead, probes[host], max(abs(lead), spread if abs(lead) == farthest else 0)) for host, lead in leads.items()
    ]


def _of(host: str, lead: float, probe: Probe, difference: float) -> Finding:
    # A slow answer is not a wrong clock.
    sure = difference - probe.error
    if sure < WARNS:
        own = f", {abs(probe.offset):.0f} s from this machine's" if abs(probe.offset) >= WARNS else ""
        return ok(CHECK, host, f"within {abs(lead) + probe.error:.2f} s of the other nodes{own}")
    text = f"{abs(lead):.0f} s {'ahead of' if lead > 0 else 'behind'} the other nodes"
    return (failure if sure >= FAILS else warning)(CHECK, host, text, REMEDY)
