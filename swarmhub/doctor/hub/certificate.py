"""The certificate: its names, the days left, and who issued it."""

from datetime import datetime

from hub.shared import services
from swarmhub.certificate.certs import Certificate
from swarmhub.doctor.finding import Finding, failure, ok, warning
from swarmhub.services.renewal import RenewalState
from swarmhub.settings import Settings

CHECK = "certificate"


def judge(
    found: Certificate | None, settings: Settings, manager: str, now: datetime, renewal: RenewalState | None = None
) -> list[Finding]:
    """Return how it stands; each of what is wrong with it is a line."""
    domain = settings.hub.domain
    if not settings.proxy.takes_tls:
        return [ok(CHECK, manager, "none is needed: TLS ends at the reverse proxy in front")]
    if found is None:
        return [warning(CHECK, manager, f"no certificate for {domain} yet", "Get it: fab certs")]
    findings = []
    if lacking := found.lacking(settings.names):
        text = f"it is for {', '.join(sorted(found.names))}, not for {', '.join(lacking)}"
        findings.append(failure(CHECK, manager, text, found.remedy))
    days = found.days_left(now)
    if now >= found.not_after:
        text = f"it expired {(now - found.not_after).days} days ago, on {found.not_after:%Y-%m-%d}"
        findings.append(failure(CHECK, manager, text, found.remedy))
    elif found.is_due(now):
        text = f"it expires in {days} days, and less than a third of its life is left"
        findings.append(warning(CHECK, manager, text, found.remedy))
    if renewal and renewal.failures:
        text = f"its renewal has failed {renewal.told}"
        findings.append(failure(CHECK, manager, text, f"See: docker service logs {services.renewal(settings.hub.service)}"))
    if found.directory == settings.certs.staging_server:
        text = f"it is a staging certificate, which browsers refuse ({found.issuer})"
        remedy = "Once all works: certs.staging = false in hosts.toml, then fab deploy"
        findings.append(warning(CHECK, manager, text, remedy))
    return findings or [ok(CHECK, manager, f"{domain}, {days} days left, issued by {found.issuer}")]
