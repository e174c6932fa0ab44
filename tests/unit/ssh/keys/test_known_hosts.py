"""What known_hosts files say: OpenSSH's patterns, hashes and marks, and lines that say nothing."""

import base64
from pathlib import Path

import paramiko
import pytest
from fabric import Config
from paramiko import ECDSAKey, HostKeys, RSAKey, SSHConfig

from swarmhub.ssh.connection import VerifiedConnection
from swarmhub.ssh.failures import UnknownHostKey, explain
from swarmhub.ssh.keys.known_hosts import HostKeysKnown, fingerprint, read

HOST = "node1.example.org"
SALT = base64.b64encode(b"s" * 20).decode()
HASHED, HASHED_OTHER = (HostKeys.hash_host(name, f"|1|{SALT}|") for name in (HOST, "other"))
KEY, OTHER, RSA = ECDSAKey.generate(), ECDSAKey.generate(), RSAKey.generate(1024)


def text(key: paramiko.PKey) -> str:
    """Return a key as a known_hosts file has it."""
    return f"{key.get_name()} {key.get_base64()}"


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the project's own known_hosts; the user has none."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SWARMHUB_HOSTS", str(tmp_path / "hosts.toml"))
    return tmp_path / "known_hosts"


def known(file: Path, *lines: str, name: str = HOST) -> HostKeysKnown:
    """Return what a file with these lines says of a host."""
    file.write_text("".join(f"{line}\n" for line in lines))
    return read([file.parent / "none", file], name)


@pytest.mark.parametrize(
    ("names", "is_named"),
    [
        (HOST, True),
        (HOST.upper(), True),
        (f"other,{HOST}", True),
        ("*.example.org", True),
        ("node?.example.org", True),
        ("*.example.org,!node1.*", False),
        (f"!{HOST},*", False),
        ("*.example.com", False),
        ("node", False),
        (HASHED, True),
        (HASHED_OTHER, False),
        ("|1|broken", False),
        ("", False),
    ],
)
def test_names_are_read_as_openssh_reads_them(file: Path, names: str, is_named: bool) -> None:
    """A name, a pattern, one that excludes, a hash."""
    assert bool(known(file, f"{names} {text(KEY)}").trusted) is is_named


def test_brackets_are_part_of_a_name(file: Path) -> None:
    """A host on another port is called so; the pattern's own brackets are none of OpenSSH's."""
    line = f"[{HOST}]:2222 {text(KEY)}"
    assert known(file, line, name=f"[{HOST}]:2222").trusted == {KEY.get_name(): KEY}
    assert not known(file, line).trusted


def test_the_first_key_of_a_type_counts(file: Path) -> None:
    """The order of the types is that of the file."""
    lines = [f"{HOST} {text(RSA)}", f"{HOST} {text(KEY)}", f"{HOST} {text(OTHER)}"]
    assert list(known(file, *lines).trusted.values()) == [RSA, KEY]


@pytest.mark.parametrize("names", ["*", HOST, HASHED])
@pytest.mark.parametrize("order", [1, -1], ids=["before", "after"])
def test_a_revoked_key_is_trusted_nowhere(file: Path, names: str, order: int) -> None:
    """Wherever else it is named; another key of the host still counts."""
    lines = [f"@revoked {names} {text(KEY)}", f"{HOST} {text(KEY)}", f"{HOST} {text(OTHER)}"][::order]
    assert known(file, *lines) == HostKeysKnown({OTHER.get_name(): OTHER}, (KEY,))


def test_an_authority_is_no_key_of_the_host(file: Path) -> None:
    """Where it is named is kept for the message."""
    assert known(file, "# by hand", f"@cert-authority *.example.org {text(KEY)}") == HostKeysKnown(authority=f"{file}:2")


@pytest.mark.parametrize(
    "line",
    [
        "",
        "#",
        "@",
        "@revoked",
        "@revoked *",
        "@cert-authority",
        f"@unheard-of {HOST} {text(KEY)}",
        HOST,
        f"{HOST} ssh-rsa",
        f"{HOST} ssh-rsa !!!",
        f"{HOST} ssh-rsa AAAA",
        f"{HOST} {KEY.get_name()} AAAAB3NzaC1yc2EAAAA=",
        f"{HOST} unheard-of {KEY.get_base64()}",
        f"@revoked {HOST} ssh-ed25519 AAAA",
        "\x00\udcff".encode("utf-8", "surrogateescape").decode("latin-1"),
    ],
    ids=range(15),
)
def test_a_line_that_is_no_key_says_nothing(file: Path, line: str) -> None:
    """The lines around it do."""
    assert known(file, line, f"{HOST}\t{text(KEY)} a comment").trusted == {KEY.get_name(): KEY}


def refused(key: paramiko.PKey) -> str:
    """Return what is said when a host shows a key that is not trusted."""
    connection = VerifiedConnection(HOST, config=Config(ssh_config=SSHConfig()))
    return str(explain(HOST, connection, UnknownHostKey(HOST, key)))


def test_a_revoked_key_is_refused_in_one_line(file: Path) -> None:
    """It is not to be trusted: `fab trust` is no remedy."""
    file.write_text(f"@revoked * {text(KEY)}\n{HOST} {text(KEY)}\n")
    assert not VerifiedConnection(HOST, config=Config(ssh_config=SSHConfig())).client.get_host_keys()
    said = refused(KEY)
    assert f"the host key {KEY.get_name()} {fingerprint(KEY)} is REVOKED in known_hosts" in said
    assert ("\n" in said, "fab trust" in said) == (False, False)


def test_an_authority_that_would_name_the_key_is_told(file: Path) -> None:
    """The host has a certificate, which ssh accepts; here its key has to be trusted."""
    file.write_text(f"@cert-authority * {text(OTHER)}\n")
    said = refused(KEY)
    assert f"{file}:1 names an authority for it, whose certificates swarmhub does not check" in said
    assert f"fab trust {HOST}" in said
