"""The TLS certificate: what the manager holds, whether it still does, and what gets another from certbot."""

import datetime
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial

from swarmhub.certificate import certbot, dns_challenge
from swarmhub.certificate.certbot import Certbot, CertificateRequest
from swarmhub.engine import as_root
from swarmhub.errors import StepError
from swarmhub.host import Host
from swarmhub.parallel import both
from swarmhub.plan.differences import Difference, differences, flat
from swarmhub.plan.plans import Change, Cost, Plan
from swarmhub.settings import Settings, read_ca

STEP = "certs"
OWN = f"{certbot.FOLDER}/own"
CHAIN, KEY = "fullchain.pem", "privkey.pem"


@dataclass(frozen=True)
class Certificate:
    """What the manager holds for the domain: the chain, and the ACME directory it came from, and by which account there."""

    names: frozenset[str]
    issuer: str
    not_before: datetime.datetime
    not_after: datetime.datetime
    directory: str
    chain: str
    fingerprint: str
    is_own: bool = False
    account: str = ""

    @property
    def remedy(self) -> str:
        """Return how to come by another one."""
        if self.is_own:
            return "Put a newer one at certs.certificate and certs.key, then fab deploy"
        return "Get another one: fab certs, then fab deploy"

    def covers(self, name: str) -> bool:
        """Tell whether it is for a name; a wildcard stands for one label, as in TLS."""
        return name in self.names or f"*.{name.partition('.')[2]}" in self.names

    def lacking(self, names: Iterable[str]) -> list[str]:
        """Return those of the names that it is not for."""
        return [name for name in names if not self.covers(name)]

    def days_left(self, now: datetime.datetime) -> int:
        """Return the whole days until it expires."""
        return (self.not_after - now).days

    @property
    def days(self) -> int:
        """Return the whole days of its life."""
        return (self.not_after - self.not_before).days

    def is_due(self, now: datetime.datetime) -> bool:
        """Tell whether less than a third of its life is left: lifetimes shrink, a fixed number of days would not fit."""
        return self.not_after - now < (self.not_after - self.not_before) / 3


def place(settings: Settings, name: str) -> str:
    """Return where a file of the domain's certificate is: where certbot keeps it, or the operator's own."""
    folder = (
        own_folder(settings.hub.domain) + "/current"
        if settings.certs.is_own
        else f"{certbot.FOLDER}/live/{settings.hub.domain}"
    )
    return f"{folder}/{name}"


def own_folder(domain: str) -> str:
    """Return where the operator's own certificates for a domain are: beside certbot's, whose folder is mounted."""
    return f"{OWN}/{domain}"


def desired(settings: Settings) -> CertificateRequest:
    """Return the certificate that the settings ask for.

    Raises:
        SettingsError: the CA file or the DNS provider's credentials cannot be read.

    """
    certs = settings.certs
    ca = read_ca(certs.ca, "certs.ca") if certs.ca else None
    files = {certbot.CA_IN_CONTAINER: certs.ca, dns_challenge.CREDENTIALS: certs.dns_credentials}
    return CertificateRequest(
        settings.hub.domain,
        certs.email,
        certs.server,
        certs.staging_server,
        certs.is_staging,
        certs.certbot,
        ca,
        settings.names,
        dns_challenge.desired(settings),
        given=tuple((place, str(file)) for place, file in files.items() if file),
    )


def observe(manager: Host, settings: Settings) -> Certificate | None:
    """Read the certificate, and certbot's renewal file, on the manager; there is no API for them. None where none is needed.

    Raises:
        StepError: they cannot be read, or the certificate is damaged.

    """
    if not settings.proxy.takes_tls:
        return None
    where, domain, is_own = place(settings, CHAIN), settings.hub.domain, settings.certs.is_own
    chain, renewal = _read_own(manager, settings) if is_own else _read_certbots(manager, settings)
    if chain is None:
        return None
    try:
        kept = renewal or ""
        return parse_own(chain) if is_own else replace(parse(chain, _kept("server", kept)), account=_kept("account", kept))
    except ValueError as error:
        folder = own_folder(domain) if is_own else certbot.FOLDER
        remedy = f"Was the disk full? Remove {folder} there, and get another one: fab certs"
        raise StepError(manager.name, f"{where} is damaged: {error}", remedy) from error


def _read_certbots(manager: Host, settings: Settings) -> tuple[str | None, str | None]:
    renewal = f"{certbot.FOLDER}/renewal/{settings.hub.domain}.conf"
    chain, how = as_root.read(manager, place(settings, CHAIN), renewal, folder=certbot.FOLDER)
    return chain, how


def _read_own(manager: Host, settings: Settings) -> tuple[str | None, None]:
    """Read the chain; without its key it counts for nothing."""
    read = partial(as_root.read, manager, place(settings, CHAIN), folder=certbot.FOLDER)
    (chain,), key = both(read, partial(as_root.size, manager, place(settings, KEY), folder=certbot.FOLDER))
    return chain if key else None, None


def _kept(key: str, renewal: str) -> str:
    """Return what certbot keeps for the renewal, such as the ACME directory that it asked; nothing if it is not known."""
    found = re.search(rf"^{key}\s*=\s*(\S+)", renewal, re.MULTILINE)
    return found[1] if found else ""


def require(found: Certificate | None, settings: Settings, manager: str) -> Certificate | None:
    """Return the certificate; None where TLS ends at a reverse proxy in front.

    Raises:
        StepError: there is none.

    """
    if found is None and settings.proxy.takes_tls:
        raise StepError(manager, "there is no certificate yet", "Get it first: fab certs")
    return found


def parse(chain: str, directory: str) -> Certificate:
    """Read a PEM chain whose first certificate is the server's."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes

    leaf = x509.load_pem_x509_certificates(chain.encode())[0]
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return Certificate(
        names=frozenset(name.lower() for name in names.get_values_for_type(x509.DNSName)),
        issuer=leaf.issuer.rfc4514_string(),
        not_before=leaf.not_valid_before_utc,
        not_after=leaf.not_valid_after_utc,
        directory=directory,
        chain=chain,
        fingerprint=leaf.fingerprint(hashes.SHA256()).hex()[:16],
    )


def parse_own(chain: str) -> Certificate:
    """Read the operator's own PEM chain; other intermediate certificates are another fingerprint too."""
    return replace(parse(chain, ""), fingerprint=hashlib.sha256(chain.encode()).hexdigest()[:16], is_own=True)


def directory_for(wanted: CertificateRequest, found: Certificate | None) -> str:
    """Return the ACME directory to ask: never staging again once there is a real certificate."""
    is_real = found is not None and found.directory == wanted.server
    return wanted.staging_server if wanted.is_staging and not is_real else wanted.server


def plan(wanted: CertificateRequest, found: Certificate | None, manager: str, now: datetime.datetime) -> Plan:
    """Return what gets the certificate; one that still holds is kept."""
    directory = directory_for(wanted, found)
    account = found.account if found and found.directory == directory else ""
    again = Certbot(wanted, directory, force=True, account=account)
    what = f"{'' if directory == wanted.server else 'staging '}certificate for {wanted.domain}"
    if found is None:
        differs = flat({"server": directory, "names": [*wanted.names]})
        issue = _change("issue", what, manager, Certbot(wanted, directory, force=False), differs)
        return Plan(STEP, "", (replace(issue, gist=f"for {', '.join(wanted.names)}, from {directory}"),))
    if found.directory != directory or found.lacking(wanted.names):
        # certbot keeps a certificate that has not expired, whichever server it came from.
        differs = differences(
            {"server": directory, "names": [*wanted.names]}, {"server": found.directory, "names": sorted(found.names)}
        )
        return Plan(STEP, "", (_change("replace", what, manager, again, differs),))
    if found.is_due(now):
        left = Difference("days left", found.days_left(now), f"more than a third of {found.days}")
        return Plan(STEP, "", (_change("renew", what, manager, again, (left,)),))
    return Plan(STEP, f"{what}: {found.days_left(now)} days left")


def _change(verb: str, what: str, manager: str, run: Certbot, differs: tuple[Difference, ...] = ()) -> Change:
    cost = Cost.NOTHING if verb == "issue" else run.wanted.cost
    return Change(verb, what, manager, run, differs, cost)
