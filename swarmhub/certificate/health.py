"""Ask the public URL over verified TLS whether the hub answers."""

import http.client
import ssl
from urllib.parse import urlsplit

from swarmhub.certificate import https
from swarmhub.certificate.certbot import CertificateRequest
from swarmhub.certificate.certs import Certificate
from swarmhub.certificate.https import Route
from swarmhub.errors import StepError
from swarmhub.settings.secrets import CALLBACK_PATH
from swarmhub.wait import until

STEP = "health"
SECONDS = 45
# A slow machine that has just started all of it takes that long for one handshake.
ANSWER_SECONDS = 15


def url(callback: str) -> str:
    """Return the hub's public address, without a slash at the end: the callback's, which may name a port and a path."""
    return callback.removesuffix(CALLBACK_PATH)


def trust(context: ssl.SSLContext, wanted: CertificateRequest, certificate: Certificate | None) -> ssl.SSLContext:
    """Add to this machine's authorities whom else to trust: the settings'; while staging, the chain on the manager."""
    if wanted.ca:
        context.load_verify_locations(cadata=wanted.ca)
    if certificate and certificate.directory == wanted.staging_server:
        # No authority that anybody trusts signs it; that it is the one on the manager can be verified all the same.
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        context.load_verify_locations(cadata=certificate.chain)
    return context


def check(address: str, context: ssl.SSLContext, route: Route | None = None) -> None:
    """Return when `address`/hub/health answers 200; a proxy that has just started may take a moment.

    Raises:
        StepError: it does not answer within the time, or shows a certificate that is not trusted.

    """
    parts = urlsplit(address)
    host, port = str(parts.hostname), parts.port or 443
    last = ""

    def healthy() -> bool:
        nonlocal last
        try:
            status, _ = https.get(host, port, f"{parts.path}/hub/health", context, route=route, timeout=ANSWER_SECONDS)
        except ssl.SSLCertVerificationError as error:
            remedy = (
                "Is this the hub's own port, and is its certificate the one on the manager? Try: fab certs, then fab service. "
                "Is its chain whole, and a private authority named in certs.ca?"
            )
            raise StepError(
                host, f"{address} shows a certificate that is not trusted: {error.verify_message}", remedy
            ) from error
        except (OSError, http.client.HTTPException) as error:
            last = str(getattr(error, "strerror", None) or error)
            return False
        last = f"HTTP status {status}"
        return status == 200

    def silent() -> StepError:
        remedy = (
            f"Does {host} lead to the manager, and is port {port} open from here, or from there by SSH (AllowTcpForwarding)?"
        )
        return StepError(host, f"{address}/hub/health does not answer: {last}", remedy)

    until(healthy, SECONDS, silent, pause=0.5)
