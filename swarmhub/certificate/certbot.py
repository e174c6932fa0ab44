"""Certbot: a container on the manager that asks an ACME server for a certificate, and keeps it in /etc/letsencrypt."""

import re
import shlex
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from pydantic import SecretStr

from swarmhub.certificate import dns_challenge
from swarmhub.certificate.dns_challenge import Dns
from swarmhub.engine import as_root, containers
from swarmhub.errors import StepError
from swarmhub.host import Host, Json
from swarmhub.images.pull import split
from swarmhub.plan.plans import Cost, Progress

LABEL = "certs"
FOLDER = "/etc/letsencrypt"
HTTP = 80
CA_IN_CONTAINER = "/swarmhub-ca.pem"
VARIABLES = "/swarmhub-variables"
# What the image starts by itself is certbot; only root reads the file.
WITH_VARIABLES = ["sh", "-c", f'set -a; . {VARIABLES}; exec certbot "$@"', "certbot"]
# RFC 8555, 6.5: a server may refuse a nonce at any time, and the client asks again. certbot does so once a request.
STALE_NONCE = "invalid anti-replay nonce"
ATTEMPTS = 3
# certbot refuses to run twice at once on one folder, and the renewal on the cluster runs it too.
BUSY = "Another instance of Certbot is already running"
BUSY_ATTEMPTS, BUSY_SECONDS = 30, 4.0
NOISE = ("Ask for help", "See the logfile", "Saving debug log", "These files will be updated", "- - -")
RENEWAL_ERROR = re.compile(r"^Failed to renew certificate .+? with error: (.+)", re.MULTILINE)
NO_PLUGIN = ("unrecognized arguments", "does not appear to be installed")


@dataclass(frozen=True)
class CertificateRequest:
    """A certificate to have, and how to get it; `by_proxy`: the proxy that runs answers the authority on port 80.

    `cost` is what another certificate than the one that is served means for the people working; `given` are the files of
    this machine that are put into the container: where, and which. `variables` are those by which it learns of an HTTP proxy,
    whose password is in none that the engine shows.
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
    given: tuple[tuple[str, str], ...] = ()
    variables: Mapping[str, SecretStr] = field(default_factory=dict)

    @property
    def is_by_http(self) -> bool:
        """Tell whether certbot has to answer the authority on port 80 by itself."""
        return not (self.dns or self.by_proxy)

    @property
    def environment(self) -> dict[str, str]:
        """Return certbot's variables."""
        return {**({"REQUESTS_CA_BUNDLE": CA_IN_CONTAINER} if self.ca else {}), **(self.dns.environment if self.dns else {})}


def arguments(wanted: CertificateRequest, directory: str, *, force: bool, account: str = "") -> list[str]:
    """Return certbot's arguments; of several accounts it would ask which one is meant, though nobody is there to answer."""
    chosen = ["--account", account] if account else []
    contact = ["--email", wanted.email] if wanted.email else ["--register-unsafely-without-email"]
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
        *contact,
        *chosen,
        "--force-renewal" if force else "--keep-until-expiring",
    ]


def renewal(wanted: CertificateRequest) -> list[str]:
    """Return certbot's arguments to renew the certificate that is there, if it is due.

    Server, account and names are the certificate's own, which certbot has saved: settings that have changed since are a
    deploy's to apply. How the domain is proved is said here: what certbot has saved may be --standalone, from before the
    proxy listened on port 80, or another DNS plugin.
    """
    # Without a terminal, certbot would wait for up to eight minutes first.
    return ["renew", "--non-interactive", "--no-random-sleep-on-renew", "--cert-name", wanted.domain, *_challenge(wanted)]


def _challenge(wanted: CertificateRequest) -> list[str]:
    if wanted.dns:
        return [*wanted.dns.arguments, "--preferred-challenges=dns"]
    # The folder is in the proxy's container, which answers from its .well-known/acme-challenge.
    how = ["--authenticator", "webroot", "--webroot-path", FOLDER] if wanted.by_proxy else ["--standalone"]
    return [*how, "--preferred-challenges=http"]


def account_folder(directory: str, account: str) -> str:
    """Return where certbot keeps an account at an ACME server, below its own folder."""
    where = urlsplit(directory)
    return f"accounts/{where.netloc}{where.path}/{account}"


def container(wanted: CertificateRequest, directory: str, *, force: bool, account: str = "") -> Json:
    """Return the body of the request that makes certbot's container."""
    published = {"PortBindings": {"80/tcp": [{"HostPort": "80"}]}} if wanted.is_by_http else {}
    entry: dict[str, Any] = {"Entrypoint": WITH_VARIABLES} if wanted.variables else {}
    return {
        "Image": wanted.image,
        **entry,
        "Cmd": arguments(wanted, directory, force=force, account=account),
        "Env": [f"{name}={value}" for name, value in wanted.environment.items()],
        "ExposedPorts": {"80/tcp": {}} if wanted.is_by_http else {},
        "Labels": {"swarmhub": LABEL},
        "HostConfig": {"Binds": [f"{FOLDER}:{FOLDER}"], **published},
    }


@dataclass(frozen=True)
class Certbot:
    """Runs certbot on the manager until it has got the certificate; `force`: though one is there that holds.

    `account` is the one that the certificate before was got by; there may be another, of another hub or of an earlier time.
    """

    wanted: CertificateRequest
    directory: str
    force: bool
    account: str = ""

    def __call__(self, host: Host, progress: Progress) -> None:
        """Run it; ask again where the server has refused a nonce.

        Raises:
            StepError: port 80 is taken, or certbot fails.

        """
        self._require_port(host)
        self._require_image(host, progress)
        for attempt in range(ATTEMPTS):
            code, said = self._run_alone(host, progress)
            if not code:
                return
            if STALE_NONCE not in "\n".join(said) or attempt == ATTEMPTS - 1:
                raise StepError(host.name, f"certbot failed: {reason(said)}", _remedy(self.wanted, said))

    def _run_alone(self, host: Host, progress: Progress) -> tuple[int, list[str]]:
        """Run certbot; wait about two minutes for another one on the manager to end."""
        for _ in range(BUSY_ATTEMPTS):
            code, said = self._run(host, progress)
            if BUSY not in "\n".join(said):
                break
            time.sleep(BUSY_SECONDS)
        return code, said

    def _run(self, host: Host, progress: Progress) -> tuple[int, list[str]]:
        """Run certbot to its end and return its exit code and what it said."""
        said: list[str] = []

        def say(line: str) -> None:
            said.append(line)
            if line.strip() and not _is_noise(said):
                progress.log(host.name, line)

        account = self.account if self._has_account(host) else ""
        body = container(self.wanted, self.directory, force=self.force, account=account)
        return containers.once(host, body, files=_files(self.wanted), mode=0o600, say=say).code, said

    def _has_account(self, host: Host) -> bool:
        """Tell whether the account is still there: an operator may have removed one that the authority has forgotten."""
        if not self.account:
            return False
        file = f"{FOLDER}/{account_folder(self.directory, self.account)}/regr.json"
        return as_root.size(host, file, folder=FOLDER) is not None

    def _require_image(self, host: Host, progress: Progress) -> None:
        if host.engine.find(f"/images/{self.wanted.image}/json") is None:
            progress.log(host.name, f"pulling {self.wanted.image}")
            for _ in host.engine.pull(*split(self.wanted.image)):
                pass

    def _require_port(self, host: Host) -> None:
        if not self.wanted.is_by_http:
            return
        from swarmhub.engine import ports  # a certificate that holds needs none

        holder = ports.observe(host, HTTP)
        if holder:
            cause = f"port 80 is taken by {holder.name}; the certificate authority asks there"
            remedy = "Stop it for the moment, and run this again. If it has to stay (another hub, for example), set certs.dns"
            raise StepError(host.name, cause, remedy)


def _files(wanted: CertificateRequest) -> dict[str, bytes]:
    """Return what is put into certbot's container, past its arguments and its environment."""
    ca = {CA_IN_CONTAINER[1:]: wanted.ca.encode()} if wanted.ca else {}
    dns = {dns_challenge.CREDENTIALS[1:]: wanted.dns.credentials.get_secret_value().encode()} if wanted.dns else {}
    lines = [f"{name}={shlex.quote(value.get_secret_value())}\n" for name, value in wanted.variables.items()]
    return ca | dns | ({VARIABLES[1:]: "".join(lines).encode()} if lines else {})


def _is_noise(said: list[str]) -> bool:
    """Tell whether the last line is certbot's own advertising, or its next steps, which are ours."""
    return "NEXT STEPS:" in said or said[-1].startswith(NOISE)


def reason(said: list[str]) -> str:
    """Return why certbot failed, of all that it said: the authority's detail, else the error of a renewal, else the end."""
    details = [line.strip().removeprefix("Detail:").strip() for line in said if line.strip().startswith("Detail:")]
    details += RENEWAL_ERROR.findall("\n".join(said))
    lines = [line.strip().removeprefix("* ") for line in said if line.strip() and not line.strip().startswith(NOISE)]
    return (details or lines[-1:] or ["it says nothing"])[0]


def _remedy(wanted: CertificateRequest, said: list[str]) -> str:
    text = "\n".join(said)
    if "CERTIFICATE_VERIFY_FAILED" in text or "certificate verify failed" in text:
        return "The ACME server's own certificate is not trusted: set certs.ca to a file with its CA"
    if BUSY in text:
        return "That is usually the renewal on the cluster: run this again in some minutes"
    if "Account " in text and "not found" in text:
        return f"The ACME server has forgotten this account: rm -r {FOLDER}/accounts there, and run this again"
    if "too many" in text or "rateLimited" in text:
        return "That is a rate limit: wait as it says, and try with staging = true meanwhile"
    if wanted.dns and any(said in text for said in NO_PLUGIN):
        return f"{wanted.image} has no plugin dns-{wanted.dns.plugin}: check certs.dns, or name an image with it: certs.image"
    if wanted.dns:
        return "Are certs.dns_credentials those of the domain's zone, and is certs.dns_propagation long enough?"
    return f"Does {wanted.domain} lead to this manager, and is port 80 open to the internet?"
