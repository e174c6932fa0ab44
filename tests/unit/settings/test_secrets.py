"""The secrets: where they come from, what is wrong with them, and what is never shown."""

import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from swarmhub.errors import SettingsError
from swarmhub.settings import secrets
from tests.unit.support.fakes import CALLBACK, DOMAIN, alone, settings

HOSTS = Path("hosts.toml")
GIVEN = {"GITHUB_CLIENT_ID": "an-id", "GITHUB_CLIENT_SECRET": "hush", "OAUTH_CALLBACK_URL": CALLBACK}
LINES = "".join(f"{name}={value}\n" for name, value in GIVEN.items())


def load(environ: dict[str, str], **table: Any) -> dict[str, str]:
    """Return the secrets' values."""
    loaded = secrets.load(alone(secrets=table), HOSTS, environ)
    return {name: value.get_secret_value() for name, value in loaded.items()}


def problems(environ: dict[str, str], **table: Any) -> dict[str, str]:
    """Return what is wrong with the secrets, by key."""
    with pytest.raises(SettingsError) as error:
        load(environ, **table)
    return {problem.key: problem.wrong for problem in error.value.problems}


def printing(tmp_path: Path, code: str) -> list[str]:
    """Return a command that runs this Python code."""
    script = tmp_path / "print-secrets.py"
    script.write_text(code)
    return [sys.executable, "-SE", str(script)]


def test_blanks_around_a_value_are_taken_off() -> None:
    """Three variables are all that is needed; a line end that a shell's substitution left is no part of a secret."""
    assert load(GIVEN | {"GITHUB_CLIENT_SECRET": " hush\n"}) == GIVEN


@pytest.mark.parametrize("name", GIVEN)
def test_a_missing_secret_is_named_with_how_to_get_it(name: str) -> None:
    """What is not set, or blank, is named, with where to register the hub, with which callback, and what to export; at once."""
    exported = CALLBACK if name == "OAUTH_CALLBACK_URL" else "…"
    wrong = (
        f"is not set; register the hub at https://github.com/settings/applications/new with the callback {CALLBACK}, "
        f"then: export {name}={exported}"
    )
    for environ in ({key: value for key, value in GIVEN.items() if key != name}, GIVEN | {name: ""}, GIVEN | {name: "  "}):
        assert problems(environ) == {f"secrets.{name}": wrong}
    assert set(problems({})) == {f"secrets.{one}" for one in GIVEN}


def test_more_secrets_come_from_the_same_places() -> None:
    """What secrets.names lists is loaded besides the three."""
    assert load(GIVEN | {"REPORT_TOKEN": "hush"}, names=["REPORT_TOKEN"])["REPORT_TOKEN"] == "hush"


def test_a_missing_secret_of_ones_own_is_named() -> None:
    """There is nothing to register for it."""
    assert problems(GIVEN, names=["REPORT_TOKEN"]) == {"secrets.REPORT_TOKEN": "is not set; export REPORT_TOKEN=…"}


def test_a_long_name_fits_into_a_swarm_secrets() -> None:
    """Docker takes 64 characters; names that begin alike stay apart."""
    names = {secrets.swarm_name("s" * 30, "A" * 40 + end, SecretStr("x"), "c") for end in "xy"}
    assert (len(names), max(map(len, names)) <= 64) == (2, True)


def test_on_an_enterprises_github_one_registers_there() -> None:
    """The address at which to register is that of the GitHub in hosts.toml."""
    with pytest.raises(SettingsError, match=r"register the hub at https://git\.example\.org/settings/applications/new"):
        secrets.load(settings(github={"url": "https://git.example.org"}), HOSTS, {})


@pytest.mark.parametrize("callback", [CALLBACK, f"https://{DOMAIN}:8443/hub/oauth_callback"])
def test_a_callback_that_leads_to_the_hub_is_taken(callback: str) -> None:
    """The domain of hosts.toml, with or without a port, and JupyterHub's own path."""
    assert load(GIVEN | {"OAUTH_CALLBACK_URL": callback})["OAUTH_CALLBACK_URL"] == callback


@pytest.mark.parametrize(
    "callback",
    [
        "https://other.example.org/hub/oauth_callback",
        f"https://{DOMAIN}.evil.example/hub/oauth_callback",
        f"https://{DOMAIN}@evil.example/hub/oauth_callback",
        f"https://user@{DOMAIN}/hub/oauth_callback",
        f"https://:password@{DOMAIN}/hub/oauth_callback",
        f"http://{DOMAIN}/hub/oauth_callback",
        f"https://{DOMAIN}",
        f"https://{DOMAIN}/hub/oauth_callback/",
        f"https://{DOMAIN}/oauth_callback",
        f"https://{DOMAIN}/hub/oauth_callback?next=x",
        f"https://{DOMAIN}/hub/oauth_callback#x",
        f"https://{DOMAIN}/hub/oauth_callback?",
        f"https://{DOMAIN}/hub/oauth_call\nback",
        f"https://{DOMAIN}/hub/oauth_callback;id",
        f"https://{DOMAIN}/hub/oauth_callback$(id)",
        f"https://{DOMAIN}:0/hub/oauth_callback",
        f"https://{DOMAIN}:99999/hub/oauth_callback",
        f"https://{DOMAIN}:port/hub/oauth_callback",
        "https://[/hub/oauth_callback",
        DOMAIN,
    ],
)
def test_a_callback_that_does_not_lead_to_this_hub_is_refused(callback: str) -> None:
    """Anything but the domain's own callback is a problem that says what it would be."""
    assert problems(GIVEN | {"OAUTH_CALLBACK_URL": callback}) == {
        "secrets.OAUTH_CALLBACK_URL": f"{callback!r} does not lead to this hub; it would be {CALLBACK}"
    }


def test_a_file_gives_what_the_environment_does_not(tmp_path: Path) -> None:
    """A file of NAME=value lines, with quotes and comments as such files have, is read."""
    file = tmp_path / ".env"
    file.write_text(f"# the hub's\nGITHUB_CLIENT_ID=an-id\nGITHUB_CLIENT_SECRET='hush'\nOAUTH_CALLBACK_URL=\"{CALLBACK}\"\n")
    assert load({}, file=str(file)) == GIVEN


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    """What is exported for one run outweighs what is written down."""
    (tmp_path / ".env").write_text(LINES)
    assert load({"GITHUB_CLIENT_SECRET": "other"}, file=str(tmp_path / ".env"))["GITHUB_CLIENT_SECRET"] == "other"


def test_a_dollar_in_the_file_is_a_dollar(tmp_path: Path) -> None:
    """A secret's value is nobody's template: nothing is filled into it."""
    (tmp_path / ".env").write_text(f"{LINES}GITHUB_CLIENT_SECRET=a${{HOME}}b\n")
    assert load({}, file=str(tmp_path / ".env"))["GITHUB_CLIENT_SECRET"] == "a${HOME}b"


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    """The problem is at the key that names the file, and says what belongs into it."""
    assert problems({}, file=str(tmp_path / "no")) == {
        "secrets.file": f"cannot read {tmp_path}/no: No such file or directory. It has NAME=value lines, one for each of "
        "GITHUB_CLIENT_ID, GITHUB_CLIENT_SECRET, OAUTH_CALLBACK_URL"
    }


def test_a_problem_is_at_the_line_of_its_key(tmp_path: Path) -> None:
    """What is wrong with a key is told with the line on which hosts.toml has it, or its table."""
    hosts = tmp_path / "hosts.toml"
    hosts.write_text('[hosts]\nmanagers = ["a"]\n\n[secrets]\n# where\nfile = "no"\n')
    with pytest.raises(SettingsError, match=r"hosts\.toml:6: secrets\.file: "):
        secrets.load(settings(secrets={"file": str(tmp_path / "no")}), hosts, {})
    with pytest.raises(SettingsError, match=r"hosts\.toml:4: secrets\.OAUTH_CALLBACK_URL: "):
        secrets.load(settings(), hosts, {"GITHUB_CLIENT_ID": "a", "GITHUB_CLIENT_SECRET": "b"})


def test_a_file_that_is_not_text_shows_nothing_of_itself(tmp_path: Path) -> None:
    """A file that is not UTF-8 is a problem, and its content is not in the message."""
    (tmp_path / ".env").write_bytes(b"GITHUB_CLIENT_SECRET=hush\xff\n")
    assert problems({}, file=str(tmp_path / ".env")) == {
        "secrets.file": f"cannot read {tmp_path}/.env: it is not UTF-8. It has NAME=value lines, one for each of "
        "GITHUB_CLIENT_ID, GITHUB_CLIENT_SECRET, OAUTH_CALLBACK_URL"
    }


def test_a_command_gives_what_the_environment_does_not(tmp_path: Path) -> None:
    """A password manager's output is read like a file."""
    assert load({}, command=printing(tmp_path, f"print({LINES!r})")) == GIVEN


def test_a_command_is_run_without_a_shell(tmp_path: Path) -> None:
    """The command's words reach it as they are written, whatever a shell would do with them."""
    command = printing(tmp_path, f"import sys; print({LINES!r} + 'GITHUB_CLIENT_SECRET=' + sys.argv[1])")
    assert load({}, command=[*command, "$(id);*"])["GITHUB_CLIENT_SECRET"] == "$(id);*"


def test_a_command_that_fails_shows_its_error_and_not_its_output(tmp_path: Path) -> None:
    """Standard output may hold secrets: only the last line of standard error is told."""
    code = "import sys; print('GITHUB_CLIENT_SECRET=hush'); print('locked\\nno key', file=sys.stderr); sys.exit(2)"
    assert problems({}, command=printing(tmp_path, code)) == {"secrets.command": f"{sys.executable!r} failed: no key"}
    silent = printing(tmp_path, "raise SystemExit(1)")
    assert problems({}, command=silent) == {"secrets.command": f"{sys.executable!r} failed: it says nothing"}


def test_a_command_that_does_not_exist_is_named() -> None:
    """A program that is not installed is a problem at its key."""
    assert problems({}, command=["no-such-program", "show"]) == {
        "secrets.command": "'no-such-program' does not run: No such file or directory"
    }


def test_a_command_that_waits_for_ever_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A password manager that asks for what nobody types is not waited for without end."""
    monkeypatch.setattr(secrets, "COMMAND_SECONDS", 0.05)
    command = printing(tmp_path, "import signal; signal.pause()")
    assert problems({}, command=command) == {"secrets.command": f"{sys.executable!r} does not run: no answer within a minute"}


def test_a_command_whose_output_is_not_text_is_a_problem(tmp_path: Path) -> None:
    """Bytes that are not UTF-8 give a problem at the key, not a traceback."""
    command = printing(tmp_path, "import sys; sys.stdout.buffer.write(b'GITHUB_CLIENT_SECRET=hush\\xff')")
    assert set(problems({}, command=command)) == {"secrets.command"}


def test_secrets_do_not_show_themselves() -> None:
    """The repr and the text of the loaded secrets hide every value."""
    loaded = secrets.load(settings(), HOSTS, GIVEN)
    assert [value for value in GIVEN.values() if value in f"{loaded!r} {loaded}"] == []


def swarm_name(service: str = "jupyterhub", name: str = "GITHUB_CLIENT_ID", value: str = "v", cluster: str = "c") -> str:
    """Return the name of a secret in the swarm."""
    return secrets.swarm_name(service, name, SecretStr(value), cluster)


@pytest.mark.parametrize(
    "other",
    [{"value": "w"}, {"name": "GITHUB_CLIENT_SECRET"}, {"service": "hub"}, {"cluster": "d"}],
    ids=lambda other: next(iter(other)),
)
def test_a_secrets_name_changes_with_what_it_stands_for(other: dict[str, str]) -> None:
    """Another value, secret, service or cluster has another name: the same value is not recognised elsewhere."""
    assert swarm_name(**other).rpartition("-")[2] != swarm_name().rpartition("-")[2]
    assert swarm_name() == swarm_name()


def test_a_secrets_name_tells_whose_it_is_and_nothing_of_its_value() -> None:
    """The name starts with the service and the secret, fits Swarm's 64 characters, and does not hold the value."""
    name = swarm_name(name="GITHUB_CLIENT_SECRET", value="hush")
    assert (name.startswith("jupyterhub-github_client_secret-"), "hush" in name, len(name) <= 64) == (True, False, True)


def test_another_provider_needs_no_secrets_of_githubs() -> None:
    """Its own are listed in secrets.names; the callback leads to the hub whoever the provider is."""
    options = {"client_secret": {"secret": "GOOGLE_SECRET"}}
    given = alone(access={"provider": "google", "options": options}, secrets={"names": ["GOOGLE_SECRET"]})
    environ = {"OAUTH_CALLBACK_URL": CALLBACK, "GOOGLE_SECRET": "hush"}
    assert set(secrets.load(given, HOSTS, environ)) == {"OAUTH_CALLBACK_URL", "GOOGLE_SECRET"}
    with pytest.raises(SettingsError, match="register the hub at your provider with the callback"):
        secrets.load(given, HOSTS, {})


def test_a_provider_without_a_callback_needs_none() -> None:
    """LDAP, a shared password: the hub's own address is that of its domain, unless it is given."""
    given = alone(access={"provider": "shared-password"})
    assert secrets.load(given, HOSTS, {})["OAUTH_CALLBACK_URL"].get_secret_value() == CALLBACK
    elsewhere = CALLBACK.replace("/hub/", ":8443/hub/", 1)
    assert secrets.load(given, HOSTS, {"OAUTH_CALLBACK_URL": elsewhere})["OAUTH_CALLBACK_URL"].get_secret_value() == elsewhere


def test_the_callback_of_a_hub_below_a_path_has_the_path() -> None:
    """The usual one of such a hub is what is told."""
    given = settings(hub={"base_url": "/jupyter/"})
    values = GIVEN | {"OAUTH_CALLBACK_URL": f"https://{DOMAIN}/jupyter/hub/oauth_callback"}
    assert secrets.load(given, HOSTS, values)
    with pytest.raises(SettingsError, match=f"it would be https://{DOMAIN}/jupyter/hub/oauth_callback"):
        secrets.load(given, HOSTS, GIVEN | {"OAUTH_CALLBACK_URL": f"https://{DOMAIN}/hub/oauth_callback"})


def of_backup(environ: dict[str, str], repository: str | None) -> dict[str, str]:
    """Return the values of the backup's secrets."""
    given = alone(backup={"repository": repository} if repository else {})
    return {name: value.get_secret_value() for name, value in secrets.of_backup(given, HOSTS, environ).items()}


def test_a_backup_has_secrets_of_its_own() -> None:
    """By the kind of the repository; the hub has none of them."""
    everything = dict.fromkeys((secrets.BACKUP, *secrets.BACKUP_S3, *secrets.BACKUP_REST), "x")
    assert [*of_backup(everything, "/mnt/backup")] == ["BACKUP_PASSWORD"]
    assert [*of_backup(everything, "s3:https://s3.example.org/b")] == ["BACKUP_PASSWORD", "BACKUP_S3_KEY_ID", "BACKUP_S3_KEY"]
    assert [*of_backup({secrets.BACKUP: "x"}, "rest:https://backup.example.org/")] == ["BACKUP_PASSWORD"]
    assert not {*load(GIVEN | everything)} & {*everything}


@pytest.mark.parametrize(
    ("repository", "key", "wrong"),
    [
        (None, "backup.repository", "is missing: where backups go"),
        ("/mnt/backup", "secrets.BACKUP_PASSWORD", "is not set; backups cannot be read without it"),
        ("s3:https://s3.example.org/b", "secrets.BACKUP_S3_KEY", "export BACKUP_S3_KEY=…"),
    ],
)
def test_a_backup_without_its_secrets_is_refused(
    repository: str | None, key: str, wrong: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or one that nobody has said where to put."""
    monkeypatch.chdir(tmp_path)
    HOSTS.write_text("[hub]\n")
    with pytest.raises(SettingsError) as error:
        of_backup({}, repository)
    assert wrong in {problem.key: problem.wrong for problem in error.value.problems}[key]


class TestOfDatabase:
    """The URL of a database on a server, from where the other secrets come from."""

    NAME = "DATABASE_URL"
    URL = "postgresql://hub:hush@db/hub"

    def test_it_is_asked_for_by_name(self, tmp_path: Path) -> None:
        """Where hosts.toml no longer names it, too: the hub that runs does."""
        (tmp_path / "env").write_text(f"{self.NAME}={self.URL}\n")
        given = alone(secrets={"file": tmp_path / "env"})
        assert secrets.of_database(self.NAME, given, HOSTS, {}).get_secret_value() == self.URL
        assert secrets.of_database(self.NAME, given, HOSTS, {self.NAME: f"{self.URL}2"}).get_secret_value() == f"{self.URL}2"

    @pytest.mark.parametrize(("value", "wrong"), [("", "is not set"), ("mysql://hub:hush@db/hub", "is not the URL")])
    def test_what_is_wrong_with_it_is_told_without_it(self, value: str, wrong: str) -> None:
        """With all other problems of the secrets, where a deploy checks them."""
        table = {"names": [self.NAME]}
        given = alone(secrets=table, database={"url": {"secret": self.NAME}})
        with pytest.raises(SettingsError, match=wrong) as told:
            secrets.of_database(self.NAME, given, HOSTS, {self.NAME: value})
        assert "hush" not in str(told.value)
        with pytest.raises(SettingsError, match=wrong):
            secrets.load(given, HOSTS, GIVEN | {self.NAME: value})
