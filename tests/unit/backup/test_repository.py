"""How a repository is asked: by a container that has the secrets in a file, and what helps where it fails."""

import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from pydantic import SecretStr

from swarmhub.backup import repository as room
from swarmhub.errors import StepError
from swarmhub.host import EngineError
from swarmhub.settings.secrets import BACKUP, BACKUP_REST, BACKUP_S3
from tests.unit.backup.answers import PASSWORD, answering, jobs, repository
from tests.unit.support.fakes import MANAGER, FakeHost, FakeProgress, settings


def test_no_secret_is_in_what_an_engine_shows() -> None:
    """Neither in the arguments of the container nor in its environment; nor in what is printed of the repository."""
    host = FakeHost(MANAGER, answering({"answer": 1}))
    where = repository(s3=(SecretStr("id"), SecretStr("hidden-key")))
    room.ask(host, where, "list")
    body = str(host.engine.sent("POST /containers/create").body)
    assert {secret in body + repr(where) for secret in (PASSWORD, "hidden-key")} == {False}
    assert (jobs(host)[0]["password"], jobs(host)[0]["s3"]) == (PASSWORD, ["id", "hidden-key"])


def test_each_container_has_a_host_name_of_its_own() -> None:
    """By the node's own, restic would take another one's lock for that of a process which has ended, and remove it."""
    host = FakeHost(MANAGER, answering({"answer": 1}))
    for _ in range(2):
        room.ask(host, repository(), "list")
    names = [one.body["Hostname"] for one in host.engine.requests if str(one) == "POST /containers/create"]
    assert len(names) == len({*names}) == 2


def test_what_still_asks_is_stopped_before_it_is_removed() -> None:
    """So that it can give back its lock; one that has just gone is no error."""
    gone = EngineError(MANAGER, 404, "no such container")
    host = FakeHost(MANAGER, {"GET /containers/json": [{"Id": "a"}, {"Id": "b"}], "POST /containers/a/stop": gone})
    room.end(host, "jupyterhub")
    assert host.engine.asked()[1:] == [
        f"{what} /containers/{one}{how}" for one in "ab" for what, how in (("POST", "/stop"), ("DELETE", ""))
    ]


def test_the_container_is_removed_whatever_it_answers() -> None:
    """And how far it is is told."""
    host, progress = FakeHost(MANAGER, answering({"failed": "no", "kind": "disk"})), FakeProgress()
    with pytest.raises(StepError):
        room.ask(host, repository(), "list", progress=progress)
    assert "DELETE /containers/once" in host.engine.asked()
    assert progress.amounts == [(MANAGER, 5, 10)]


@pytest.mark.parametrize(
    ("kind", "cause", "remedy"),
    [
        ("password", "wrong password or no key found", "Set BACKUP_PASSWORD to the password"),
        ("missing", "repository does not exist", "The first fab backup makes it"),
        ("silent", "nas:22 does not answer: timed out", "Every host has to reach it"),
        ("silent", "nas:4010 does not answer: timed out", "Every host has to reach it"),
        ("restic", "ssh: Host key verification failed.", "ssh-keyscan HOST"),
        ("restic", "ssh: backup@nas: Permission denied (publickey).", "authorized_keys"),
        ("restic", "Access Denied.", "BACKUP_S3_KEY"),
        ("restic", "unexpected HTTP response (401): 401 Unauthorized", "BACKUP_REST_USER"),
        ("restic", "/big: file is too short; and 3 more like this", "The repository is damaged"),
        ("damaged", "hub/certificate.pem is not what was saved", "nothing was changed"),
        ("damaged", "cluster.json is not what was saved", "nothing was changed"),
        ("absent", "there are no data of a hub here", "if that one is lost: fab restore"),
        ("nothing", "notes.txt is not in this backup", "fab backups"),
        ("database", "the hub's database: it is damaged: a page", "Go on from another backup"),
        ("database", "the hub's database: PostgreSQL: failed: Connection refused", "Is the server up"),
        ("", "Traceback", "--debug"),
    ],
)
def test_each_failure_has_a_remedy(kind: str, cause: str, remedy: str) -> None:
    """In one line, which names the repository as hosts.toml does."""
    host = FakeHost(MANAGER, answering({"failed": cause, "kind": kind}))
    with pytest.raises(StepError) as failed:
        room.ask(host, repository(), "open")
    assert failed.value.cause == f"sftp:backup@nas.example.org:/srv/backup: {cause}"
    assert remedy in failed.value.remedy


def test_the_password_of_a_rest_server_is_in_no_message() -> None:
    """It goes into the address, which only restic is told."""
    where = repository("rest:https://backup.example.org/hub", user=(SecretStr("me"), SecretStr("pass")))
    assert where.job["repository"] == "rest:https://me:pass@backup.example.org/hub"
    assert "pass@" not in where.address + repr(where)


@pytest.mark.parametrize("password", ["pa/ss", "p@ss", "p:ss#1", "100%zz", "a b?c", "[x"])
def test_any_password_of_a_rest_server_stays_one(password: str) -> None:
    """It is read again as it was: neither is part of it taken for the host, nor told in the reader's message."""
    where = repository("rest:https://backup.example.org:8000/hub", user=(SecretStr("me@home"), SecretStr(password)))
    read = urlsplit(where.job["repository"].removeprefix("rest:"))
    assert (read.hostname, read.port, read.path) == ("backup.example.org", 8000, "/hub")
    assert (unquote(read.username or ""), unquote(read.password or "")) == ("me@home", password)


def test_the_settings_name_files_that_are_read(tmp_path: Path) -> None:
    """The key and the host's; both sides of S3 and of a rest-server come from secrets."""
    (tmp_path / "key").write_text("KEY\n")
    (tmp_path / "known").write_text("nas ssh-ed25519 AAAA\n")
    table = {"repository": "sftp:b@nas:/x", "ssh_key": str(tmp_path / "key"), "ssh_known_hosts": str(tmp_path / "known")}
    where = room.of(settings(backup=table), {BACKUP: SecretStr("p")}, "image")
    assert (where.job["ssh_key"], where.job["known_hosts"], where.folder) == ("KEY\n", "nas ssh-ed25519 AAAA\n", "")
    secrets = {one: SecretStr(one) for one in (BACKUP, *BACKUP_S3, *BACKUP_REST)}
    assert room.of(settings(backup={"repository": "s3:https://s3/b"}), secrets, "image").job["s3"] == [*BACKUP_S3]


def test_a_folder_is_mounted_where_it_is() -> None:
    """On every host that saves: a share."""
    host = FakeHost(MANAGER, answering({"answer": 1}))
    room.ask(host, repository("/mnt/backup", folder="/mnt/backup"), "list")
    mounts = host.engine.sent("POST /containers/create").body["HostConfig"]["Mounts"]
    assert {"Type": "bind", "Source": "/mnt/backup", "Target": "/mnt/backup"} in mounts


def test_a_repository_is_made_before_the_first_backup() -> None:
    """And it is said what the password is worth."""
    host, progress = FakeHost(MANAGER, answering({"answer": {"made": True}})), FakeProgress()
    room.opening(repository(), MANAGER).apply(host, progress)
    assert jobs(host)[0]["make"] is True
    assert "Without BACKUP_PASSWORD nobody can read it" in progress.lines[0][1]


def test_what_is_sent_needs_pythons_own_library_alone(tmp_path: Path) -> None:
    """Nothing else is in the image of restic."""
    for name, content in room.program(room.OF_SCHEDULE).items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    both = "swarmhub.inside.schedule.__main__, swarmhub.inside.backup.__main__"
    statement = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import {both}"
    subprocess.run([sys.executable, "-I", "-S", "-c", statement], check=True)
