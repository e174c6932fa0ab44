"""The TLS certificate: certbot in a container on the manager, port 80, into /etc/letsencrypt."""

import datetime
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from swarmhub import commands, containers, dns_challenge, ports
from swarmhub.differences import Difference, differences, flat
from swarmhub.dns_challenge import Dns
from swarmhub.errors import StepError
from swarmhub.host import Host, Json
from swarmhub.images import split
from swarmhub.plan import Change, Cost, Plan, Progress
from swarmhub.settings import Settings, read_text

STEP = "certs"
FOLDER = "/etc/letsencrypt"
OWN = f"{FOLDER}/own"
CHAIN, KEY = "fullchain.pem", "privkey.pem"
# RFC 8555, 6.5: a server may refuse a nonce at any time, and the client asks again. certbot does so once a request.
STALE_NONCE = "invalid anti-replay nonce"
ATTEMPTS = 3
NOISE = ("Ask for help", "See the logfile", "Saving debug log", "These files will be updated", "- - -")
HTTP = 80
CA_IN_CONTAINER = "/swarmhub-ca.pem"


@dataclass(frozen=True)
class Certificate:
    """What the manager holds for the domain: the chain, and the ACME directory it came from."""

    names: frozenset[str]
    issuer: str
    not_before: datetime.datetime
    not_after: datetime.datetime
    directory: str
    chain: str
    fingerprint: str
    is_own: bool = False

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


@dataclass(frozen=True)
class Wanted:
    """A certificate to have, and how to get it; `by_proxy`: the proxy that runs answers the authority on port 80.

    `cost` is what another certificate than the one that is served means for the people working.
    """

    domain: str
    email: str | None
    server: str
    staging_server: str
    is_staging: bool
    image: str
    ca: str | None
    names: tuple[str, ...]
    dns: Dns | None = None
    by_proxy: bool = False
    cost: Cost = Cost.HUB_RESTART

    @property
    def is_by_http(self) -> bool:
        """Tell whether certbot has to answer the authority on port 80 by itself."""
        return not (self.dns or self.by_proxy)

    @property
    def environment(self) -> dict[str, str]:
        """Return certbot's variables."""
        return {**({"REQUESTS_CA_BUNDLE": CA_IN_CONTAINER} if self.ca else {}), **(self.dns.environment if self.dns else {})}

    def directory(self, found: Certificate | None) -> str:
        """Return the ACME directory to ask: never staging again once there is a real certificate."""
        is_real = found is not None and found.directory == self.server
        return self.staging_server if self.is_staging and not is_real else self.server


def place(settings: Settings, name: str) -> str:
    """Return where a file of the domain's certificate is: where certbot keeps it, or the operator's own."""
    folder = own_folder(settings.hub.domain) + "/current" if settings.certs.is_own else f"{FOLDER}/live/{settings.hub.domain}"
    return f"{folder}/{name}"


def own_folder(domain: str) -> str:
    """Return where the operator's own certificates for a domain are: beside certbot's, whose folder is mounted."""
    return f"{OWN}/{domain}"


def desired(settings: Settings) -> Wanted:
    """Return the certificate that the settings ask for.

    Raises:
        SettingsError: the CA file or the DNS provider's credentials cannot be read.

    """
    certs = settings.certs
    ca = read_text(certs.ca, "certs.ca names it") if certs.ca else None
    return Wanted(
        settings.hub.domain,
        certs.email,
        certs.server,
        certs.staging_server,
        certs.is_staging,
        certs.certbot,
        ca,
        settings.names,
        dns_challenge.desired(settings),
    )


def observe(manager: Host, settings: Settings) -> Certificate | None:
    """Read the certificate, and certbot's renewal file, on the manager; there is no API for them.

    Raises:
        StepError: the user may not read them, or the certificate is damaged.

    """
    where, domain, is_own = place(settings, CHAIN), settings.hub.domain, settings.certs.is_own
    chain = manager.run("cat", where)
    if chain.code:
        if "Permission denied" in chain.err:
            raise StepError(manager.name, f"may not read {FOLDER}", "Log in as root, or set ssh.sudo = true in hosts.toml")
        return None
    if is_own and manager.run("test", "-s", place(settings, KEY)).code:
        return None
    try:
        return parse_own(chain.out) if is_own else parse(chain.out, _directory(manager, domain))
    except ValueError as error:
        remedy = f"Was the disk full? Remove {own_folder(domain) if is_own else FOLDER} there, and get another one: fab certs"
        raise StepError(manager.name, f"{where} is damaged: {error}", remedy) from error


def _directory(manager: Host, domain: str) -> str:
    """Return the ACME directory that certbot asked, nothing if it is not known."""
    renewal = manager.run("cat", f"{FOLDER}/renewal/{domain}.conf")
    found = re.search(r"^server\s*=\s*(\S+)", renewal.out, re.MULTILINE)
    return found[1] if found else ""


def require(found: Certificate | None, manager: str) -> Certificate:
    """Return the certificate.

    Raises:
        StepError: there is none.

    """
    if found is None:
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


def plan(wanted: Wanted, found: Certificate | None, manager: str, now: datetime.datetime) -> Plan:
    """Return what gets the certificate; one that still holds is kept."""
    directory = wanted.directory(found)
    what = f"{'' if directory == wanted.server else 'staging '}certificate for {wanted.domain}"
    if found is None:
        differs = flat({"server": directory, "names": [*wanted.names]})
        return Plan(STEP, "", (_change("issue", what, manager, _Certbot(wanted, directory, force=False), differs),))
    if found.directory != directory or found.lacking(wanted.names):
        # certbot keeps a certificate that has not expired, whichever server it came from.
        differs = differences(
            {"server": directory, "names": [*wanted.names]}, {"server": found.directory, "names": sorted(found.names)}
        )
        return Plan(STEP, "", (_change("replace", what, manager, _Certbot(wanted, directory, force=True), differs),))
    if found.is_due(now):
        left = Difference("days left", found.days_left(now), f"more than a third of {found.days}")
        return Plan(STEP, "", (_change("renew", what, manager, _Certbot(wanted, directory, force=True), (left,)),))
    return Plan(STEP, f"{what}: {found.days_left(now)} days left")


def arguments(wanted: Wanted, directory: str, *, force: bool) -> list[str]:
    """Return certbot's arguments."""
    account = ["--email", wanted.email] if wanted.email else ["--register-unsafely-without-email"]
    return [
        "certonly",
        "--non-interactive",
        *_challenge(wanted),
        "--agree-tos",
        "--server",
        directory,
        "--cert-name",
        wanted.domain,
        *(word for name in wanted.names for word in ("--domain", name)),
        *account,
        "--force-renewal" if force else "--keep-until-expiring",
    ]


def _challenge(wanted: Wanted) -> list[str]:
    if wanted.dns:
        return [*wanted.dns.arguments, "--preferred-challenges=dns"]
    # The folder is in the proxy's container, which answers from its .well-known/acme-challenge.
    how = ["--webroot", "--webroot-path", FOLDER] if wanted.by_proxy else ["--standalone"]
    return [*how, "--preferred-challenges=http"]


def container(wanted: Wanted, directory: str, *, force: bool) -> Json:
    """Return the body of the request that makes certbot's container."""
    published = {"PortBindings": {"80/tcp": [{"HostPort": "80"}]}} if wanted.is_by_http else {}
    return {
        "Image": wanted.image,
        "Cmd": arguments(wanted, directory, force=force),
        "Env": [f"{name}={value}" for name, value in wanted.environment.items()],
        "ExposedPorts": {"80/tcp": {}} if wanted.is_by_http else {},
        "Labels": {"swarmhub": STEP},
        "HostConfig": {"Binds": [f"{FOLDER}:{FOLDER}"], **published},
    }


def _change(verb: str, what: str, manager: str, certbot: "_Certbot", differs: tuple[Difference, ...] = ()) -> Change:
    cost = Cost.NOTHING if verb == "issue" else certbot.wanted.cost
    body = container(certbot.wanted, certbot.directory, force=certbot.force)
    return Change(verb, what, manager, certbot, differs, cost, command=commands.container(body))


@dataclass(frozen=True)
class _Certbot:
    wanted: Wanted
    directory: str
    force: bool

    def __call__(self, host: Host, progress: Progress) -> None:
        self._require_port(host)
        self._require_image(host, progress)
        for attempt in range(ATTEMPTS):
            code, said = self._run(host, progress)
            if not code:
                return
            if STALE_NONCE not in "\n".join(said) or attempt == ATTEMPTS - 1:
                raise StepError(host.name, f"certbot failed: {reason(said)}", _remedy(self.wanted, said))

    def _run(self, host: Host, progress: Progress) -> tuple[int, list[str]]:
        """Run certbot to its end and return its exit code and what it said."""
        said: list[str] = []

        def say(line: str) -> None:
            said.append(line)
            if line.strip() and not _is_noise(said):
                progress.log(host.name, line)

        body = container(self.wanted, self.directory, force=self.force)
        return containers.once(host, body, files=_files(self.wanted), mode=0o600, say=say).code, said

    def _require_image(self, host: Host, progress: Progress) -> None:
        if host.engine.find(f"/images/{self.wanted.image}/json") is None:
            progress.log(host.name, f"pulling {self.wanted.image}")
            name, tag = split(self.wanted.image)
            for _ in host.engine.stream("/images/create", image=self.wanted.image, fromImage=name, tag=tag):
                pass

    def _require_port(self, host: Host) -> None:
        if not self.wanted.is_by_http:
            return
        holder = ports.observe(host, HTTP)
        if holder:
            cause = f"port 80 is taken by {holder.name}; the certificate authority asks there"
            raise StepError(host.name, cause, "Stop it for the moment, and run this again")


def _files(wanted: Wanted) -> dict[str, bytes]:
    """Return what is put into certbot's container, past its arguments and its environment."""
    ca = {CA_IN_CONTAINER[1:]: wanted.ca.encode()} if wanted.ca else {}
    dns = {dns_challenge.CREDENTIALS[1:]: wanted.dns.credentials.get_secret_value().encode()} if wanted.dns else {}
    return ca | dns


def _is_noise(said: list[str]) -> bool:
    """Tell whether the last line is certbot's own advertising, or its next steps, which are ours."""
    return "NEXT STEPS:" in said or said[-1].startswith(NOISE)


def reason(said: list[str]) -> str:
    """Return why certbot failed, of all that it said."""
    details = [line.strip().removeprefix("Detail:").strip() for line in said if line.strip().startswith("Detail:")]
    lines = [line.strip() for line in said if line.strip() and not line.strip().startswith(NOISE)]
    return (details or lines[-1:] or ["it says nothing"])[0]


def _remedy(wanted: Wanted, said: list[str]) -> str:
    text = "\n".join(said)
    if "CERTIFICATE_VERIFY_FAILED" in text or "certificate verify failed" in text:
        return "The ACME server's own certificate is not trusted: set certs.ca to a file with its CA"
    if "Account " in text and "not found" in text:
        return f"The ACME server has forgotten this account: rm -r {FOLDER}/accounts there, and run this again"
    if "too many" in text or "rateLimited" in text:
        return "That is a rate limit: wait as it says, and try with staging = true meanwhile"
    if wanted.dns:
        return "Are certs.dns_credentials those of the domain's zone, and is certs.dns_propagation long enough?"
    return f"Does {wanted.domain} lead to this manager, and is port 80 open to the internet?"
