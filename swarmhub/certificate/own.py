"""A certificate of the operator's own: two files, checked here, and put on the manager in one go."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import SecretStr

from swarmhub.certificate.certs import CHAIN, KEY, OWN, STEP, Certificate, own_folder, parse_own
from swarmhub.engine import as_root
from swarmhub.errors import Problem, SettingsError, StepError
from swarmhub.host import Host
from swarmhub.plan.differences import differences, flat
from swarmhub.plan.plans import Change, Cost, Plan, Progress
from swarmhub.settings import Settings

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes


@dataclass(frozen=True)
class Own:
    """The certificate and its private key, as they are put on the manager: PEM, and nothing else."""

    certificate: Certificate
    key: SecretStr


def desired(settings: Settings, now: datetime) -> Own | None:
    """Read and check the files that the settings name; None where certbot gets the certificate.

    Raises:
        SettingsError: they cannot be read, do not fit each other or the domain, or do not hold now.

    """
    certs, domain = settings.certs, settings.hub.domain
    if certs.certificate is None or certs.key is None:
        return None
    chain = _chain(certs.certificate)
    key, public = _key(certs.key)
    if public != _public(chain[0].public_key()):
        raise _problem(
            certs.key, f"is not the key of {certs.certificate}; name a pair, the server's certificate first in its file"
        )
    certificate = _parsed(certs.certificate, chain)
    if lacking := certificate.lacking(settings.names):
        names, other = ", ".join(sorted(certificate.names)), "hub.domain" if domain in lacking else "hub.subdomains = false"
        raise _problem(certs.certificate, f"is for {names}, not for {', '.join(lacking)}; name one that is, or set {other}")
    if now >= certificate.not_after:
        raise _problem(certs.certificate, f"expired on {certificate.not_after:%Y-%m-%d}; get a newer one from its authority")
    if now < certificate.not_before:
        begin = f"{certificate.not_before:%Y-%m-%d %H:%M} UTC"
        raise _problem(certs.certificate, f"holds from {begin} on only; wait, or mend this machine's clock")
    return Own(certificate, key)


def plan(own: Own, domain: str, found: Certificate | None, manager: str, now: datetime, cost: Cost) -> Plan:
    """Return what puts the files on the manager; `cost` is what another certificate than the one served means."""
    what, certificate = f"certificate for {domain}", own.certificate
    if found is not None and found.fingerprint == certificate.fingerprint:
        return Plan(STEP, f"{what}, of your own: {found.days_left(now)} days left")
    wanted = _facts(certificate, now)
    if found is None:
        gist = f"for {', '.join(sorted(certificate.names))}, {certificate.days_left(now)} days left"
        return Plan(STEP, "", (Change("install", what, manager, _Installer(own, domain), flat(wanted), gist=gist),))
    differs = differences(wanted, _facts(found, now))
    return Plan(STEP, "", (Change("replace", what, manager, _Installer(own, domain), differs, cost),))


def _facts(one: Certificate, now: datetime) -> dict[str, object]:
    return {"names": sorted(one.names), "days left": one.days_left(now), "fingerprint": one.fingerprint}


@dataclass(frozen=True)
class _Installer:
    own: Own
    domain: str

    def __call__(self, host: Host, progress: Progress) -> None:
        """Put both files into a folder of their own, then turn the link to it: nobody reads one without the other."""
        above, name = own_folder(self.domain), self.own.certificate.fingerprint
        folder, link = f"{above}/{name}", f"{above}/current"
        before = as_root.run(host, "ls", above).out.split()
        _do(host, "mkdir", "-p", "-m", "700", OWN, above, folder)
        for file, content in ((CHAIN, self.own.certificate.chain), (KEY, self.own.key.get_secret_value())):
            _do(host, "dd", f"of={folder}/{file}", "conv=fsync", "status=none", content=content.encode())
            _do(host, "chmod", "600", f"{folder}/{file}")
        _do(host, "ln", "-sfn", name, f"{link}.part")
        _do(host, "mv", "-T", f"{link}.part", link)
        if stale := [f"{above}/{old}" for old in before if old not in (name, "current", "current.part")]:
            _do(host, "rm", "-rf", *stale)


def _do(host: Host, *argv: str, content: bytes | None = None) -> None:
    done = as_root.run(host, *argv, content=content)
    if done.code:
        raise StepError(host.name, f"cannot install the certificate: {done.last}", "Correct that there, and run this again")


def _chain(file: Path) -> "list[x509.Certificate]":
    """Read the certificates of a file."""
    from cryptography import x509

    content = _read(file, "certs.certificate")
    try:
        return x509.load_pem_x509_certificates(content)
    except ValueError:
        raise _problem(file, "holds no certificate in PEM; convert it: openssl x509 -in FILE -out NEW") from None


def _parsed(file: Path, chain: "list[x509.Certificate]") -> Certificate:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    # Anew: without what authorities write between the certificates, and their carriage returns.
    pem = "".join(one.public_bytes(Encoding.PEM).decode() for one in chain)
    try:
        found = parse_own(pem)
    except (ValueError, x509.ExtensionNotFound):
        found = None
    if found is None or not found.names:
        wrong = (
            "names no host as a subject alternative name, and browsers look nowhere else; get another one from its authority"
        )
        raise _problem(file, wrong)
    return found


def _key(file: Path) -> tuple[SecretStr, bytes]:
    """Read a private key; return it with the public one."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

    content = _read(file, "certs.key")
    try:
        key = load_pem_private_key(content, None)
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return SecretStr(pem.decode()), _public(key.public_key())
    except TypeError:
        wrong = "is encrypted, and nobody types its password when the hub starts; take it off: openssl pkey -in FILE -out NEW"
    except (ValueError, UnsupportedAlgorithm):
        wrong = "holds no private key in PEM; convert it: openssl pkey -in FILE -out NEW"
    raise _problem(file, wrong)


def _public(key: "PublicKeyTypes") -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _read(file: Path, setting: str) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise _problem(file, f"{(error.strerror or str(error)).lower()}; {setting} names it") from None


def _problem(file: Path, wrong: str) -> SettingsError:
    return SettingsError(Problem(str(file), 1, "", wrong))
