"""A certificate of the operator's own: what is refused here, what is planned, and how it is put on the manager."""

import json
import shlex
import subprocess
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from swarmhub.certificate import certs
from swarmhub.certificate import own as own_certs
from swarmhub.certificate.own import Own
from swarmhub.errors import SettingsError, StepError
from swarmhub.host import Output
from swarmhub.plan.plans import Cost, Plan, as_values
from swarmhub.settings import Settings
from tests.unit.support.authority import NOW, Authority
from tests.unit.support.fakes import DOMAIN, MANAGER, FakeHost, FakeProgress, settings

FOLDER = f"/etc/letsencrypt/own/{DOMAIN}"


@pytest.fixture
def pair(tmp_path: Path, authority: Authority) -> Settings:
    """Return settings that name a certificate for the domain and its key."""
    return named(tmp_path, *authority.issue(DOMAIN))


def named(folder: Path, chain: str, key: str) -> Settings:
    """Write a certificate and a key, and return settings that name them."""
    for name, content in (("chain.pem", chain), ("key.pem", key)):
        (folder / name).write_text(content)
    return settings(certs={"certificate": str(folder / "chain.pem"), "key": str(folder / "key.pem")})


def read(given: Settings, now: datetime = NOW) -> Own:
    """Return the files' content, checked."""
    own = own_certs.desired(given, now)
    assert own is not None
    return own


def wrong(given: Settings, now: datetime = NOW) -> str:
    """Return what is said against the files."""
    with pytest.raises(SettingsError) as refused:
        own_certs.desired(given, now)
    (line,) = str(refused.value).splitlines()
    return line


def planned(own: Own, found: certs.Certificate | None) -> Plan:
    """Return the plan for files of one's own."""
    return own_certs.plan(own, DOMAIN, found, MANAGER, NOW, Cost.HUB_RESTART)


def without_names(authority: Authority) -> tuple[str, str]:
    """Return a certificate as authorities made them long ago: with a common name only."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, DOMAIN)])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), NOW, NOW + timedelta(days=1))
        .sign(authority.key, hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
    )
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return made.decode(), key.private_bytes(*form).decode()


def encrypted(key: str, form: serialization.PrivateFormat) -> str:
    """Return a key with a password."""
    plain = serialization.load_pem_private_key(key.encode(), None)
    how = serialization.BestAvailableEncryption(b"hush")
    return plain.private_bytes(serialization.Encoding.PEM, form, how).decode()


def test_files_that_fit_are_read(pair: Settings) -> None:
    """Names and days come from the server's own certificate."""
    own = read(pair)
    assert ([*own.certificate.names], own.certificate.days_left(NOW), own.certificate.is_own) == ([DOMAIN], 89, True)


@pytest.mark.parametrize("name", ["*.org", f"*.{DOMAIN}"])
def test_another_name_is_refused(tmp_path: Path, authority: Authority, name: str) -> None:
    """A wildcard stands for one label, as browsers take it."""
    assert f"chain.pem:1: is for {name}, not for {DOMAIN}; name one that is" in wrong(named(tmp_path, *authority.issue(name)))


def test_subdomains_have_to_be_covered(tmp_path: Path, authority: Authority) -> None:
    """Where users have domains of their own; the message says what it is for and what not."""
    given = named(tmp_path, *authority.issue(DOMAIN))
    given = given.model_copy(update={"hub": given.hub.model_copy(update={"subdomains": True})})
    said = f"chain.pem:1: is for {DOMAIN}, not for *.{DOMAIN}; name one that is, or set hub.subdomains = false"
    assert said in wrong(given)
    named(tmp_path, *authority.issue(DOMAIN, f"*.{DOMAIN}"))
    assert read(given).certificate.names == {DOMAIN, f"*.{DOMAIN}"}


@pytest.mark.parametrize(
    ("after", "said"),
    [
        (timedelta(days=90), r"expired on 2027-02-12; get a newer one"),
        (timedelta(days=-2), "holds from 2026-11-14 12:00 UTC on only"),
    ],
)
def test_a_certificate_that_does_not_hold_now_is_refused(pair: Settings, after: timedelta, said: str) -> None:
    """It would be refused by every browser."""
    assert said in wrong(pair, NOW + after)


def test_a_key_of_another_certificate_is_refused(tmp_path: Path, authority: Authority) -> None:
    """The hub would not start with it."""
    chain, _ = authority.issue(DOMAIN)
    _, key = authority.issue(DOMAIN)
    assert f"key.pem:1: is not the key of {tmp_path}/chain.pem" in wrong(named(tmp_path, chain, key))


def test_a_chain_the_wrong_way_round_is_refused(tmp_path: Path, authority: Authority) -> None:
    """The server's certificate comes first; that is what the message says."""
    chain, key = authority.issue(DOMAIN)
    turned = authority.pem + chain.removesuffix(authority.pem)
    assert "the server's certificate first in its file" in wrong(named(tmp_path, turned, key))


@pytest.mark.parametrize("form", [serialization.PrivateFormat.PKCS8, serialization.PrivateFormat.TraditionalOpenSSL])
def test_a_key_with_a_password_is_refused(tmp_path: Path, authority: Authority, form: serialization.PrivateFormat) -> None:
    """Nobody could type it; the message says how to take it off."""
    chain, key = authority.issue(DOMAIN)
    assert "key.pem:1: is encrypted" in wrong(named(tmp_path, chain, encrypted(key, form)))


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("chain.pem", "nothing", "chain.pem:1: holds no certificate in PEM; convert it: openssl x509"),
        ("chain.pem", None, "chain.pem:1: no such file or directory; certs.certificate names it"),
        ("key.pem", "nothing", "key.pem:1: holds no private key in PEM; convert it: openssl pkey"),
        ("key.pem", None, "key.pem:1: no such file or directory; certs.key names it"),
    ],
)
def test_a_file_that_is_something_else_is_named(
    tmp_path: Path, pair: Settings, file: str, content: str | None, said: str
) -> None:
    """With what would make it right."""
    (tmp_path / file).unlink() if content is None else (tmp_path / file).write_text(content)
    assert said in wrong(pair)


def test_a_certificate_with_a_common_name_only_is_refused(tmp_path: Path, authority: Authority) -> None:
    """Browsers have not looked there for years."""
    assert "names no host as a subject alternative name" in wrong(named(tmp_path, *without_names(authority)))


def test_what_authorities_write_around_certificates_does_not_matter(tmp_path: Path, authority: Authority) -> None:
    """Remarks and carriage returns are left out: the same certificate is no other one."""
    chain, key = authority.issue(DOMAIN)
    before = read(named(tmp_path, chain, key)).certificate
    after = read(named(tmp_path, f"Bag Attributes\n  name: hub\n{chain}".replace("\n", "\r\n"), key)).certificate
    assert (after.fingerprint, after.chain) == (before.fingerprint, before.chain)


def test_another_intermediate_certificate_is_another_fingerprint(tmp_path: Path, authority: Authority) -> None:
    """The hub has to serve it, although its own certificate is the same."""
    chain, key = authority.issue(DOMAIN)
    whole, alone = (read(named(tmp_path, one, key)).certificate for one in (chain, chain.removesuffix(authority.pem)))
    assert whole.fingerprint != alone.fingerprint


def test_a_first_one_is_installed_and_costs_nothing(pair: Settings) -> None:
    """Neither certbot nor port 80 are asked."""
    (change,) = planned(read(pair), None).changes
    assert (change.sentence, change.cost) == (f"install certificate for {DOMAIN} on {MANAGER}", Cost.NOTHING)


def test_the_same_files_change_nothing(pair: Settings) -> None:
    """And the summary counts the days."""
    own = read(pair)
    plan = planned(own, own.certificate)
    assert (plan.changes, plan.summary) == ((), f"certificate for {DOMAIN}, of your own: 89 days left")


def test_other_files_replace_it_and_say_what_differs(tmp_path: Path, authority: Authority) -> None:
    """Names, days and fingerprint; it costs what the hub's proxy makes of it."""
    before = read(named(tmp_path, *authority.issue(DOMAIN))).certificate
    own = read(named(tmp_path, *authority.issue(DOMAIN, "*.example.org", days=30)))
    (change,) = planned(own, before).changes
    assert (change.verb, change.cost) == ("replace", Cost.HUB_RESTART)
    assert [(one.path, one.found, one.wanted) for one in change.differences] == [
        ("names", [DOMAIN], ["*.example.org", DOMAIN]),
        ("days left", 89, 29),
        ("fingerprint", before.fingerprint, own.certificate.fingerprint),
    ]


def secret_lines(own: Own) -> list[str]:
    """Return what would give the key away."""
    return own.key.get_secret_value().splitlines()[1:-1]


def test_no_plan_shows_the_key(pair: Settings) -> None:
    """Nor does a change's representation, which a traceback may hold."""
    own = read(pair)
    plan = planned(own, None)
    told = json.dumps(as_values([plan])) + repr(plan) + repr(plan.changes[0].apply) + repr(own)
    assert [line for line in secret_lines(own) if line in told] == []


class Machine(FakeHost):
    """A host whose commands are run here, below a folder of the test's."""

    def __init__(self, root: Path) -> None:
        super().__init__()
        self.root = root

    def run(self, *argv: str) -> Output:
        return self.send(b"", *argv)

    def send(self, content: bytes, *argv: str) -> Output:
        self.ran.append(argv)
        here = [word.replace("/etc/letsencrypt", str(self.root)) for word in argv]
        done = subprocess.run(here, input=content, capture_output=True, check=False)
        return Output(done.returncode, done.stdout.decode(), done.stderr.decode())


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """Return a host without a certificate."""
    return Machine(tmp_path / "letsencrypt")


def install(machine: Machine, given: Settings) -> Own:
    """Put the files that the settings name on the machine."""
    own = read(given)
    (change,) = planned(own, certs.observe(machine, given)).changes
    change.apply(machine, FakeProgress())
    return own


def test_what_was_installed_is_what_is_found(machine: Machine, pair: Settings) -> None:
    """So that a second deploy has nothing to do; the key stands in no command, since process lists are for everybody."""
    own = install(machine, pair)
    assert certs.observe(machine, pair) == own.certificate
    typed = "\n".join(shlex.join(argv) for argv in machine.ran)
    assert [line for line in secret_lines(own) if line in typed] == []


def test_nobody_but_root_may_read_the_key(machine: Machine, pair: Settings) -> None:
    """Neither the file nor the folders above it."""
    install(machine, pair)
    key = machine.root / "own" / DOMAIN / "current" / "privkey.pem"
    assert [oct(one.stat().st_mode & 0o777) for one in (key, key.parent.resolve(), machine.root / "own")] == [
        "0o600",
        "0o700",
        "0o700",
    ]


def test_both_files_change_at_once(machine: Machine, tmp_path: Path, authority: Authority) -> None:
    """A link is turned: until then all is as before, and what was before goes."""
    install(machine, named(tmp_path, *authority.issue(DOMAIN)))
    own = install(machine, named(tmp_path, *authority.issue(DOMAIN)))
    turned = [argv[0] for argv in machine.ran if argv[0] in ("mv", "dd", "rm")]
    assert turned == ["dd", "dd", "mv", "dd", "dd", "mv", "rm"]
    assert sorted(one.name for one in (machine.root / "own" / DOMAIN).iterdir()) == sorted(
        ["current", own.certificate.fingerprint]
    )


def test_a_key_that_is_gone_is_put_back(machine: Machine, pair: Settings) -> None:
    """A chain alone is no certificate."""
    install(machine, pair)
    (machine.root / "own" / DOMAIN / "current" / "privkey.pem").unlink()
    own = install(machine, pair)
    assert certs.observe(machine, pair) == own.certificate


def test_a_damaged_one_is_an_error_of_the_step(machine: Machine, pair: Settings) -> None:
    """With its place, so that it can be removed; certbot's are left alone."""
    install(machine, pair)
    (machine.root / "own" / DOMAIN / "current" / "fullchain.pem").write_text("half")
    with pytest.raises(StepError, match=rf"is damaged: .*Remove {FOLDER} there, and get another one: fab certs"):
        certs.observe(machine, pair)


@pytest.mark.parametrize(
    ("said", "remedy"),
    [
        ("mkdir: cannot create directory '/etc/letsencrypt/own': No space left on device\n", "Correct that there"),
        ("", "Correct that there"),
    ],
)
def test_what_cannot_be_written_is_told_with_its_reason(pair: Settings, said: str, remedy: str) -> None:
    """And with what helps."""
    own = read(pair)
    host = FakeHost(
        commands={f"mkdir -p -m 700 /etc/letsencrypt/own {FOLDER} {FOLDER}/{own.certificate.fingerprint}": Output(1, "", said)}
    )
    with pytest.raises(StepError, match=f"cannot install the certificate: .*{remedy}"):
        planned(own, None).changes[0].apply(host, FakeProgress())
