"""What this machine has to give."""

from pathlib import Path

import pytest

from swarmhub.doctor import local
from swarmhub.errors import Problem
from tests.unit.support.fakes import CALLBACK, DOMAIN, MANAGER, settings

GIVEN = {"GITHUB_CLIENT_ID": "id", "GITHUB_CLIENT_SECRET": "hush", "OAUTH_CALLBACK_URL": CALLBACK}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return where the settings would be, beside a userlist."""
    (tmp_path / "users").write_text("ada admin\n")
    return tmp_path / "hosts.toml"


def examine(file: Path, monkeypatch: pytest.MonkeyPatch, **given: str) -> dict[str, list[str]]:
    """Return the levels by check, with these secrets in the environment."""
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    answers: dict[str, list[str]] = {}
    for one in local.observe(settings(hub={"domain": DOMAIN, "userlist": str(file.parent / "users")}), file):
        answers.setdefault(one.check, []).append(one.level)
    return answers


@pytest.mark.parametrize(
    ("given", "secrets", "callback"),
    [
        (GIVEN, ["ok"], ["ok"]),
        ({}, ["failure", "failure"], ["failure"]),
        (GIVEN | {"OAUTH_CALLBACK_URL": "https://elsewhere.example.org/hub/oauth_callback"}, ["ok"], ["failure"]),
    ],
    ids=["in order", "none", "a callback that leads elsewhere"],
)
def test_files_secrets_and_callback_are_a_line_each(
    file: Path, monkeypatch: pytest.MonkeyPatch, given: dict[str, str], secrets: list[str], callback: list[str]
) -> None:
    """None is an error that ends the doctor, and a wrong callback does not make the secrets wrong."""
    assert examine(file, monkeypatch, **given) == {"settings": ["ok"], "secrets": secrets, "callback": callback}


def test_mistake_in_the_userlist_is_a_line(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of them, with its line number."""
    (file.parent / "users").write_text("a b c\nnot a name\n")
    assert examine(file, monkeypatch, **GIVEN)["settings"].count("failure") >= 2


def test_callback_is_not_judged_without_its_source() -> None:
    """Where the secrets' file cannot be read, nobody knows the callback."""
    found = local.judge([], [Problem("hosts.toml", 1, "secrets.file", "cannot read it")], DOMAIN)
    assert [one.check for one in found] == ["settings", "secrets"]


def test_remedy_stands_behind_the_cause() -> None:
    """What to type stays as it is to be typed."""
    found = local.judge([], [Problem("hosts.toml", 1, "secrets.A", "is not set; export A=…")], DOMAIN)
    assert (found[1].text, found[1].remedy) == ("hosts.toml:1: secrets.A: is not set", "Set it: export A=…")


def test_secrets_of_the_swarm_are_compared() -> None:
    """Other ones there are a warning: the next deploy would change them."""
    assert local.deployed(frozenset("a"), frozenset("ab"), MANAGER).level == "ok"
    assert local.deployed(frozenset("ac"), frozenset("ab"), MANAGER).level == "warning"


def test_who_has_no_number_is_named(file: Path) -> None:
    """Where a list says them; the others get no server."""
    (file.parent / "users").write_text("ada admin\ngrace\n")
    (file.parent / "passwd").write_text("ada:x:20001:100:\ngrace:x:500:100:\n")
    given = {
        "hub": {"domain": DOMAIN, "userlist": str(file.parent / "users")},
        "home": {"type": "nfs", "server": "nas", "path": "/h"},
    }
    owners = {"passwd": str(file.parent / "passwd")}
    (one,) = local.numbers(settings(**given, owners=owners))
    assert (one.level, "for grace: no server for them" in one.text) == ("warning", True)
    assert local.numbers(settings(**given, owners=owners | {"range": "1-30000"})) == []
    assert local.numbers(settings(**given)) == []


def test_the_password_of_scheduled_backups_is_missed(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every deploy needs it then; of backups by hand, these say so."""
    for name, value in GIVEN.items():
        monkeypatch.setenv(name, value)
    hub, backup = {"domain": DOMAIN, "userlist": str(file.parent / "users")}, {"repository": "/mnt/backup"}
    assert not [one for one in local.observe(settings(hub=hub, backup=backup), file) if "BACKUP_PASSWORD" in one.text]
    found = local.observe(settings(hub=hub, backup={**backup, "every": "1d"}), file)
    assert [one.level for one in found if "BACKUP_PASSWORD" in one.text] == ["failure"]
