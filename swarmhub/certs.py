"""The TLS certificate: certbot in a container on the manager, port 80, into /etc/letsencrypt."""

import datetime
import re
from collections.abc import Iterable
from dataclasses import dataclass

from swarmhub import commands, containers, ports
from swarmhub.differences import Difference, differences, flat
from swarmhub.errors import StepError
from swarmhub.host import Host, Json
from swarmhub.images import split
from swarmhub.plan import Change, Cost, Plan, Progress
from swarmhub.settings import Settings, read_text

STEP = "certs"
FOLDER = "/etc/letsencrypt"
# RFC 8555, 6.5: a server may refuse a nonce at any time, and the client asks again. certbot does so once a request.
STALE_NONCE = "invalid anti-replay nonce"
ATTEMPTS = 3
NOISE = ("Ask for help", "See the logfile", "Saving debug log", "These files will be updated", "- - -")
HTTP = 80
CA_IN_CONTAINER = "/swarmhub-ca.pem"
WILDCARD = (
    "Authorities give one by DNS only: let certbot ask so ([certs.dns]), name a certificate of your own "
    "(certs.certificate, certs.key), or set hub.subdomains = false"
)


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

    def covers(self, names: Iterable[str]) -> bool:
        """Tell whether browsers take it for all these names; `*.DOMAIN` stands for one label, and not for DOMAIN itself."""
        held = {name.lower() for name in self.names}
        # RFC 6125, 6.4.3: of a name, its whole first label and no more may be any.
        return all({name.lower(), f"*.{name.lower().partition('.')[2]}"} & held for name in names)

    def lacks(self, names: Iterable[str]) -> str:
        """Return for what it is and for which of these names it is not, as people read it."""
        lacking = [name for name in names if not self.covers([name])]
        return f"is for {', '.join(sorted(self.names))}, not for {' and '.join(lacking)}"

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
    """A certificate to have, and how to get it; `by_proxy`: the proxy that runs answers the authority on port 80."""

    domain: str
    email: str | None
    server: str
    staging_server: str
    is_staging: bool
    image: str
    ca: str | None
    names: tuple[str, ...]
    by_proxy: bool = False

    def directory(self, found: Certificate | None) -> str:
        """Return the ACME directory to ask: never staging again once there is a real certificate."""
        is_real = found is not None and found.directory == self.server
        return self.staging_server if self.is_staging and not is_real else self.server


def live(domain: str, name: str) -> str:
    """Return where certbot keeps a file of the domain's certificate."""
    return f"{FOLDER}/live/{domain}/{name}"


def desired(settings: Settings) -> Wanted:
    """Return the certificate that the settings ask for.

    Raises:
        SettingsError: the CA file cannot be read.

    """
    certs = settings.certs
    ca = read_text(certs.ca, "certs.ca names it") if certs.ca else None
    return Wanted(
        settings.hub.domain,
        certs.email,
        certs.server,
        certs.staging_server,
        certs.staging,
        certs.image,
        ca,
        settings.hub.names,
    )


def observe(manager: Host, domain: str) -> Certificate | None:
    """Read the certificate and its renewal file on the manager; there is no API for them.

    Raises:
        StepError: the user may not read them.

    """
    chain = manager.run("cat", live(domain, "fullchain.pem"))
    if chain.code:
        if "Permission denied" in chain.err:
            raise StepError(manager.name, f"may not read {FOLDER}", "Log in as root, or set ssh.sudo = true in hosts.toml")
        return None
    renewal = manager.run("cat", f"{FOLDER}/renewal/{domain}.conf")
    directory = re.search(r"^server\s*=\s*(\S+)", renewal.out, re.MULTILINE)
    try:
        return parse(chain.out, directory[1] if directory else "")
    except ValueError as error:
        where = live(domain, "fullchain.pem")
        remedy = f"Was the disk full? Remove {FOLDER} there, and get another one: fab certs"
        raise StepError(manager.name, f"{where} is damaged: {error}", remedy) from error


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
        names=frozenset(names.get_values_for_type(x509.DNSName)),
        issuer=leaf.issuer.rfc4514_string(),
        not_before=leaf.not_valid_before_utc,
        not_after=leaf.not_valid_after_utc,
        directory=directory,
        chain=chain,
        fingerprint=leaf.fingerprint(hashes.SHA256()).hex()[:16],
    )


def plan(wanted: Wanted, found: Certificate | None, manager: str, now: datetime.datetime) -> Plan:
    """Return what gets the certificate; one that still holds is kept.

    Raises:
        StepError: it is to cover subdomains, and does not: certbot asks by HTTP, and by that no authority gives such a one.

    """
    if any(name.startswith("*.") for name in wanted.names):
        covering = _require_covering(wanted, found, manager)
        return Plan(STEP, f"certificate for {' and '.join(wanted.names)}: {covering.days_left(now)} days left")
    directory = wanted.directory(found)
    what = f"{'' if directory == wanted.server else 'staging '}certificate for {wanted.domain}"
    if found is None:
        differs = flat({"server": directory, "names": [wanted.domain]})
        return Plan(STEP, "", (_change("issue", what, manager, _Certbot(wanted, directory, force=False), differs),))
    if found.directory != directory or not found.covers(wanted.names):
        # certbot keeps a certificate that has not expired, whichever server it came from.
        differs = differences(
            {"server": directory, "names": [wanted.domain]}, {"server": found.directory, "names": sorted(found.names)}
        )
        return Plan(STEP, "", (_change("replace", what, manager, _Certbot(wanted, directory, force=True), differs),))
    if found.is_due(now):
        left = Difference("days left", found.days_left(now), f"more than a third of {found.days}")
        return Plan(STEP, "", (_change("renew", what, manager, _Certbot(wanted, directory, force=True), (left,)),))
    return Plan(STEP, f"{what}: {found.days_left(now)} days left")


def _require_covering(wanted: Wanted, found: Certificate | None, manager: str) -> Certificate:
    if found is None:
        raise StepError(manager, f"there is no certificate for {' and '.join(wanted.names)}", WILDCARD)
    if not found.covers(wanted.names):
        raise StepError(manager, f"the certificate {found.lacks(wanted.names)}", WILDCARD)
    return found


def arguments(wanted: Wanted, directory: str, *, force: bool) -> list[str]:
    """Return certbot's arguments."""
    account = ["--email", wanted.email] if wanted.email else ["--register-unsafely-without-email"]
    return [
        "certonly",
        "--non-interactive",
        # The folder is in the proxy's container, which answers from its .well-known/acme-challenge.
        *(("--webroot", "--webroot-path", FOLDER) if wanted.by_proxy else ("--standalone",)),
        "--preferred-challenges=http",
        "--agree-tos",
        "--server",
        directory,
        "--cert-name",
        wanted.domain,
        "--domain",
        wanted.domain,
        *account,
        "--force-renewal" if force else "--keep-until-expiring",
    ]


def container(wanted: Wanted, directory: str, *, force: bool) -> Json:
    """Return the body of the request that makes certbot's container."""
    published = {} if wanted.by_proxy else {"PortBindings": {"80/tcp": [{"HostPort": "80"}]}}
    return {
        "Image": wanted.image,
        "Cmd": arguments(wanted, directory, force=force),
        "Env": [f"REQUESTS_CA_BUNDLE={CA_IN_CONTAINER}"] if wanted.ca else [],
        "ExposedPorts": {} if wanted.by_proxy else {"80/tcp": {}},
        "Labels": {"swarmhub": STEP},
        "HostConfig": {"Binds": [f"{FOLDER}:{FOLDER}"], **published},
    }


def _change(verb: str, what: str, manager: str, certbot: "_Certbot", differs: tuple[Difference, ...] = ()) -> Change:
    # A certificate that replaces another one reaches people when the hub has restarted; a separate proxy takes it as it runs.
    cost = Cost.NOTHING if verb == "issue" or certbot.wanted.by_proxy else Cost.HUB_RESTART
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

        files = {CA_IN_CONTAINER[1:]: self.wanted.ca.encode()} if self.wanted.ca else None
        done = containers.once(host, container(self.wanted, self.directory, force=self.force), files=files, say=say)
        return done.code, said

    def _require_image(self, host: Host, progress: Progress) -> None:
        if host.engine.find(f"/images/{self.wanted.image}/json") is None:
            progress.log(host.name, f"pulling {self.wanted.image}")
            name, tag = split(self.wanted.image)
            for _ in host.engine.stream("/images/create", image=self.wanted.image, fromImage=name, tag=tag):
                pass

    def _require_port(self, host: Host) -> None:
        if self.wanted.by_proxy:
            return
        holder = ports.observe(host, HTTP)
        if holder:
            cause = f"port 80 is taken by {holder.name}; the certificate authority asks there"
            raise StepError(host.name, cause, "Stop it for the moment, and run this again")


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
    return f"Does {wanted.domain} lead to this manager, and is port 80 open to the internet?"
