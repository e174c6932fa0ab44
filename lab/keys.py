"""Make the lab's own certificate authority, certificates, SSH keys and secrets, once."""

import base64
import datetime
import os
import secrets
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import bcrypt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import NameOID

from lab import topology
from lab.topology import Node

PEM = serialization.Encoding.PEM
VALID = datetime.timedelta(days=3650)
CALLBACK = "OAUTH_CALLBACK_URL"
# What the lab's name server takes updates with: as its configuration has it, and as certbot's plugin does.
ZONE_KEY, DNS_CREDENTIALS = "zone-key.conf", "rfc2136.ini"
# What the registry with a login knows of its one user, and that user's name and password.
HTPASSWD, LOGIN = "htpasswd", "registry-login"


@dataclass(frozen=True)
class State:
    """The lab's files on this machine; none of them is ever committed."""

    folder: Path

    def __truediv__(self, name: str) -> Path:
        return self.folder / name

    def bytes(self, name: str) -> bytes:
        """Read one of the files."""
        return (self.folder / name).read_bytes()

    @property
    def id(self) -> str:
        """Return what tells this state from another clone's, for the containers' labels."""
        return (self.folder / "id").read_text()


def ensure(folder: Path = topology.STATE) -> State:
    """Make what is missing; `id` is written last, so a half-made state is made again, and so is one of a smaller lab."""
    state = State(folder)
    if not all((state / name).exists() for name in ("id", *(f"{service.name}.crt" for service in topology.SERVICES))):
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        _certificates(state)
        _ssh_keys(state)
        _secrets(state)
        _write(state / "id", secrets.token_hex(8).encode())
    if not (state / ZONE_KEY).exists():
        _zone_key(state)
    return state


def machine_roots() -> bytes:
    """Return the certificates that this machine trusts: behind a TLS-inspecting proxy, its CA is among them."""
    paths = (os.environ.get("SSL_CERT_FILE"), ssl.get_default_verify_paths().cafile, "/etc/ssl/certs/ca-certificates.crt")
    found = next((Path(path) for path in paths if path and Path(path).exists()), None)
    return found.read_bytes() if found else b""


def write_ssh(state: State, nodes: Sequence[Node] = topology.NODES) -> None:
    """Write the ssh_config and the known_hosts that lead to the nodes, and only to them."""
    config, known = [], []
    for node in nodes:
        config += [
            f"Host {node.name}",
            "  HostName 127.0.0.1",
            f"  Port {node.ssh_port}",
            "  User root",
            f'  IdentityFile "{state / "ssh_key"}"',
            "  IdentitiesOnly yes",
            f'  UserKnownHostsFile "{state / "known_hosts"}"',
            "",
        ]
        key = (state / f"{node.name}.ssh_host_key.pub").read_text()
        known.append(f"[127.0.0.1]:{node.ssh_port} {key}\n")
    _write(state / "ssh_config", "\n".join(config).encode())
    _write(state / "known_hosts", "".join(known).encode())


def write_callback(state: State, hub: str) -> None:
    """Name the hub's address among the secrets."""
    kept = [line for line in (state / "oauth.env").read_text().splitlines() if not line.startswith(CALLBACK)]
    _write(state / "oauth.env", "".join(f"{line}\n" for line in (*kept, f"{CALLBACK}={hub}/hub/oauth_callback")).encode())


def _certificates(state: State) -> None:
    ca_key = ec.generate_private_key(ec.SECP256R1())
    ca = _sign("swarmhub lab CA", ca_key, None, None)
    _write(state / "ca.crt", ca.public_bytes(PEM))
    _write(state / "hub-ca.crt", ca.public_bytes(PEM) + machine_roots())
    _write(state / "acme-ca.crt", ca.public_bytes(PEM))
    names = {service.name: service.hostname for service in topology.SERVICES} | {"hub": topology.DOMAIN}
    for file, name in names.items():
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _sign(name, key, ca, ca_key)
        _write(state / f"{file}.crt", certificate.public_bytes(PEM))
        _write(state / f"{file}.key", _private(key))


def _sign(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    ca: x509.Certificate | None,
    ca_key: ec.EllipticCurvePrivateKey | None,
) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(ca.subject if ca else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + VALID)
        .add_extension(x509.BasicConstraints(ca=ca is None, path_length=None), critical=True)
    )
    if ca:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(ca.public_key())  # type: ignore[arg-type]
    else:
        subject_id = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        usage = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
        builder = builder.add_extension(subject_id, critical=False).add_extension(usage, critical=True)
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())
    return builder.add_extension(issuer, critical=False).sign(ca_key or key, hashes.SHA256())


def _ssh_keys(state: State) -> None:
    for name in ("ssh_key", *(f"{node.name}.ssh_host_key" for node in topology.NODES)):
        key = ed25519.Ed25519PrivateKey.generate()
        openssh = serialization.PrivateFormat.OpenSSH
        _write(state / name, key.private_bytes(PEM, openssh, serialization.NoEncryption()))
        public = serialization.PublicFormat.OpenSSH
        _write(state / f"{name}.pub", key.public_key().public_bytes(serialization.Encoding.OpenSSH, public))


def _secrets(state: State) -> None:
    lines = {
        "GITHUB_CLIENT_ID": secrets.token_hex(10),
        "GITHUB_CLIENT_SECRET": secrets.token_hex(20),
    }
    _write(state / "oauth.env", "".join(f"{name}={value}\n" for name, value in lines.items()).encode())
    password = secrets.token_urlsafe(20)
    _write(state / HTPASSWD, b"puller:" + bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)))
    _write(state / LOGIN, f"puller:{password}".encode())
    write_callback(state, topology.HUB_URL)


def _zone_key(state: State) -> None:
    key = base64.b64encode(secrets.token_bytes(32)).decode()
    options = {"server": topology.DNS, "port": topology.KNOT_PORT, "name": "certbot", "secret": key, "algorithm": "HMAC-SHA256"}
    _write(state / DNS_CREDENTIALS, "".join(f"dns_rfc2136_{name} = {value}\n" for name, value in options.items()).encode())
    _write(state / ZONE_KEY, f"key:\n  - id: certbot\n    algorithm: hmac-sha256\n    secret: {key}\n".encode())


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def _write(path: Path, content: bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(content)
