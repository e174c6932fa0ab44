"""Ports 80 and the hub's on the manager: free, or ours."""

from collections.abc import Mapping

from swarmhub.certificate import certbot
from swarmhub.doctor.finding import Finding, failure, ok
from swarmhub.engine import ports
from swarmhub.engine.ports import PortHolder
from swarmhub.host import Host
from swarmhub.services import proxy
from swarmhub.settings import Settings

CHECK = "published"


def observe(manager: Host, settings: Settings) -> dict[int, PortHolder | None]:
    """Name what holds each port; 80 is nobody's matter where no authority asks there."""
    front = settings.proxy
    of_certbot = (certbot.HTTP,) if settings.certs.is_by_http and front.takes_tls else ()
    own = settings.hub.port if front.takes_tls else front.http_port
    return {port: ports.observe(manager, port) for port in dict.fromkeys((*of_certbot, own))}


def judge(holders: dict[int, PortHolder | None], settings: Settings, manager: str) -> list[Finding]:
    """Return a line for each port."""
    ours = {settings.hub.service: "the hub's", proxy.name(settings): "the proxy's"}
    is_asked = settings.certs.is_by_http and settings.proxy.takes_tls
    return [_of(port, holder, ours, manager, is_asked and port == certbot.HTTP) for port, holder in holders.items()]


def _of(port: int, holder: PortHolder | None, ours: Mapping[str, str], manager: str, is_asked: bool) -> Finding:
    what = "the certificate authority asks there" if is_asked else "the hub answers there"
    if holder is None:
        return ok(CHECK, manager, f"port {port} is free; {what}")
    if holder.service in ours:
        return ok(CHECK, manager, f"port {port} is {ours[holder.service]}")
    if holder.labels.get("swarmhub") == certbot.LABEL:
        return ok(CHECK, manager, f"port {port} is certbot's at the moment")
    remedy = "Stop it, also at the next start of the machine" + (
        "" if is_asked else "; or set hub.port (proxy.http_port behind a reverse proxy) in hosts.toml"
    )
    return failure(CHECK, manager, f"port {port} is taken by {holder.name}; {what}", remedy)
