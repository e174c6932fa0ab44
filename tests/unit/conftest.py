"""Keep every test away from this machine's own settings, secrets, home and clock."""

import hashlib
from functools import cache
from pathlib import Path

import pytest

from swarmhub import settings as settings_file
from swarmhub import wait
from swarmhub.history import lock
from swarmhub.run import task
from swarmhub.settings import Settings
from tests.unit.support import cluster
from tests.unit.support.authority import Authority
from tests.unit.support.fakes import Clock, FakeProgress

FOREIGN = ("SWARMHUB_HOSTS", "GITHUB_CLIENT_ID", "GITHUB_CLIENT_SECRET", "OAUTH_CALLBACK_URL", "DOCKER_CONFIG", "SSH_AUTH_SOCK")


# It is dear by design, to whoever guesses at a secret and to whoever names one: once for each is enough here.
_scrypt = cache(hashlib.scrypt)


@pytest.fixture(scope="session")
def empty_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a home folder with nothing in it."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(autouse=True)
def _of_its_own(monkeypatch: pytest.MonkeyPatch, empty_home: Path) -> None:
    """Start each test as a process of its own starts: nothing set, nothing read, no run begun."""
    for name in FOREIGN:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(empty_home))
    monkeypatch.setattr(hashlib, "scrypt", _scrypt)
    monkeypatch.setattr(task, "_current", [])
    monkeypatch.setattr(lock, "WATCH_SECONDS", 0)  # the runs that a test begins one after the other beat on
    settings_file.current.cache_clear()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in a folder with settings, a userlist and secrets that are in order."""
    (tmp_path / "hosts.toml").write_text(cluster.HOSTS_TOML.replace("\n\n[proxy]", '\nuserlist = "users"\n\n[proxy]'))
    (tmp_path / "users").write_text("ada admin\n")
    monkeypatch.chdir(tmp_path)
    for name, value in cluster.SECRETS.items():
        monkeypatch.setenv(name, value.get_secret_value())
    return tmp_path


@pytest.fixture
def given(folder: Path) -> Settings:
    """Return the settings of that folder."""
    return settings_file.load(folder / "hosts.toml")


@pytest.fixture
def hosts(given: Settings, authority: Authority, monkeypatch: pytest.MonkeyPatch) -> cluster.Hosts:
    """Return a cluster on which every step has been done."""
    # Its own certificate would have to be one that holds on the day of the test.
    monkeypatch.setattr("swarmhub.certificate.certs.Certificate.is_due", lambda *_: False)
    return cluster.deployed(given, authority)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Return the clock by which code waits: its pauses take no time."""
    fake = Clock()
    monkeypatch.setattr(wait, "time", fake)
    return fake


@pytest.fixture
def progress() -> FakeProgress:
    """Return a progress that remembers what it was told."""
    return FakeProgress()


@pytest.fixture(scope="session")
def authority() -> Authority:
    """Return a certificate authority."""
    return Authority.make("Test CA")
