"""A certificate of the operator's own: installed, served, replaced, and certbot's again."""

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from lab import topology
from tests.lab.support import HUB, PROXY, ROOT, Done, Lab, variant
from tests.lab.test_proxy import served
from tests.unit.support.authority import Authority

MANAGER = topology.MANAGER.name
CURRENT = f"/etc/letsencrypt/own/{topology.DOMAIN}/current"
OF_CERTBOT = (ROOT / "lab" / "hosts.toml").read_text().partition("[certs]\n")[2]


@dataclass(frozen=True)
class Files:
    """The operator's two files, their authority, and the hosts.toml that names them."""

    folder: Path
    authority: Authority
    hosts: Path

    @classmethod
    def make(cls, folder: Path, *replaced: tuple[str, str], ssh: Callable[[str], str] | None = None) -> "Files":
        """Make an authority and a first certificate."""
        names = {"certificate": "chain.pem", "key": "key.pem", "ca": "ca.pem"}
        own = "".join(f'{setting} = "{folder / name}"\n' for setting, name in names.items())
        files = cls(folder, Authority.make("Operator's CA"), variant(folder, (OF_CERTBOT, own), *replaced, ssh=ssh))
        (folder / "ca.pem").write_text(files.authority.pem)
        files.issue()
        return files

    def issue(self) -> None:
        """Put a new certificate and its key in place of those before."""
        chain, key = self.authority.issue(topology.DOMAIN, start=datetime.now(UTC) - timedelta(hours=1))
        (self.folder / "chain.pem").write_text(chain)
        (self.folder / "key.pem").write_text(key)

    @property
    def serial(self) -> int:
        """Return the certificate's serial number."""
        return x509.load_pem_x509_certificate((self.folder / "chain.pem").read_bytes()).serial_number

    @property
    def secret(self) -> str:
        """Return a line that is in the key and nowhere else."""
        return (self.folder / "key.pem").read_text().splitlines()[1]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """Return an operator's files."""
    return Files.make(tmp_path_factory.mktemp("own"))


@pytest.fixture(scope="module", autouse=True)
def _forgotten(settled: Lab) -> Iterator[None]:
    """Leave nothing of them on the manager."""
    yield
    settled.on(MANAGER, "rm", "-rf", "/etc/letsencrypt/own")


@pytest.fixture(scope="module")
def first(settled: Lab, files: Files) -> Done:
    """Deploy with them, where certbot's certificate was served."""
    return settled.fab("deploy", hosts=files.hosts)


@pytest.fixture
def own(settled: Lab, first: Done) -> Lab:
    """Give a test the lab with the operator's certificate."""
    assert first.code == 0, first.text
    return settled


def test_it_is_installed_and_served(own: Lab, first: Done, files: Files) -> None:
    """Without certbot; the deploy has verified it against the operator's own authority."""
    assert f"install certificate for {topology.DOMAIN} on {MANAGER}" in first.out
    assert "certbot" not in first.text
    assert served() == files.serial
    assert own.docker("service", "ls", "--quiet", "--filter", f"name={HUB}-renewal") == "", "nobody can renew it"


def test_only_root_reads_the_key_and_nobody_has_read_it_in_the_output(own: Lab, first: Done, files: Files) -> None:
    """It came by standard input."""
    assert own.on(MANAGER, "stat", "-L", "-c", "%a %U", f"{CURRENT}/privkey.pem", CURRENT).splitlines() == [
        "600 root",
        "700 root",
    ]
    told = [first.text, *(own.fab("plan", *flags, hosts=files.hosts).text for flags in ((), ("--json",), ("--commands",)))]
    assert [text for text in told if files.secret in text or "PRIVATE KEY" in text] == []


def test_the_same_files_change_nothing(own: Lab, files: Files) -> None:
    """A second deploy has nothing to do."""
    before = own.service_version()
    done = own.fab("deploy", hosts=files.hosts)
    assert (done.code, "nothing to change" in done.out, own.service_version() == before) == (0, True, True), done.text


def test_doctor_and_status_tell_of_it(own: Lab, files: Files) -> None:
    """As of any other certificate, with its authority; nobody's port 80 is looked at."""
    findings = json.loads(own.fab("doctor", "--json", hosts=files.hosts).out)["findings"]
    told = [(one["level"], one["text"]) for one in findings if one["check"] == "certificate"]
    assert told == [("ok", f"{topology.DOMAIN}, 89 days left, issued by CN=Operator's CA")]
    assert [one for one in findings if one["check"] == "published" and "port 80" in one["text"]] == []
    status = json.loads(own.fab("status", "--json", hosts=files.hosts).out)["certificate"]
    assert (status["names"], status["days_left"], status["failed_renewals"]) == ([topology.DOMAIN], 89, 0)


def test_a_key_of_another_certificate_is_refused_before_anything_is_connected_to(
    files: Files, own: Lab, tmp_path: Path
) -> None:
    """In one line, with the file."""
    for name in ("chain.pem", "key.pem"):
        shutil.copy(files.folder / name, tmp_path)
    try:
        files.issue()
        shutil.copy(tmp_path / "chain.pem", files.folder)
        done = own.fab("deploy", hosts=files.hosts)
    finally:
        for name in ("chain.pem", "key.pem"):
            shutil.copy(tmp_path / name, files.folder)
    assert (done.code, done.out) == (2, ""), done.text
    assert f"{files.folder}/key.pem:1: is not the key of {files.folder}/chain.pem; name a pair" in done.err


def test_an_image_without_the_plugin_for_dns_is_told(own: Lab, tmp_path: Path) -> None:
    """By its name; the provider's credentials are in nothing that is said."""
    (tmp_path / "cloudflare.ini").write_text("dns_cloudflare_api_token = hush-hush\n")
    table = f'dns = "cloudflare"\ndns_credentials = "{tmp_path}/cloudflare.ini"\nwildcard = true\n'
    done = own.fab("certs", hosts=variant(tmp_path, (OF_CERTBOT, OF_CERTBOT + table)))
    assert done.code == 1
    assert "registry.lab:5000/certbot:lab has no plugin dns-cloudflare" in done.err
    assert "hush-hush" not in done.text
    assert not own.docker("ps", "--all", "--quiet", "--filter", "label=swarmhub=certs")


def test_a_newer_one_replaces_it(own: Lab, files: Files) -> None:
    """The plan says what differs; the proxy serves it as it runs, and no service is touched."""
    before = own.on(MANAGER, "readlink", CURRENT)
    services = [own.service_version(name) for name in (HUB, PROXY)]
    files.issue()
    done = own.fab("deploy", "--yes", hosts=files.hosts)
    assert done.code == 0, done.text
    assert f"replace certificate for {topology.DOMAIN} on {MANAGER}" in done.out
    assert f"fingerprint: {before} → " in done.out
    own.wait(lambda: served() == files.serial, 10, "the new certificate is not served")
    assert [own.service_version(name) for name in (HUB, PROXY)] == services
    assert set(own.on(MANAGER, "ls", f"{CURRENT}/..").split()) == {own.on(MANAGER, "readlink", CURRENT), "current"}
    assert files.secret not in done.text


def test_certbots_comes_back_by_a_deploy(own: Lab) -> None:
    """Its certificate was left alone, and is served again; the operator's stays for another change of mind."""
    done = own.fab("deploy", "--yes")
    assert done.code == 0, done.text
    chain = own.on(MANAGER, "cat", f"/etc/letsencrypt/live/{topology.DOMAIN}/fullchain.pem")
    assert served() == x509.load_pem_x509_certificate(chain.encode()).serial_number
    assert "issue" not in done.out
